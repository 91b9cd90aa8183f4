"""The same networks in PyTorch, for benchmarks/throughput.py and benchmarks/quality.py.

`to_torch` makes a PyTorch module of a Keras model of this package, with the same weights, so that
both give the same numbers for the same input (tests/benchmarks/test_peers.py). PyTorch is not a
dependency of gantut: ``pip install -e ".[peers]"`` brings it, from PyTorch's index for a build
without CUDA.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gantut._keras import keras

layers = keras.layers


class Reshaped(nn.Module):
    """Rows to images: Keras has the channels last, PyTorch first."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Any) -> Any:
        """From (batch, height * width * channels) to (batch, channels, height, width)."""
        return x.view(-1, *self.shape).permute(0, 3, 1, 2)


class Flattened(nn.Module):
    """Images to rows, in Keras' order."""

    def forward(self, x: Any) -> Any:
        """From (batch, channels, height, width) to (batch, height * width * channels)."""
        return x.permute(0, 2, 3, 1).reshape(len(x), -1)


class Centred(nn.Module):
    """The frozen layer that subtracts the mean image."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(layer.moving_mean.numpy()))
        self.register_buffer("scale", torch.tensor(layer.moving_variance.numpy()).rsqrt())

    def forward(self, x: Any) -> Any:
        """What Keras' batch normalisation does with constants."""
        return (x - self.mean) * self.scale


class Same(nn.Module):
    """A convolution with Keras' padding="same", which at stride 2 may pad one side more."""

    def __init__(self, convolution: Any, before: int, after: int, size: int) -> None:
        super().__init__()
        self.convolution, self.before, self.after, self.size = convolution, before, after, size

    def forward(self, x: Any) -> Any:
        """Pads, or cuts off what a transposed convolution made too much."""
        if isinstance(self.convolution, nn.ConvTranspose2d):
            return self.convolution(x)[..., : self.size, : self.size]
        if self.before == self.after:
            return self.convolution(x)
        return self.convolution(functional.pad(x, (self.before, self.after) * 2))


def _put(target: Any, value: Any) -> None:
    with torch.no_grad():
        target.copy_(torch.tensor(np.ascontiguousarray(value)))


def _dense(layer: Any) -> Any:
    module = nn.Linear(*layer.kernel.shape, bias=layer.use_bias)
    _put(module.weight, layer.kernel.numpy().T)
    return module


def _convolution(layer: Any) -> Any:
    transposed = isinstance(layer, layers.Conv2DTranspose)
    size, stride = layer.kernel_size[0], layer.strides[0]
    if layer.padding != "same" or {size} != {*layer.kernel_size} or {stride} != {*layer.strides}:
        raise ValueError(f"{layer.name!r} is no square convolution with padding 'same'")
    rows_in, rows_out = layer.input.shape[1], layer.output.shape[1]
    small = rows_in if transposed else rows_out
    total = max((small - 1) * stride + size - (rows_out if transposed else rows_in), 0)
    before, after = total // 2, total - total // 2
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    channels = layer.kernel.shape[2:][:: -1 if transposed else 1]
    padding = before if transposed or before == after else 0
    module = kind(*channels, size, stride, padding=padding, bias=layer.use_bias)
    _put(module.weight, layer.kernel.numpy().transpose(3, 2, 0, 1))
    return module, Same(module, before, after, rows_out)


def _batch_norm(layer: Any) -> Any:
    kind = nn.BatchNorm1d if len(layer.input.shape) == 2 else nn.BatchNorm2d
    return kind(layer.gamma.shape[0], eps=layer.epsilon, momentum=1.0 - layer.momentum)


def to_torch(model: Any) -> Any:
    """A ``torch.nn.Sequential`` in training mode with a Keras model's layers and weights.

    The model is one chain of dense layers, convolutions with padding "same", batch normalisation,
    LeakyReLU, dropout, reshaping and flattening. Its images have the channels last, those of the
    module first.
    """
    modules: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        if isinstance(layer, layers.Dense):
            module = made = _dense(layer)
        elif isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
            module, made = _convolution(layer)
        elif isinstance(layer, layers.BatchNormalization):
            if not layer.scale:
                modules.append(Centred(layer))
                continue
            module = made = _batch_norm(layer)
        elif isinstance(layer, layers.LeakyReLU):
            module = made = nn.LeakyReLU(layer.negative_slope)
        elif isinstance(layer, layers.Dropout):
            module = made = nn.Dropout(layer.rate)
        elif isinstance(layer, layers.Reshape):
            module = made = Reshaped(tuple(layer.target_shape))
        elif isinstance(layer, layers.Flatten):
            module = made = Flattened()
        else:
            raise ValueError(f"to_torch does not know the layer {type(layer).__name__}")
        if getattr(layer, "bias", None) is not None:
            _put(module.bias, layer.bias.numpy())
        modules.append(made)
        activation = getattr(layer, "activation", None)
        if activation is keras.activations.tanh:
            modules.append(nn.Tanh())
        elif activation not in (None, keras.activations.linear) and not isinstance(
            layer, layers.LeakyReLU
        ):
            raise ValueError(f"to_torch does not know the activation of {layer.name!r}")
    return nn.Sequential(*modules)


def plain_step(G: Any, D: Any, rates: tuple[float, float], beta_1: float) -> Callable[[Any], Any]:
    """The non-saturating GAN's step, D and then G, as PyTorch's users write it.

    Args:
        G: The generator, whose first layer is dense.
        D: The discriminator.
        rates: Adam's learning rates of D and G.
        beta_1: Its first moment decay.
    """
    d_adam = torch.optim.Adam(D.parameters(), rates[0], betas=(beta_1, 0.999))
    g_adam = torch.optim.Adam(G.parameters(), rates[1], betas=(beta_1, 0.999))
    latent_dim = next(m for m in G.modules() if isinstance(m, nn.Linear)).in_features

    def step(real: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            fake = G(torch.randn(len(real), latent_dim))
        d_adam.zero_grad()
        d_loss = functional.softplus(-D(real)).mean() + functional.softplus(D(fake)).mean()
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        # Frozen, D's own gradients are not computed here.
        D.requires_grad_(False)
        g_loss = functional.softplus(-D(G(torch.randn(len(real), latent_dim)))).mean()
        g_loss.backward()
        D.requires_grad_(True)
        g_adam.step()
        return d_loss, g_loss

    return step


class Twin:
    """The recipe ``fast`` in PyTorch: the same networks, losses, penalties, optimizers, average.

    What differs: Adam's epsilon stands at another place in the formula, and the moving statistics
    of batch normalisation also see the batches of D's step. The weights are copied from a GAN.
    """

    def __init__(self, gan: Any, recipe: Any) -> None:
        self.recipe = recipe
        self.G, self.D = to_torch(gan.generator), to_torch(gan.discriminator)
        self.average = copy.deepcopy(self.G).requires_grad_(False)
        betas = (recipe.beta_1, recipe.beta_2)
        self.d_adam = torch.optim.Adam(
            self.D.parameters(), recipe.d_learning_rate, betas=betas, eps=1e-7
        )
        self.g_adam = torch.optim.Adam(
            self.G.parameters(), recipe.g_learning_rate, betas=betas, eps=1e-7
        )
        self.latent_dim = gan.latent_dim
        self.steps = 0

    def latents(self, n: int) -> Any:
        """Latent vectors (n, latent_dim)."""
        return torch.randn(n, self.latent_dim)

    def step(self, real: Any) -> tuple[Any, Any]:
        """One step of D, then one of G, on a batch of images with the channels first."""
        recipe, lazy = self.recipe, self.steps % self.recipe.penalty_every == 0
        with torch.no_grad():
            fake = self.G(self.latents(len(real)))
        self.d_adam.zero_grad()
        real, fake = real.requires_grad_(lazy), fake.requires_grad_(lazy)
        on_real, on_fake = self.D(real), self.D(fake)
        d_loss = total = functional.softplus(on_fake - on_real).mean()
        if lazy:
            for name, logits, images in (("r1", on_real, real), ("r2", on_fake, fake)):
                (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
                squares = slope.flatten(1).square().sum(1).mean()
                total = total + recipe.penalty_every * recipe.penalties[name] / 2 * squares
        total.backward()
        self.d_adam.step()
        self.g_adam.zero_grad()
        self.D.requires_grad_(False)
        with torch.no_grad():
            on_real = self.D(real)
        on_fake = self.D(self.G(self.latents(len(real))))
        g_loss = functional.softplus(on_real - on_fake).mean()
        g_loss.backward()
        self.D.requires_grad_(True)
        self.g_adam.step()
        self.steps += 1
        decay = min(recipe.ema, (1 + self.steps) / (10 + self.steps))
        new = self.G.state_dict()
        with torch.no_grad():
            for name, value in self.average.state_dict().items():
                if value.dtype.is_floating_point:
                    value.lerp_(new[name], 1 - decay)
        return d_loss, g_loss

    def sample(self, n: int, seed: int = 0) -> Any:
        """Images (n, height, width, channels) of the averaged generator, as NumPy's array."""
        z = torch.randn(n, self.latent_dim, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            images = self.average.eval()(z)
        return images.permute(0, 2, 3, 1).contiguous().numpy()


def first_batches(images: Any, batch_size: int, seed: int = 0) -> Callable[[], Any]:
    """A function that draws batches of images (batch, channels, height, width) at random."""
    data = torch.tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    random = torch.Generator().manual_seed(seed)

    def batch() -> Any:
        return data[torch.randint(len(data), (batch_size,), generator=random)]

    return batch


def timed_steps(step: Callable[[Any], Any], batch: Callable[[], Any], n: int) -> float:
    """Seconds of n steps."""
    begin = time.perf_counter()
    for _ in range(n):
        step(batch())
    return time.perf_counter() - begin
