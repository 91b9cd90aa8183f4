"""Measurements behind the chapter on data augmentation.

Of MNIST's 60,000 training images 10, 20, 50 or 100 a class keep their labels; a seed fixes which,
and everything else. One small classifier, always trained for the same number of steps, is tested on
the 10,000 test images. Experiments:

- ``shifted``: the classifier learns from the labels alone, without and with shifts and rotations;
  the latter's guesses then label the other images for a conditional GAN, whose samples another
  classifier learns from beside the labels; the rivals learn from these images themselves, by
  self-training, or with labels that spread over a graph of neighbours. All with shifts.
- ``longer``: shifts and rotations alone, and a semi-supervised GAN, for as many steps as the GAN.
- ``gradients``: the graph's distances are those of histograms of gradients instead of pixels.
- ``few``: a GAN that learns from the labelled images alone.
- ``plain``: the GAN with guessed labels, without any shifts.

``cpu_seconds`` are those of everything that an arm needs, its teacher included, but for the graph
of neighbours, which is built once.
"""

import functools
from collections.abc import Callable
from typing import Any

from lib.recording import Rows, main, timed

from gantut import load_mnist, metrics
from gantut.applications import augmentation, conditional
from gantut.clustered import oriented_gradients

PER_CLASS, SEEDS = (10, 20, 50, 100), (0, 1, 2)
ROUNDS = 2


def scored(arm: str, classify: Any, cpu_seconds: float, **more: Any) -> dict[str, Any]:
    """A row: the share of the test images that a classifier reads right."""
    test = load_mnist()
    right = conditional.accuracy(test.x_test, test.y_test, classify)
    return {"arm": arm, "accuracy": right, "cpu_seconds": cpu_seconds, **more}


def described(made: augmentation.Samples, few: augmentation.FewLabels) -> dict[str, float]:
    """Of a GAN's samples, what the judge reads, and the share that is close to a labelled image.

    Close means closer than nine in ten test images are, so that 0.1 is what new images reach.
    """
    x, y = made.images[::5], made.labels[::5]
    near = [
        metrics.nearest_training_images(images, few.images).distances[:, 0]
        for images in (x, load_mnist().x_test[:2_000])
    ]
    return {
        "samples_right": conditional.accuracy(x, y),
        "share_close": metrics.memorisation(*near, quantile=0.1).share_close,
    }


@functools.cache
def graph(gradients: bool) -> tuple[Any, float]:
    """The neighbours of all training images, and the processor time of finding them."""

    def find(images: Any) -> Any:
        return augmentation.neighbour_graph(oriented_gradients(images) if gradients else images)

    return timed(find, load_mnist().x_train)


def with_graph(few: augmentation.FewLabels, seed: int, *, gradients: bool = False) -> Rows:
    """Yields the row of labels that spread from neighbour to neighbour."""
    neighbours, graph_seconds = graph(gradients)
    near = neighbours[few.order][:, few.order]
    spread, spreading = timed(augmentation.spread_labels, near, few.labels)
    student = augmentation.train(
        few.images, few.labels, extra=(few.unlabelled, spread), augment=True, seed=seed
    )
    yield scored(
        "neighbours by gradients, shifts" if gradients else "neighbours, shifts",
        student.classify,
        spreading + student.cpu_seconds,
        graph_cpu_seconds=graph_seconds,
        guessed=len(spread),
        guessed_right=float((spread == few.hidden).mean()),
    )


def with_gan(
    few: augmentation.FewLabels, teacher: conditional.TrainedClassifier, seed: int, *, augment: bool
) -> dict[str, Any]:
    """A row of the GAN that learns from the labels and from a teacher's guesses."""
    guessed, guessing = timed(augmentation.guess_labels, teacher.classify, few.unlabelled)
    made = augmentation.gan_samples(*few.with_guessed(guessed), seed=seed)
    student = augmentation.train(
        few.images, few.labels, extra=made.extra, augment=augment, seed=seed
    )
    return scored(
        "GAN, shifts" if augment else "GAN",
        student.classify,
        teacher.cpu_seconds + guessing + made.cpu_seconds + student.cpu_seconds,
        guessed=len(guessed.rows),
        guessed_right=few.right(guessed),
        **described(made, few),
    )


def shifted(few: augmentation.FewLabels, seed: int) -> Rows:
    """Yields the arms that learn from the labels alone, and those that shift."""
    plain = augmentation.train(few.images, few.labels, seed=seed)
    yield scored("labels", plain.classify, plain.cpu_seconds)
    teacher = augmentation.train(few.images, few.labels, augment=True, seed=seed)
    yield scored("shifts", teacher.classify, teacher.cpu_seconds)
    yield with_gan(few, teacher, seed, augment=True)
    rounds = augmentation.self_training(
        few, teacher.classify, rounds=ROUNDS, augment=True, seed=seed
    )
    for number, student in enumerate(rounds, start=1):
        spent = teacher.cpu_seconds + student.cpu_seconds
        yield scored("self-training, shifts", student.classify, spent, round=number)
    yield from with_graph(few, seed)


def longer(few: augmentation.FewLabels, seed: int) -> Rows:
    """Yields the arms that take about as long as the GAN, without its samples."""
    steps = augmentation.GAN_STEPS
    alone = augmentation.train(few.images, few.labels, augment=True, steps=steps, seed=seed)
    yield scored("shifts, longer", alone.classify, alone.cpu_seconds)
    both = augmentation.semi_supervised(few, seed=seed)
    yield scored("semi-supervised GAN, shifts", both.classify, both.cpu_seconds)


def few_only(few: augmentation.FewLabels, seed: int) -> Rows:
    """Yields the GAN that knows the labelled images alone."""
    made = augmentation.gan_samples(few.images, few.labels, seed=seed)
    about = described(made, few)
    for augment in (False, True):
        student = augmentation.train(
            few.images, few.labels, extra=made.extra, augment=augment, seed=seed
        )
        arm = "GAN of few, shifts" if augment else "GAN of few"
        yield scored(arm, student.classify, made.cpu_seconds + student.cpu_seconds, **about)


def plain(few: augmentation.FewLabels, seed: int) -> Rows:
    """Yields the GAN with guessed labels, and no shifts anywhere."""
    teacher = augmentation.train(few.images, few.labels, seed=seed)
    yield with_gan(few, teacher, seed, augment=False)


def of_labels(
    arms: Callable[[augmentation.FewLabels, int], Rows], seed: int, per_class: int
) -> Rows:
    """Yields the arms of an experiment for so many labels a class."""
    data = load_mnist()
    few = augmentation.few_labels(data.x_train, data.y_train, per_class, seed=seed)
    yield from arms(few, seed)


if __name__ == "__main__":
    main(
        __doc__,
        {
            "shifted": functools.partial(of_labels, shifted),
            "longer": functools.partial(of_labels, longer),
            "gradients": functools.partial(
                of_labels, functools.partial(with_graph, gradients=True)
            ),
            "few": functools.partial(of_labels, few_only),
            "plain": functools.partial(of_labels, plain),
        },
        # Seeds first: a run that is stopped has whole curves.
        {"seed": SEEDS, "per_class": PER_CLASS},
        steps=augmentation.STEPS,
        gan_steps=augmentation.GAN_STEPS,
        rounds=ROUNDS,
    )
