"""Teaching a writer: by maximum likelihood, through soft draws, or by policy gradients."""

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gantut import _check, recipes
from gantut._keras import tf, unchanged
from gantut.applications import tabular
from gantut.applications.text.strings import Corpus
from gantut.applications.text.writer import Tensor, Writer, generator
from gantut.gan import GAN


class PolicyGAN(GAN):
    """A GAN of text whose generator learns from rewards: SeqGAN (Yu et al. 2017).

    Writing is a sequence of actions, and the reward of a string is D's probability that it is
    real. G's step is REINFORCE: ``-E[sum_t A_t log p(y_t | y_1 .. y_(t-1))]``. The advantage A_t is
    the reward minus a baseline (the batch's mean at place t), in units of the batch's deviation.
    Without ``rollouts`` the string's reward counts for each of its symbols. With so many, as in
    the paper (eq. 4), the symbol at place t gets the mean reward of strings that begin with the
    first t symbols and that the writer finishes anew. The generator is one of `generator`.
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
        _ascend(self, rows, advantage)
        return -tf.reduce_mean(rewards[:, -1])


class MaximumLikelihood(GAN):
    """The same generator, optimizer, schedule and average as a GAN's, but no game.

    G is trained to give the strings of the data a high probability; ``g_loss`` is the mean of
    -log p in nats a string. D is never asked.
    """

    def step(self, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """One step of ``fit``: G alone."""
        self.step_counter.assign_add(1)
        log_p = _ascend(self, real)
        self.trackers[1].update_state(-log_p)
        return self.means()


def _ascend(gan: GAN, rows: Tensor, advantage: Tensor | float = 1.0) -> Tensor:
    """One step of G towards likelier strings, each symbol weighted by its advantage."""
    with tf.GradientTape() as tape:
        log_p = gan.generator.get_layer("writer").log_probabilities(rows)
        value = tf.reduce_mean(tf.reduce_sum(advantage * log_p, axis=1))
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
"""Settings that share the writer, the batches, D and its penalties, by name."""


def recipe(
    method: str = "gumbel", *, length: int, symbols: int, units: int = 48
) -> recipes.GANRecipe:
    """The settings of a training on rows of text, for `gantut.recipes.train`.

    Args:
        method: A key of ``METHODS``.
        length: Places of a string.
        symbols: Number of symbols.
        units: Of the writer's state.
    """
    fast: recipes.GANRecipe = recipes.get("fast")
    settings = {
        "loss": "non_saturating",
        "penalties": {"r1": 0.3, "r2": 0.3},
        "penalty_every": 1,
        "ema": 0.99,
        "g_learning_rate": 6e-3,
        "d_learning_rate": 3e-3,
        "schedule": recipes.linear_decay(hold=0.7),
        "steps_per_execution": 25,
        **_check.one_of(method, "method", METHODS),
    }
    draws = settings.pop("draws")
    return replace(
        fast,
        name=f"text, {method}",
        generator=lambda image_shape: generator(length, symbols, units, draws=draws),
        discriminator=lambda image_shape: tabular.discriminator(image_shape[0], (128, 128)),
        centred=False,
        gpu_steps=settings["steps"],
        **settings,
    )


@dataclass(frozen=True, kw_only=True)
class TextRun(recipes.Run[GAN]):
    """What a training on a corpus left: a `gantut.recipes.Run`, and the corpus."""

    corpus: Corpus

    @property
    def writer(self) -> Writer:
        """The writer with averaged weights."""
        return self.gan.ema_generator.get_layer("writer")

    def sample(self, n: int, seed: int = 0, *, temperature: float = 1.0) -> list[str]:
        """Writes ``n`` strings, by hard draws, at a temperature (above 0) as in `Writer.write`."""
        n = _check.integer(n, "n", 1)
        temperature = _check.number(temperature, "temperature", above=0)
        shape = (n, self.corpus.length * self.corpus.symbols)
        z = _check.rng(seed).standard_normal(shape, dtype=np.float32)
        rows = self.writer.write(tf.constant(z), "hard", temperature).numpy()
        return self.corpus.decode(rows.reshape(n, self.corpus.length, -1).argmax(axis=2))


@recipes.cpu_timed
def train(
    corpus: Corpus,
    method: str = "gumbel",
    *,
    units: int = 48,
    pretraining: int = 0,
    seed: int = 0,
    **options: Any,
) -> TextRun:
    """Trains a writer on a corpus.

    Args:
        corpus: The strings; those in ``corpus.train``, 64 at least, are shown.
        method: A key of ``METHODS``.
        units: Of the writer's state.
        pretraining: Steps of maximum likelihood before it, as most published text GANs have them;
            they count in ``cpu_seconds`` only.
        seed: Fixes the result, as in `gantut.recipes`.
        **options: ``steps``, ``callbacks`` and others of `gantut.recipes.train`.
    """
    writer = {"length": corpus.length, "symbols": corpus.symbols, "units": units}
    settings = recipe(method, **writer)
    rows, gan = corpus.rows(corpus.train), None
    if _check.integer(pretraining, "pretraining", 0):
        before = recipes.train(recipe("likelihood", **writer), rows, steps=pretraining, seed=seed)
        gan = settings.build(rows.shape[1:], seed=seed)
        for network in (gan.generator, gan.ema_generator):
            network.set_weights(before.gan.ema_generator.get_weights())
    run = recipes.train(settings, rows, seed=seed, gan=gan, **options)
    return TextRun.of(run, corpus=corpus)
