"""Distances between generated and real data, on feature arrays: NumPy in, numbers out.

Most functions take arrays of features, one row a sample. For digits the features are those of
`gantut.judge`; two-dimensional points are their own features. None of these numbers says anything
alone: each is finite even between two halves of the real data, and that floor, at the same number
of samples, is what to read it against (`gantut.evaluation` computes both).

- ``features``: Frechet and kernel distance, precision, recall, density and coverage
- ``modes``: class probabilities, and modes of mixtures and stacked digits
- ``images``: sharpness, likeness to a target, nearest training images and memorisation

All sums are in float64. Work that needs all pairs of samples goes through blocks, so memory grows
with the number of samples, not with its square.
"""

from gantut.metrics.features import (
    Features,
    ManifoldMetrics,
    frechet_distance,
    frechet_distance_error,
    kernel_distance,
    kernel_distance_and_error,
    manifold_metrics,
    precision_recall,
)
from gantut.metrics.images import (
    Memorisation,
    Neighbours,
    memorisation,
    nearest_training_images,
    psnr,
    sharpness,
    ssim,
)
from gantut.metrics.modes import (
    ModeCoverage,
    StackedModes,
    class_histogram,
    classifier_score,
    mode_coverage,
    triples_of_digits,
)

__all__ = [
    "Features",
    "ManifoldMetrics",
    "Memorisation",
    "ModeCoverage",
    "Neighbours",
    "StackedModes",
    "class_histogram",
    "classifier_score",
    "frechet_distance",
    "frechet_distance_error",
    "kernel_distance",
    "kernel_distance_and_error",
    "manifold_metrics",
    "memorisation",
    "mode_coverage",
    "nearest_training_images",
    "precision_recall",
    "psnr",
    "sharpness",
    "ssim",
    "triples_of_digits",
]
