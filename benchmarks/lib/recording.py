"""A benchmark's command line, and its rows in a JSON file: what is run again replaces the old."""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from threadpoolctl import threadpool_limits

from gantut._files import environment, write_json

RESULTS = Path(__file__).resolve().parents[1] / "results"


def use_one_thread() -> None:
    """Keeps the libraries on one core: the machine's other work changes the wall clock only."""
    threadpool_limits(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def timed(call: Callable[..., Any], *arguments: Any, **settings: Any) -> tuple[Any, float]:
    """What a call returns, and the CPU seconds that it took."""
    begin = time.process_time()
    made = call(*arguments, **settings)
    return made, time.process_time() - begin


def show(row: Mapping[str, Any]) -> None:
    """Prints a row, without what takes many numbers."""
    print({k: v for k, v in row.items() if not isinstance(v, list | dict)}, flush=True)


class Record:
    """A file of rows, written after each group of them.

    Args:
        path: The file, named as the script; its rows are kept if it exists.
        **head: What else stands in the file; a function makes it of the rows. ``seeds`` replaces
            the list of the rows' seeds, ``command`` the script's name.
    """

    def __init__(self, path: Path, **head: Any) -> None:
        self.path, self.head = path, head
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self.rows = json.loads(path.read_text(encoding="utf-8"))["rows"]

    def put(self, rows: Iterable[Mapping[str, Any]], **key: Any) -> None:
        """Puts a whole group of rows in the place of all old rows with its key, and writes."""
        new = [{**key, **row} for row in rows]
        for row in new:
            show(row)
        self.rows = [row for row in self.rows if any(row.get(k) != key[k] for k in key)] + new
        write_json(
            self.path,
            {
                "command": f"python benchmarks/{Path(sys.argv[0]).name}",
                "seeds": sorted({row["seed"] for row in self.rows if "seed" in row}),
                **{k: v(self.rows) if callable(v) else v for k, v in self.head.items()},
                "environment": environment(),
                "rows": self.rows,
            },
        )


Rows = Iterable[Mapping[str, Any]]


def main(
    description: str,
    experiments: Mapping[str, Callable[..., Rows]],
    keys: Mapping[str, Sequence[Any] | Mapping[str, Sequence[Any]]],
    *,
    group: str | None = "experiment",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    one_thread: bool = True,
    **head: Any,
) -> None:
    """A benchmark's command: runs what is asked for, and writes the file after each group of rows.

    ``--only`` names experiments, and each key has an option for the values that are to be run
    (``--seeds`` for ``seed``); other rows of benchmarks/results/NAME.json are kept.

    Args:
        description: The script's own.
        experiments: By name, what yields the rows for one value of each key, in the keys' order.
        keys: The values by key, the slowest first; or by experiment, where they differ.
        group: The column of the experiment's name; None has none.
        options: What else the experiments take by keyword: arguments of ``add_argument``, by name.
        one_thread: Whether TensorFlow is held to one thread.
        **head: As in `Record`.
    """
    threads = " All of it runs on one thread." if one_thread else ""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f"The file is written after each group of rows; others in it are kept.{threads}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=experiments, default=[*experiments])
    for key, values in keys.items():
        known = itertools.chain(*values.values()) if isinstance(values, Mapping) else values
        parser.add_argument(f"--{_plural(key)}", dest=key, nargs="+", type=type(next(iter(known))))
    for name, settings in (options or {}).items():
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)
    parser.add_argument("--out", type=Path, default=RESULTS / f"{Path(sys.argv[0]).stem}.json")
    arguments = parser.parse_args()
    if one_thread:
        use_one_thread()

    record = Record(arguments.out, **head)
    given = {name: getattr(arguments, name) for name in options or {}}
    for name in arguments.only:
        asked = [getattr(arguments, key) for key in keys]
        known = [each[name] if isinstance(each, Mapping) else each for each in keys.values()]
        for values in itertools.product(*(a or k for a, k in zip(asked, known, strict=True))):
            rows = experiments[name](*values, **given)
            key = {group: name} if group else {}
            record.put(rows, **key, **dict(zip(keys, values, strict=True)))


def _plural(word: str) -> str:
    word = word.replace("_", "-")
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return word if word.endswith("s") else f"{word}s"
