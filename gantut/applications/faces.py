"""Faces from a hundred photographs: a small GAN, what its D memorises, and its rivals.

    from gantut.applications import faces

    train, holdout = faces.split(faces.load_faces(), fold=0)
    run = faces.train(train, holdout, augment=faces.POLICY)
    made = run.sample(400)

The photographs are the hundred small ones that ship with scikit-image. Images are grey, float32
(n, height, width, 1) in [-1, 1]; height and width are multiples of 4. The rivals are `Eigenfaces`
and `jittered_copies`, and `measure` puts numbers on samples of any of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gantut import _check, metrics, networks, recipes
from gantut._files import describe
from gantut._keras import keras, tf
from gantut.data import DataUnavailableError, Float32, Float64, check_images, resize
from gantut.gan import GAN

SIZE = 24  # side of the images in pixels, a multiple of 4, as the convolutional networks need
FOLDS = 5  # parts of the data, of which each is held out once
POLICY = "color,translation,cutout"
"""What `gantut.stabilisers.DiffAugment` changes; all three, as Zhao et al. 2020 for few images."""


# --- Data --------------------------------------------------------------------------------------


def load_faces(source: str = "lfw_subset", *, size: int = SIZE) -> Float32:
    """Loads photographs of faces.

    Args:
        source: "lfw_subset", 100 faces of 25 x 25 pixels from Labeled Faces in the Wild, which ship
            with scikit-image (for ``size=24`` the last row and column are cut off). Or what
            scikit-learn downloads: "olivetti", 400 faces of 40 people, 64 x 64, or "lfw", all
            13,000 of Labeled Faces in the Wild, 200 MB. These two were tested with scikit-learn's
            functions replaced, and not run.
        size: Side of the images to return, a multiple of 4; others are resized (Lanczos).

    Raises:
        gantut.data.DataUnavailableError: the photographs could not be obtained (an ``OSError``).
    """
    return _load(source, _check.one_of(source, "source", SOURCES), size)


def load_non_faces(*, size: int = SIZE) -> Float32:
    """Loads 100 pieces of background that ship with scikit-image's faces, as `load_faces` does."""
    return _load("lfw_subset", lambda: _lfw_subset()[100:], size)


def _load(source: str, fetch: Callable[[], npt.ArrayLike], size: int) -> Float32:
    size = _check.integer(size, "size", 4)
    if size % 4:
        raise ValueError(f"size must be a multiple of 4, got {size}")
    try:
        grey: Float32 = np.asarray(fetch(), dtype=np.float32)
    except Exception as error:  # Not installed, no network, damaged: say what helps.
        raise DataUnavailableError(
            f"the faces of {source!r} could not be obtained: {describe(error)}\n"
            f"Others: a source of {', '.join(SOURCES)}, or pictures of your own with "
            f"gantut.load_images(folder, size={SIZE}, color=False)."
        ) from error
    if grey.max() > 1:  # Old versions of scikit-learn gave LFW so.
        grey = (grey / 255).astype(np.float32)
    # Squares from the middle; a single row too many is no reason to blur all others.
    side = min(grey.shape[1:3])
    side = size if 0 < side - size < 4 else side
    top, left = ((n - side) // 2 for n in grey.shape[1:3])
    squares = (2 * grey[:, top : top + side, left : left + side] - 1)[..., None]
    return check_images(np.stack([resize(square, (size, size)) for square in squares]))


def _lfw_subset() -> Float64:
    from skimage.data import lfw_subset

    return np.asarray(lfw_subset())


SOURCES: dict[str, Callable[[], npt.ArrayLike]] = {
    "lfw_subset": lambda: _lfw_subset()[:100],
    "olivetti": lambda: datasets.fetch_olivetti_faces().images,
    "lfw": lambda: datasets.fetch_lfw_people(resize=None, color=False).images,
}
"""The sets of faces that `load_faces` knows: functions that return grey images (n, h, w)."""


def split(faces: npt.ArrayLike, fold: int = 0) -> tuple[Float32, Float32]:
    """Holds a part of the faces out; the parts of all ``FOLDS`` make up the whole.

    Args:
        faces: As many as ``FOLDS`` at least.
        fold: Which part, from 0.
    """
    images = _faces(faces)
    fold = _check.integer(fold, "fold", 0)
    if fold >= FOLDS or len(images) < FOLDS:
        raise ValueError(f"no fold {fold} of {FOLDS} among {len(images)} images")
    # One order, so that parts never overlap.
    parts = np.array_split(np.random.default_rng(0).permutation(len(images)), FOLDS)
    rest = np.concatenate([part for i, part in enumerate(parts) if i != fold])
    return images[rest], images[parts[fold]]


def with_mirrors(images: npt.ArrayLike) -> Float32:
    """The images and, after them, their mirror images."""
    x = _faces(images)
    return np.concatenate([x, x[:, :, ::-1]])


def _faces(images: npt.ArrayLike, name: str = "faces") -> Float32:
    return check_images(images, name=name, channels=1)


# --- The GAN -----------------------------------------------------------------------------------


def recipe(augment: str = "", *, latent_dim: int = 32, width: int = 16) -> recipes.GANRecipe:
    """A small DCGAN with the relativistic loss, light R1 and R2 penalties and averaged weights.

    Args:
        augment: Policy of `gantut.stabilisers.DiffAugment`, such as ``POLICY``; "" for none.
        latent_dim: Length of the latent vector.
        width: Channels of G at half size; D has twice as many, so that it can memorise a hundred
            faces.
    """
    latent_dim, width = _check.sizes(latent_dim=latent_dim, width=width)
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
        self.every = _check.integer(every, "every", 1)
        self.curves: dict[str, list[float]] = {
            name: [] for name in ("step", "train", "holdout", "samples", "membership")
        }

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes the first row."""
        self._add()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes a row if it is time."""
        if int(self.model.step_counter.numpy()) - self.curves["step"][-1] >= self.every:
            self._add()

    def _add(self) -> None:
        z = tf.random.stateless_normal((256, self.model.latent_dim), seed=(0, 1))
        made = self.model.ema_generator(z, training=False)
        self.curves["step"].append(int(self.model.step_counter.numpy()))
        logits = {}
        for name, images in {**self._real, "samples": made}.items():
            values = np.ravel(self.model.discriminator(images, training=False)).astype(np.float64)
            self.curves[name].append(float(values.mean()))
            logits[name] = values
        lead = logits["train"][:, None] - logits["holdout"]
        self.curves["membership"].append(float(np.mean(lead > 0) + 0.5 * np.mean(lead == 0)))


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
    callbacks: Iterable[keras.callbacks.Callback] = (),
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
        callbacks: Keras callbacks, as in `gantut.recipes.train`.
        every: Steps from row to row of the curves.
        **settings: ``latent_dim`` and ``width``, as in `recipe`.
    """
    watch = Overfitting(faces, holdout, every=every)
    plan, callbacks = recipe(augment, **settings), [watch, *callbacks]
    run = recipes.train(plan, with_mirrors(faces), steps=steps, seed=seed, callbacks=callbacks)
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
        spanned = int(np.sum(singular > 1e-9 * singular[0])) if len(x) > 1 else 0
        count = spanned if components is None else _check.integer(components, "components", 1)
        if not 0 < count <= spanned:
            raise ValueError(f"{len(x)} faces span {spanned} components, wanted {count}")
        self.axes = axes[:count]
        self.deviations = singular[:count] / np.sqrt(len(x) - 1)

    def project(self, images: npt.ArrayLike) -> Float64:
        """Coordinates (n, components) of images along the axes."""
        x = check_images(images, size=self._shape[:2], channels=1)
        return (x.reshape(len(x), -1) - self.mean) @ self.axes.T

    def sample(self, n: int, seed: int = 0) -> Float32:
        """Draws ``n`` faces; pixels beyond black and white are cut off there."""
        z = _check.rng(seed).standard_normal((_check.integer(n, "n", 1), len(self.deviations)))
        rows = self.mean + (z * self.deviations) @ self.axes
        return np.clip(rows, -1, 1).reshape(n, *self._shape).astype(np.float32)


# --- Measures ----------------------------------------------------------------------------------


def edge_features(images: npt.ArrayLike) -> Float64:
    """Histograms of oriented gradients (Dalal and Triggs 2005), as scikit-image computes them.

    8 directions in cells of 4 x 4 pixels, normalised over blocks of 2 x 2 cells. Of 24 x 24 pixels
    there are 800, float64 (n, 800); 8 x 8 is the least.
    """
    from skimage.feature import hog

    x = _faces(images, "images")
    if min(x.shape[1:3]) < 8:
        raise ValueError(f"images must be at least 8 x 8 pixels, got {x.shape[1]} x {x.shape[2]}")
    found = [hog(image[..., 0], 8, pixels_per_cell=(4, 4), cells_per_block=(2, 2)) for image in x]
    return np.stack(found).astype(np.float64)


def nearest_faces(
    images: npt.ArrayLike, train: npt.ArrayLike, *, shift: int = 2
) -> metrics.Neighbours:
    """The training face that an image is most like, wherever it stands and however it is lit.

    Compares the inside of the image, without a margin of ``shift`` pixels, with windows of that
    size at all places in the training faces and their mirror images.

    Returns:
        Distances (n, 1), sqrt(2 - 2 r) with r the correlation of the pixels; and the rows (n, 1) of
        ``train``.
    """
    known = _faces(train, "train")
    x = check_images(images, size=known.shape[1:3], channels=1)
    height, width = known.shape[1:3]
    shift = _check.integer(shift, "shift", 0)
    if 2 * shift >= min(height, width) - 1:
        raise ValueError(f"shift {shift} leaves nothing of images of {height} x {width} pixels")
    places = range(2 * shift + 1)
    both = with_mirrors(known)

    def windows(of: Float32, top: int, left: int) -> Float64:
        window = of[:, top : top + height - 2 * shift, left : left + width - 2 * shift]
        rows = window.reshape(len(of), -1).astype(np.float64)
        rows -= rows.mean(axis=1, keepdims=True)
        # A window of one grey has no direction: it stays 0, at distance 1 from all others.
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    everywhere = np.concatenate([windows(both, top, left) for top in places for left in places])
    found = metrics.nearest_training_images(windows(x, shift, shift), everywhere)
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
    known = _faces(train, "train")
    size = known.shape[1:3]
    samples, new, background = (
        check_images(images, name=name, size=size, channels=1)
        for name, images in (("made", made), ("holdout", holdout), ("non_faces", non_faces))
    )
    n = len(known)
    if len(samples) < 4 * n:
        raise ValueError(f"made: wanted 4 samples a training face, {4 * n}, got {len(samples)}")
    edges = edge_features(samples)
    real, held = with_mirrors(known), with_mirrors(new)
    real_edges, held_edges = edge_features(real), edge_features(held)
    first, second = edges[: 2 * n], edges[2 * n :]
    told = _scores(real_edges, first)
    faces = _scores(real_edges, edge_features(background))
    right = 0.5 * (np.mean(told(held_edges) > 0) + np.mean(told(second) < 0))
    return Measures(
        frechet=frechet(samples, known, new),
        told_apart=float(right),
        memorised=_share_close(nearest_faces(samples, known), nearest_faces(new, known)),
        memorised_pixels=_share_close(
            metrics.nearest_training_images(samples, real),
            metrics.nearest_training_images(new, real),
        ),
        taken_for_faces=float(np.mean(faces(edges) > 0)),
        precision=metrics.precision_recall(real_edges, first, 3)[0],
        recall=metrics.precision_recall(held_edges, first, 3)[1],
        sharpness=metrics.sharpness(samples),
    )


def frechet(made: npt.ArrayLike, train: npt.ArrayLike, holdout: npt.ArrayLike) -> float:
    """Squared Frechet distance to held-out faces and their mirror images, in units of pixels.

    It is taken on the ten first eigenfaces of the training faces: the mean over blocks of as many
    samples as there are training faces. Of the training faces themselves it is the floor.

    Arguments as in `measure`, with as many samples as training faces at least.
    """
    known, samples = _faces(train, "train"), _faces(made, "made")
    n = len(known)
    if len(samples) < n:
        raise ValueError(f"made: wanted {n} samples, one a training face, got {len(samples)}")
    basis = Eigenfaces(with_mirrors(known), components=10)
    there, here = basis.project(samples), basis.project(with_mirrors(holdout))
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
