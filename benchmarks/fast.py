"""What the recipe ``fast`` reaches in two minutes, over several seeds.

Only training steps count towards the seconds. Nothing else should run on the machine meanwhile.
"""

from collections.abc import Iterator
from typing import Any

from lib.recording import main

from gantut import evaluate, judge, load_mnist, recipes

SECONDS = 120.0


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """One training, evaluated."""
    run = recipes.train("fast", load_mnist().x_train, seconds=SECONDS, seed=seed)
    first, second = (evaluate(run.gan, judged_by=name).to_dict() for name in judge.JUDGES)
    yield {"steps": run.steps, "seconds": run.seconds, **first, "second_judge": second}


if __name__ == "__main__":
    main(
        __doc__,
        {"fast": rows},
        {"seed": (0, 1, 2)},
        group=None,
        one_thread=False,
        recipe="fast",
        seconds=SECONDS,
    )
