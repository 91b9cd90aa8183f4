"""What the networks are called with and what the optimizers change, seen during eager steps."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np

from gantut._keras import keras, put_back, tf, watched
from gantut.checks.parts import Array, Inputs, Model, as_list, call
from gantut.checks.pieces import opposition


class Watch:
    """What the networks are called with and what the optimizers change, during eager steps.

    Attributes:
        inputs: What each network was called with first.
        modes: The argument ``training`` of all its calls.
        updates: The networks that each update was for.
        real: D's inputs that hold the batch, scaled or not; empty if there were none.
        alphas: The weights of mixtures of data and samples that D was shown.
        d_changes, g_changes: What each update did to D's gap between data and samples.
        distance: That gap after D's latest update.
        drawn: The number of latent vectors in each call of G in the present step.
    """

    def __init__(self, networks: Mapping[str, Model], batch: tuple[Array, ...]) -> None:
        self.networks = networks
        self.batch = batch
        self.owners = {
            id(handle): name
            for name, network in self.networks.items()
            for v in network.variables
            for handle in (v, getattr(v, "value", v))
        }
        self.inputs: dict[str, list[Array]] = {}
        self.modes: dict[str, list[bool | None]] = {name: [] for name in self.networks}
        self.updates: list[list[str]] = []
        self.real: list[Array] = []
        self.alphas: list[Array] = []
        self.d_changes: list[float] = []
        self.g_changes: list[float] = []
        self.distance = 0.0
        self.busy = False
        self.begin()

    def begin(self) -> None:
        """A new step."""
        self.made: tuple[list[Array], Array] | None = None
        self.fake: list[Array] | None = None
        self.fakes: list[Array] = []
        self.drawn: list[int] = []

    def is_open(self) -> bool:
        """Whether G seems to work for D, and D's answers are too young to tell."""
        together = float(np.sum(self.d_changes)) * float(np.sum(self.g_changes)) > 0.0
        return together and opposition(self.distance, self.d_changes, self.g_changes) is None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Runs functions eagerly, and sees calls and updates."""
        eager = tf.config.functions_run_eagerly()
        before = keras.optimizers.Optimizer.apply
        watch = self

        def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
            if watch.busy:
                return before(self, grads, trainable_variables)
            if trainable_variables is None:
                trainable_variables = self._trainable_variables
            grads, variables = list(grads), list(trainable_variables)
            return watch.update(lambda: before(self, grads, variables), grads, variables)

        tf.config.run_functions_eagerly(True)
        try:
            with (
                patch.object(keras.optimizers.Optimizer, "apply", apply),
                watched(self.networks.values(), self.see),
            ):
                yield
        finally:
            tf.config.run_functions_eagerly(eager)

    def see(self, network: Model, inputs: Inputs, kwargs: Mapping[str, Any], output: Any) -> None:
        """Notes a call of one of the two networks."""
        if self.busy:
            return
        name = next(n for n, m in self.networks.items() if m is network)
        given = [np.asarray(x) for x in as_list(inputs)]
        self.inputs.setdefault(name, given)
        self.modes[name].append(kwargs.get("training"))
        if name == "generator":
            self.made = (given, np.asarray(output))
            self.fakes.append(self.made[1])
            self.drawn.append(len(given[0]))
            return
        image = given[0]
        if self.made is not None:
            sample = self.made[1]
            image = image[..., : sample.shape[-1]]
            if image.shape == sample.shape and np.array_equal(image, sample):
                self.fake = given
                return
            # Data and samples in one batch, in either order.
            more = len(image) - len(sample)
            for part in (slice(None, len(sample)), slice(more, None)) if more > 0 else ():
                if np.array_equal(image[part], sample):
                    self.fake = [x[part] for x in given]
                    given = [np.delete(x, part, axis=0) for x in given]
                    image = np.delete(image, part, axis=0)
                    break
        if not self.real and _is_scaled(self.batch[0], image):
            self.real = given
        elif self.real:
            self.mixture(image, self.real[0][..., : image.shape[-1]])

    def mixture(self, image: Array, real: Array) -> None:
        """Notes the weights, if the images lie between data and samples."""
        for fake in self.fakes:
            if real.shape == fake.shape == image.shape:
                alpha = _mixing_weights_of(image, real, fake)
                if alpha is not None:
                    self.alphas.append(alpha)
                    return

    def update(
        self, apply: Callable[[], Any], grads: Sequence[Any], variables: Sequence[keras.Variable]
    ) -> Any:
        """Lets an optimizer update, and notes whose weights and what it did to the gap."""
        moved = [v for g, v in zip(grads, variables, strict=False) if g is not None]
        owners = sorted({self.owners[id(v)] for v in moved if id(v) in self.owners})
        if not owners:
            return apply()
        self.updates.append(owners)
        before = self.gap(owners)
        result = apply()
        after = self.gap(owners)
        if before is not None and after is not None:
            if owners == ["discriminator"]:
                self.distance = after
                self.d_changes.append(after - before)
            else:
                self.g_changes.append(after - before)
        return result

    def gap(self, owners: Sequence[str]) -> float | None:
        """D's mean answer on data less that on samples, as far as the update can move it."""
        if len(owners) != 1 or self.fake is None or self.made is None:
            return None
        generator, discriminator = self.networks.values()
        self.busy = True
        try:
            with put_back([*generator.variables, *discriminator.variables]):
                if owners == ["discriminator"]:
                    if not self.real:
                        return None
                    real, fake = (
                        float(call(discriminator, x, training=True).mean())
                        for x in (self.real, self.fake)
                    )
                    return real - fake
                latents, old = self.made
                new = call(generator, latents, training=True)
                if len(new) != len(self.fake[0]):
                    return None
                image = np.concatenate([new, self.fake[0][..., old.shape[-1] :]], axis=-1)
                answer = call(discriminator, [image, *self.fake[1:]], training=True)
                return -float(answer.mean())
        finally:
            self.busy = False


def _is_scaled(batch: Array, image: Array) -> bool:
    """Whether these are the images of the batch, multiplied and moved by one number each."""
    if image.size != batch.size or len(image) != len(batch):
        return False
    x, y = (np.asarray(a, float).ravel() for a in (batch, image))
    x, y = x - x.mean(), y - y.mean()
    if not x.any() or not y.any():
        return False
    return float((x @ y) ** 2 / ((x @ x) * (y @ y))) > 1.0 - 1e-6


def _mixing_weights_of(image: Array, real: Array, fake: Array) -> Array | None:
    """The alpha of each row, if the images lie on the lines between data and samples."""
    m, r, f = (np.asarray(a, float).reshape(len(a), -1) for a in (image, real, fake))
    span = r - f
    length = (span * span).sum(axis=1)
    if not length.all():
        return None
    alpha = ((m - f) * span).sum(axis=1) / length
    off = np.linalg.norm(m - f - alpha[:, None] * span, axis=1) / np.sqrt(length)
    ends = np.minimum(abs(alpha), abs(alpha - 1.0)) < 1e-6
    return None if off.max() > 1e-3 or ends.all() else alpha
