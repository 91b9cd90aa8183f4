"""Synthetic records: a small GAN for tables of mixed columns, and what to measure.

    from gantut.applications import tabular

    kinds = ("continuous", "integer", "category")
    run = tabular.train(table, kinds, seed=0)
    synthetic = run.sample(len(table))

A table is an array (records, columns) of numbers; a category is a number as well, of which only the
identity counts. `TableEncoder` turns records into rows that a network can make, and rows back into
records: one number for a numeric column, and a one-hot vector for a category, as in CTGAN (Xu et
al. 2019). Points (n, 2) of a density in the plane are a table of two continuous columns.

Rivals of the GAN are in `gantut.applications.rivals`, and the measures treat all makers alike. The
argument ``kinds`` names for each column one of `KINDS`.
"""

from gantut.applications.tabular.encoding import KINDS, SCALINGS, TableEncoder
from gantut.applications.tabular.makers import (
    METHODS,
    MixedOutput,
    TableRun,
    discriminator,
    generator,
    recipe,
    train,
)
from gantut.applications.tabular.measures import (
    ClosestRecords,
    Measures,
    closest_records,
    correlation_difference,
    correlations,
    energy_distance,
    marginal_distances,
    measure,
    train_on_synthetic,
    two_sample_accuracy,
)

__all__ = [
    "KINDS",
    "METHODS",
    "SCALINGS",
    "ClosestRecords",
    "Measures",
    "MixedOutput",
    "TableEncoder",
    "TableRun",
    "closest_records",
    "correlation_difference",
    "correlations",
    "discriminator",
    "energy_distance",
    "generator",
    "marginal_distances",
    "measure",
    "recipe",
    "train",
    "train_on_synthetic",
    "two_sample_accuracy",
]
