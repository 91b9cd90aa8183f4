"""Anomaly detection: an encoder for a GAN, its plain rivals, and what to measure.

    from gantut import load_mnist
    from gantut.applications import anomaly

    data = load_mnist()
    images, labels = np.concatenate([data.x_train, data.x_test]), ...
    split = anomaly.leave_one_out(images, labels, digit=4)
    detector = anomaly.train(split.train)
    scores = detector.neighbour_scores(split.train, split.test)
    anomaly.measure(scores, split.anomalous).auroc

A detector sees normal images only. The GAN's is an f-AnoGAN (Schlegl et al. 2019): a GAN learns the
normal images, then an encoder E learns to find the latent vector of an image, x = G(E(x)), while G
and D stay as they are. Its rivals are `train_autoencoder` and, without a network, the scores of
`gantut.applications.rivals`.

Images are float32 (n, height, width, channels) in [-1, 1], and scores are numbers (n,), larger for
stranger images.
"""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from gantut import _check, networks, recipes
from gantut._keras import keras, tf
from gantut.applications.rivals import neighbour_scores
from gantut.data import Float32, Float64, Int64, check_images, check_labels
from gantut.gan import GAN
from gantut.optimizers import FusedAdam
from gantut.sampling import in_batches

Model: TypeAlias = keras.Model
Tensor: TypeAlias = tf.Tensor

FEATURES = "leaky_relu_2"
"""The layer of D whose features f-AnoGAN compares, and the layer of E in which angles are taken."""

_GENERATOR: dict[str, Any] = {"widths": (256, 512), "batch_norm": True}
_BATCH = 1_000


# --- The protocol ------------------------------------------------------------------------------


class Split(NamedTuple):
    """Images to learn from and images to judge."""

    train: Float32  # normal images (n, height, width, channels)
    test: Float32  # images (m, ...), normal ones first
    labels: Int64  # of the test images (m,)
    anomalous: npt.NDArray[np.bool_]  # which of them are anomalies (m,)


def leave_one_out(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    digit: int,
    *,
    seed: int = 0,
    test_share: float = 1.0,
) -> Split:
    """One class is the anomaly (Zenati et al. 2018, section 4.1, on MNIST).

    80 % of the images of all other classes are for training, rounded down; all else is for testing.

    Args:
        images: All images: for the protocol MNIST's training and test set together.
        labels: Their labels, integers (n,) from 0.
        digit: The label that was left out.
        seed: Fixes which images train.
        test_share: Share of the test set that is kept, in (0, 1], of normal and anomalous images
            alike.
    """
    images = check_images(images)
    labels = check_labels(labels, len(images), None)
    digit = _check.integer(digit, "digit", 0)
    test_share = _check.number(test_share, "test_share", above=0, most=1)
    rng = _check.rng(seed)
    normal = rng.permutation(np.flatnonzero(labels != digit))
    strange = rng.permutation(np.flatnonzero(labels == digit))
    cut = int(0.8 * len(normal))
    if not cut or not len(strange):
        raise ValueError(f"wanted images with the label {digit} and others, got no split of them")
    kept = [part[: max(1, round(test_share * len(part)))] for part in (normal[cut:], strange)]
    test = np.concatenate(kept)
    return Split(
        train=images[normal[:cut]],
        test=images[test],
        labels=labels[test].astype(np.int64),
        anomalous=np.arange(len(test)) >= len(kept[0]),
    )


# --- Measures ----------------------------------------------------------------------------------


class Areas(NamedTuple):
    """How well scores rank anomalies before normal images, each a share in [0, 1].

    Without information the first is 0.5 and the second the share of anomalies; the worst ranking
    has 0 and `smallest_auprc`.
    """

    auroc: float  # the chance that an anomaly scores above a normal image, ties counting half
    auprc: float  # below the straight lines between points (recall, precision), as Zenati et al.


def measure(scores: npt.ArrayLike, anomalous: npt.ArrayLike) -> Areas:
    """Measures a detector by its scores (n,), with scikit-learn.

    Args:
        scores: One finite number an image, larger for stranger ones.
        anomalous: Which images are anomalies, bool (n,), both kinds.
    """
    truth = np.asarray(anomalous)
    if truth.all() or not truth.any():
        raise ValueError("anomalous: wanted normal and anomalous images, got one kind only")
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    return Areas(float(metrics.roc_auc_score(truth, scores)), float(metrics.auc(recall, precision)))


def smallest_auprc(prevalence: float) -> float:
    """The AUPRC of the worst ranking, all anomalies last (Boyd et al. 2012, theorem 2).

    With a share p of anomalies (``prevalence``, in (0, 1)), precision at recall r is then
    p r / (p r + 1 - p), and its integral over r is 1 + (1 - p) log(1 - p) / p.
    """
    p = _check.number(prevalence, "prevalence", above=0, below=1)
    return 1.0 + (1.0 - p) * math.log1p(-p) / p


# --- Networks ----------------------------------------------------------------------------------


def recipe(latent_dim: int = 64) -> recipes.GANRecipe:
    """The GAN of normal images: recipe `fast`, a twelfth as long.

    The shorter the latent vector, the fewer images that are not normal can G draw, and the less can
    the encoder say of an image.
    """
    latent_dim = _check.integer(latent_dim, "latent_dim", 1)
    fast: recipes.GANRecipe = recipes.get("fast")
    return replace(
        fast,
        name="anomaly",
        summary="fast, a twelfth as long: the GAN under a detector of anomalies",
        generator=partial(networks.mlp_generator, latent_dim, **_GENERATOR),
        steps=1_000,
        gpu_steps=1_000,
    )


class _Reconstruction(keras.Model):
    """An encoder and a decoder, which learns too where there are no features of D to compare.

    Codes are brought to the length ``radius``, if there is one.
    """

    def __init__(
        self,
        encoder: Model,
        decoder: Model,
        features: Model | None = None,
        radius: float | None = None,
    ) -> None:
        super().__init__(name="reconstruction")
        self.encoder = encoder
        self.decoder = decoder
        self.features = features
        self.radius = radius
        self.tracker = keras.metrics.Mean("loss")
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running mean of the loss."""
        return [self.tracker]

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """The reconstruction of images."""
        code = self.encoder(x, training=training)
        if self.radius is not None:
            code *= self.radius / tf.maximum(tf.norm(code, axis=1, keepdims=True), 1e-6)
        return self.decoder(code, training=training and self.features is None)

    def residuals(self, x: Tensor, kappa: float = 1.0, training: bool = False) -> Tensor:
        """Mean squared differences of pixels, plus kappa times those of features; (batch,)."""
        made = self(x, training=training)
        pixels = tf.reduce_mean(tf.square(x - made), axis=[1, 2, 3])
        if self.features is None:
            return pixels
        gap = self.features(x, training=False) - self.features(made, training=False)
        return pixels + kappa * tf.reduce_mean(tf.square(gap), axis=1)

    def learning(self) -> list[keras.Variable]:
        """The variables that training changes by gradients."""
        decoder = self.decoder.trainable_variables if self.features is None else []
        return [*self.encoder.trainable_variables, *decoder]

    def train_step(self, x: Tensor) -> dict[str, Tensor]:
        """One step of ``fit``."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.residuals(x, training=True))
        variables = self.learning()
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


@dataclass(frozen=True, kw_only=True)
class Detector(recipes.Run[GAN | None]):
    """Networks that reconstruct normal images, and the scores they give.

    As a `gantut.recipes.Run` it is that of the GAN's training; of an autoencoder ``gan`` is None,
    and the history has its mean ``loss``. ``reconstruction`` is the Keras model from images to
    reconstructions, with ``encoder`` and ``decoder`` (of a GAN the generator).
    """

    reconstruction: Model

    def reconstruct(self, images: npt.ArrayLike) -> Float32:
        """What the networks make of images."""
        return in_batches(self.reconstruction, check_images(images), _BATCH)

    def residuals(self, images: npt.ArrayLike, kappa: float = 1.0) -> Float64:
        """f-AnoGAN's score: how far an image is from its reconstruction (Schlegl et al. 2019).

        D's features have the weight ``kappa`` beside the pixels. An autoencoder has none.
        """
        score = partial(self.reconstruction.residuals, kappa=kappa)
        return in_batches(score, check_images(images), _BATCH).astype(np.float64)

    def features(self, images: npt.ArrayLike) -> list[Float32]:
        """The encoder's last hidden layer, and of a GAN D's first, an array (n, units) each."""
        images = check_images(images)
        layers = [(self.reconstruction.encoder, FEATURES)]
        if self.gan is not None:
            layers.append((self.gan.discriminator, "leaky_relu_1"))
        return [in_batches(_layer(model, name), images, _BATCH) for model, name in layers]

    def neighbour_scores(self, train: npt.ArrayLike, test: npt.ArrayLike) -> Float64:
        """Log distance of ``test`` to the nearest of ``train`` by the angle of `features`.

        Of two kinds of features it is the geometric mean.
        """
        pairs = zip(self.features(train), self.features(test), strict=True)
        # An image of the training set is at distance 0.
        logs = [np.log(neighbour_scores(a, b, angle=True) + 1e-9) for a, b in pairs]
        return np.asarray(np.mean(logs, axis=0))


def _layer(model: Model, name: str) -> Model:
    return keras.Model(model.input, model.get_layer(name).output)


def _fit(model: _Reconstruction, images: Float32, steps: int, seed: int) -> keras.callbacks.History:
    """Trains it on batches of 64, at a rate that falls from 2e-3 to 0 along half a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(FusedAdam(rate), steps_per_execution=25, jit_compile=False)
    model.optimizer.build(model.learning())
    data = recipes.batches(images, batch_size=min(64, len(images)), seed=seed)
    return model.fit(recipes.take(data, steps), verbose=0, shuffle=False)


@recipes.cpu_timed
def train(
    images: npt.ArrayLike,
    *,
    latent_dim: int = 64,
    steps: int | None = None,
    encoder_steps: int = 1_000,
    seed: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> Detector:
    """Trains a GAN on normal images, and then an encoder for its generator.

    The encoder's loss is "izi_f" of Schlegl et al. 2019 (section 2.2.3) with kappa = 1, as in
    `Detector.residuals`, with the features of D's last hidden layer. Codes are brought to the
    length sqrt(latent_dim), which nearly all latent vectors have; in their code the encoder's
    output is as long as it likes.

    Args:
        images: Normal images, at least 64.
        latent_dim: As in `recipe`.
        steps: Steps of the GAN; None takes those of `recipe`.
        encoder_steps: Steps of the encoder, on batches of 64.
        seed: Fixes the result, as in `gantut.recipes`.
        callbacks: Keras callbacks for the GAN's training.
    """
    images = check_images(images)
    encoder_steps = _check.integer(encoder_steps, "encoder_steps", 1)
    run = recipes.train(recipe(latent_dim), images, steps=steps, seed=seed, callbacks=callbacks)
    model = _inverse(run.gan, images.mean(axis=0))
    _fit(model, images, encoder_steps, seed)
    return Detector.of(run, reconstruction=model)


def _inverse(gan: GAN, mean_image: Float32) -> _Reconstruction:
    encoder = networks.mlp_encoder(gan.latent_dim, mean_image.shape, mean_image=mean_image)
    features = _layer(gan.discriminator, FEATURES)
    return _Reconstruction(encoder, gan.ema_generator, features, math.sqrt(gan.latent_dim))


@recipes.cpu_timed
def untrained(images: npt.ArrayLike, *, latent_dim: int = 64, seed: int = 0) -> Detector:
    """The networks of `train` as they are before it: what a score owes to training, and what not.

    The mean of the images is all that the networks know of them. Arguments as in `train`.
    """
    images = check_images(images)
    mean = images.mean(axis=0)
    gan = recipe(latent_dim).build(images.shape[1:], seed=seed, mean_image=mean)
    model = _inverse(gan, mean)
    return Detector(
        gan=gan, history={}, seconds=0.0, cpu_seconds=0.0, steps=0, reconstruction=model
    )


@recipes.cpu_timed
def train_autoencoder(
    images: npt.ArrayLike, *, latent_dim: int = 8, steps: int = 1_000, seed: int = 0
) -> Detector:
    """Trains an autoencoder: the encoder and generator of `train` without a D.

    Between the two is a code of the length ``latent_dim``. Both learn in each of the ``steps``, on
    batches of 64.
    """
    images = check_images(images)
    steps = _check.integer(steps, "steps", 1)
    recipes.make_deterministic(seed)
    mean, shape = images.mean(axis=0), images.shape[1:]
    decoder = networks.mlp_generator(latent_dim, shape, mean_image=mean, **_GENERATOR)
    encoder = networks.mlp_encoder(latent_dim, shape, mean_image=mean)
    model = _Reconstruction(encoder, decoder)
    begin = time.perf_counter()
    fitted = _fit(model, images, steps, seed)
    return Detector(
        gan=None,
        history={"step": [steps], **fitted.history},
        seconds=time.perf_counter() - begin,
        cpu_seconds=0.0,
        steps=steps,
        reconstruction=model,
    )
