"""Short strings whose grammar can be checked, and a small recurrent writer of them.

    from gantut.applications import text

    corpus = text.dates()
    run = text.train(corpus, "gumbel", seed=0)
    run.sample(5)                           # ["1979-05-26", ...]
    text.describe(run.writer, corpus)       # exact shares, from the writer's own probabilities

A `Corpus` lists all strings that its grammar allows, of which some are shown in training. A
`Writer` is a recurrent network that writes one symbol after the other. `train` teaches it in one of
three ways: against a discriminator through soft draws (Jang et al. 2017; Kusner and
Hernandez-Lobato 2016), against a discriminator by policy gradients (Yu et al. 2017, SeqGAN), or,
without an opponent, by maximum likelihood. All three leave the same thing: a network that gives
each string a probability. So the share of valid strings, their diversity and what is memorised are
sums over the corpus, and not estimates from samples.
"""

import calendar
import functools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from gantut import _check, recipes
from gantut._keras import keras, tf, unchanged
from gantut.applications import tabular
from gantut.gan import GAN
from gantut.sampling import gumbel_noise

Float64 = npt.NDArray[np.float64]
Model = Any
Tensor = Any

END = 0
"""The symbol that ends a string, and fills the places behind it."""


# --- Strings -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Corpus:
    """A finite language: all of its strings, and which of them are shown in training.

    Made by `corpus`, `dates` and `sums`.

    Attributes:
        name: What the strings are.
        train: Those that a model may see.
        holdout: All others that are valid.
        alphabet: The characters, sorted; character i is the symbol i + 1, and 0 is the end.
        length: Of the longest string.
    """

    name: str
    train: tuple[str, ...]
    holdout: tuple[str, ...]
    alphabet: str
    length: int

    @property
    def symbols(self) -> int:
        """Number of symbols, the end among them."""
        return len(self.alphabet) + 1

    @property
    def valid(self) -> tuple[str, ...]:
        """All valid strings, those of the training set first."""
        return self.train + self.holdout

    def encode(self, strings: Sequence[str]) -> npt.NDArray[np.int32]:
        """Turns strings into symbols.

        Args:
            strings: Of at most ``length`` characters of the alphabet.

        Returns:
            Symbols (n, length), filled up with `END`.
        """
        codes = np.full((len(strings), self.length), END, np.int32)
        index = {character: i for i, character in enumerate(self.alphabet, start=1)}
        for row, string in zip(codes, strings, strict=True):
            strange = set(string) - index.keys()
            if strange or len(string) > self.length:
                raise ValueError(
                    f"wanted at most {self.length} characters of {self.alphabet!r}, got {string!r}"
                )
            row[: len(string)] = [index[character] for character in string]
        return codes

    def rows(self, strings: Sequence[str]) -> npt.NDArray[np.float32]:
        """Turns strings into rows for a network: one-hot vectors, one behind the other.

        Args:
            strings: As in `encode`.

        Returns:
            float32 of shape (n, length * symbols).
        """
        one_hot = np.eye(self.symbols, dtype=np.float32)[self.encode(strings)]
        return one_hot.reshape(len(strings), self.length * self.symbols)

    def decode(self, codes: npt.ArrayLike) -> list[str]:
        """Turns symbols into strings; what stands behind an end does not count.

        Args:
            codes: Integers (n, length).

        Returns:
            n strings.
        """
        array = np.asarray(codes)
        if array.ndim != 2 or array.shape[1] != self.length:
            raise ValueError(f"codes must have the shape (n, {self.length}), got {array.shape}")
        if array.size and not 0 <= array.min() <= array.max() < self.symbols:
            raise ValueError(
                f"symbols are 0 to {self.symbols - 1}, got {array.min()}..{array.max()}"
            )
        written = np.cumprod(array != END, axis=1) * array
        letters = np.array(["", *self.alphabet])
        return ["".join(row) for row in letters[written]]


def corpus(name: str, strings: Iterable[str], train: int, seed: int = 0) -> Corpus:
    """Makes a corpus from all strings of a language.

    Args:
        name: What they are.
        strings: All that are valid; each counts once.
        train: How many are drawn for training.
        seed: Fixes which.

    Returns:
        A `Corpus`.
    """
    valid = sorted(set(strings))
    if not 1 <= _check.integer(train, "train", 1) < len(valid):
        raise ValueError(f"train must be below the number of strings, {len(valid)}, got {train}")
    if not valid[0]:
        raise ValueError("a string is empty")
    order = _check.rng(seed).permutation(len(valid))
    return Corpus(
        name=name,
        train=tuple(valid[i] for i in order[:train]),
        holdout=tuple(valid[i] for i in order[train:]),
        alphabet="".join(sorted(set("".join(valid)))),
        length=max(map(len, valid)),
    )


def dates(first: int = 1900, last: int = 2099, train: int = 5_000, seed: int = 0) -> Corpus:
    """The days of the calendar, as "2026-11-21".

    A digit depends on those before it, February 29th on all four of the year.

    Args:
        first: Year of the first day, 1 to 9999.
        last: Year of the last.
        train: Days that are drawn for training.
        seed: Fixes which.

    Returns:
        A `Corpus`; that of the default years has 73,049 strings of 10 characters.
    """
    if not 1 <= _check.integer(first, "first", 1) <= _check.integer(last, "last", 1) <= 9999:
        raise ValueError(f"wanted years 1 <= first <= last <= 9999, got {first} and {last}")
    days = (
        f"{year:04d}-{month:02d}-{day:02d}"
        for year in range(first, last + 1)
        for month in range(1, 13)
        for day in range(1, calendar.monthrange(year, month)[1] + 1)
    )
    return corpus("dates", days, train, seed)


def sums(largest: int = 49, train: int | None = None, seed: int = 0) -> Corpus:
    """Sums of two numbers, as "17+25=42": a question and its only right answer.

    Args:
        largest: Both numbers are 0 to this.
        train: Sums that are drawn for training; half of them if None.
        seed: Fixes which.

    Returns:
        A `Corpus` of (largest + 1)^2 strings.
    """
    numbers = range(_check.integer(largest, "largest", 1) + 1)
    strings = [f"{a}+{b}={a + b}" for a in numbers for b in numbers]
    return corpus("sums", strings, len(strings) // 2 if train is None else train, seed)


# --- The writer --------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="gantut")
class Writer(keras.layers.Layer):
    """A gated recurrent unit (Cho et al. 2014, as Keras computes it) that writes symbols.

    Called with standard normal latent vectors (batch, length * symbols), which become the Gumbel
    noise of the draws, it returns rows (batch, length * symbols). The symbol at a place is drawn
    from the softmax of the logits l there, and is the input at the next. A soft draw is
    ``softmax((l + g) / temperature)`` (Jang et al. 2017, eq. 2), which has a gradient with
    respect to l; a hard one is the largest of ``l + g`` as a one-hot vector. Hard draws that keep
    the soft ones' gradient are called straight-through. Behind an end there are only ends.

    Args:
        length: Places.
        symbols: Number of symbols; symbol 0 is the end.
        units: Of the recurrent state.
        temperature: Of soft draws, above 0.
        draws: "soft", "hard" (no gradient) or "straight-through".
    """

    DRAWS = ("soft", "hard", "straight-through")

    def __init__(
        self,
        length: int,
        symbols: int,
        units: int = 48,
        *,
        temperature: float = 0.5,
        draws: str = "soft",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check.sizes(length=length, symbols=symbols, units=units)
        if not temperature > 0.0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}")
        if draws not in self.DRAWS:
            raise ValueError(f"draws must be one of {', '.join(self.DRAWS)}, got {draws!r}")
        self.length, self.symbols, self.units = length, symbols, units
        self.temperature, self.draws = temperature, draws

    def build(self, input_shape: Any) -> None:
        """Makes the weights: those of a GRU, and of a dense layer from its state to logits."""
        wide = 3 * self.units
        self.kernel = self.add_weight(shape=(self.symbols, wide), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, wide), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(2, wide), initializer="zeros", name="bias")
        self.out_kernel = self.add_weight(shape=(self.units, self.symbols), name="out_kernel")
        self.out_bias = self.add_weight(shape=(self.symbols,), initializer="zeros", name="out_bias")

    def project(self, symbols: Tensor) -> Tensor:
        """What the state takes from a symbol: one-hot (..., symbols) to (..., 3 * units)."""
        return tf.tensordot(symbols, tf.convert_to_tensor(self.kernel), 1)

    def start(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first symbol, and the projection of none."""
        return tf.zeros((batch, self.units)), tf.zeros((batch, 3 * self.units))

    def step(self, state: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the unit.

        Args:
            state: (batch, units).
            projected: The last symbol, as `project` gives it.

        Returns:
            The new state, and the logits (batch, symbols) of the next symbol.
        """
        bias = tf.convert_to_tensor(self.bias)
        update, reset, new = tf.split(projected + bias[0], 3, axis=-1)
        recurrent = tf.matmul(state, tf.convert_to_tensor(self.recurrent_kernel)) + bias[1]
        old_update, old_reset, old_new = tf.split(recurrent, 3, axis=-1)
        keep = tf.sigmoid(update + old_update)
        state = keep * state + (1.0 - keep) * tf.tanh(new + tf.sigmoid(reset + old_reset) * old_new)
        return state, tf.matmul(state, tf.convert_to_tensor(self.out_kernel)) + self.out_bias

    def call(self, z: Tensor) -> Tensor:
        """Writes, with the layer's kind of draws."""
        return self.write(z, self.draws, 1.0)

    def write(self, z: Tensor, draws: str = "hard", temperature: float = 1.0) -> Tensor:
        """Writes rows.

        Args:
            z: Standard normal numbers (batch, length * symbols).
            draws: One of ``DRAWS``.
            temperature: Divides the logits, as at the end of any language model: below 1 the
                likely becomes likelier. (Of soft draws the layer has another temperature.)

        Returns:
            Rows (batch, length * symbols).
        """
        noise = tf.reshape(gumbel_noise(z), (-1, self.length, self.symbols))
        state, projected = self.start(tf.shape(z)[0])
        alive = tf.ones((tf.shape(z)[0], 1))
        parts = []
        for place in range(self.length):
            state, logits = self.step(state, projected)
            drawn = self._draw(logits / temperature + noise[:, place], draws)
            symbol, alive = _ended(drawn, alive)
            projected = self.project(symbol)
            parts.append(symbol)
        return tf.concat(parts, axis=1)

    def _draw(self, noisy: Tensor, draws: str) -> Tensor:
        if draws == "hard":
            return tf.one_hot(tf.argmax(noisy, axis=-1), self.symbols)
        soft = tf.nn.softmax(noisy / self.temperature)
        if draws == "soft":
            return soft
        return soft + tf.stop_gradient(tf.one_hot(tf.argmax(noisy, axis=-1), self.symbols) - soft)

    def log_probabilities(self, rows: Tensor, temperature: float = 1.0) -> Tensor:
        """The log probability of each symbol of given strings, after those before it.

        Args:
            rows: One-hot rows (batch, length * symbols).
            temperature: As in `write`.

        Returns:
            (batch, length), in nats; 0 behind an end. The sum of a row is the string's.
        """
        x = tf.reshape(rows, (-1, self.length, self.symbols))
        projected = self.project(x)
        state, before = self.start(tf.shape(x)[0])
        logits = []
        for place in range(self.length):
            state, out = self.step(state, before)
            logits.append(out)
            before = projected[:, place]
        log_softmax = tf.nn.log_softmax(tf.stack(logits, axis=1) / temperature)
        alive = 1.0 - tf.cumsum(x[:, :, END], axis=1, exclusive=True)
        return tf.reduce_sum(x * log_softmax, axis=2) * tf.cast(alive > 0.5, x.dtype)

    def continuations(self, rows: Tensor, noise: Sequence[Tensor], copies: int) -> Tensor:
        """Writes on from each beginning of given strings: Monte Carlo rollouts.

        Args:
            rows: One-hot rows (batch, length * symbols).
            noise: For each place after the first standard normal numbers, of shape
                (place * batch * copies, symbols).
            copies: Continuations of each beginning.

        Returns:
            Rows of shape (length - 1, batch, copies, length * symbols); the entry i begins with
            the first i + 1 symbols of the string.
        """
        x = tf.stop_gradient(tf.reshape(rows, (-1, self.length, self.symbols)))
        batch = tf.shape(x)[0]
        state, projected = self.start(batch)
        # All continuations under way, those that began first come first.
        states, inputs, alive, written = [
            tf.zeros((0, *shape))
            for shape in ((self.units,), (3 * self.units,), (1,), (0, self.symbols))
        ]
        for place in range(self.length):
            if place:
                states, logits = self.step(states, inputs)
                drawn = self._draw(logits + gumbel_noise(noise[place - 1]), "hard")
                symbol, alive = _ended(drawn, alive)
                inputs = self.project(symbol)
                written = tf.concat([written, symbol[:, None]], axis=1)
            else:
                written = tf.zeros((0, 1, self.symbols))
            if place < self.length - 1:
                state, _ = self.step(state, projected)
                projected = self.project(x[:, place])
                lives = 1.0 - tf.reduce_sum(x[:, : place + 1, END], axis=1, keepdims=True)
                for_copies = (state, projected, tf.maximum(lives, 0.0), x[:, : place + 1])
                states, inputs, alive, written = (
                    tf.concat([old, tf.repeat(new, copies, axis=0)], axis=0)
                    for old, new in zip((states, inputs, alive, written), for_copies, strict=True)
                )
        return tf.reshape(written, (self.length - 1, batch, copies, self.length * self.symbols))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, length * symbols)."""
        return (input_shape[0], self.length * self.symbols)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        names = ("length", "symbols", "units", "temperature", "draws")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _ended(drawn: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
    """The symbols, ends where a string is over, and which strings go on after them."""
    symbol = alive * drawn + (1.0 - alive) * tf.one_hot(END, drawn.shape[-1])
    return symbol, alive * (1.0 - symbol[:, END : END + 1])


def generator(
    length: int, symbols: int, units: int = 48, *, temperature: float = 0.5, draws: str = "soft"
) -> Model:
    """A `Writer`, named "writer", as a generator for `gantut.GAN`.

    Args:
        length: As in `Writer`.
        symbols: As in `Writer`.
        units: As in `Writer`.
        temperature: As in `Writer`.
        draws: As in `Writer`.

    Returns:
        A model from latent vectors (batch, length * symbols) to rows of that shape.
    """
    writer = Writer(length, symbols, units, temperature=temperature, draws=draws, name="writer")
    z = keras.Input((length * symbols,), name="latent")
    return keras.Model(z, writer(z), name="text_g")


# --- Training ----------------------------------------------------------------------------------


class PolicyGAN(GAN):
    """A GAN of text whose generator learns from rewards: SeqGAN (Yu et al. 2017).

    Writing is a sequence of actions, and the reward of a string is D's probability that it is
    real. G's step is REINFORCE: ``-E[sum_t A_t log p(y_t | y_1 .. y_(t-1))]``. The advantage A_t is
    the reward minus a baseline (the batch's mean at place t), in units of the batch's deviation.
    Without rollouts the string's reward counts for each of its symbols. With rollouts, as in
    the paper (eq. 4), the symbol at place t gets the mean reward of strings that begin with the
    first t symbols and that the writer finishes anew.

    Args:
        *args: As in `gantut.GAN`. The generator is one that `generator` made.
        rollouts: Continuations of each beginning; 0 for none.
        **kwargs: As in `gantut.GAN`.
    """

    def __init__(self, *args: Any, rollouts: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rollouts = _check.integer(rollouts, "rollouts", 0)

    def rewards(self, rows: Tensor) -> Tensor:
        """The reward of each symbol: (batch, length), in (0, 1)."""
        writer = self.generator.get_layer("writer")
        # D must not be changed by being asked.
        with unchanged(self.discriminator):
            final = tf.sigmoid(self.discriminate(rows, None))
            if not self.rollouts:
                return tf.repeat(final, writer.length, axis=1)
            noise = [
                tf.random.stateless_normal(
                    (place * self.rollouts * tf.shape(rows)[0], writer.symbols),
                    seed=self.seed_generator.next(),
                )
                for place in range(1, writer.length)
            ]
            finished = writer.continuations(rows, noise, self.rollouts)
            flat = tf.reshape(finished, (-1, writer.length * writer.symbols))
            scores = tf.sigmoid(self.discriminate(flat, None))
            scores = tf.reshape(scores, (writer.length - 1, -1, self.rollouts))
            return tf.concat([tf.transpose(tf.reduce_mean(scores, axis=2)), final], axis=1)

    def generator_step(self, real: Tensor, labels: Tensor | None) -> Tensor:
        """Updates G once by REINFORCE. Returns minus the mean reward of whole strings."""
        rows = tf.stop_gradient(self.generate(tf.shape(real)[0], labels, training=True))
        rewards = self.rewards(rows)
        advantage = rewards - tf.reduce_mean(rewards, axis=0)
        advantage = tf.stop_gradient(advantage / (tf.math.reduce_std(advantage) + 1e-8))
        _ascend(self, lambda log_p: tf.reduce_mean(tf.reduce_sum(advantage * log_p, axis=1)), rows)
        return -tf.reduce_mean(rewards[:, -1])


class MaximumLikelihood(GAN):
    """The same generator, optimizer, schedule and average as a GAN's, but no game.

    G is trained to give the strings of the data a high probability; ``g_loss`` is the mean of
    -log p in nats a string. D is never asked.
    """

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One step of ``fit``: G alone."""
        rows, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.step_counter.assign_add(1)
        log_p = _ascend(self, lambda log_p: tf.reduce_mean(tf.reduce_sum(log_p, axis=1)), rows)
        self.trackers[1].update_state(-log_p)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def _ascend(gan: GAN, goal: Any, rows: Tensor) -> Tensor:
    """One step of G towards more of a goal, a function of the symbols' log probabilities."""
    with tf.GradientTape() as tape:
        value = goal(gan.generator.get_layer("writer").log_probabilities(rows))
        loss = -value
    variables = gan.generator.trainable_variables
    gan.g_optimizer.apply(tape.gradient(loss, variables), variables)
    gan.update_average()
    return value


METHODS: dict[str, dict[str, Any]] = {
    "likelihood": {
        "summary": "maximum likelihood: no discriminator",
        "model": MaximumLikelihood,
        "draws": "hard",
        "steps": 900,
        "g_learning_rate": 5e-3,
        "beta_1": 0.9,
        "schedule": recipes.cosine_decay(),
    },
    "gumbel": {
        "summary": "D sees soft draws, and their gradient goes back through the writer",
        "loss": "relativistic",
        "draws": "soft",
        "steps": 600,
    },
    "straight-through": {
        "summary": "D sees hard draws, which are given the soft ones' gradient",
        "loss": "relativistic",
        "draws": "straight-through",
        "steps": 600,
    },
    "policy": {
        "summary": "REINFORCE: the reward of a string is D's probability that it is real",
        "model": PolicyGAN,
        "draws": "hard",
        "steps": 450,
    },
    "rollouts": {
        "summary": "SeqGAN: the reward of a symbol is the mean over 4 continuations",
        "model": functools.partial(PolicyGAN, rollouts=4),
        "draws": "hard",
        "steps": 75,
    },
}
"""Settings that share the writer, the batches, D and its penalties, by name. The trainings of dates
take about ten CPU seconds, that of maximum likelihood seven."""


def recipe(
    method: str, length: int, symbols: int, *, units: int = 48, temperature: float = 0.5
) -> recipes.Recipe:
    """The settings of a training on rows of text, for `gantut.recipes.train`.

    Args:
        method: A key of ``METHODS``.
        length: Places of a string.
        symbols: Number of symbols.
        units: Of the writer's state.
        temperature: Of soft draws.

    Returns:
        A recipe; ``dataclasses.replace`` makes another from it.
    """
    settings = dict(_check.one_of(method, "method", METHODS))
    draws = settings.pop("draws")
    generator(length, symbols, units, temperature=temperature, draws=draws)  # refuses bad sizes

    def build_generator(shape: Sequence[int], num_classes: int) -> Model:
        return generator(length, symbols, units, temperature=temperature, draws=draws)

    def build_discriminator(shape: Sequence[int], num_classes: int) -> Model:
        return tabular.discriminator(shape[0], (128, 128))

    return recipes.Recipe(
        name=f"text, {method}",
        generator=build_generator,
        discriminator=build_discriminator,
        **{
            "batch_size": 64,
            "gpu_steps": settings["steps"],
            "penalties": {"r1": 0.3, "r2": 0.3},
            "ema": 0.99,
            "g_learning_rate": 6e-3,
            "d_learning_rate": 3e-3,
            "beta_1": 0.0,
            "beta_2": 0.99,
            "schedule": recipes.linear_decay(hold=0.7),
            "steps_per_execution": 25,
            **settings,
        },
    )


@dataclass(frozen=True, kw_only=True)
class TextRun(recipes.Run[GAN]):
    """What a training on a corpus left; ``gan`` is of the method's class.

    Attributes:
        corpus: As given.

    The rest is as in `gantut.recipes.Run`.
    """

    corpus: Corpus

    @property
    def writer(self) -> Writer:
        """The writer with averaged weights."""
        return self.gan.ema_generator.get_layer("writer")

    def sample(self, n: int, seed: int = 0, *, temperature: float = 1.0) -> list[str]:
        """Writes strings, by hard draws.

        Args:
            n: How many.
            seed: Fixes them.
            temperature: As in `Writer.write`, above 0.

        Returns:
            n strings.
        """
        if not temperature > 0.0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}")
        shape = (_check.integer(n, "n", 1), self.corpus.length * self.corpus.symbols)
        z = _check.rng(seed).standard_normal(shape, dtype=np.float32)
        rows = self.writer.write(tf.constant(z), "hard", temperature).numpy()
        return self.corpus.decode(rows.reshape(n, self.corpus.length, -1).argmax(axis=2))


def train(
    corpus: Corpus,
    method: str = "policy",
    *,
    units: int = 48,
    temperature: float = 0.5,
    steps: int | None = None,
    pretraining: int = 0,
    seed: int = 0,
    callbacks: Iterable[Any] = (),
) -> TextRun:
    """Trains a writer on a corpus.

    Args:
        corpus: The strings; those in ``corpus.train``, 64 at least, are shown.
        method: A key of ``METHODS``.
        units: Of the writer's state.
        temperature: Of soft draws.
        steps: Length of the training; the method's own if None.
        pretraining: Steps of maximum likelihood before it, as most published text GANs have them.
        seed: Fixes the result, as in `gantut.recipes`.
        callbacks: Keras callbacks, as in `gantut.recipes.train`, for the steps of the method.

    Returns:
        A `TextRun`; its ``cpu_seconds`` include the pretraining.
    """
    size = (corpus.length, corpus.symbols)
    settings = recipe(method, *size, units=units, temperature=temperature)
    pretraining = _check.integer(pretraining, "pretraining", 0)
    rows = corpus.rows(corpus.train)
    begin = time.process_time()
    gan = None
    if pretraining:
        before = recipes.train(
            recipe("likelihood", *size, units=units), rows, steps=pretraining, seed=seed
        )
        gan = settings.build(rows.shape[1:], seed=seed)
        for network in (gan.generator, gan.ema_generator):
            network.set_weights(before.gan.ema_generator.get_weights())
    run = recipes.train(settings, rows, steps=steps, seed=seed, gan=gan, callbacks=callbacks)
    return TextRun.of(run, corpus=corpus, cpu_seconds=time.process_time() - begin)


# --- Measures ----------------------------------------------------------------------------------


class Quality(NamedTuple):
    """What a distribution over strings is worth. All numbers are exact.

    Attributes:
        valid: The probability that a string is valid.
        effective: Diversity of the valid strings: the exponential of their entropy, as a share of
            their number. 1 if all are equally likely, 1/N if only one is ever written.
        distinct: Expected number of different valid strings in ``draws`` draws, over ``draws``.
        coverage: Expected share of the held-out strings that are among ``draws`` draws.
        memorised: The share of training strings among the valid ones that are written.
        nats: Mean of -log p over the held-out strings.
    """

    valid: float
    effective: float
    distinct: float
    coverage: float
    memorised: float
    nats: float


def describe(
    writer: Writer, corpus: Corpus, *, temperature: float = 1.0, draws: int = 10_000
) -> Quality:
    """The quality of a writer's distribution, from its probabilities of all valid strings.

    Args:
        writer: A trained writer of the corpus' length and symbols.
        corpus: The strings.
        temperature: As in `Writer.write`.
        draws: Strings in a sample, for ``distinct`` and ``coverage``.

    Returns:
        A `Quality`.
    """
    return quality(log_probabilities(writer, corpus, temperature), corpus, draws=draws)


def log_probabilities(writer: Writer, corpus: Corpus, temperature: float = 1.0) -> Float64:
    """A writer's log probability of each valid string.

    Args:
        writer: A trained writer.
        corpus: The strings.
        temperature: As in `Writer.write`, above 0.

    Returns:
        (n,), in nats, in the order of ``corpus.valid``.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature must be above 0, got {temperature!r}")
    if (writer.length, writer.symbols) != (corpus.length, corpus.symbols):
        raise ValueError(
            f"the corpus has {corpus.length} places and {corpus.symbols} symbols, the writer "
            f"{writer.length} and {writer.symbols}"
        )
    codes = corpus.encode(corpus.valid)
    total, alive = np.zeros(len(codes)), np.ones(len(codes), bool)
    # Strings with the same beginning share their states: one row for each different beginning.
    beginning = np.zeros(len(codes), np.int64)
    state, projected = writer.start(1)
    for symbol in codes.T:
        state, logits = writer.step(state, projected)
        log_p = special.log_softmax(logits.numpy().astype(np.float64) / temperature, axis=1)
        total += alive * log_p[beginning, symbol]
        alive &= symbol != END
        _, first, longer = np.unique(
            beginning * corpus.symbols + symbol, return_index=True, return_inverse=True
        )
        state = tf.gather(state, beginning[first])
        projected = writer.project(tf.one_hot(symbol[first], corpus.symbols))
        beginning = longer
    return total


def quality(log_p: npt.ArrayLike, corpus: Corpus, *, draws: int = 10_000) -> Quality:
    """The quality of any distribution over strings.

    Args:
        log_p: Its log probability of each valid string, in the order of ``corpus.valid``.
            ``np.full(n, -np.log(n))`` is the best there is, and minus infinity means never.
        corpus: The strings.
        draws: As in `describe`.

    Returns:
        A `Quality`.
    """
    logs = np.asarray(log_p, np.float64)
    n = len(corpus.valid)
    if logs.shape != (n,):
        raise ValueError(f"the corpus has {n} valid strings, got shape {logs.shape}")
    p = np.exp(logs)
    valid = p.sum()
    if not 0.0 < valid < 1.0 + 1e-3:
        raise ValueError(f"probabilities must have a sum in (0, 1], got {valid}")
    share = p[p > 0] / valid
    # (1 - p)^n without loss of small p.
    with np.errstate(divide="ignore"):
        seen = -np.expm1(_check.integer(draws, "draws", 1) * np.log1p(-np.minimum(p, 1.0)))
    known = len(corpus.train)
    return Quality(
        valid=float(valid),
        effective=float(np.exp(-np.sum(share * np.log(share))) / n),
        distinct=float(seen.sum() / draws),
        coverage=float(seen[known:].mean()),
        memorised=float(p[:known].sum() / valid),
        nats=float(-logs[known:].mean()),
    )


def reply(writer: Writer, corpus: Corpus, beginnings: Sequence[str]) -> list[str]:
    """Lets a writer finish strings, each time with the symbol that it holds most likely.

    Args:
        writer: A trained writer.
        corpus: The corpus, for its alphabet.
        beginnings: Such as "17+25="; shorter than the corpus' strings.

    Returns:
        What was written behind each beginning.
    """
    codes = corpus.encode(beginnings)
    lengths = np.array([len(beginning) for beginning in beginnings])
    state, projected = writer.start(len(codes))
    alive = np.ones(len(codes), bool)
    for place in range(corpus.length):
        state, logits = writer.step(state, projected)
        free = place >= lengths
        likely = np.where(alive, logits.numpy().argmax(axis=1), END)
        codes[free, place] = likely[free]
        alive &= codes[:, place] != END
        projected = writer.project(tf.one_hot(codes[:, place], corpus.symbols))
    return [string[length:] for string, length in zip(corpus.decode(codes), lengths, strict=True)]
