"""An autoencoder whose code has few bits, with or without a patch critic."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, networks, recipes
from gantut._keras import Tensor, keras
from gantut.applications.flows.velocity import Network, first_names, layers
from gantut.applications.image_to_image import ImageToImage, translate
from gantut.data import Float32, check_images
from gantut.networks.parts import checked_shape
from gantut.optimizers import FusedAdam
from gantut.sampling import render


def patch_critic(
    image_shape: Sequence[int] = networks.MNIST_SHAPE, widths: Sequence[int] = (256, 128)
) -> Network:
    """A critic that judges each quarter of an image by itself (as Isola et al. 2017 do patches).

    The same small perceptron sees the four; the result are four logits.

    Args:
        image_shape: (height, width, channels), both sides even.
        widths: Units of the hidden layers.
    """
    high, wide, channels = checked_shape(image_shape, multiple_of=2)
    image = keras.Input((high, wide, channels), name="image")
    x = layers.Reshape((2, high // 2, 2, wide // 2 * channels))(image)
    x = layers.Permute((1, 3, 2, 4))(x)
    x = layers.Reshape((4, high // 2 * wide // 2 * channels))(x)
    for width in widths:
        x = layers.LeakyReLU(0.2)(layers.Dense(width)(x))
    return first_names(keras.Model(image, layers.Dense(1)(x), name="patch_critic"))


def quantise(codes: Tensor, levels: int) -> Tensor:
    """The nearest of ``levels`` values in [-1, 1], with the gradient of the codes."""
    last = levels - 1.0
    nearest = keras.ops.round((codes + 1.0) / 2.0 * last) / last * 2.0 - 1.0
    return codes + keras.ops.stop_gradient(nearest - codes)


class Autoencoder(ImageToImage):
    """Redraws images through a code of whole numbers, with the squared error and maybe a critic.

    Each number of the code is one of ``levels`` in [-1, 1]: the encoder's output after tanh,
    rounded, with the gradient of what was not rounded (finite scalar quantization, Mentzer et al.
    2023). A code of k numbers has k log2(levels) bits.

    Args:
        encoder: From images to codes (batch, k), unbounded.
        decoder: From codes to images in [-1, 1].
        critic: From images to logits, as `patch_critic`.
        levels: How many values each number of a code has, at least 2.
        weight: Of the critic's relativistic loss; 0 leaves the critic out.
        penalty: Weight of R1 and R2 on the critic.
        seed: Fixes the random numbers of training.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        critic: Network,
        *,
        levels: int = 4,
        weight: float = 0.3,
        penalty: float = 1.0,
        seed: int | None = None,
    ) -> None:
        levels = _check.integer(levels, "levels", 2)
        code = quantise(keras.ops.tanh(encoder.outputs[0]), levels)
        super().__init__(
            keras.Model(encoder.inputs[0], decoder(code), name="autoencoder"),
            critic,
            "relativistic",
            adversarial_weight=weight,
            error="squared",
            penalties={"r1": penalty, "r2": penalty},
            seed=seed,
        )
        self.conditional = False  # the critic sees no source
        self.coder, self.decoder = keras.Model(encoder.inputs[0], code, name="coder"), decoder
        self.levels = levels
        self.bits = decoder.inputs[0].shape[-1] * math.log2(levels)

    def unpack(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Images, which are their own sources."""
        images, _ = super().unpack(batch)
        return images, images

    def encode(self, images: npt.ArrayLike) -> Float32:
        """Codes of images, float32 (n, k)."""
        return translate(self.coder, images)

    def decode(self, codes: npt.ArrayLike) -> Float32:
        """Images of codes (n, k), which are clipped to [-1, 1] and rounded to the levels before."""
        codes = np.clip(np.asarray(codes, np.float32), -1.0, 1.0)
        return render(self.decoder, quantise(codes, self.levels), compiled=True)


@recipes.cpu_timed
def train_autoencoder(
    images: npt.ArrayLike,
    *,
    code: int = 16,
    levels: int = 4,
    weight: float = 0.0,
    batch_size: int = 64,
    seed: int = 0,
    **length: Any,
) -> recipes.Run[Autoencoder]:
    """Trains an autoencoder by the mean squared error, with or without a patch critic.

    The networks are the encoder of `gantut.applications.anomaly` and the generator of `fast`.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1].
        code: Numbers of a code.
        levels: As in `Autoencoder`.
        weight: Of the critic's loss, 0 for none.
        batch_size: Images of a step.
        seed: Fixes the result, except with ``seconds``.
        **length: ``steps`` or ``seconds``, and callbacks, as in `gantut.recipes.run`.
    """
    images = check_images(images, name="images")
    seed = recipes.make_deterministic(seed)
    mean, shape = images.mean(axis=0), images.shape[1:]
    model = Autoencoder(
        networks.mlp_encoder(code, shape, mean_image=mean),
        networks.mlp_generator(code, shape, widths=(256, 512), batch_norm=True, mean_image=mean),
        patch_critic(shape),
        levels=levels,
        weight=weight,
        seed=seed,
    )
    model.compile(
        *(FusedAdam(1e-3, beta_1=0.0, beta_2=0.99) for _ in range(2)), steps_per_execution=16
    )
    data = recipes.batches(images, batch_size=batch_size, seed=seed)
    return recipes.run(model, data, **length)
