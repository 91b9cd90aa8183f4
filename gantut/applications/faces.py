"""Faces from a hundred photographs: a small GAN, what its D memorises, and its rivals.

    from gantut.applications import faces

    train, holdout = faces.split(faces.load_faces(), fold=0)
    run = faces.train(train, holdout, augment=faces.POLICY)
    made = run.sample(400)

The photographs are the hundred small ones that ship with scikit-image. Images are grey, float32
(n, height, width, 1) in [-1, 1]; height and width are multiples of 4. The rivals are `Eigenfaces`
and, in `gantut.applications.rivals`, copies and blends of training images; `measure` puts numbers
on samples of any of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gantut import _check, metrics, networks, recipes
from gantut._keras import keras, tf
from gantut.data import Float32, Float64, check_images, resize
from gantut.gan import GAN

FOLDS = 5  # parts of the data, of which each is held out once
POLICY = "color,translation,cutout"
"""What `gantut.stabilisers.DiffAugment` changes; all three, as Zhao et al. 2020 for few images."""

_SHIFT = 2  # pixels by which `nearest_faces` moves an image each way


# --- Data --------------------------------------------------------------------------------------


def load_faces(*, size: int = 24) -> Float32:
    """Loads 100 photographs of faces from Labeled Faces in the Wild, which come with scikit-image.

    They are 25 x 25 pixels. For ``size=24`` the last row and column are cut off; to other sizes,
    multiples of 4, they are resized (Lanczos).
    """
    return _photographs(size)[:100]


def load_non_faces(*, size: int = 24) -> Float32:
    """Loads 100 pieces of background that come with these faces, as `load_faces` does."""
    return _photographs(size)[100:]


def _photographs(size: int) -> Float32:
    from skimage.data import lfw_subset

    grey = lfw_subset().astype(np.float32)  # in [0, 1]
    side = 24 if size == 24 else 25  # A single row too many is no reason to blur all others.
    squares = (2 * grey[:, :side, :side] - 1)[..., None]
    return np.stack([resize(square, (size, size)) for square in squares])


def split(faces: npt.ArrayLike, fold: int = 0) -> tuple[Float32, Float32]:
    """Holds one of the ``FOLDS`` parts of the faces out, number ``fold`` from 0."""
    images = _faces(faces)
    # One order, so that parts never overlap.
    parts = np.array_split(np.random.default_rng(0).permutation(len(images)), FOLDS)
    holdout = parts.pop(fold)
    return images[np.concatenate(parts)], images[holdout]


def with_mirrors(images: npt.ArrayLike) -> Float32:
    """The images and, after them, their mirror images."""
    x = _faces(images)
    return np.concatenate([x, x[:, :, ::-1]])


def _faces(
    images: npt.ArrayLike, name: str = "faces", size: tuple[int, int] | None = None
) -> Float32:
    return check_images(images, name=name, size=size, channels=1)


# --- The GAN -----------------------------------------------------------------------------------


def recipe(augment: str = "", *, latent_dim: int = 32, width: int = 16) -> recipes.GANRecipe:
    """A small DCGAN with the relativistic loss, light R1 and R2 penalties and averaged weights.

    Args:
        augment: Policy of `gantut.stabilisers.DiffAugment`, such as ``POLICY``; "" for none.
        latent_dim: Length of the latent vector.
        width: Channels of G at half size; D has twice as many, so that it can memorise a hundred
            faces.
    """
    plain = recipes.GANRecipe(
        name="faces",
        summary="a small convolutional GAN for a hundred faces",
        generator=partial(networks.dcgan_generator, latent_dim, width=width),
        discriminator=partial(networks.dcgan_discriminator, width=2 * width),
        loss="relativistic",
        penalties={"r1": 0.01, "r2": 0.01},
        penalty_every=16,
        ema=0.995,
        batch_size=16,
        steps=1_200,
        gpu_steps=10_000,
        g_learning_rate=5e-4,
        d_learning_rate=2e-3,
        beta_1=0.5,
        beta_2=0.99,
        schedule=recipes.linear_decay(hold=0.5),
        steps_per_execution=50,
    )
    return recipes.stabilise(plain, diff_augment=augment)


class Overfitting(keras.callbacks.Callback):
    """Keeps what D says of training faces, held-out faces and samples over a training.

    The logits are D's without augmentation or noise at its input, and the samples are those of the
    averaged generator, always for the same 256 latent vectors.

    Args:
        train: Images that D is trained on.
        holdout: Images of the same kind that it is not.
        every: Steps from row to row, rounded up to whole executions.

    Attributes:
        curves: Lists by column: ``step``, the mean logits ``train``, ``holdout`` and
            ``samples``, and ``membership``: how often D gives a training face a higher logit than
            a held-out one, over all pairs; 0.5 where D has memorised nothing.
    """

    def __init__(self, train: npt.ArrayLike, holdout: npt.ArrayLike, *, every: int = 100) -> None:
        super().__init__()
        self._real = {"train": _faces(train, "train"), "holdout": _faces(holdout, "holdout")}
        self.every = every
        self.curves: dict[str, list[float]] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes the first row."""
        self._add()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes a row if it is time."""
        if int(self.model.step_counter.numpy()) - self.curves["step"][-1] >= self.every:
            self._add()

    def _add(self) -> None:
        z = tf.random.stateless_normal((256, self.model.latent_dim), seed=(0, 1))
        images = {**self._real, "samples": self.model.ema_generator(z, training=False)}
        logits = {
            name: np.ravel(self.model.discriminator(x, training=False)).astype(np.float64)
            for name, x in images.items()
        }
        lead = logits["train"][:, None] - logits["holdout"]
        row: dict[str, Any] = {
            "step": self.model.step_counter.numpy(),
            **{name: values.mean() for name, values in logits.items()},
            "membership": np.mean(lead > 0) + 0.5 * np.mean(lead == 0),
        }
        for name, value in row.items():
            self.curves.setdefault(name, []).append(value.item())


@dataclass(frozen=True, kw_only=True)
class FaceRun(recipes.Run[GAN]):
    """What a training on faces left, with the ``curves`` of `Overfitting`."""

    curves: dict[str, list[float]]

    @property
    def membership(self) -> float:
        """How well D tells training from held-out faces, as in `Overfitting`."""
        return float(np.mean(self.curves["membership"][-5:]))

    def sample(self, n: int, seed: int = 0) -> Float32:
        """Makes ``n`` faces, float32 (n, height, width, 1) in [-1, 1]."""
        return self.gan.sample(n, seed=seed)


def train(
    faces: npt.ArrayLike,
    holdout: npt.ArrayLike,
    *,
    augment: str = "",
    steps: int | None = None,
    seed: int = 0,
    every: int = 50,
    **settings: int,
) -> FaceRun:
    """Trains a GAN on faces and their mirror images, and watches what D memorises.

    Args:
        faces: Images to train on, at least 16.
        holdout: Faces of the same size that no network is trained on.
        augment: As in `recipe`.
        steps: Length of the training; the recipe's if None.
        seed: Fixes the result, as in `gantut.recipes`.
        every: Steps from row to row of the curves.
        **settings: ``latent_dim`` and ``width``, as in `recipe`.
    """
    watch = Overfitting(faces, holdout, every=every)
    plan = recipe(augment, **settings)
    run = recipes.train(plan, with_mirrors(faces), steps=steps, seed=seed, callbacks=[watch])
    return FaceRun.of(run, curves=watch.curves)


# --- Rivals ------------------------------------------------------------------------------------


class Eigenfaces:
    """Principal components of faces, and the normal distribution over their coordinates.

    Sirovich and Kirby 1987 described faces so, Turk and Pentland 1991 named them.

    Args:
        faces: Training images, at least 2.
        components: How many; as many as the images span if None.

    Attributes:
        mean: The mean image, float64 (height * width,).
        axes: Orthonormal rows (components, height * width), largest variance first.
        deviations: Standard deviation along each axis (n - 1 in the denominator).
    """

    def __init__(self, faces: npt.ArrayLike, components: int | None = None) -> None:
        x = _faces(faces)
        self._shape = x.shape[1:]
        rows = x.reshape(len(x), -1).astype(np.float64)
        self.mean = rows.mean(axis=0)
        _, singular, axes = np.linalg.svd(rows - self.mean, full_matrices=False)
        count = int(np.sum(singular > 1e-9 * singular[0])) if components is None else components
        self.axes = axes[:count]
        self.deviations = singular[:count] / np.sqrt(len(x) - 1)

    def project(self, images: npt.ArrayLike) -> Float64:
        """Coordinates (n, components) of images along the axes."""
        x = _faces(images, "images", self._shape[:2])
        return (x.reshape(len(x), -1) - self.mean) @ self.axes.T

    def sample(self, n: int, seed: int = 0) -> Float32:
        """Draws ``n`` faces; pixels beyond black and white are cut off there."""
        z = _check.rng(seed).standard_normal((n, len(self.deviations)))
        rows = self.mean + (z * self.deviations) @ self.axes
        return np.clip(rows, -1, 1).reshape(n, *self._shape).astype(np.float32)


# --- Measures ----------------------------------------------------------------------------------


def edge_features(images: npt.ArrayLike) -> Float64:
    """Histograms of oriented gradients (Dalal and Triggs 2005), as scikit-image computes them.

    8 directions in cells of 4 x 4 pixels, normalised over blocks of 2 x 2 cells. Of 24 x 24 pixels
    there are 800, float64 (n, 800); 8 x 8 is the least.
    """
    from skimage.feature import hog

    x = _faces(images, "images")[..., 0]
    found = [hog(image, 8, pixels_per_cell=(4, 4), cells_per_block=(2, 2)) for image in x]
    return np.stack(found).astype(np.float64)


def nearest_faces(images: npt.ArrayLike, train: npt.ArrayLike) -> metrics.Neighbours:
    """The training face that an image is most like, wherever it stands and however it is lit.

    Compares the inside of the image, without a margin of 2 pixels, with windows of that size at all
    places in the training faces and their mirror images.

    Returns:
        Distances (n, 1), sqrt(2 - 2 r) with r the correlation of the pixels; and the rows (n, 1) of
        ``train``.
    """
    known = _faces(train, "train")
    height, width = known.shape[1:3]
    x, both = _faces(images, "images", (height, width)), with_mirrors(known)

    def windows(of: Float32, top: int, left: int) -> Float64:
        window = of[:, top : top + height - 2 * _SHIFT, left : left + width - 2 * _SHIFT]
        rows = window.reshape(len(of), -1).astype(np.float64)
        rows -= rows.mean(axis=1, keepdims=True)
        # A window of one grey has no direction: it stays 0, at distance 1 from all others.
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    places = range(2 * _SHIFT + 1)
    everywhere = np.concatenate([windows(both, top, left) for top in places for left in places])
    found = metrics.nearest_training_images(windows(x, _SHIFT, _SHIFT), everywhere)
    return metrics.Neighbours(found.distances, found.indices % len(known))


class Measures(NamedTuple):
    """What `measure` found. Smaller is better for the first three.

    Attributes:
        frechet: As `frechet`.
        told_apart: How often a classifier on edges, fitted to training faces and samples, is
            right about held-out faces and other samples; 0.5 is guessing.
        memorised: Share of samples that are nearer to a training face than nine in ten held-out
            faces are, by `nearest_faces`; 0.1 if nothing was copied.
        memorised_pixels: The same by plain distance of pixels, mirror images included.
        taken_for_faces: Share of samples that a classifier on edges, fitted to training faces and
            to pieces of background, takes for faces.
        precision: Share of samples within the balls of the training faces (edges, k = 3).
        recall: Share of held-out faces within the balls of as many samples as there are training
            faces with their mirror images.
        sharpness: `gantut.metrics.sharpness`.
    """

    frechet: float
    told_apart: float
    memorised: float
    memorised_pixels: float
    taken_for_faces: float
    precision: float
    recall: float
    sharpness: float


def measure(
    made: npt.ArrayLike,
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    non_faces: npt.ArrayLike,
) -> Measures:
    """Measures samples beside held-out faces; of 20 each number is rough. Needs scikit-image.

    Args:
        made: Samples, at least 4 for each training face.
        train: The faces that the samples were made from.
        holdout: Faces that they were not.
        non_faces: Images of anything else, for the classifier of faces.
    """
    samples, known, new = _faces(made, "made"), _faces(train, "train"), _faces(holdout, "holdout")
    n = len(known)
    if len(samples) < 4 * n:
        raise ValueError(f"made: wanted 4 samples a training face, {4 * n}, got {len(samples)}")
    real = with_mirrors(known)
    edges, real_edges, held_edges = map(edge_features, (samples, real, with_mirrors(new)))
    first, second = edges[: 2 * n], edges[2 * n :]
    told = _scores(real_edges, first)
    faces = _scores(real_edges, edge_features(non_faces))
    return Measures(
        frechet=frechet(samples, known, new),
        told_apart=float(0.5 * (np.mean(told(held_edges) > 0) + np.mean(told(second) < 0))),
        memorised=_share_close(*(nearest_faces(x, known) for x in (samples, new))),
        memorised_pixels=_share_close(
            *(metrics.nearest_training_images(x, real) for x in (samples, new))
        ),
        taken_for_faces=float(np.mean(faces(edges) > 0)),
        precision=metrics.precision_recall(real_edges, first, 3)[0],
        recall=metrics.precision_recall(held_edges, first, 3)[1],
        sharpness=metrics.sharpness(samples),
    )


def frechet(made: npt.ArrayLike, train: npt.ArrayLike, holdout: npt.ArrayLike) -> float:
    """Squared Frechet distance to held-out faces and their mirror images, in units of pixels.

    It is taken on the ten first eigenfaces of the training faces: the mean over blocks, five at
    most, of as many samples as there are training faces. Of the training faces themselves it is the
    floor.

    Arguments as in `measure`, with as many samples as training faces at least.
    """
    known = _faces(train, "train")
    basis, n = Eigenfaces(with_mirrors(known), components=10), len(known)
    there, here = basis.project(made), basis.project(with_mirrors(holdout))
    if len(there) < n:
        raise ValueError(f"made: wanted {n} samples, one a training face, got {len(there)}")
    blocks = [there[i * n : (i + 1) * n] for i in range(min(5, len(there) // n))]
    return float(np.mean([metrics.frechet_distance(block, here) for block in blocks]))


def _scores(positive: Float64, negative: Float64) -> Callable[[Float64], Float64]:
    """A linear classifier, as a function of features that is > 0 for what is like ``positive``."""
    regression = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)
    model = make_pipeline(StandardScaler(), regression)
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    return model.fit(np.concatenate([positive, negative]), labels).decision_function


def _share_close(samples: metrics.Neighbours, reference: metrics.Neighbours) -> float:
    distances = samples.distances[:, 0], reference.distances[:, 0]
    return metrics.memorisation(*distances, quantile=0.1).share_close
