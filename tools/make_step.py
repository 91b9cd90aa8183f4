"""Writes the step that book/play.md walks through: book/_static/play/step-data.js.

    python tools/make_step.py

A small GAN trains on MNIST for `STEPS` steps of 64 digits. One more step, on four digits, is taken
in pieces by the methods of `gantut.GAN`, and what flows between them is kept: latent vectors,
images, logits, losses, gradients. Takes half a minute of one core.

The GAN is the one written out in book/implementation.md, with `gantut.networks` in place of its
layers and without batch normalisation: with it, a sample in a batch of four would depend on the
other three. A seed fixes the step on one machine. Elsewhere it is another step: where the first
weights differed by one part in ten million, the logits differed by up to 3.
"""

import base64
import json
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from project import BOOK

from gantut import GAN, load_mnist, networks
from gantut._files import atomic_write
from gantut.optimizers import FusedAdam

FILE = BOOK / "_static/play/step-data.js"
START = "self.gantutPlay.stepData = "
SEED, STEPS, BATCH, ROWS = 0, 1_500, 64, 4
LATENT_DIM = 64
REACH = 3.0  # a latent number of this size is white


def make_gan(seed: int = SEED) -> GAN:
    """The GAN at the start of its training."""
    keras.utils.set_random_seed(seed)
    gan = GAN(
        networks.mlp_generator(LATENT_DIM, widths=(128, 256)),
        networks.mlp_discriminator(widths=(256, 128)),
        loss="non_saturating",
        seed=seed,
    )
    gan.compile(*(FusedAdam(1e-3, beta_1=0.0) for _ in range(2)), steps_per_execution=50)
    return gan


def load_digits(steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
    """The training's digits in the order in which it takes them, and the four of the step."""
    digits = np.random.default_rng(SEED).permutation(load_mnist().x_train)
    batches = np.resize(np.arange(len(digits) - ROWS), steps * BATCH)
    return digits[batches], digits[-ROWS:]


def length(tensors: Any) -> float:
    """The Euclidean length of all values together."""
    return float(tf.linalg.global_norm(tensors))


def largest_move(network: keras.Model, before: list[np.ndarray]) -> float:
    """The largest change of a weight."""
    pairs = zip(network.get_weights(), before, strict=True)
    return max(float(np.abs(after - old).max()) for after, old in pairs)


def take_step(gan: GAN, real: np.ndarray) -> dict[str, Any]:
    """One step of ``gan`` on ``real``, in pieces: what came out of each, as numbers and arrays.

    ``discriminator`` and ``generator`` hold the halves: latent vectors ``z`` (n, latent_dim),
    ``images`` (n, 28, 28, 1) in [-1, 1], logits (n,), the loss before and after the half's update
    on the same images (the same latent vectors), the length of the gradient and the largest change
    of a weight. ``pixels`` is minus the gradient of G's loss by the pixels of its samples.
    """
    d: Any = gan.discriminator
    g: Any = gan.generator
    digits, n = tf.constant(real), len(real)

    z = gan.latents(n)
    fake = g(z, training=True)
    before = d.get_weights()
    with tf.GradientTape() as tape:
        loss, real_logits, fake_logits, _ = gan.discriminator_loss(digits, fake, None, False)
    slopes = tape.gradient(loss, d.trainable_variables)
    gan.d_optimizer.apply(slopes, d.trainable_variables)
    of_d = {
        "z": z.numpy(),
        "images": fake.numpy(),
        "real_logits": real_logits.numpy()[:, 0],
        "fake_logits": fake_logits.numpy()[:, 0],
        "loss": float(loss),
        "gradient": length(slopes),
        "move": largest_move(d, before),
        "loss_after": float(gan.discriminator_loss(digits, fake, None, False)[0]),
    }

    z = gan.latents(n)
    before = g.get_weights()
    with tf.GradientTape(persistent=True) as tape:
        fake = g(z, training=True)
        fake_logits = gan.discriminate(fake, None)
        loss = gan.adversarial_loss.generator(fake_logits, None)
    slopes = tape.gradient(loss, g.trainable_variables)
    pixels = tape.gradient(loss, fake)
    gan.g_optimizer.apply(slopes, g.trainable_variables)
    after = gan.discriminate(g(z, training=True), None)
    of_g = {
        "z": z.numpy(),
        "images": fake.numpy(),
        "fake_logits": fake_logits.numpy()[:, 0],
        "loss": float(loss),
        "pixels": -pixels.numpy(),
        "gradient": length(slopes),
        "move": largest_move(g, before),
        "loss_after": float(gan.adversarial_loss.generator(after, None)),
    }
    return {"real": real, "discriminator": of_d, "generator": of_g}


def to_bytes(values: np.ndarray, reach: float) -> str:
    """Values from -reach to reach as greys 0 to 254 in base64; 0 is 127."""
    greys = np.rint(127 * np.clip(values / reach, -1, 1)) + 127
    return base64.b64encode(greys.astype(np.uint8).tobytes()).decode()


def for_the_page(step: dict[str, Any]) -> dict[str, Any]:
    """The step as the page loads it: arrays of pixels as greys, numbers rounded."""

    def written(half: dict[str, Any]) -> dict[str, Any]:
        kinds = {"z": REACH, "images": 1.0}
        if "pixels" in half:
            kinds["pixels"] = float(np.abs(half["pixels"]).max())
        return {
            name: to_bytes(value, kinds[name])
            if name in kinds
            else np.round(np.asarray(value, np.float64), 5).tolist()
            for name, value in half.items()
        }

    return {
        "command": "python tools/make_step.py",
        "seed": SEED,
        "steps": STEPS,
        "batch_size": BATCH,
        "rows": ROWS,
        "real": to_bytes(step["real"], 1.0),
        "discriminator": written(step["discriminator"]),
        "generator": written(step["generator"]),
    }


def trained(steps: int = STEPS) -> tuple[GAN, np.ndarray]:
    """The GAN after its training, and the digits of its next step."""
    gan = make_gan()
    digits, real = load_digits(steps)
    if steps:
        gan.fit(digits, batch_size=BATCH, shuffle=False, verbose=0)
    return gan, real


def main() -> None:
    """Trains, takes the step and writes the file."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    gan, real = trained()
    data = for_the_page(take_step(gan, real))
    data["weights"] = {
        "discriminator": gan.discriminator.count_params(),
        "generator": gan.generator.count_params(),
    }
    with atomic_write(FILE) as path:
        path.write_text(f"{START}{json.dumps(data, separators=(',', ':'))};\n", "utf-8")
    for name in ("discriminator", "generator"):
        print(name, {k: v for k, v in data[name].items() if not isinstance(v, str)})


if __name__ == "__main__":
    main()
