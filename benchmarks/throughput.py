"""Images a second of several ways to write the same training step, side by side in one run.

Needs PyTorch for its rows: ``pip install -e ".[peers]"``. Nothing else should run on the machine.
Rows by "group":

- one network and one batch size: ways to train it, with the plain non-saturating loss and Adam.
  Each way is a process of its own that keeps its networks; the processes take turns, and all but
  one of them wait. A row has the seconds a step in each turn, and from their median the images a
  second, the arithmetic a second and its share of the peak;
- "XLA": the same of `GAN.fit` with and without XLA, by which Adam, where operations need not be
  deterministic (Keras leaves XLA out where they must be);
- "parts": the seconds that the parts of a step of ``GAN.fit`` take, each alone;
- "pace": the seconds that a training of benchmarks/quality.py needs until its first 16 steps are
  done, and for each step after them.

The peak is measured in the same turns: products of 2048 x 2048 matrices by each library.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

import numpy as np
from lib.recording import main
from lib.variants import plain_fast, widened

from gantut import GAN, load_mnist, networks, recipes
from gantut._keras import keras, tf
from gantut.optimizers import FusedAdam

ROUNDS, SECONDS = 5, 2.0
MATRIX = 2048
PRODUCT = 2 * MATRIX**3
IMAGES = 10_000
# Steps in a call of the recipes' graphs.
FIRST = 16

Run = Callable[[int], Any]

NETWORKS: dict[str, tuple[str, int]] = {
    "mlp, batch 64": ("mlp", 64),
    "dcgan, batch 64": ("dcgan", 64),
    "tutorial_dcgan, batch 64": ("tutorial_dcgan", 64),
}


# --- Ways to train -----------------------------------------------------------------------------
# Each takes a recipe's name and a batch size, and returns a function that trains n steps.


def images() -> Any:
    """What is trained on: part of MNIST, because each of a dozen processes keeps a copy."""
    return load_mnist().x_train[:IMAGES]


def plain(name: str, batch_size: int) -> tuple[Any, Any, Any]:
    """The recipe's networks, and its settings with the plain loss."""
    recipes.make_deterministic(0)
    recipe = recipes.get(name)
    shape = networks.MNIST_SHAPE
    return recipe, recipe.generator(image_shape=shape), recipe.discriminator(image_shape=shape)


def game(
    name: str,
    batch_size: int,
    *,
    fused: bool = True,
    together: int = 1,
    xla: bool = False,
    **settings: Any,
) -> GAN:
    """The networks as this package's GAN, compiled."""
    recipe, G, D = plain(name, batch_size)
    adam = FusedAdam if fused else keras.optimizers.Adam
    rates = recipe.d_learning_rate, recipe.g_learning_rate
    gan = GAN(G, D, seed=0, **settings)
    gan.compile(
        *(adam(r, beta_1=recipe.beta_1) for r in rates),
        steps_per_execution=together,
        jit_compile=xla,
    )
    return gan


def fit(
    name: str,
    batch_size: int,
    *,
    fused: bool = True,
    together: int = 16,
    at_once: bool = False,
    xla: bool | None = None,
) -> Run:
    """`gantut.GAN.fit`: as the recipes call it, or with one thing otherwise."""
    with nullcontext() if xla is None else mock.patch.object(recipes, "make_deterministic"):
        gan = game(
            name, batch_size, fused=fused, together=together, xla=bool(xla), simultaneous=at_once
        )
    batches = recipes.batches(images(), batch_size=batch_size)
    return lambda n: gan.fit(batches.take(n), steps_per_epoch=n, verbose=0)


def graph_loop(name: str, batch_size: int) -> Run:
    """TensorFlow's DCGAN tutorial: a ``tf.function`` of one step, called in a loop."""
    recipe, G, D = plain(name, batch_size)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    d_adam = keras.optimizers.Adam(recipe.d_learning_rate, beta_1=recipe.beta_1)
    g_adam = keras.optimizers.Adam(recipe.g_learning_rate, beta_1=recipe.beta_1)
    x = images()
    data = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x)).batch(batch_size, True).repeat()
    batches = iter(data)

    @tf.function
    def train_step(real: Any) -> None:
        z = tf.random.normal([batch_size, G.input_shape[-1]])
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = G(z, training=True)
            real_logits, fake_logits = D(real, training=True), D(fake, training=True)
            g_loss = cross_entropy(tf.ones_like(fake_logits), fake_logits)
            d_loss = cross_entropy(tf.ones_like(real_logits), real_logits) + cross_entropy(
                tf.zeros_like(fake_logits), fake_logits
            )
        g_gradients = g_tape.gradient(g_loss, G.trainable_variables)
        d_gradients = d_tape.gradient(d_loss, D.trainable_variables)
        g_adam.apply_gradients(zip(g_gradients, G.trainable_variables, strict=True))
        d_adam.apply_gradients(zip(d_gradients, D.trainable_variables, strict=True))

    def run(n: int) -> None:
        for _ in range(n):
            train_step(next(batches))

    return run


def keras_step(name: str, batch_size: int) -> Run:
    """The GAN of Keras' guide to ``train_step``."""
    from lib.textbook import TextbookGAN, batches

    recipe, G, D = plain(name, batch_size)
    gan = TextbookGAN(G, D, recipe.d_learning_rate, recipe.g_learning_rate, recipe.beta_1)
    data = batches(images(), batch_size)
    return lambda n: gan.fit(data, steps_per_epoch=n, verbose=0)


def frozen(name: str, batch_size: int) -> Run:
    """The recipe of many notebooks: D, and D frozen behind G, each by ``train_on_batch``."""
    recipe, G, D = plain(name, batch_size)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    D.compile(keras.optimizers.Adam(recipe.d_learning_rate, beta_1=recipe.beta_1), loss)
    z = keras.Input((G.input_shape[-1],))
    both = keras.Model(z, D(G(z)))
    D.trainable = False
    both.compile(keras.optimizers.Adam(recipe.g_learning_rate, beta_1=recipe.beta_1), loss)
    x = images()
    ones, zeros = np.ones((batch_size, 1)), np.zeros((batch_size, 1))
    random = np.random.default_rng(0)

    def run(n: int) -> None:
        for _ in range(n):
            real = x[random.integers(0, len(x), batch_size)]
            noise = random.normal(0, 1, (batch_size, G.input_shape[-1]))
            fake = G.predict(noise, verbose=0)
            D.trainable = True
            D.train_on_batch(real, ones)
            D.train_on_batch(fake, zeros)
            D.trainable = False
            both.train_on_batch(noise, ones)

    return run


def torch_plain(name: str, batch_size: int, *, compiled: bool = False) -> Run:
    """PyTorch, with the loop that its users write; or both networks behind ``torch.compile``."""
    import torch
    from lib import peers

    recipe, G, D = plain(name, batch_size)
    torch.manual_seed(0)
    G, D = peers.to_torch(G), peers.to_torch(D)
    if compiled:
        G, D = torch.compile(G), torch.compile(D)
    rates = recipe.d_learning_rate, recipe.g_learning_rate
    step = peers.plain_step(G, D, rates, recipe.beta_1)
    batch = peers.first_batches(images(), batch_size)
    return lambda n: peers.timed_steps(step, batch, n)


WAYS: dict[str, Callable[[str, int], Run]] = {
    "GAN.fit": fit,
    "GAN.fit, Keras' Adam": partial(fit, fused=False),
    "GAN.fit, one step a call": partial(fit, together=1),
    "GAN.fit, both at once": partial(fit, at_once=True),
    "tf.function loop, both at once": graph_loop,
    "Keras train_step": keras_step,
    "frozen D, train_on_batch": frozen,
    "PyTorch": torch_plain,
    "PyTorch, compiled": partial(torch_plain, compiled=True),
}


def part(name: str, batch_size: int, what: str) -> Run:
    """What a step of ``GAN.fit`` consists of, each part alone and on the same arrays again."""
    if what == "batches":
        data = recipes.batches(images(), batch_size=batch_size)
        return lambda n: [None for _ in data.take(n)]
    gan = game(name, batch_size, fused=what != "Keras' Adam")
    G, D = gan.generator, gan.discriminator
    real = tf.constant(images()[:batch_size])
    used = tf.Variable(0.0)
    slopes = [[tf.fill(v.shape, 1e-3) for v in m.trainable_variables] for m in (D, G)]
    kernels = [[w for w in m.trainable_variables if len(w.shape) == 2] for m in (G, D)]
    widths = {int(n) for of_network in kernels for w in of_network for n in w.shape}
    rows = {n: tf.random.normal((batch_size, n)) for n in widths}

    def products() -> list[Any]:
        made = []
        # As `operations` counts them: (forward, for the weights, for the input) by network.
        for weights, forward, own, inner in ((kernels[0], 2, 1, 1), (kernels[1], 3, 2, 3)):
            for i, w in enumerate(weights):
                x, y = rows[w.shape[0]], rows[w.shape[1]]
                made += [tf.matmul(x + j, w) for j in range(forward)]
                made += [tf.matmul(x + j, y, transpose_a=True) for j in range(own)]
                skipped = 0 if i else 1 if weights is kernels[0] else 2
                made += [tf.matmul(y + j, w, transpose_b=True) for j in range(inner - skipped)]
        return made

    def once() -> None:
        if what == "matrix products":
            made = products()
        elif what == "gradients":
            made = [*gan.discriminator_gradients(real, None, False)[-1]]
            made += gan.generator_gradients(real, None)[-1]
        else:
            gan.d_optimizer.apply(slopes[0], D.trainable_variables)
            gan.g_optimizer.apply(slopes[1], G.trainable_variables)
            return
        # One number of each, so that none is left out as unused.
        used.assign_add(tf.add_n([tf.reshape(x, [-1])[0] for x in made]))

    @tf.function
    def steps(n: Any) -> None:
        for _ in tf.range(n):
            once()

    def run(n: int) -> None:
        steps(tf.constant(n))
        used.numpy()

    return run


PARTS = ("batches", "matrix products", "gradients", "FusedAdam", "Keras' Adam")


# --- Paces and the peak ------------------------------------------------------------------------


def recipe_pace(name: Any, batch_size: int) -> Run:
    """A recipe as `gantut.recipes.train` runs it."""
    recipe = recipes.get(name)
    labels = load_mnist().y_train[:IMAGES]
    gan: list[Any] = [None]

    def train(n: int) -> float:
        trained = recipes.train(recipe, images(), labels, steps=n, gan=gan[0])
        gan[0] = trained.gan
        return trained.seconds

    def run(n: int) -> float:
        if gan[0] is None:
            return train(n)
        # Each call has costs of its own, about a second, which the difference leaves out.
        return train(n + FIRST) - train(FIRST)

    return run


def guide_pace(name: str, batch_size: int) -> Run:
    """The GAN of Keras' guide."""
    from lib.textbook import batches, guide_gan

    gan, data = guide_gan(), batches((images() + 1) / 2, batch_size)
    return lambda n: gan.fit(data, steps_per_epoch=n, verbose=0)


def torch_fast(name: str, batch_size: int) -> Run:
    """The recipe ``fast`` in PyTorch."""
    from lib import peers

    recipe = recipes.get("fast")
    twin = peers.Twin(recipe.build(mean_image=images().mean(0)), recipe)
    batch = peers.first_batches(images(), recipe.batch_size)
    return lambda n: peers.timed_steps(twin.step, batch, n)


def peak(name: str, batch_size: int) -> Run:
    """A library's product of large matrices."""
    a: Any = np.random.default_rng(0).standard_normal((MATRIX, MATRIX), dtype=np.float32)
    if name == "TensorFlow":
        a = tf.constant(a)
    elif name == "PyTorch":
        import torch

        a = torch.tensor(a)

    def run(n: int) -> None:
        for _ in range(n):
            b = a @ a
        np.asarray(b)  # waits until it is there

    return run


AT_ONCE: Any = replace(recipes.get("fast"), simultaneous=True)
DENSE = ("fast", "conditional_fast", "clustered_fast", "mlp")
PACES = (*DENSE, "dcgan", "conditional_dcgan", "tutorial_dcgan")
TASKS: dict[str, tuple[Callable[[str, int], Run], str, int]] = {
    **{
        f"throughput/{network}/{way}": (make, *NETWORKS[network])
        for network in NETWORKS
        for way, make in WAYS.items()
    },
    **{
        f"XLA/{name}/{way}": (partial(fit, fused=fused, xla=xla), name, 64)
        for name in ("mlp", "fast")
        for way, fused, xla in (
            ("FusedAdam", True, False),
            ("FusedAdam, XLA", True, True),
            ("Keras' Adam, XLA", False, True),
        )
    },
    **{f"parts/mlp, batch 64/{what}": (partial(part, what=what), "mlp", 64) for what in PARTS},
    "parts/mlp, batch 64/whole step": (fit, "mlp", 64),
    **{f"pace/{name}": (recipe_pace, name, recipes.get(name).batch_size) for name in PACES},
    "pace/fast, plainly trained": (lambda *_: recipe_pace(plain_fast(), 64), "fast", 64),
    "pace/fast, both at once": (lambda *_: recipe_pace(AT_ONCE, 64), "fast", 64),
    "pace/fast, half the width": (lambda *_: recipe_pace(widened(0.5), 64), "fast", 64),
    "pace/fast in PyTorch": (torch_fast, "fast", 64),
    "pace/Keras' guide": (guide_pace, "", 64),
    **{f"peak/{name}": (peak, name, 0) for name in ("TensorFlow", "NumPy", "PyTorch")},
}


def work(task: str, answers: Connection) -> None:
    """What such a process does: is sent numbers of steps, and answers the seconds they took."""
    make, name, batch_size = TASKS[task]
    begin = time.perf_counter()
    run = make(name, batch_size)
    answers.send(time.perf_counter() - begin)
    while steps := answers.recv():
        begin = time.perf_counter()
        inner = run(steps)
        # A recipe's own clock leaves out the callbacks.
        answers.send(inner if isinstance(inner, float) else time.perf_counter() - begin)


class Worker:
    """Such a process, seen from outside."""

    def __init__(self, task: str) -> None:
        self.answers, theirs = Pipe()
        processes = get_context("spawn")  # each starts TensorFlow for itself
        processes.Process(target=work, args=(task, theirs), daemon=True).start()
        theirs.close()  # so that its end is seen here
        self.setting_up = self.answers.recv()
        self.first = self.turn(FIRST if task.startswith("pace/") else 1)
        self.steps = FIRST
        # The first turns only find how many steps fill the seconds of a turn.
        for _ in range(2):
            self.steps = max(1, round(SECONDS / self.turn(self.steps) * self.steps))
            if not task.startswith("peak/") and self.steps > FIRST:
                self.steps -= self.steps % FIRST

    def turn(self, steps: int) -> float:
        """Seconds of some steps; no steps end the process."""
        self.answers.send(steps)
        return self.answers.recv() if steps else 0.0


def operations(name: str, at_once: bool) -> int:
    """Floating-point operations a step does for each image of the batch, with the plain loss.

    D's step: G forward; D forward and both of its backward products (but for the gradient with
    respect to its input) on a real and a generated image. G's step: G forward and backward; D
    forward, and the backward product for its input. Both at once, the samples are made and judged
    once.
    """
    _, G, D = plain(name, 1)
    g, d = networks.multiply_adds(G), networks.multiply_adds(D)
    firsts = []
    for model in (G, D):
        layer = next(layer for layer in model.layers if hasattr(layer, "kernel"))
        firsts.append(networks.multiply_adds(layer))
    d_step = g + 2 * (3 * d - firsts[1])
    g_step = 3 * g - firsts[0] + 2 * d
    if at_once:
        g_step -= g + d
    return 2 * (d_step + g_step)


def rows(kind: str, group: str) -> Iterator[dict[str, Any]]:
    """A group: the processes of its tasks take turns."""
    prefix = f"{kind}/{group}"
    tasks = [task for task in TASKS if task == prefix or task.startswith(f"{prefix}/")]
    if kind == "throughput":
        tasks += [task for task in TASKS if task.startswith("peak/")]
    workers = {task: Worker(task) for task in tasks}
    turns: dict[str, list[float]] = {task: [] for task in tasks}
    for turn in range(ROUNDS):
        for i in range(len(tasks)):
            task = tasks[(i + turn) % len(tasks)]
            turns[task].append(workers[task].turn(workers[task].steps) / workers[task].steps)
    for worker in workers.values():
        worker.turn(0)
    middle = {task: statistics.median(seconds) for task, seconds in turns.items()}
    peak = max((PRODUCT / middle[t] for t in tasks if t.startswith("peak/")), default=None)
    for task in tasks:
        _, name, batch_size = TASKS[task]
        row: dict[str, Any] = {"way": task.split("/")[-1]}
        if task.startswith("peak/"):
            row["way"] = f"matrix product, {row['way']}"
        if peak is None:
            row |= {
                "batch_size": batch_size,
                "start_seconds": workers[task].first,
                "step_seconds": middle[task],
            }
        elif task.startswith("peak/"):
            row |= {"gflops": PRODUCT / middle[task] / 1e9}
        else:
            rate = batch_size / middle[task]
            needed = operations(name, at_once="at once" in task)
            row |= {
                "images_a_second": rate,
                "operations": needed,
                "gflops": rate * needed / 1e9,
                "share_of_peak": rate * needed / peak,
                "start_seconds": workers[task].setting_up + workers[task].first,
            }
        yield {**row, "turns": turns[task]}


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Paces are not compared with each other so closely that they had to take turns.
    groups = {
        "pace": [task.removeprefix("pace/") for task in TASKS if task.startswith("pace/")],
        "XLA": ["mlp", "fast"],
        "parts": ["mlp, batch 64"],
        "throughput": [*NETWORKS],
    }
    main(
        __doc__,
        {kind: partial(rows, kind) for kind in groups},
        {"group": groups},
        group="kind",
        rounds=ROUNDS,
        turn_seconds=SECONDS,
    )
