"""Data: MNIST and Fashion-MNIST, your own images, and made-up data whose truth is known.

- ``arrays``: the doors, which say what images, samples and labels must be
- ``download``: how the bytes of MNIST and Fashion-MNIST get here
- ``mnist``: MNIST, Fashion-MNIST and Stacked MNIST
- ``images``: your own images, from a folder or an npz file
- ``mixtures``: the ring and the grid of normal distributions in the plane
- ``gaussians``: images of normal densities

Images are float32 in [-1, 1] with the channels last; :func:`check_images` says so at every door.
The page "The data" of the book tells where the real images come from and under which terms.
"""

from gantut.data.arrays import (
    Float32,
    Float64,
    Int64,
    check_alike,
    check_images,
    check_labels,
    check_samples,
    number_of_classes,
)
from gantut.data.download import DataUnavailableError, data_folder
from gantut.data.gaussians import (
    GaussianImages,
    GaussianParameters,
    estimate_gaussian_parameters,
    gaussian_images,
    render_gaussians,
)
from gantut.data.images import OwnImages, load_images, read_images, resize
from gantut.data.mixtures import (
    Mixture,
    grid,
    grid_mixture,
    ring,
    ring_mixture,
    sample_mixture,
)
from gantut.data.mnist import ImageData, load_fashion_mnist, load_mnist, stacked_mnist

__all__ = [
    "DataUnavailableError",
    "Float32",
    "Float64",
    "GaussianImages",
    "GaussianParameters",
    "ImageData",
    "Int64",
    "Mixture",
    "OwnImages",
    "check_alike",
    "check_images",
    "check_labels",
    "check_samples",
    "data_folder",
    "estimate_gaussian_parameters",
    "gaussian_images",
    "grid",
    "grid_mixture",
    "load_fashion_mnist",
    "load_images",
    "load_mnist",
    "number_of_classes",
    "read_images",
    "render_gaussians",
    "resize",
    "ring",
    "ring_mixture",
    "sample_mixture",
    "stacked_mnist",
]
