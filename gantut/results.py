"""Recorded results of long runs, and tables of them on a page.

A chapter runs what fits in its minutes. What takes longer is run by a script in ``benchmarks/``,
which writes ``benchmarks/results/NAME.json`` with its command, seeds, versions and machine; the
chapter loads that file, and runs one of its rows again.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy import special

from gantut import _check

Rows = Sequence[Mapping[str, Any]]
Measure = tuple[str, int, float] | Callable[[Rows], str]

# An installed wheel carries the files inside the package; a checkout has them where they are made.
_FOLDERS = (
    Path(__file__).parent / "results",
    Path(__file__).parents[1] / "benchmarks" / "results",
)


def available() -> tuple[str, ...]:
    """The names that `load` knows, in alphabetical order."""
    return tuple(sorted({path.stem for folder in _FOLDERS for path in folder.glob("*.json")}))


def load(name: str) -> dict[str, Any]:
    """What a script recorded under a name of `available`, such as "toys".

    ``command`` and ``environment`` are among the keys.
    """
    _check.one_of(name, "name", available())
    folder = next(folder for folder in _FOLDERS if (folder / f"{name}.json").is_file())
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean over n >= 2 runs, and its standard error (sample deviation over the root of n)."""
    n = len(values)
    if n < 2:
        raise ValueError(f"a standard error needs two values at least, got {n}")
    mean = sum(values) / n
    return mean, (sum((value - mean) ** 2 for value in values) / (n - 1) / n) ** 0.5


def select(rows: Iterable[Mapping[str, Any]], **wanted: Any) -> list[Mapping[str, Any]]:
    """The rows of a result, such as ``load(name)["rows"]``, that have the wanted values."""
    found = [row for row in rows if all(k in row and row[k] == v for k, v in wanted.items())]
    if not found:
        raise ValueError(f"no recorded row has {wanted}")
    return found


def grouped(rows: Iterable[Mapping[str, Any]], *keys: str) -> dict[Any, list[Mapping[str, Any]]]:
    """The rows of a result by what they have in common, as they come first.

    The values of one key name the groups, or tuples of the values of several.
    """
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        name = row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys)
        groups.setdefault(name, []).append(row)
    return groups


def paired_difference(
    first: Sequence[float], second: Sequence[float], confidence: float = 0.95
) -> tuple[float, float]:
    """How much larger one method's figures are than another's from the same seeds.

    By Student's t distribution, under which few seeds give wide intervals: three seeds allow 4.3
    standard errors at 95 %, and ten 2.3.

    Args:
        first: One figure for each of n >= 2 seeds.
        second: The other method's, in the same order of seeds.
        confidence: Of the interval, in (0, 1).

    Returns:
        (mean of ``first - second``, half the width of its confidence interval).
    """
    if len(first) != len(second):
        raise ValueError(f"each seed needs both figures, got {len(first)} and {len(second)}")
    confidence = _check.number(confidence, "confidence", above=0.0, below=1.0)
    mean, error = mean_and_error([a - b for a, b in zip(first, second, strict=True)])
    return mean, error * float(special.stdtrit(len(first) - 1, 0.5 + confidence / 2))


def verdict(
    first: Sequence[float], second: Sequence[float], *, better: int = 1, confidence: float = 0.95
) -> str:
    """Which of two methods won, "first", "second" or "tie", by their `paired_difference`.

    It is a tie where the interval has 0 in it: these seeds do not show who is better. ``better`` is
    1 if more is better, and -1 if less is.
    """
    mean, half = paired_difference(first, second, confidence)
    return "tie" if abs(mean) <= half else "first" if better * mean > 0 else "second"


def plus_minus(values: Iterable[float], digits: int = 1, scale: float = 1.0) -> str:
    """The mean over runs and its standard error (`mean_and_error`), such as "97.3 ± 0.2".

    Args:
        values: One finite number for each run.
        digits: Digits behind the point.
        scale: What to multiply the values by: 100 for shares in per cent.
    """
    mean, error = mean_and_error([scale * value for value in values])
    return f"{mean:,.{digits}f} ± {error:,.{digits}f}"


class Table(str):
    """A table in Markdown, which a notebook shows as a table."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table in Markdown: the first column to the left, the others to the right.

    A cell is written by ``str``.
    """
    lines = [_line(header), _line([":--", *["--:"] * (len(header) - 1)])]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row has {len(row)} cells under {len(header)} columns: {row!r}")
        lines.append(_line(row))
    return Table("\n".join(lines))


def comparison(
    title: str,
    groups: Mapping[str, Rows],
    measures: Mapping[str, Measure],
) -> Table:
    """A table of means and standard errors: what several runs of each method came to.

    Args:
        title: The heading of the methods' names.
        groups: The recorded rows of each method, by the name to show, as from `select`.
        measures: By the heading of its column, how a measure is shown: its key in the rows, the
            digits and the scale, as in `plus_minus` (the cell is empty where the rows have no
            such key); or a function from rows to a cell.
    """

    def cell(rows: Rows, measure: Measure) -> str:
        if callable(measure):
            return measure(rows)
        key, digits, scale = measure
        return plus_minus([row[key] for row in rows], digits, scale) if key in rows[0] else ""

    return markdown(
        [title, *measures],
        [[name, *(cell(rows, how) for how in measures.values())] for name, rows in groups.items()],
    )


def _line(cells: Sequence[Any]) -> str:
    # A bar ends a cell, and a line break ends the table.
    clean = (re.sub(r"\s*\n\s*", " ", str(cell)).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(clean)} |"
