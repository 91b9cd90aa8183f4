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
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from gantut import _check, networks, recipes
from gantut._keras import Tensor, keras, tf
from gantut.applications.rivals import neighbour_scores
from gantut.data import Float32, Float64, check_images, check_labels
from gantut.gan import GAN
from gantut.optimizers import FusedAdam
from gantut.sampling import in_batches

Model: TypeAlias = keras.Model

FEATURES = "leaky_relu_2"
"""The layer of D whose features f-AnoGAN compares, and the layer of E in which angles are taken."""

_BATCH = 1_000


# --- The protocol ------------------------------------------------------------------------------


class Split(NamedTuple):
    """Images to learn from and images to judge."""

    train: Float32  # normal images (n, height, width, channels)
    test: Float32  # images (m, ...), normal ones first
    anomalous: npt.NDArray[np.bool_]  # which of the test images are anomalies (m,)


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
    rng = _check.rng(seed)
    normal = rng.permutation(np.flatnonzero(labels != digit))
    strange = rng.permutation(np.flatnonzero(labels == digit))
    cut = int(0.8 * len(normal))
    if not cut or not len(strange):
        raise ValueError(f"wanted images with the label {digit} and others, got no split of them")
    kept = [part[: round(test_share * len(part))] for part in (normal[cut:], strange)]
    test = np.concatenate(kept)
    return Split(images[normal[:cut]], images[test], np.arange(len(test)) >= len(kept[0]))


# --- Measures ----------------------------------------------------------------------------------


class Areas(NamedTuple):
    """How well scores rank anomalies before normal images, each a share in [0, 1].

    Without information the first is 0.5 and the second the share of anomalies; the worst ranking
    has 0 and `smallest_auprc`.
    """

    auroc: float  # the chance that an anomaly scores above a normal image, ties counting half
    auprc: float  # below the straight lines between points (recall, precision), as Zenati et al.


def measure(scores: npt.ArrayLike, anomalous: npt.ArrayLike) -> Areas:
    """Measures a detector with scikit-learn.

    Args:
        scores: Finite numbers (n,), larger for stranger images.
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
    return 1.0 + (1.0 - prevalence) * math.log1p(-prevalence) / prevalence


# --- Networks ----------------------------------------------------------------------------------


def recipe() -> recipes.GANRecipe:
    """The GAN of normal images: recipe `fast`, a twelfth as long."""
    fast: recipes.GANRecipe = recipes.get("fast")
    return replace(
        fast,
        name="anomaly",
        summary="fast, a twelfth as long: the GAN under a detector of anomalies",
        steps=1_000,
        gpu_steps=1_000,
    )


class _Reconstruction(keras.Model):
    """An encoder and a decoder, from images to their reconstructions.

    With features of a GAN's D to compare, the decoder is its G, which stays as it is, and codes are
    brought to the length sqrt(latent_dim). Without, both networks learn, from pixels alone.
    """

    def __init__(self, encoder: Model, decoder: Model, features: Model | None = None) -> None:
        super().__init__(name="reconstruction")
        self.encoder = encoder
        self.decoder = decoder
        self.features = features
        self.built = True

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """The reconstruction of images."""
        code = self.encoder(x, training=training)
        if self.features is None:
            return self.decoder(code, training=training)
        radius = math.sqrt(code.shape[1])
        code *= radius / tf.maximum(tf.norm(code, axis=1, keepdims=True), 1e-6)
        return self.decoder(code, training=False)

    def residuals(self, x: Tensor, kappa: float = 1.0, training: bool = False) -> Tensor:
        """Mean squared differences of pixels, plus kappa times those of features; (batch,)."""
        made = self(x, training=training)
        pixels = tf.reduce_mean(tf.square(x - made), axis=[1, 2, 3])
        if self.features is None:
            return pixels
        gap = self.features(x, training=False) - self.features(made, training=False)
        return pixels + kappa * tf.reduce_mean(tf.square(gap), axis=1)

    def train_step(self, x: Tensor) -> dict[str, Tensor]:
        """One step of ``fit``."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.residuals(x, training=True))
        decoder = self.decoder.trainable_variables if self.features is None else []
        variables = [*self.encoder.trainable_variables, *decoder]
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


@dataclass(frozen=True)
class Detector:
    """Networks that reconstruct normal images, and the scores they give.

    ``gan`` is None for an autoencoder. ``reconstruction`` is the Keras model from images to
    reconstructions, with ``encoder`` and ``decoder`` (of a GAN the generator). ``cpu_seconds`` are
    those of the whole training.
    """

    gan: GAN | None
    reconstruction: Model
    cpu_seconds: float = 0.0

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
        models = [_layer(self.reconstruction.encoder, FEATURES)]
        if self.gan is not None:
            models.append(_layer(self.gan.discriminator, "leaky_relu_1"))
        return [in_batches(model, images, _BATCH) for model in models]

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


def _fit(model: _Reconstruction, images: Float32, steps: int, seed: int) -> None:
    """Trains it on batches of 64, at a rate that falls from 2e-3 to 0 along half a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(FusedAdam(rate), steps_per_execution=25, jit_compile=False)
    batches = recipes.batches(images, batch_size=min(64, len(images)), seed=seed)
    model.fit(recipes.take(batches, steps), verbose=0, shuffle=False)


@recipes.cpu_timed
def train(
    images: npt.ArrayLike, *, steps: int | None = None, encoder_steps: int = 1_000, seed: int = 0
) -> Detector:
    """Trains a GAN on normal images, and then an encoder for its generator.

    The encoder's loss is "izi_f" of Schlegl et al. 2019 (section 2.2.3) with kappa = 1, as in
    `Detector.residuals`, with the features of D's last hidden layer. Codes are brought to the
    length sqrt(latent_dim), which nearly all latent vectors have; in their code the encoder's
    output is as long as it likes.

    Args:
        images: Normal images, at least 64.
        steps: Steps of the GAN; None takes those of `recipe`.
        encoder_steps: Steps of the encoder, on batches of 64.
        seed: Fixes the result, as in `gantut.recipes`.
    """
    images = check_images(images)
    gan = recipes.train(recipe(), images, steps=steps, seed=seed).gan
    detector = _detector(gan, images.mean(axis=0))
    _fit(detector.reconstruction, images, encoder_steps, seed)
    return detector


@recipes.cpu_timed
def untrained(images: npt.ArrayLike, *, seed: int = 0) -> Detector:
    """The networks of `train` as they are before it: what a score owes to training, and what not.

    The mean of the images is all that the networks know of them.
    """
    images = check_images(images)
    mean = images.mean(axis=0)
    return _detector(recipe().build(images.shape[1:], seed=seed, mean_image=mean), mean)


def _detector(gan: GAN, mean: Float32) -> Detector:
    """A GAN with a new encoder for its generator."""
    encoder = networks.mlp_encoder(gan.latent_dim, mean.shape, mean_image=mean)
    features = _layer(gan.discriminator, FEATURES)
    return Detector(gan, _Reconstruction(encoder, gan.ema_generator, features))


@recipes.cpu_timed
def train_autoencoder(images: npt.ArrayLike, *, steps: int = 1_000, seed: int = 0) -> Detector:
    """Trains an autoencoder: the encoder and generator of `train` without a D.

    Between the two is a code of 8 numbers. Both learn in each of the ``steps``, on batches of 64.
    """
    images = check_images(images)
    recipes.make_deterministic(seed)
    mean = images.mean(axis=0)
    decoder = networks.mlp_generator(8, mean.shape, (256, 512), batch_norm=True, mean_image=mean)
    model = _Reconstruction(networks.mlp_encoder(8, mean.shape, mean_image=mean), decoder)
    _fit(model, images, steps, seed)
    return Detector(None, model)
