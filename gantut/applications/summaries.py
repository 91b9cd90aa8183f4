"""Summaries by deletion: an adversarial summariser on a corpus whose answers are known.

    from gantut.applications import summaries

    news = summaries.news(2_000, seed=0)
    run = summaries.train(news, seed=0)
    run.summarise(news.documents[:3])       # [("anna", "sold", "house"), ...]

Each document of `news` is one sentence of a made-up report, and its summary is three of its
words: who did what to what. The summariser marks the words to keep (Knight and Marcu 2000 call that
sentence compression). `train` never sees which summary belongs to which document; `train_tagger`
is given the words that a document's own summary keeps. `lead` and `rarest` learn nothing or counts.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from gantut import _check, losses, recipes
from gantut._keras import keras, tf
from gantut.applications import tabular
from gantut.applications.text.strings import encoded
from gantut.optimizers import FusedAdam

Tensor: TypeAlias = tf.Tensor
Words = tuple[str, ...]

NAMES = (
    *("anna", "boris", "clara", "david", "elena", "felix", "greta", "henry"),
    *("irina", "jonas", "katya", "lukas", "maria", "nina", "oscar", "paula"),
)
"""Who does something, and who reports it."""

ACTIONS = {
    "sold": ("house", "farm", "ship"),
    "wrote": ("letter", "novel", "song"),
    "cooked": ("soup", "stew", "fish"),
    "painted": ("fence", "portrait", "door"),
    "repaired": ("clock", "engine", "bicycle"),
    "planted": ("tree", "rose", "hedge"),
}
"""What is done, and to what; no other pair makes sense."""

_OBJECTS = [thing for things in ACTIONS.values() for thing in things]
_ADJECTIVES = ("old", "young", "small", "large", "famous", "red", "green", "heavy")
_ADVERBS = ("quietly", "quickly", "proudly", "finally")
_OPENINGS = ("yesterday", "last week", "on monday", "on sunday", "in spring")
_CLOSINGS = ("for nine coins", "with great care", "in rome", "in oslo", "again")


@dataclass(frozen=True)
class News:
    """Made-up reports and their summaries.

    Attributes:
        documents: Sentences, each a tuple of words.
        kept: For each the places of its summary's words, in order: actor, action, object.
    """

    documents: tuple[Words, ...]
    kept: tuple[tuple[int, int, int], ...]

    @property
    def summaries(self) -> tuple[Words, ...]:
        """The summary of each document."""
        return tuple(
            tuple(document[place] for place in places)
            for document, places in zip(self.documents, self.kept, strict=True)
        )


def news(n: int, seed: int = 0) -> News:
    """Draws ``n`` reports of 7 to 19 words, which the seed fixes.

    Each names an actor, an action and its object, and who reports it, before or behind the rest.
    Half of them name an object of another action too. Other words come and go.
    """
    rng = _check.rng(seed)

    def maybe(words: Sequence[str]) -> list[str]:
        return str(rng.choice(words)).split() if rng.random() < 0.5 else []

    documents, kept = [], []
    for _ in range(_check.integer(n, "n", 1)):
        actor, witness = (str(name) for name in rng.choice(NAMES, 2, replace=False))
        action = str(rng.choice(list(ACTIONS)))
        thing = str(rng.choice(ACTIONS[action]))
        before = rng.random() < 0.5
        words = maybe(_OPENINGS)
        if before:
            words += [witness, "says", "that"]
        article = maybe(_ADJECTIVES)
        if article:
            words += ["the", *article]
        places = [len(words)]
        words += [actor, *maybe(_ADVERBS)]
        places.append(len(words))
        words += [action, "the", *maybe(_ADJECTIVES)]
        places.append(len(words))
        words.append(thing)
        if rng.random() < 0.5:
            others = [other for other in _OBJECTS if other not in ACTIONS[action]]
            words += ["near", "the", str(rng.choice(others))]
        words += maybe(_CLOSINGS)
        if not before:
            words += ["as", witness, "reports"]
        documents.append(tuple(words))
        kept.append((places[0], places[1], places[2]))
    return News(tuple(documents), tuple(kept))


def vocabulary() -> tuple[str, ...]:
    """All words that `news` can use, sorted."""
    phrases = (*NAMES, *ACTIONS, *_OBJECTS, *_ADJECTIVES, *_ADVERBS, *_OPENINGS, *_CLOSINGS)
    words = {word for phrase in phrases for word in phrase.split()}
    return tuple(sorted(words | {"the", "near", "as", "reports", "says", "that"}))


LENGTH = 19
"""Words of the longest document."""
SLOTS = 6
"""Words of a summary that the discriminator sees; what is longer is wrong anyway."""


def encode(texts: Sequence[Sequence[str]], length: int = LENGTH) -> npt.NDArray[np.int32]:
    """Turns texts into symbols (n, length): word i of the `vocabulary` is i + 1, and 0 fills up."""
    return encoded(texts, vocabulary(), length)


def marker() -> keras.Model:
    """From documents (batch, LENGTH) to logits of keeping each word; it sees three on each side."""
    words = keras.Input((LENGTH,), dtype="int32", name="words")
    x = keras.layers.Embedding(len(vocabulary()) + 1, 24, name="embedding")(words)
    for i, width in enumerate((5, 3), start=1):
        x = keras.layers.Conv1D(48, width, padding="same", name=f"conv_{i}")(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2, name=f"leaky_{i}")(x)
    # One word in four or so at the start: summaries of everything teach nothing.
    bias = keras.initializers.Constant(-1.0)
    logits = keras.layers.Dense(1, bias_initializer=bias, name="logit")(x)
    return keras.Model(words, keras.layers.Reshape((LENGTH,), name="row")(logits), name="marker")


def compact(words: Tensor, kept: Tensor) -> Tensor:
    """The first kept words, moved together: symbols (batch, SLOTS), filled up with 0.

    Args:
        words: Documents (batch, LENGTH), 0 where there is no word.
        kept: 1 for words that are kept and 0 for others, of the same shape.
    """
    chosen = words * tf.cast(kept, words.dtype)
    order = tf.argsort(tf.cast(chosen == 0, tf.int32), axis=1, stable=True)
    return tf.gather(chosen, order[:, :SLOTS], batch_dims=1)


class Measures(NamedTuple):
    """Shares of summaries, in [0, 1].

    Attributes:
        exact: That are right, word by word.
        formed: That have the form of a summary: a name, an action and one of its objects.
        wrong_actor: That name somebody who is not the actor and do not name the actor.
        f1: Mean over the documents of the harmonic mean of precision and recall of the words.
    """

    exact: float
    formed: float
    wrong_actor: float
    f1: float


def measure(made: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> Measures:
    """Compares summaries with the right ones, as many and in the same order."""
    if not made or len(made) != len(wanted):
        raise ValueError(f"made: wanted {len(wanted)} summaries, at least one, got {len(made)}")
    f1, formed, wrong = [], [], []
    for ours, theirs in zip(made, wanted, strict=True):
        common = sum((Counter(ours) & Counter(theirs)).values())
        f1.append(2 * common / (len(ours) + len(theirs)))
        formed.append(len(ours) == 3 and ours[0] in NAMES and ours[2] in ACTIONS.get(ours[1], ()))
        named = set(ours) & set(NAMES)
        wrong.append(bool(named) and theirs[0] not in named)
    right = [tuple(a) == tuple(b) for a, b in zip(made, wanted, strict=True)]
    return Measures(*(float(np.mean(values)) for values in (right, formed, wrong, f1)))


def lead(documents: Sequence[Words]) -> list[Words]:
    """The first three words of each document, the oldest of all summarisers."""
    return [document[:3] for document in documents]


def rarest(documents: Sequence[Words], counted: Sequence[Words]) -> list[Words]:
    """The three words of each document with the largest tf-idf, in their order.

    The idf is the log of the number of documents in which words are ``counted`` over one more than
    the number of those that have the word (Sparck Jones 1972).
    """
    having = Counter(word for document in counted for word in set(document))
    made = []
    for document in documents:
        count = Counter(document)
        weight = {
            word: times * np.log(len(counted) / (1 + having[word])) for word, times in count.items()
        }
        # A dict keeps the order of the document.
        best = sorted(weight, key=weight.__getitem__, reverse=True)[:3]
        made.append(tuple(word for word in weight if word in best))
    return made


@dataclass(frozen=True)
class SummaryRun:
    """What a training of a summariser left.

    Attributes:
        marker: The trained network.
        history: ``step``, and ``loss`` or ``reward``, D's mean probability of being real.
        cpu_seconds: Processor time of the training.
    """

    marker: keras.Model
    history: dict[str, list[float]]
    cpu_seconds: float = 0.0

    def summarise(self, documents: Sequence[Words]) -> list[Words]:
        """Keeps the words of each document that are more likely kept than not."""
        marks = self.marker(encode(documents), training=False).numpy() > 0.0
        return [
            tuple(word for word, mark in zip(document, row, strict=False) if mark)
            for document, row in zip(documents, marks, strict=True)
        ]


_BATCH = 64  # documents in a step, drawn with replacement
_TRIES = 4  # draws for a document


@recipes.cpu_timed
def train_tagger(corpus: News, *, steps: int = 300, seed: int = 0) -> SummaryRun:
    """Trains a marker on documents with their own summaries, 64 a step (Adam, rate 3e-3)."""
    recipes.make_deterministic(seed)
    network, optimizer = marker(), FusedAdam(3e-3)
    optimizer.build(network.trainable_variables)
    documents = tf.constant(encode(corpus.documents))
    marks = np.zeros(documents.shape, np.float32)
    for row, places in zip(marks, corpus.kept, strict=True):
        row[list(places)] = 1.0
    targets = tf.constant(marks)

    @tf.function
    def step(number: Tensor) -> Tensor:
        chosen = _rows(len(corpus.documents), seed, number)
        words = tf.gather(documents, chosen)
        there = tf.cast(words > 0, tf.float32)
        with tf.GradientTape() as tape:
            loss = tf.nn.sigmoid_cross_entropy_with_logits(
                tf.gather(targets, chosen), network(words, training=True)
            )
            loss = tf.reduce_sum(there * loss) / tf.reduce_sum(there)
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return SummaryRun(network, _history(step, steps, "loss"))


def unpaired(corpus: News) -> tuple[tuple[Words, ...], tuple[Words, ...]]:
    """The documents of a corpus' first half, and the summaries of its second."""
    half = len(corpus.documents) // 2
    if not half:
        raise ValueError(f"corpus: wanted two documents at least, got {len(corpus.documents)}")
    return corpus.documents[:half], corpus.summaries[half:]


@recipes.cpu_timed
def train(corpus: News, *, steps: int = 1_000, seed: int = 0) -> SummaryRun:
    """Trains a marker against a discriminator, without pairs.

    The marker draws which words of a document to keep, four times, each word by itself with its
    probability. D sees the kept words, moved together, beside the summaries of other documents. The
    marker's step is REINFORCE on D's probability; the baseline of a draw is the mean reward of the
    other draws for the same document (Kool et al. 2019).

    Args:
        corpus: Documents, two at least, used as `unpaired` says.
        steps: Steps of both players, of 64 documents and as many summaries.
        seed: Fixes the result.
    """
    recipes.make_deterministic(seed)
    symbols = len(vocabulary()) + 1
    network, judge = marker(), tabular.discriminator(SLOTS * symbols, (128, 64))
    optimizers = [FusedAdam(3e-3, beta_1=0.0, beta_2=0.99) for _ in range(2)]
    for optimizer, model in zip(optimizers, (network, judge), strict=True):
        optimizer.build(model.trainable_variables)
    read, seen = unpaired(corpus)
    documents = tf.constant(encode(read))
    summaries = tf.constant(encode(seen, SLOTS))
    loss = losses.get_loss("non_saturating")

    def rows(words: Tensor) -> Tensor:
        return tf.reshape(tf.one_hot(words, symbols), (-1, SLOTS * symbols))

    @tf.function
    def step(number: Tensor) -> Tensor:
        words = tf.gather(documents, _rows(len(read), seed, 3 * number))
        real = rows(tf.gather(summaries, _rows(len(summaries), seed, 3 * number + 1)))
        there = tf.cast(words > 0, tf.float32)
        noise = tf.random.stateless_uniform(
            (_TRIES, _BATCH, LENGTH), seed=tf.stack([seed, 3 * number + 2])
        )
        with tf.GradientTape() as tape:
            logits = network(words, training=True)
            kept = tf.cast(noise < tf.sigmoid(logits), tf.float32) * there
            log_p = -tf.nn.sigmoid_cross_entropy_with_logits(
                kept, tf.broadcast_to(logits, kept.shape)
            )
            log_p = tf.reduce_sum(log_p * there, axis=2)
            flat = tf.reshape(kept, (-1, LENGTH))
            fake = rows(compact(tf.tile(words, (_TRIES, 1)), flat))
            reward = tf.reshape(tf.sigmoid(judge(fake, training=True)), (_TRIES, _BATCH))
            others = (tf.reduce_sum(reward, axis=0) - reward) / (_TRIES - 1)
            advantage = reward - others
            advantage = tf.stop_gradient(advantage / (tf.math.reduce_std(advantage) + 1e-8))
            goal = -tf.reduce_mean(advantage * log_p)
        gradients = tape.gradient(goal, network.trainable_variables)
        with tf.GradientTape() as tape:
            judged = fake[:_BATCH]
            total = loss.discriminator(judge(real, training=True), judge(judged, training=True))
            # Stronger penalties keep D from seeing a wrong word.
            total += 0.02 * (losses.r1_penalty(judge, real) + losses.r2_penalty(judge, judged))
        judge_gradients = tape.gradient(total, judge.trainable_variables)
        with tf.control_dependencies([g for g in [*gradients, *judge_gradients] if g is not None]):
            optimizers[0].apply(gradients, network.trainable_variables)
            optimizers[1].apply(judge_gradients, judge.trainable_variables)
        return tf.reduce_mean(reward)

    return SummaryRun(network, _history(step, steps, "reward"))


def _rows(n: int, seed: int, number: Tensor) -> Tensor:
    """Numbers of rows, drawn with replacement: a function of the seed and the step alone."""
    return tf.random.stateless_uniform(
        (_BATCH,), seed=tf.stack([seed, number]), maxval=n, dtype=tf.int32
    )


def _history(step: Callable[[Tensor], Tensor], steps: int, name: str) -> dict[str, list[float]]:
    """Runs the steps, and keeps the mean of what each 25 return."""
    history: dict[str, list[float]] = {"step": [], name: []}
    values = []
    steps = _check.integer(steps, "steps", 1)
    for number in range(1, steps + 1):
        values.append(step(tf.constant(number)))
        if number % 25 == 0 or number == steps:
            history["step"].append(number)
            history[name].append(float(np.mean([value.numpy() for value in values])))
            values = []
    return history
