"""Records as rows for a network, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from gantut import _check
from gantut.data import Float32, Float64

KINDS = ("continuous", "integer", "category")
"""What a column can hold, that is any numbers, whole numbers, or categories."""
SCALINGS = ("quantile", "standard")
"""How a numeric column is brought to mean 0 and variance 1."""


class TableEncoder:
    """Turns records into rows for a network, and such rows back into records.

    A numeric column becomes one number. With the scaling "standard" it is (x - mean) / deviation.
    With "quantile" it is the normal score of x: the standard normal quantile of the column's
    distribution function at x, so that a generator need only learn how columns depend on each
    other. Where many records share a value that function jumps, and the score is drawn from the
    jump (Rueschendorf 2009). Values outside the range that was fitted are moved to its ends.

    A category becomes a one-hot vector, in the order of the sorted values.

    Args:
        kinds: For each column one of ``KINDS``.
        scaling: One of ``SCALINGS``, for all numeric columns.
        knots: Quantiles that are kept of a column, at most; the distribution function is linear
            between them. Fewer knots smooth more, and keep less of single records.

    Attributes:
        sizes: Numbers that each column becomes: 1, or the number of categories. After `fit`.
    """

    def __init__(
        self, kinds: Sequence[str], *, scaling: str = "quantile", knots: int = 100
    ) -> None:
        self.kinds = check_kinds(kinds)
        self.scaling = _check.one_of(scaling, "scaling", SCALINGS)
        self.knots = _check.integer(knots, "knots", 2)
        self.sizes: tuple[int, ...] = ()
        # A column's categories, its quantiles and their levels, or its mean and deviation.
        self._columns: list[Any] = []

    @property
    def width(self) -> int:
        """Length of an encoded row, the sum of the sizes."""
        return sum(self.sizes)

    def fit(self, table: npt.ArrayLike) -> "TableEncoder":
        """Reads scales, quantiles and categories from a table of two records or more."""
        columns: list[Any] = []
        values = check_table(table, self.kinds, minimum=2)
        for i, (kind, column) in enumerate(zip(self.kinds, values.T, strict=True)):
            distinct = np.unique(column)
            if len(distinct) == 1:
                raise ValueError(f"column {i} has one value only ({distinct[0]:g}): leave it out")
            if kind == "category":
                columns.append(distinct)
            elif self.scaling == "standard":
                columns.append((column.mean(), column.std()))
            else:
                # Hazen's levels (i - 1/2) / n put as much mass below the smallest value as above
                # the largest.
                n = len(column)
                levels = np.linspace(0.5 / n, 1 - 0.5 / n, min(n, self.knots))
                columns.append((levels, np.quantile(column, levels, method="hazen")))
        self._columns = columns
        self.sizes = tuple(
            len(c) if kind == "category" else 1 for kind, c in zip(self.kinds, columns, strict=True)
        )
        return self

    def transform(self, table: npt.ArrayLike, seed: int = 0) -> Float32:
        """Encodes records: float32 (n, width). The seed fixes what is drawn from jumps."""
        self._must_be_fitted()
        values = check_table(table, self.kinds)
        rng = _check.rng(seed)
        parts = []
        for i, (kind, fitted) in enumerate(zip(self.kinds, self._columns, strict=True)):
            column = values[:, i]
            if kind == "category":
                index = np.minimum(np.searchsorted(fitted, column), len(fitted) - 1)
                strange = column[fitted[index] != column]
                if len(strange):
                    raise ValueError(
                        f"column {i} has the category {strange[0]:g}, which was never fitted"
                    )
                parts.append(np.eye(len(fitted))[index])
                continue
            if self.scaling == "standard":
                mean, deviation = fitted
                scores = (column - mean) / deviation
            else:
                levels, quantiles = fitted
                below = np.interp(-column, -quantiles[::-1], levels[::-1])
                above = np.interp(column, quantiles, levels)
                scores = special.ndtri(below + rng.random(len(column)) * (above - below))
            parts.append(scores[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def inverse(self, rows: npt.ArrayLike) -> Float64:
        """Decodes rows (n, width): the inverse of `transform`, but for what that clips.

        Of a category's numbers the largest counts; integer columns are rounded.
        """
        self._must_be_fitted()
        values = _check.rows(rows, "rows")
        if values.shape[1] != self.width:
            raise ValueError(f"rows must have the width {self.width}, got shape {values.shape}")
        starts = np.cumsum((0, *self.sizes))
        table = np.empty((len(values), len(self.kinds)))
        for i, (kind, fitted) in enumerate(zip(self.kinds, self._columns, strict=True)):
            part = values[:, starts[i] : starts[i + 1]]
            if kind == "category":
                table[:, i] = fitted[part.argmax(axis=1)]
                continue
            if self.scaling == "standard":
                mean, deviation = fitted
                column = mean + deviation * part[:, 0]
            else:
                levels, quantiles = fitted
                column = np.interp(special.ndtr(part[:, 0]), levels, quantiles)
            table[:, i] = np.rint(column) if kind == "integer" else column
        return table

    def _must_be_fitted(self) -> None:
        if not self._columns:
            raise ValueError("the encoder has seen no table yet: call fit first")


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds of a table's columns."""
    if isinstance(kinds, str):
        raise TypeError(f"kinds must be a sequence with one of {KINDS} a column, got {kinds!r}")
    return tuple(_check.one_of(kind, "kind of column", KINDS) for kind in kinds)


def check_table(
    table: npt.ArrayLike, kinds: Sequence[str], name: str = "table", *, minimum: int = 1
) -> Float64:
    """A table of real numbers that fits its kinds, of ``minimum`` records at least."""
    kinds = check_kinds(kinds)
    values = _check.rows(table, name, minimum)
    if values.shape[1] != len(kinds):
        raise ValueError(f"{name} must have {len(kinds)} columns, one a kind, got {values.shape}")
    for i, kind in enumerate(kinds):
        if kind == "integer" and np.any(values[:, i] != np.rint(values[:, i])):
            raise ValueError(f"{name}: column {i} is to hold integers, but has fractions")
    return values
