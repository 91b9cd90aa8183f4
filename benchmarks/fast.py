"""What the recipe ``fast`` reaches in a given time, over several seeds.

    python benchmarks/fast.py --seconds 120 --seeds 0 1 2

Only training steps count towards the seconds. Nothing else should run on the machine meanwhile.
Writes benchmarks/results/fast.json.
"""

import argparse
import shlex
import sys
from pathlib import Path

from gantut import evaluate, load_mnist, recipes
from gantut._files import environment, write_json

RESULT = Path(__file__).parent / "results" / "fast.json"


def main() -> None:
    """Trains, evaluates and writes the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="fast", choices=sorted(recipes.RECIPES))
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()

    data = load_mnist()
    labels = data.y_train if recipes.get(arguments.recipe).conditional else None
    rows = []
    for seed in arguments.seeds:
        run = recipes.train(
            arguments.recipe, data.x_train, labels, seconds=arguments.seconds, seed=seed
        )
        evaluation = evaluate(run.gan)
        shares = evaluation.class_shares
        rows.append(
            {
                "seed": seed,
                "steps": run.steps,
                "seconds": run.seconds,
                "frechet_ratio": evaluation.frechet_ratio,
                **evaluation.to_dict(),
            }
        )
        print(
            f"seed {seed}: {run.steps} steps in {run.seconds:.0f} s, Frechet distance "
            f"{evaluation.frechet_distance:.3f} = {evaluation.frechet_ratio:.1f} floors, classes "
            f"{min(shares):.1%} to {max(shares):.1%}, confident {evaluation.confident:.1%} "
            f"(real digits {evaluation.confident_real:.1%})",
            flush=True,
        )
        write_json(
            arguments.out,
            {
                "command": shlex.join(["python", *sys.argv]),
                "recipe": arguments.recipe,
                "seconds": arguments.seconds,
                "seeds": arguments.seeds,
                "environment": environment(),
                "rows": rows,
            },
        )


if __name__ == "__main__":
    main()
