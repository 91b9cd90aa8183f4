"""Anomaly detection: an encoder for a GAN, its plain rivals, and what to measure.

    from gantut import load_mnist
    from gantut.applications import anomaly

    data = load_mnist()
    images, labels = np.concatenate([data.x_train, data.x_test]), ...
    split = anomaly.leave_one_out(images, labels, digit=4)
    detector = anomaly.train(split.train)
    scores = detector.neighbour_scores(split.train, split.test)
    anomaly.auroc(scores, split.anomalous)

A detector sees normal images only, and gives a new image a score: the larger, the stranger. The
GAN's detector is an f-AnoGAN (Schlegl et al. 2019): a GAN learns the normal images, then an encoder
E learns to find the latent vector of an image, x = G(E(x)), while G and D stay as they are. An
image has two scores: the residual of that reconstruction, as in the paper, and the angle to the
most similar training image in the encoder's last hidden layer.

Beside it stand `pca_residuals` and `neighbour_scores` on pixels or on principal components, which
train no network, and an autoencoder of the same encoder and generator, `train_autoencoder`.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gantut import _check, networks, recipes
from gantut._keras import keras, tf
from gantut.data import check_images
from gantut.gan import GAN
from gantut.optimizers import FusedAdam

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Model = Any
Tensor = Any

FEATURES = "leaky_relu_2"
"""The layer of D whose features f-AnoGAN compares, and the layer of E in which angles are taken."""

_WIDTHS = (256, 512)
_BATCH = 1_000
_ROWS = 512


# --- The protocol ------------------------------------------------------------------------------


class Split(NamedTuple):
    """Images to learn from and images to judge.

    Attributes:
        train: Normal images (n, height, width, channels).
        test: Images (m, ...), normal ones first.
        labels: Their labels (m,).
        anomalous: Which of them are anomalies, bool (m,).
    """

    train: Float32
    test: Float32
    labels: npt.NDArray[np.int64]
    anomalous: Bools


def leave_one_out(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    digit: int,
    *,
    seed: int = 0,
    test_share: float = 1.0,
) -> Split:
    """One class is the anomaly (Zenati et al. 2018, section 4.1, on MNIST).

    80 % of the images of all other classes are for training, rounded down. The other 20 % and all
    images of the class that was left out are for testing.

    Args:
        images: All images, float32 (n, height, width, channels) in [-1, 1]: for the protocol
            MNIST's training and test set together.
        labels: Their labels, integers (n,).
        digit: The label that was left out.
        seed: Fixes which images train.
        test_share: Keeps a share of the test set, in (0, 1], drawn at random. Normal and
            anomalous images are thinned out alike, so the prevalence stays as it is.

    Returns:
        A `Split`.

    Raises:
        TypeError: ``digit`` or ``seed`` is not an integer.
        ValueError: the images are not such images, there is not one label an image, no image has
            the label or no other one, or ``test_share`` is out of range.
    """
    images = check_images(images)
    labels = np.asarray(labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be {len(images)} integers, one an image, got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    digit = _check.integer(digit, "digit", 0)
    if not 0.0 < test_share <= 1.0:
        raise ValueError(f"test_share must lie in (0, 1], got {test_share!r}")
    rng = _check.rng(seed)
    normal = rng.permutation(np.flatnonzero(labels != digit))
    strange = rng.permutation(np.flatnonzero(labels == digit))
    cut = int(0.8 * len(normal))
    if not cut or not len(strange):
        raise ValueError(f"wanted images with the label {digit} and others, got no split of them")
    held_out = normal[cut:]
    kept = [part[: max(1, round(test_share * len(part)))] for part in (held_out, strange)]
    test = np.concatenate(kept)
    return Split(
        train=images[normal[:cut]],
        test=images[test],
        labels=labels[test].astype(np.int64),
        anomalous=np.arange(len(test)) >= len(kept[0]),
    )


# --- Measures ----------------------------------------------------------------------------------


def _ranked(scores: npt.ArrayLike, anomalous: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Anomalies and normal images found above each threshold, the highest threshold first."""
    score = np.asarray(scores)
    truth = np.asarray(anomalous)
    if score.ndim != 1 or score.dtype.kind not in "fiu" or not np.isfinite(score).all():
        raise ValueError(
            f"scores must be finite numbers of shape (n,), got {score.dtype} of shape {score.shape}"
        )
    if truth.shape != score.shape or truth.dtype != np.bool_:
        raise ValueError(
            f"anomalous must be bool of shape {score.shape}, one a score, got {truth.dtype} of "
            f"shape {truth.shape}"
        )
    if truth.all() or not truth.any():
        raise ValueError("wanted normal and anomalous images, got one kind only")
    order = np.argsort(-score, kind="stable")
    # Equal scores lie on one side of any threshold.
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.cumsum(truth[order])[last].astype(np.float64)
    return found, last + 1 - found


def _area(x: Float64, y: Float64) -> float:
    """Under y over x, points joined by straight lines."""
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2)


def auroc(scores: npt.ArrayLike, anomalous: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that an anomaly scores above a normal image.

    Args:
        scores: One number an image (n,), larger for stranger ones. Ties count half.
        anomalous: Which images are anomalies, bool (n,), both kinds.

    Returns:
        A share in [0, 1]; 0.5 is what scores without information reach.

    Raises:
        ValueError: scores or truth are not of this form.
    """
    found, false = _ranked(scores, anomalous)
    hits, alarms = np.append(0, found), np.append(0, false)
    return _area(alarms, hits) / float(hits[-1] * alarms[-1])


def precision_recall_curve(
    scores: npt.ArrayLike, anomalous: npt.ArrayLike
) -> tuple[Float64, Float64]:
    """Precision and recall as the threshold falls.

    Args:
        scores: One number an image (n,), larger for stranger ones.
        anomalous: Which images are anomalies, bool (n,), both kinds.

    Returns:
        Recall, rising from 0 to 1, and precision, of the same length; at recall 0 it is 1.

    Raises:
        ValueError: scores or truth are not of this form.
    """
    found, false = _ranked(scores, anomalous)
    recall = np.append(0.0, found / found[-1])
    return recall, np.append(1.0, found / (found + false))


def auprc(scores: npt.ArrayLike, anomalous: npt.ArrayLike) -> float:
    """Area under precision over recall, points joined by straight lines.

    That is `auc(recall, precision)` of the code of Zenati et al. 2018; with many scores it is very
    close to the average precision.

    Args:
        scores: One number an image (n,), larger for stranger ones.
        anomalous: Which images are anomalies, bool (n,), both kinds.

    Returns:
        A number from `smallest_auprc` (about) to 1; scores without information reach the share of
        anomalies.

    Raises:
        ValueError: scores or truth are not of this form.
    """
    recall, precision = precision_recall_curve(scores, anomalous)
    return _area(recall, precision)


def smallest_auprc(prevalence: float) -> float:
    """The AUPRC of the worst ranking, all anomalies last (Boyd et al. 2012, theorem 2).

    With a share p of anomalies, precision at recall r is then p r / (p r + 1 - p), and its
    integral over r is 1 + (1 - p) log(1 - p) / p.

    Args:
        prevalence: The share p of anomalies in the test set, in (0, 1).

    Returns:
        The smallest area that scores on a large test set can have, below the prevalence.

    Raises:
        ValueError: the prevalence is out of range.
    """
    if not 0.0 < prevalence < 1.0:
        raise ValueError(f"prevalence must lie in (0, 1), got {prevalence!r}")
    return 1.0 + (1.0 - prevalence) * math.log1p(-prevalence) / prevalence


# --- Without a network -------------------------------------------------------------------------


def _flat(x: npt.ArrayLike, name: str, width: int | None = None) -> Float32:
    array = np.asarray(x)
    if array.ndim < 2 or not len(array) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be numbers of shape (n, ...), n >= 1, got {array.dtype} of shape "
            f"{array.shape}"
        )
    flat = array.reshape(len(array), -1).astype(np.float32, copy=False)
    if width is not None and flat.shape[1] != width:
        raise ValueError(f"{name} must have {width} numbers a row as train has, got {array.shape}")
    if not np.isfinite(flat).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return flat


def principal_components(
    train: npt.ArrayLike, test: npt.ArrayLike, components: int
) -> tuple[Float32, Float32]:
    """Coordinates along the directions in which the training images vary most.

    Args:
        train: Images or rows (n, ...), which also give mean and directions.
        test: Others (m, ...) of the same shape.
        components: Directions to keep, from 1 to the numbers in a row.

    Returns:
        float32 of shape (n, components) and (m, components).

    Raises:
        ValueError: the arrays do not fit each other or ``components`` is out of range.
    """
    a = _flat(train, "train")
    b = _flat(test, "test", a.shape[1])
    mean, axes = _principal_axes(a, components)
    return np.asarray((a - mean) @ axes), np.asarray((b - mean) @ axes)


def _principal_axes(a: Float32, components: int) -> tuple[Float32, Float32]:
    if not 1 <= _check.integer(components, "components", 1) <= a.shape[1]:
        raise ValueError(f"components must be at most {a.shape[1]}, got {components}")
    mean = a.mean(axis=0, dtype=np.float64)
    centred = a - mean.astype(np.float32)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return mean.astype(np.float32), vectors[:, ::-1][:, :components].astype(np.float32)


def pca_residuals(train: npt.ArrayLike, test: npt.ArrayLike, components: int = 8) -> Float64:
    """Mean squared difference between an image and its projection on principal components.

    Args:
        train: Images (n, ...), which give mean and directions.
        test: Images (m, ...) to judge.
        components: Directions to keep.

    Returns:
        Scores (m,), >= 0.

    Raises:
        ValueError: the arrays do not fit each other or ``components`` is out of range.
    """
    a = _flat(train, "train")
    b = _flat(test, "test", a.shape[1])
    mean, axes = _principal_axes(a, components)
    rest = (b - mean) - ((b - mean) @ axes) @ axes.T
    return np.mean(np.square(rest, dtype=np.float64), axis=1)


def nearest(
    train: npt.ArrayLike, test: npt.ArrayLike, *, angle: bool = False
) -> tuple[Float64, npt.NDArray[np.int64]]:
    """The nearest training row of each test row.

    Like `gantut.metrics.nearest_training_images` for k = 1, without its second, exact pass, so
    that it does for many thousands of test images.

    Args:
        train: Images or rows (n, ...).
        test: Others (m, ...) of the same shape.
        angle: Compare directions only: rows are brought to length 1 first.

    Returns:
        Euclidean distances (m,) and indices (m,). With ``angle`` the distance is that of points
        on the unit sphere, 2 sin(angle / 2).

    Raises:
        ValueError: the arrays do not fit each other.
    """
    a = _flat(train, "train")
    b = _flat(test, "test", a.shape[1])
    if angle:
        a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    squares = np.einsum("ij,ij->i", a, a)
    index = np.empty(len(b), np.int64)
    for start in range(0, len(b), _ROWS):
        rows = slice(start, start + _ROWS)
        # The term |b|^2 is the same for all candidates and is left out.
        gap = (-2.0 * b[rows]) @ a.T
        gap += squares
        index[rows] = gap.argmin(axis=1)
    difference = b - a[index]
    distance = np.sqrt(np.einsum("ij,ij->i", difference, difference, dtype=np.float64))
    return distance, index


def neighbour_scores(train: npt.ArrayLike, test: npt.ArrayLike, *, angle: bool = False) -> Float64:
    """Distance to the nearest training row (Ramaswamy et al. 2000, with k = 1).

    Args:
        train: Images or rows (n, ...).
        test: Images or rows (m, ...) to judge.
        angle: As in `nearest`.

    Returns:
        Scores (m,), >= 0.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    return nearest(train, test, angle=angle)[0]


# --- With networks -----------------------------------------------------------------------------


def recipe(latent_dim: int = 64) -> recipes.Recipe:
    """The GAN of normal images: recipe `fast`, a twelfth as long.

    Args:
        latent_dim: Length of the latent vector. The shorter, the fewer images that are not normal
            can G draw, and the less can the encoder say of an image.

    Returns:
        A recipe; ``dataclasses.replace`` makes another from it.

    Raises:
        ValueError: ``latent_dim`` is not a positive integer.
    """
    fast = recipes.get("fast")
    assert isinstance(fast, recipes.Recipe)
    _check.sizes(latent_dim=latent_dim)

    def generator(shape: Sequence[int], num_classes: int, mean_image: Any = None) -> Model:
        return networks.mlp_generator(
            latent_dim, shape, widths=_WIDTHS, batch_norm=True, mean_image=mean_image
        )

    return replace(
        fast,
        name="anomaly",
        summary="fast, a twelfth as long: the GAN under a detector of anomalies",
        generator=generator,
        steps=1_000,
    )


class _Reconstruction(keras.Model):
    """Trains an encoder, and a decoder unless that is frozen, to give an image back."""

    def __init__(
        self,
        encoder: Model,
        decoder: Model,
        features: Model | None,
        kappa: float,
        radius: float | None,
        *,
        train_decoder: bool,
    ) -> None:
        super().__init__(name="reconstruction")
        self.encoder = encoder
        self.decoder = decoder
        self.features = features
        self.kappa = kappa
        self.radius = radius
        self.train_decoder = train_decoder
        self.tracker = keras.metrics.Mean("loss")
        self.built = True

    @property
    def metrics(self) -> list[Any]:
        """The running mean of the loss."""
        return [self.tracker]

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """The reconstruction of images."""
        code = self.encoder(x, training=training)
        if self.radius is not None:
            code *= self.radius / tf.maximum(tf.norm(code, axis=1, keepdims=True), 1e-6)
        return self.decoder(code, training=training and self.train_decoder)

    def residuals(self, x: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared differences of pixels and of features, each (batch,)."""
        pixels = tf.reduce_mean(tf.square(x - made), axis=[1, 2, 3])
        if self.features is None:
            return pixels, tf.zeros_like(pixels)
        gap = self.features(x, training=False) - self.features(made, training=False)
        return pixels, tf.reduce_mean(tf.square(gap), axis=1)

    def learning(self) -> list[Any]:
        """The variables that training changes by gradients."""
        decoder = self.decoder.trainable_variables if self.train_decoder else []
        return [*self.encoder.trainable_variables, *decoder]

    def train_step(self, x: Tensor) -> dict[str, Tensor]:
        """One step of ``fit``."""
        with tf.GradientTape() as tape:
            pixels, features = self.residuals(x, self(x, training=True))
            loss = tf.reduce_mean(pixels + self.kappa * features)
        variables = self.learning()
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


@dataclass(frozen=True)
class Detector:
    """Networks that reconstruct normal images, and the scores they give.

    Attributes:
        reconstruction: The Keras model from images to reconstructions, with ``encoder`` and
            ``decoder`` (of a GAN the generator).
        gan: The trained `gantut.GAN`; None for an autoencoder.
        cpu_seconds: Time that the training kept processors busy.
    """

    reconstruction: Model
    gan: GAN | None
    cpu_seconds: float

    def reconstruct(self, images: npt.ArrayLike) -> Float32:
        """What the networks make of images.

        Args:
            images: float32 (n, height, width, channels) in [-1, 1].

        Returns:
            Reconstructions of the same shape.

        Raises:
            ValueError: the images are not such images.
        """
        return _in_batches(self.reconstruction, check_images(images))

    def residuals(self, images: npt.ArrayLike, kappa: float | None = None) -> Float64:
        """f-AnoGAN's score: how far an image is from its reconstruction (Schlegl et al. 2019).

        The mean squared difference of pixels, plus kappa times that of D's features.

        Args:
            images: float32 (n, height, width, channels) in [-1, 1].
            kappa: The weight of the features; that of training if None. An autoencoder has none.

        Returns:
            Scores (n,), >= 0.

        Raises:
            ValueError: the images are not such images.
        """
        model = self.reconstruction
        kappa = model.kappa if kappa is None else kappa

        def score(x: Tensor) -> Tensor:
            pixels, features = model.residuals(x, model(x))
            return pixels + kappa * features

        return _in_batches(score, check_images(images)).astype(np.float64)

    def features(self, images: npt.ArrayLike) -> list[Float32]:
        """What the networks see in images.

        Args:
            images: float32 (n, height, width, channels) in [-1, 1].

        Returns:
            The last hidden layer of the encoder (n, units), and of a GAN the first hidden layer
            of D.

        Raises:
            ValueError: the images are not such images.
        """
        images = check_images(images)
        layers = [(self.reconstruction.encoder, FEATURES)]
        if self.gan is not None:
            layers.append((self.gan.discriminator, "leaky_relu_1"))
        return [_in_batches(_layer(model, name), images) for model, name in layers]

    def neighbour_scores(self, train: npt.ArrayLike, test: npt.ArrayLike) -> Float64:
        """How different an image is from the training image that the networks find most alike.

        The distance to the nearest one by the angle of `features`, and of two kinds of features
        the geometric mean.

        Args:
            train: The training images, float32 (n, height, width, channels) in [-1, 1].
            test: Images (m, ...) to judge.

        Returns:
            Scores (m,), logarithms of distances.

        Raises:
            ValueError: the images are not such images.
        """
        pairs = zip(self.features(train), self.features(test), strict=True)
        # An image of the training set is at distance 0.
        logs = [np.log(neighbour_scores(a, b, angle=True) + 1e-9) for a, b in pairs]
        return np.asarray(np.mean(logs, axis=0))


def _layer(model: Model, name: str) -> Model:
    return keras.Model(model.input, model.get_layer(name).output)


def _in_batches(function: Any, images: Float32) -> Float32:
    return np.concatenate(
        [
            function(tf.constant(images[start : start + _BATCH])).numpy()
            for start in range(0, len(images), _BATCH)
        ]
    )


def _fit(model: _Reconstruction, images: Float32, steps: int, seed: int) -> None:
    """Trains it on batches of 64, at a rate that falls from 2e-3 to 0 along half a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(FusedAdam(rate), steps_per_execution=25, jit_compile=False)
    model.optimizer.build(model.learning())
    data = recipes.batches(images, batch_size=min(64, len(images)), seed=seed)
    model.fit(recipes.take(data, steps), verbose=0, shuffle=False)


def train(
    images: npt.ArrayLike,
    *,
    latent_dim: int = 64,
    steps: int | None = None,
    encoder_steps: int = 1_000,
    kappa: float = 1.0,
    seed: int = 0,
    callbacks: Iterable[Any] = (),
) -> Detector:
    """Trains a GAN on normal images, and then an encoder for its generator.

    The encoder's loss is "izi_f" of Schlegl et al. 2019 (section 2.2.3): the score of
    `Detector.residuals` on training images, with the features of D's last hidden layer, G and D
    held. Codes are brought to the length sqrt(latent_dim), which nearly all latent vectors have, so
    that the encoder cannot leave the region in which G was trained; the paper bounds each
    coordinate instead.

    Args:
        images: Normal images, float32 (n, height, width, channels) in [-1, 1], n >= 64.
        latent_dim: Length of the latent vector.
        steps: Steps of the GAN; None takes those of `recipe`.
        encoder_steps: Steps of the encoder, on batches of 64.
        kappa: Weight of the features, >= 0.
        seed: Fixes the result, as in `gantut.recipes`.
        callbacks: Keras callbacks for the GAN's training.

    Returns:
        A `Detector`.

    Raises:
        TypeError: a number of steps is not an integer.
        ValueError: the images are not such images, or a number is out of range.
    """
    images = check_images(images)
    encoder_steps = _check.integer(encoder_steps, "encoder_steps", 1)
    if not 0.0 <= kappa < math.inf:
        raise ValueError(f"kappa must be a finite number >= 0, got {kappa!r}")
    busy = time.process_time()
    gan = recipes.train(recipe(latent_dim), images, steps=steps, seed=seed, callbacks=callbacks).gan
    assert isinstance(gan, GAN)
    model = _inverse(gan, images.mean(axis=0), kappa)
    _fit(model, images, encoder_steps, seed)
    return Detector(model, gan, time.process_time() - busy)


def _inverse(gan: GAN, mean_image: Float32, kappa: float) -> _Reconstruction:
    """A new encoder before a GAN's generator."""
    encoder = networks.mlp_encoder(gan.latent_dim, mean_image.shape, mean_image=mean_image)
    features = _layer(gan.discriminator, FEATURES)
    radius = math.sqrt(gan.latent_dim)
    return _Reconstruction(encoder, gan.ema_generator, features, kappa, radius, train_decoder=False)


def untrained(images: npt.ArrayLike, *, latent_dim: int = 64, seed: int = 0) -> Detector:
    """The networks of `train` as they are before it: what a score owes to training, and what not.

    Args:
        images: Normal images, float32 (n, height, width, channels) in [-1, 1]. Their mean is all
            that the networks know of them.
        latent_dim: Length of the latent vector.
        seed: Fixes the weights.

    Returns:
        A `Detector`.

    Raises:
        ValueError: the images are not such images, or a number is out of range.
    """
    images = check_images(images)
    busy = time.process_time()
    mean = images.mean(axis=0)
    gan = recipe(latent_dim).build(images.shape[1:], seed=seed, mean_image=mean)
    return Detector(_inverse(gan, mean, 1.0), gan, time.process_time() - busy)


def train_autoencoder(
    images: npt.ArrayLike, *, latent_dim: int = 8, steps: int = 1_000, seed: int = 0
) -> Detector:
    """Trains an autoencoder: the encoder and generator of `train`, together and without a D.

    Args:
        images: Normal images, float32 (n, height, width, channels) in [-1, 1].
        latent_dim: Length of the code between the two.
        steps: Steps of both, on batches of 64.
        seed: Fixes the result, as in `gantut.recipes`.

    Returns:
        A `Detector` whose residuals are mean squared differences of pixels.

    Raises:
        TypeError: a number is not an integer.
        ValueError: the images are not such images, or a number is out of range.
    """
    images = check_images(images)
    steps = _check.integer(steps, "steps", 1)
    recipes.make_deterministic(seed)
    busy = time.process_time()
    mean, shape = images.mean(axis=0), images.shape[1:]
    decoder = networks.mlp_generator(
        latent_dim, shape, widths=_WIDTHS, batch_norm=True, mean_image=mean
    )
    encoder = networks.mlp_encoder(latent_dim, shape, mean_image=mean)
    model = _Reconstruction(encoder, decoder, None, 0.0, None, train_decoder=True)
    _fit(model, images, steps, seed)
    return Detector(model, None, time.process_time() - busy)
