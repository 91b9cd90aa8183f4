"""A GAN that is told which images look alike: labels that are found, not given.

A discriminator that knows the class of an image judges it by its class, and a generator that knows
it draws a class at a time; with labels both learn faster. Where there are none, groups of images
that look alike can take their place (Sage et al. 2018; Liu et al. 2020): `cluster_images` finds
them, a `ClusteredGAN` learns with them. Its generator takes no label; it draws the group itself,
from one more latent coordinate.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._keras import keras, tf
from gantut.data import Float32, check_images
from gantut.gan import GAN
from gantut.networks import count_classes, place_labels, set_label_shares

Tensor: TypeAlias = tf.Tensor
_BLOCK = 2_000  # images at a time, which bounds the memory
_COMPONENTS = 50  # principal components in which distances between images are taken


def oriented_gradients(images: npt.ArrayLike, cell: int = 4, directions: int = 8) -> Float32:
    """Histograms of oriented gradients (Dalal and Triggs 2005): where strokes go, by place.

    An image is cut into square cells. In each cell, the lengths of the brightness' slopes (Sobel's)
    are summed by direction; a slope between two directions is shared between them. The histograms
    of an image together sum to 1, and their square roots are returned, between which the Euclidean
    distance is Hellinger's.

    Args:
        images: (n, height, width, channels) in [-1, 1]; of colours the mean is taken.
        cell: Side of a cell in pixels.
        directions: Number of directions, all around.

    Returns:
        Features (n, cells * directions) in [0, 1].
    """
    images = check_images(images)
    cell, directions = _check.sizes(cell=cell, directions=directions)
    angles = 2 * np.pi / directions * np.arange(directions, dtype=np.float32)
    blocks = []
    for start in range(0, len(images), _BLOCK):
        block = tf.constant(images[start : start + _BLOCK].mean(axis=3, keepdims=True))
        down, right = tf.unstack(tf.image.sobel_edges(block)[:, :, :, 0], axis=-1)
        turn = tf.abs((tf.atan2(down, right)[..., None] - angles + np.pi) % (2 * np.pi) - np.pi)
        shares = tf.nn.relu(1.0 - turn * (directions / (2 * np.pi)))
        slopes = tf.sqrt(down**2 + right**2)[..., None] * shares
        cells = tf.nn.avg_pool2d(slopes, cell, cell, "SAME")
        rows = tf.reshape(cells, (len(block), -1))
        total = tf.reduce_sum(rows, axis=1, keepdims=True)
        blocks.append(tf.sqrt(tf.math.divide_no_nan(rows, total)).numpy())
    return np.concatenate(blocks)


def cluster_images(images: npt.ArrayLike, k: int, seed: int = 0) -> npt.NDArray[np.int32]:
    """Divides images into k groups, by k-means on their `oriented_gradients`.

    Args:
        images: (n, height, width, channels) in [-1, 1], n >= k.
        k: Number of groups.
        seed: Fixes where k-means begins.

    Returns:
        The group of each image (n,), from 0 to k - 1. Groups differ in size.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import PCA

    features = oriented_gradients(images)
    k, seed = _check.integer(k, "k", 1), _check.seed(seed)
    if k > len(features):
        raise ValueError(f"wanted at least one image a group, got {len(features)} for k={k}")
    parts = min(_COMPONENTS, *features.shape)
    places = PCA(parts, svd_solver="covariance_eigh").fit_transform(features)
    found = MiniBatchKMeans(k, random_state=seed, batch_size=4_096, n_init=1).fit_predict(places)
    return found.astype(np.int32)


class ClusteredGAN(GAN):
    """A `gantut.GAN` whose discriminator takes the group of a sample, and whose generator draws it.

    ``fit`` takes the groups as labels. In training the samples that stand against a batch are of
    that batch's groups; afterwards the generator draws groups as often as `set_shares` says.

    Args:
        generator: Made with ``draws_label=True``, such as `gantut.networks.mlp_generator`.
        discriminator: One that takes labels.
        loss: As in `gantut.GAN`.
        **options: As there.
    """

    label_inputs = ((0, 1),)

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        loss: Any = "non_saturating",
        **options: Any,
    ) -> None:
        super().__init__(generator, discriminator, loss, **options)
        self.conditional, self.num_classes = True, count_classes(discriminator)

    def set_shares(self, labels: npt.ArrayLike) -> None:
        """Lets the generator draw each group as often as it comes in the data's labels (n,)."""
        shares = np.bincount(labels, minlength=self.num_classes or 0)
        for generator in (self.generator, self.ema_generator):
            set_label_shares(generator, shares)

    def generator_inputs(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latent vectors that draw these groups."""
        return place_labels(self.generator, z, labels)
