"""The adversarial game as a Keras model. First its mathematics, then how one is made and compiled.

What it shares with other models (``fit``'s look at the data, files) is in `gantut.model`.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from gantut import _check, losses
from gantut._keras import Tensor, blank, computed, full_precision, gradients, keras, tf, unchanged
from gantut._state import numbered
from gantut.model import Model, built_optimizer, check_network, check_pair
from gantut.networks import count_classes, is_conditional
from gantut.optimizers import FusedAdam, Unrolled
from gantut.sampling import sample


class GAN(Model):
    """A generator and a discriminator, trained against each other by ``fit``.

    One training step updates D once on a batch of data and as many generated samples, then (on
    every ``d_steps``-th step) G once, on new latent vectors. No step of one network changes a
    weight of the other (Goodfellow et al. 2014, algorithm 1).

    Args:
        generator: Maps (batch, latent_dim) to samples; conditional if it takes [z, labels].
        discriminator: Maps samples to logits (batch, 1); takes [x, labels] if the generator does.
        loss: A key of ``gantut.losses.LOSSES``, or an ``AdversarialLoss``.
        penalties: Weights of gradient penalties on D, by name: "r1", "r2" (the gamma of
            Mescheder et al. 2018) and "wgan_gp" (the lambda of Gulrajani et al. 2017).
        penalty_every: Add the penalties on every k-th step only, k times as strong (lazy
            regularisation, Karras et al. 2020, appendix B).
        ema: Decay of the exponential moving average of the generator's weights, in [0, 1)
            (Yazici et al. 2019), from which samples come. At update t it is at most
            (1 + t) / (10 + t), so that the initial weights are forgotten. None keeps no average.
        d_steps: Discriminator steps, each on a new batch, for one generator step.
        unroll_steps: Further steps of D that G's step looks ahead, k of Metz et al. 2017 (eqs.
            6 to 8): G's loss is that of D after k more steps on the same batch, and its gradient
            goes through them. They follow the rule of D's optimizer (Adam or SGD) from its
            present state, with the penalties' plain weights whatever ``penalty_every`` is, and
            change nothing of D. 0 is the plain step.
        simultaneous: Both networks move at once, on one batch of samples, and G's gradient is
            that of D before its update (simultaneous instead of alternating gradient descent,
            Mescheder et al. 2018). G is run forward once less a step, and D on samples once less.
        seed: Fixes the latent vectors of training. None draws a seed.

    Attributes:
        ema_generator: The network with averaged weights that ``sample`` and ``save`` use; the
            generator itself if ``ema`` is None.
        latent_dim: Length of the latent vector.
        conditional: Whether the networks take labels.
        num_classes: Number of labels of a conditional pair, else None.
    """

    # --- The game --------------------------------------------------------------------------------

    def step(self, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """One step of ``fit``: D, then (every ``d_steps``-th time) G; or both at once."""
        step = tf.convert_to_tensor(self.step_counter)
        self.step_counter.assign_add(1)
        _, g_loss_mean, *_ = self.trackers

        def move_generator() -> None:
            g_loss_mean.update_state(self.generator_step(real, labels))

        if self.simultaneous:
            *of_d, g_loss = self.lazily(step, partial(self.simultaneous_step, real, labels))
            g_loss_mean.update_state(g_loss)
        else:
            of_d = self.lazily(step, partial(self.discriminator_step, real, labels))
            if self.d_steps == 1:
                move_generator()
            else:
                tf.cond(tf.equal((step + 1) % self.d_steps, 0), move_generator, lambda: None)
        return self.track(*of_d)

    def discriminator_step(
        self, real: Tensor, labels: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Updates D once. Returns its loss (without penalties) and the logits on both halves."""
        *result, slopes = self.discriminator_gradients(real, labels, with_penalty)
        with computed(slopes if with_penalty else []):
            self.d_optimizer.apply(slopes, self.discriminator.trainable_variables)
        return tuple(result)

    def discriminator_gradients(
        self, real: Tensor, labels: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """D's loss (without penalties), the logits on both halves, and D's gradients."""
        # G's batch normalisation must work on batches here as in G's own step.
        with unchanged(self.generator):
            fake = tf.stop_gradient(self.generate(tf.shape(real)[0], labels, training=True))
        with tf.GradientTape() as tape:
            *result, total = self.discriminator_loss(real, fake, labels, with_penalty)
        return *result, gradients(tape, total, self.discriminator)

    def discriminator_loss(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """D's loss, the logits on both halves, and the loss with what the penalties add."""
        real_logits = self.discriminate(real, labels)
        fake_logits = self.discriminate(fake, labels)
        loss = total = self.adversarial_loss.discriminator(real_logits, fake_logits)
        if with_penalty:
            total += self.penalty_every * self.penalty(real, fake, labels)
        return loss, real_logits, fake_logits, total

    def penalty(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        """The weighted sum of the gradient penalties: a scalar."""
        critic = partial(self.discriminate, labels=labels)
        total = tf.zeros((), real.dtype)
        for name, weight in self.penalties.items():
            if name == "r1":
                total += weight * losses.r1_penalty(critic, real)
            elif name == "r2":
                total += weight * losses.r2_penalty(critic, fake)
            else:
                alpha = self.mixing_weights(tf.shape(real)[0])
                total += weight * losses.gradient_penalty(critic, real, fake, alpha)
        return total

    def mixing_weights(self, n: Tensor) -> Tensor:
        """Draws ``n`` places between data and samples, for "wgan_gp": shape (n,), in [0, 1)."""
        return tf.random.stateless_uniform((n,), seed=self.seed_generator.next())

    def generator_step(self, real: Tensor, labels: Tensor | None) -> Tensor:
        """Updates G once, and its average. Returns G's loss."""
        loss, slopes = self.generator_gradients(real, labels)
        self.g_optimizer.apply(slopes, self.generator.trainable_variables)
        self.update_average()
        return loss

    def generator_gradients(
        self, real: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """G's loss, and its gradients."""
        with unchanged(self.discriminator), tf.GradientTape() as tape:
            fake = self.generate(tf.shape(real)[0], labels, training=True)
            with self.looking_ahead(real, fake, labels):
                fake_logits = self.discriminate(fake, labels)
                real_logits = (
                    self.discriminate(real, labels) if self.adversarial_loss.relativistic else None
                )
            adversarial = self.adversarial_loss.generator(fake_logits, real_logits)
            loss = self.generator_loss(real, fake, adversarial)
        return loss, self.generator_slopes(tape, loss)

    def generator_slopes(self, tape: tf.GradientTape, loss: Tensor) -> list[Tensor]:
        """G's gradients of a loss, which go through D."""
        slopes = gradients(tape, loss, self.generator)
        if slopes and all(slope is None for slope in slopes):
            raise ValueError(losses.NO_SLOPE)
        return slopes

    @contextlib.contextmanager
    def looking_ahead(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> Iterator[None]:
        """Inside it, D is what ``unroll_steps`` more steps on this batch would make of it."""
        if not self.unroll_steps:
            yield
            return
        weights = self.discriminator.trainable_variables
        # Moving statistics and random states go ahead with the weights.
        others = [*self.discriminator.non_trainable_variables, self.seed_generator.state]
        variables = [*weights, *others]
        values = [tf.convert_to_tensor(v) for v in variables]
        optimizer = Unrolled(self.d_optimizer, weights)
        for _ in range(self.unroll_steps):
            before = values[: len(weights)]
            with tf.GradientTape() as tape:
                tape.watch(before)
                with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
                    loss = self.adversarial_loss.discriminator(
                        self.discriminate(real, labels), self.discriminate(fake, labels)
                    )
                    if self.penalties:
                        loss += self.penalty(real, fake, labels)
            slopes = gradients(tape, loss, self.discriminator, before)
            after = [scope.get_current_value(v) for v in others]
            values = [*optimizer.step(before, slopes), *after]
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            yield
        # What was drawn at random is not drawn again by D's next step.
        statistics = {id(v) for v in self.discriminator.non_trainable_weights}
        for v in others:
            if id(v) not in statistics:
                v.assign(scope.get_current_value(v))

    def generator_loss(self, real: Tensor, fake: Tensor, adversarial: Tensor) -> Tensor:
        """What G minimises, the adversarial loss; a GAN with a further aim adds it here."""
        return adversarial

    def simultaneous_step(
        self, real: Tensor, labels: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Updates both networks from one batch. Returns as `discriminator_step`, and G's loss."""
        with tf.GradientTape() as g_tape:
            fake = self.generate(tf.shape(real)[0], labels, training=True)
            with tf.GradientTape() as d_tape:
                *result, total = self.discriminator_loss(real, fake, labels, with_penalty)
            _, real_logits, fake_logits = result
            adversarial = self.adversarial_loss.generator(
                fake_logits, real_logits if self.adversarial_loss.relativistic else None
            )
            g_loss = self.generator_loss(real, fake, adversarial)
        d_slopes = gradients(d_tape, total, self.discriminator)
        g_slopes = self.generator_slopes(g_tape, g_loss)
        with computed([*d_slopes, *g_slopes]):
            self.d_optimizer.apply(d_slopes, self.discriminator.trainable_variables)
        self.g_optimizer.apply(g_slopes, self.generator.trainable_variables)
        self.update_average()
        return *result, g_loss

    def generate(self, n: Tensor, labels: Tensor | None, training: bool) -> Tensor:
        """Samples of the generator under training, for new latent vectors."""
        inputs = self.generator_inputs(self.latents(n), labels)
        return full_precision(self.generator(inputs, training=training))

    def generator_inputs(self, z: Tensor, labels: Tensor | None) -> Any:
        """What G takes to make of latent vectors samples with these labels."""
        return [z, labels] if self.conditional else z

    def discriminate(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Logits of D in training mode (dropout active)."""
        inputs = [x, labels] if self.conditional else x
        return full_precision(self.discriminator(inputs, training=True))

    def latents(self, n: Tensor) -> Tensor:
        """Draws ``n`` latent vectors from N(0, I) for a training step: shape (n, latent_dim)."""
        return tf.random.stateless_normal((n, self.latent_dim), seed=self.seed_generator.next())

    def lazily(self, step: Tensor, move: Callable[[bool], Any]) -> Any:
        """What ``move(with_penalty)`` does and returns, with the penalties where they are due."""
        if not self.penalties or self.penalty_every == 1:
            return move(bool(self.penalties))
        due = tf.equal(step % self.penalty_every, 0)
        return tf.cond(due, lambda: move(True), lambda: move(False))

    def track(self, d_loss: Tensor, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """Adds what D's step returned to the running means, and returns all of these."""
        d_loss_mean, _, d_real, d_fake, *_ = self.trackers
        d_loss_mean.update_state(d_loss)
        d_real.update_state(tf.sigmoid(real_logits))
        d_fake.update_state(tf.sigmoid(fake_logits))
        return self.means()

    def update_average(self) -> None:
        """Moves the averaged weights towards the present ones, where an average is kept."""
        if self.ema is not None:
            follow(self.ema_generator, self.generator, self.ema, self.g_optimizer.iterations)

    # --- How one is made, compiled, asked and kept ------------------------------------------------

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        loss: str | losses.AdversarialLoss = "non_saturating",
        *,
        penalties: Mapping[str, float] | None = None,
        penalty_every: int = 1,
        ema: float | None = None,
        d_steps: int = 1,
        unroll_steps: int = 0,
        simultaneous: bool = False,
        seed: int | None = None,
        name: str = "gan",
    ) -> None:
        super().__init__(name=name)
        check_network(generator, "generator")
        check_network(discriminator, "discriminator")
        self.check_networks(generator, discriminator)
        self.conditional = is_conditional(generator)
        self.num_classes = count_classes(generator) if self.conditional else None
        self.adversarial_loss = losses.get_loss(loss)
        self.penalties = {
            _check.one_of(key, "penalty", losses.PENALTIES): _check.number(
                weight, f"penalties[{key!r}]", least=0
            )
            for key, weight in (penalties or {}).items()
        }
        self.penalty_every, self.d_steps = _check.sizes(
            penalty_every=penalty_every, d_steps=d_steps
        )
        self.unroll_steps = _check.integer(unroll_steps, "unroll_steps", 0)
        self.simultaneous = simultaneous
        if simultaneous:
            self.check_plain("simultaneous updates go with", d_steps=1, unroll_steps=0)
            for step in ("step", "discriminator_step", "generator_step"):
                if getattr(type(self), step) is not getattr(GAN, step):
                    raise ValueError(
                        f"{type(self).__name__} has a {step} of its own, which is not simultaneous"
                    )
        self.ema = None if ema is None else _check.number(ema, "ema", least=0, below=1)
        self.generator = generator
        self.discriminator = discriminator
        self.latent_dim = int(generator.inputs[0].shape[-1])
        self.sample_shape = tuple(generator.outputs[0].shape[1:])
        self.ema_generator = generator if ema is None else frozen_copy(generator)
        self.begin(seed, "d_loss", "g_loss", "d_real", "d_fake")

    # How many labels G and D may take.
    label_inputs: tuple[tuple[int, int], ...] = ((0, 0), (1, 1))

    @classmethod
    def check_networks(cls, generator: keras.Model, discriminator: keras.Model) -> None:
        """Raises ValueError where the networks do not fit each other."""
        check_pair(generator, discriminator, ("generator", "discriminator"))
        if discriminator.outputs[0].shape[1:] != (1,):
            raise ValueError(
                f"the discriminator must return one logit a sample, shape (batch, 1), "
                f"got {discriminator.outputs[0].shape}"
            )
        labels = len(generator.inputs) - 1, len(discriminator.inputs) - 1
        if labels not in cls.label_inputs:
            raise ValueError(
                f"label inputs of the generator and the discriminator: wanted "
                f"{' or '.join(map(str, cls.label_inputs))}, got {labels}"
            )

    def check_rows(self, n: int) -> None:
        """Raises where D cannot judge ``n`` samples: where it packs them, or looks at groups."""
        self.discriminator(blank(self.discriminator, n), training=False)

    def check_plain(self, why: str, **settings: Any) -> None:
        """Raises ValueError where one of the settings has another value than it must have."""
        for name, plain in settings.items():
            if getattr(self, name) != plain:
                raise ValueError(f"{why} {name}={plain}, got {getattr(self, name)}")

    def compile(self, d_optimizer: Any = None, g_optimizer: Any = None, **options: Any) -> None:
        """Sets the optimizers.

        Args:
            d_optimizer: A Keras optimizer for D, or its name; FusedAdam(2e-4, beta_1=0.5) if None.
            g_optimizer: Another for G; the same if None. Two objects: each keeps its own state.
            **options: ``steps_per_execution``, ``run_eagerly`` and ``jit_compile``, as in Keras.
        """
        self.check_options(options, "d_optimizer and g_optimizer (its loss is an argument of GAN)")
        if d_optimizer is g_optimizer and isinstance(d_optimizer, keras.optimizers.Optimizer):
            raise ValueError("d_optimizer and g_optimizer are the same object; wanted are two")
        default = partial(FusedAdam, 2e-4, beta_1=0.5)
        self.d_optimizer = built_optimizer(d_optimizer, "d_optimizer", default, self.discriminator)
        if self.unroll_steps:
            Unrolled.check(self.d_optimizer)
        optimizer = built_optimizer(g_optimizer, "g_optimizer", default, self.generator)
        super().compile(optimizer, auto_scale_loss=False, **options)

    def call(self, inputs: Tensor | list[Tensor], training: bool = False) -> Tensor:
        """Samples for given latent vectors (or [latents, labels]): the generator's output."""
        return self.generator(inputs, training=training)

    def sample(
        self,
        n: int,
        labels: int | np.ndarray | None = None,
        seed: int | None = None,
        batch_size: int = 500,
    ) -> np.ndarray:
        """Generates samples with the averaged weights, as `gantut.sampling.sample` does.

        Args:
            n: How many.
            labels: For a conditional pair: one label for all, or integers of shape (n,). None
                draws them uniformly.
            seed: Fixes the latent vectors (and drawn labels).
            batch_size: Samples made at a time; bounds the memory.
        """
        return sample(self.ema_generator, n, labels, seed=seed, batch_size=batch_size)

    @property
    def networks(self) -> dict[str, keras.Model]:
        """What ``save`` writes: the averaged generator, and the discriminator."""
        return {"generator": self.ema_generator, "discriminator": self.discriminator}

    def state(self) -> dict[str, keras.Variable]:
        """All variables by name, the optimizers' and random states included (if compiled)."""
        groups = {
            "generator": self.generator.variables,
            "discriminator": self.discriminator.variables,
            "ema_generator": self.ema_generator.variables if self.ema is not None else [],
            "gan": [self.step_counter, self.seed_generator.state],
        }
        if self.compiled:
            groups["d_optimizer"] = self.d_optimizer.variables
            groups["g_optimizer"] = self.g_optimizer.variables
        return numbered(groups)


def frozen_copy(network: keras.Model) -> keras.Model:
    """A copy with the same weights, which no gradient changes."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def move_towards(average: tf.Variable, weight: tf.Variable, share: Tensor) -> Tensor:
    """Moves an averaged variable part of the way to the present one; a whole number all of it."""
    if not tf.as_dtype(weight.dtype).is_floating:
        return average.assign(weight)
    return average.assign_sub(tf.cast(share, weight.dtype) * (average - weight))


def follow(
    average: keras.Model,
    network: keras.Model,
    ema: float,
    updates: Tensor,
    move: Callable[[Any, Any, Tensor], Any] = move_towards,
) -> None:
    """Moves averaged weights towards the present ones after an update, as `GAN` says of ``ema``."""
    t = tf.cast(updates, tf.float32)
    share = 1.0 - tf.minimum(ema, (1.0 + t) / (10.0 + t))
    for averaged, weight in zip(average.weights, network.weights, strict=True):
        move(averaged, weight, share)
