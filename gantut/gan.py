"""The adversarial training step, as a Keras model with ``compile`` and ``fit``."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gantut import distribution, losses
from gantut._keras import computed, full_precision, keras, tf, unchanged
from gantut._state import numbered, read_state, save_training
from gantut.data import check_labels, check_samples
from gantut.networks import count_classes, is_conditional
from gantut.optimizers import FusedAdam, Unrolled
from gantut.sampling import sample

Tensor = Any


class GAN(keras.Model):
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
            (Yazici et al. 2019). Samples come from the averaged weights. The average starts
            with shorter memory, decay min(ema, (1 + t) / (10 + t)) at update t, so that it
            forgets the initial weights. None keeps no average.
        d_steps: Discriminator steps, each on a new batch, for one generator step.
        unroll_steps: Further steps of D that G's step looks ahead, k of Metz et al. 2017 (eqs.
            6 to 8): G's loss is that of D after k more steps on the same batch, and its gradient
            goes through them. They follow the rule of D's optimizer (Adam or SGD) from its
            present state and include the penalties, each with its plain weight whatever
            ``penalty_every`` is; nothing of D is changed by them. 0 is the plain step.
        simultaneous: Both networks move at once, on one batch of samples, and G's gradient is
            that of D before its update (simultaneous instead of alternating gradient descent,
            Mescheder et al. 2018). G is run forward once less a step, and D on samples once less.
        seed: Fixes the latent vectors of training. None draws a seed.

    Attributes:
        generator: The network that is trained.
        ema_generator: The network with averaged weights that ``sample`` and ``save`` use; the
            generator itself if ``ema`` is None.
        latent_dim: Length of the latent vector.
        conditional: Whether the networks take labels.
        num_classes: Number of labels of a conditional pair, else None.

    Raises:
        ValueError: the two networks do not fit each other, or an argument is out of range.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
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
        self.check_networks(generator, discriminator)
        self.conditional = is_conditional(generator)
        self.num_classes = count_classes(generator) if self.conditional else None
        self.adversarial_loss = losses.get_loss(loss)
        self.penalties = dict(penalties or {})
        for key, weight in self.penalties.items():
            if key not in losses.PENALTIES:
                raise ValueError(
                    f"unknown penalty {key!r}; known are {', '.join(losses.PENALTIES)}"
                )
            if not weight >= 0.0:
                raise ValueError(f"the weight of penalty {key!r} must be >= 0, got {weight!r}")
        for key, value in (("penalty_every", penalty_every), ("d_steps", d_steps)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{key} must be a positive integer, got {value!r}")
        if isinstance(unroll_steps, bool) or not isinstance(unroll_steps, int) or unroll_steps < 0:
            raise ValueError(f"unroll_steps must be an integer >= 0, got {unroll_steps!r}")
        if ema is not None and not 0.0 <= ema < 1.0:
            raise ValueError(f"ema must lie in [0, 1), got {ema!r}")
        if not isinstance(simultaneous, bool):
            raise ValueError(f"simultaneous must be True or False, got {simultaneous!r}")
        if simultaneous:
            self._check_simultaneous(d_steps, unroll_steps)
        self.simultaneous = simultaneous
        self.penalty_every = penalty_every
        self.d_steps = d_steps
        self.unroll_steps = unroll_steps
        self.ema = ema
        self.generator = generator
        self.discriminator = discriminator
        self.latent_dim = int(generator.inputs[0].shape[-1])
        self.sample_shape = tuple(generator.outputs[0].shape[1:])
        self.ema_generator = generator
        if ema is not None:
            self.ema_generator = keras.models.clone_model(generator)
            self.ema_generator.set_weights(generator.get_weights())
            self.ema_generator.trainable = False
        self._pick: Callable[[Tensor], Any] | None = None
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.step_counter = self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            name="step",
            aggregation="only_first_replica",
        )
        self.trackers = [
            keras.metrics.Mean(name) for name in ("d_loss", "g_loss", "d_real", "d_fake")
        ]
        self.built = True

    @property
    def metrics(self) -> list[Any]:
        """The running means that ``fit`` reports and resets each epoch."""
        return self.trackers

    def compile(
        self,
        d_optimizer: Any = None,
        g_optimizer: Any = None,
        *,
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Sets the optimizers.

        Args:
            d_optimizer: A Keras optimizer for D; FusedAdam(2e-4, beta_1=0.5) if None.
            g_optimizer: Another for G; the same if None. Two objects: each keeps its own state.
            steps_per_execution: Training steps run per call of the compiled graph. On several
                replicas it is 1 whatever is asked: TensorFlow (2.21) fails to place Keras' loop
                over steps on more than one device.
            run_eagerly: Run step by step in Python, for debugging.
            jit_compile: As in Keras.

        Raises:
            ValueError: one optimizer object was given for both networks, or ``unroll_steps`` is
                not 0 and D's optimizer has a rule that `gantut.optimizers.Unrolled` does not know.
        """
        if d_optimizer is not None and d_optimizer is g_optimizer:
            raise ValueError(
                "d_optimizer and g_optimizer are the same object; each network needs its own, "
                "because an optimizer keeps moving averages of one network's gradients"
            )
        d_optimizer = d_optimizer or FusedAdam(2e-4, beta_1=0.5)
        if self.unroll_steps:
            Unrolled.check(d_optimizer)
        self.d_optimizer = d_optimizer
        if self.distribute_strategy.num_replicas_in_sync > 1:
            distribution.check_gan(self)
            if type(self).train_step is not GAN.train_step:
                raise ValueError(
                    f"{type(self).__name__} has a training step of its own, for one device only"
                )
            steps_per_execution = 1
        super().compile(
            optimizer=g_optimizer or FusedAdam(2e-4, beta_1=0.5),
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
        )
        # Variables cannot be made while a graph is traced, so both optimizers make theirs now.
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self.g_optimizer.build(self.generator.trainable_variables)

    @property
    def g_optimizer(self) -> Any:
        """The generator's optimizer, which Keras also calls ``optimizer``."""
        return self.optimizer

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Samples for given latent vectors (or [latents, labels]): the generator's output."""
        return self.generator(inputs, training=training)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras' ``fit``, after a look at the data.

        Args:
            x: Samples as an array, or a dataset of ``x`` or (for a conditional pair)
                ``(x, labels)``. Images are float32 (batch, height, width, channels) in [-1, 1].
            y: Integer labels beside an array ``x``; ignored by an unconditional pair.
            *args: As in Keras.
            **kwargs: As in Keras; weights of samples and validation data have no meaning here.

        Returns:
            Keras' History, with d_loss, g_loss and the mean probabilities d_real and d_fake.

        Raises:
            ValueError: the data is empty, has a wrong shape, dtype or range, has no labels where
                they are needed, or is smaller than ``batch_size``. Of a dataset the first batch
                is looked at.
        """
        for name in ("sample_weight", "class_weight", "validation_data", "validation_split"):
            if name in kwargs:
                raise ValueError(f"GAN.fit takes no {name}: a GAN has no loss per sample")
        if x is None:
            raise ValueError("fit needs samples: an array or a dataset x")
        if isinstance(x, tf.Tensor):
            x = x.numpy()
        if isinstance(x, np.ndarray):
            batch_size = args[0] if args else kwargs.get("batch_size")
            if batch_size is not None and batch_size < 1:
                raise ValueError(f"batch_size must be a positive integer, got {batch_size!r}")
            if batch_size is not None and len(x) and batch_size > len(x):
                raise ValueError(
                    f"batch_size {batch_size} is larger than the data ({len(x)} samples)"
                )
            self.check_batch(x, y)
            if not self.conditional:
                y = None
        elif isinstance(x, tf.data.Dataset):
            first = next(iter(x.take(1)), None)
            if first is None:
                raise ValueError("the dataset is empty")
            self.check_batch(*self.unpack(first))
        return super().fit(x, y, *args, **kwargs)

    @contextlib.contextmanager
    def picking(self, pick: Callable[[Tensor], Any]) -> Iterator[None]:
        """Inside it, batches are anything from which ``pick`` makes samples, or (samples, labels).

        With row numbers, and a function that gathers these rows of a tensor, the data can lie
        where the networks are: no batch has to be sent there.

        Args:
            pick: From a batch, inside the compiled step, to what a dataset for `fit` yields.

        Yields:
            Nothing.

        Raises:
            TypeError: ``pick`` is no function.
        """
        if not callable(pick):
            raise TypeError(f"pick must be a function of a batch, got {type(pick).__name__}")
        # What is compiled holds on to the function, and the function to the data.
        self._pick, self.train_function = pick, None
        try:
            yield
        finally:
            self._pick, self.train_function = None, None

    def unpack(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        """Samples and labels (or None) of what a dataset yields."""
        if self._pick is not None:
            batch = self._pick(batch)
        samples, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        return samples, labels

    @staticmethod
    def check_networks(generator: Any, discriminator: Any) -> None:
        """Raises ValueError where the networks do not fit each other."""
        _check_networks(generator, discriminator)

    def check_batch(self, x: Any, y: Any) -> None:
        """Raises ValueError where samples or labels do not fit the networks."""
        x = check_samples(x, self.sample_shape, maker="generator")
        if self.conditional:
            if y is None:
                raise ValueError("a conditional GAN needs integer labels y beside the samples x")
            check_labels(y, len(x), self.num_classes)

    def latents(self, n: Tensor) -> Tensor:
        """Draws ``n`` latent vectors from N(0, I) for a training step: shape (n, latent_dim)."""
        return distribution.replica_latents(n, self.latent_dim, self.seed_generator.next())

    def generate(self, n: Tensor, labels: Tensor | None, training: bool) -> Tensor:
        """Samples of the generator under training, for new latent vectors."""
        z = self.latents(n)
        inputs = [z, labels] if self.conditional else z
        return full_precision(self.generator(inputs, training=training))

    def discriminate(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Logits of D in training mode (dropout active)."""
        inputs = [x, labels] if self.conditional else x
        return full_precision(self.discriminator(inputs, training=True))

    def penalty(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        """The weighted sum of the gradient penalties: a scalar."""

        def critic(x: Tensor) -> Tensor:
            return self.discriminate(x, labels)

        total = tf.zeros((), real.dtype)
        for name, weight in self.penalties.items():
            if name == "r1":
                value = losses.r1_penalty(critic, real)
            elif name == "r2":
                value = losses.r2_penalty(critic, fake)
            else:
                alpha = distribution.replica_alpha(
                    tf.shape(real)[0], real.dtype, self.seed_generator.next()
                )
                value = losses.gradient_penalty(critic, real, fake, alpha)
            total += weight * value
        return total

    def discriminator_gradients(
        self, real: Tensor, labels: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """D's loss (without penalties), the logits on both halves, and D's gradients."""
        # G's batch normalisation must work on batches here as in G's own step.
        with unchanged(self.generator):
            fake = tf.stop_gradient(self.generate(tf.shape(real)[0], labels, training=True))
        with tf.GradientTape() as tape:
            real_logits = self.discriminate(real, labels)
            fake_logits = self.discriminate(fake, labels)
            loss = self.adversarial_loss.discriminator(real_logits, fake_logits)
            total = loss
            if with_penalty:
                total += self.penalty_every * self.penalty(real, fake, labels)
        gradients = tape.gradient(total, self.discriminator.trainable_variables)
        return loss, real_logits, fake_logits, gradients

    def discriminator_step(
        self, real: Tensor, labels: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Updates D once. Returns its loss (without penalties) and the logits on both halves."""
        *result, gradients = self.discriminator_gradients(real, labels, with_penalty)
        with computed(gradients if with_penalty else []):
            self.d_optimizer.apply(gradients, self.discriminator.trainable_variables)
        return tuple(result)

    def generator_gradients(
        self, real: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """G's loss, and its gradients."""
        with unchanged(self.discriminator), tf.GradientTape() as tape:
            fake = self.generate(tf.shape(real)[0], labels, training=True)
            with self._unrolled_discriminator(real, fake, labels):
                fake_logits = self.discriminate(fake, labels)
                real_logits = (
                    self.discriminate(real, labels) if self.adversarial_loss.relativistic else None
                )
            loss = self.generator_loss(
                real, fake, self.adversarial_loss.generator(fake_logits, real_logits)
            )
        return loss, tape.gradient(loss, self.generator.trainable_variables)

    def generator_step(self, real: Tensor, labels: Tensor | None) -> Tensor:
        """Updates G once, and its average. Returns G's loss."""
        loss, gradients = self.generator_gradients(real, labels)
        self.g_optimizer.apply(gradients, self.generator.trainable_variables)
        self.update_average()
        return loss

    def simultaneous_step(
        self, real: Tensor, labels: Tensor | None, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Updates both networks from one batch of samples.

        Returns what `discriminator_step` does, and G's loss.
        """
        with tf.GradientTape() as g_tape:
            fake = self.generate(tf.shape(real)[0], labels, training=True)
            with tf.GradientTape() as d_tape:
                real_logits = self.discriminate(real, labels)
                fake_logits = self.discriminate(fake, labels)
                d_loss = total = self.adversarial_loss.discriminator(real_logits, fake_logits)
                if with_penalty:
                    total += self.penalty_every * self.penalty(real, fake, labels)
            g_loss = self.generator_loss(
                real,
                fake,
                self.adversarial_loss.generator(
                    fake_logits, real_logits if self.adversarial_loss.relativistic else None
                ),
            )
        d_weights = self.discriminator.trainable_variables
        g_weights = self.generator.trainable_variables
        d_gradients = d_tape.gradient(total, d_weights)
        g_gradients = g_tape.gradient(g_loss, g_weights)
        with computed([*d_gradients, *g_gradients]):
            self.d_optimizer.apply(d_gradients, d_weights)
        self.g_optimizer.apply(g_gradients, g_weights)
        self.update_average()
        return d_loss, real_logits, fake_logits, g_loss

    def generator_loss(self, real: Tensor, fake: Tensor, adversarial: Tensor) -> Tensor:
        """What G minimises, the adversarial loss; a GAN with a further aim adds it here.

        Args:
            real: A batch of data.
            fake: As many samples of G.
            adversarial: The adversarial loss, a scalar.

        Returns:
            A scalar.
        """
        return adversarial

    @contextlib.contextmanager
    def _unrolled_discriminator(
        self, real: Tensor, fake: Tensor, labels: Tensor | None
    ) -> Iterator[None]:
        """Inside it, D is what ``unroll_steps`` more steps on this batch would make of it."""
        if not self.unroll_steps:
            yield
            return
        weights = self.discriminator.trainable_variables
        # Moving statistics and random states go ahead with the weights.
        states = [*self.discriminator.non_trainable_variables, self.seed_generator.state]
        variables, count = [*weights, *states], len(weights)
        values = [tf.convert_to_tensor(v) for v in variables]
        optimizer = Unrolled(self.d_optimizer, weights)
        for _ in range(self.unroll_steps):
            before = values[:count]
            with tf.GradientTape() as tape:
                tape.watch(before)
                with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
                    loss = self.adversarial_loss.discriminator(
                        self.discriminate(real, labels), self.discriminate(fake, labels)
                    )
                    if self.penalties:
                        loss += self.penalty(real, fake, labels)
            gradients = tape.gradient(loss, before)
            values = [scope.get_current_value(v) for v in variables]
            values[:count] = optimizer.step(values[:count], gradients)
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            yield
        # What was drawn at random is not drawn again by D's next step.
        for v in _random_states(self.discriminator, self.seed_generator):
            v.assign(scope.get_current_value(v))

    def _check_simultaneous(self, d_steps: int, unroll_steps: int) -> None:
        for name, value, plain in (("d_steps", d_steps, 1), ("unroll_steps", unroll_steps, 0)):
            if value != plain:
                raise ValueError(f"simultaneous updates go with {name}={plain}, got {value}")
        for step in ("train_step", "discriminator_step", "generator_step"):
            if getattr(type(self), step) is not getattr(GAN, step):
                raise ValueError(
                    f"{type(self).__name__} has a {step} of its own, which is not simultaneous"
                )

    def average_decay(self) -> Tensor:
        """Decay of the averaged weights at the present update."""
        t = tf.cast(self.g_optimizer.iterations, tf.float32)
        return tf.minimum(self.ema, (1.0 + t) / (10.0 + t))

    def update_average(self) -> None:
        """Moves the averaged weights towards the present ones, where an average is kept."""
        if self.ema is None:
            return
        decay = self.average_decay()
        for average, weight in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            if weight.dtype == "float32":
                average.assign_sub((1.0 - decay) * (average - weight))
            else:
                average.assign(weight)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One step of ``fit``: D, then (every ``d_steps``-th time) G; or both at once."""
        real, labels = self.unpack(data)
        if tf.distribute.has_strategy():
            d_loss, g_loss, real_logits, fake_logits = distribution.train_step(self, real, labels)
            self.step_counter.assign_add(1)
            self.trackers[1].update_state(g_loss)
            return distribution.as_logs(self._track(d_loss, real_logits, fake_logits))
        step = tf.convert_to_tensor(self.step_counter)
        self.step_counter.assign_add(1)

        def d_step(with_penalty: bool) -> tuple[Tensor, ...]:
            move = self.simultaneous_step if self.simultaneous else self.discriminator_step
            return move(real, labels, with_penalty)

        if self.penalties and self.penalty_every > 1:
            d_loss, real_logits, fake_logits, *g_loss = tf.cond(
                tf.equal(step % self.penalty_every, 0), lambda: d_step(True), lambda: d_step(False)
            )
        else:
            d_loss, real_logits, fake_logits, *g_loss = d_step(bool(self.penalties))
        g_loss_mean = self.trackers[1]
        if self.simultaneous:
            g_loss_mean.update_state(g_loss[0])
        elif self.d_steps == 1:
            g_loss_mean.update_state(self.generator_step(real, labels))
        else:

            def g_step() -> Tensor:
                g_loss_mean.update_state(self.generator_step(real, labels))
                return tf.constant(True)

            tf.cond(tf.equal((step + 1) % self.d_steps, 0), g_step, lambda: tf.constant(False))
        return self._track(d_loss, real_logits, fake_logits)

    def _track(self, d_loss: Tensor, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        d_loss_mean, _, d_real, d_fake = self.trackers
        d_loss_mean.update_state(d_loss)
        d_real.update_state(tf.sigmoid(real_logits))
        d_fake.update_state(tf.sigmoid(fake_logits))
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def sample(
        self,
        n: int,
        labels: int | np.ndarray | None = None,
        seed: int | None = None,
        batch_size: int = 500,
    ) -> np.ndarray:
        """Generates samples with the averaged weights.

        Args:
            n: How many.
            labels: For a conditional pair: one label for all, or integers of shape (n,). None
                draws them uniformly.
            seed: Fixes the latent vectors (and drawn labels): the same seed gives the same samples.
            batch_size: Samples made at a time; bounds the memory.

        Returns:
            float32 of shape (n, ...), images in [-1, 1].

        Raises:
            ValueError: ``n`` is not a positive integer, or the labels do not fit.
        """
        return sample(self.ema_generator, n, labels, seed=seed, batch_size=batch_size)

    def save(self, directory: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes what is needed to sample, and what is needed to go on training.

        ``generator.keras`` (averaged weights) and ``discriminator.keras`` open with
        ``keras.models.load_model`` where gantut is not installed (a discriminator with layers of
        `gantut.stabilisers`, where that is imported); ``state.npz`` holds all variables, those of
        the optimizers and the random state included, for :meth:`restore`.

        Args:
            directory: A folder, made if it does not exist. Each file appears whole or not at all.
            overwrite: Replace what is there.

        Raises:
            FileExistsError: the folder has a state already and ``overwrite`` is False.
            OSError: the folder cannot be written to.
        """
        save_training(
            directory,
            {"generator": self.ema_generator, "discriminator": self.discriminator},
            self.state(),
            overwrite=overwrite,
            kind="GAN",
        )

    def restore(self, directory: str | os.PathLike[str]) -> None:
        """Puts a saved training state into this (compiled) GAN of the same architecture.

        Args:
            directory: A folder that :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no ``state.npz``.
            ValueError: the file is damaged or belongs to other networks, or this GAN is not
                compiled. Nothing is changed then.
        """
        if not self.compiled:
            raise ValueError("compile the GAN first: the optimizers' state is restored too")
        read_state(Path(directory) / "state.npz", self.state(), kind="GAN")

    def state(self) -> dict[str, Any]:
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


def _random_states(model: Any, seed_generator: Any) -> list[Any]:
    weights = {id(v) for v in model.non_trainable_weights}
    return [
        *(v for v in model.non_trainable_variables if id(v) not in weights),
        seed_generator.state,
    ]


def _check_networks(generator: Any, discriminator: Any) -> None:
    made, judged = generator.outputs[0].shape[1:], discriminator.inputs[0].shape[1:]
    if tuple(made) != tuple(judged):
        raise ValueError(
            f"the generator makes samples of shape {tuple(made)}, but the discriminator takes "
            f"{tuple(judged)}"
        )
    if len(generator.inputs[0].shape) != 2:
        raise ValueError(
            f"the generator must take latent vectors (batch, latent_dim), "
            f"got an input of shape {tuple(generator.inputs[0].shape)}"
        )
    if tuple(discriminator.outputs[0].shape[1:]) != (1,):
        raise ValueError(
            f"the discriminator must return one logit a sample, shape (batch, 1), "
            f"got {tuple(discriminator.outputs[0].shape)}"
        )
    if len(generator.inputs) != len(discriminator.inputs) or len(generator.inputs) > 2:
        raise ValueError(
            f"both networks must take a label, or none: the generator has {len(generator.inputs)} "
            f"inputs, the discriminator {len(discriminator.inputs)}"
        )
