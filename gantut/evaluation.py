"""All metrics of a generator in one call, each beside what real data scores.

The judge's features of the test set are the reference. Every number comes twice: for the samples,
and for as many real training images, which are what a perfect generator would produce. For the
distances that second number is the floor. Digits have a judge that ships with the package; other
images are divided by chance, and get one of their own (`gantut.judge.train_judge`, or
`random_judge` without labels).
"""

from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, judge, metrics, networks
from gantut.data import Float32, ImageData, OwnImages, check_images, check_labels, load_mnist
from gantut.sampling import sample

_CONFIDENT = 0.95  # largest class probability from which a sample is classified with confidence
_NEIGHBOURS = 5  # k of precision, recall, density and coverage
_MEMORISATION_SAMPLES = 1000  # and test images, whose nearest training image is looked up
_MINIMUM_ACCURACY = 0.9  # on the data's test labels; below it the data are not MNIST's digits
LEAST = 12  # images of your own, from which they can be measured
_LEARNED = 10  # of them with labels, from which a judge can learn
_MOST = 10_000  # images of your own that are compared with, and as many for the floor


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found. Fields ending in `_floor` or `_real` are real data's own score.

    That is the score of as many training images as there are samples; of what follows from the
    classes alone (``classifier_score``, ``confident``, ``class_shares``) it is the test images'.

    Attributes:
        samples: Number of samples N.
        references: Number of test images that both are compared with.
        judged_by: Whose features they are.
        frechet_distance: Squared Frechet distance on the judge's features.
        frechet_error: Its bootstrap standard error.
        kernel_distance: Unbiased squared kernel distance; its floor is about 0, of either sign.
        kernel_error: Its jackknife standard error.
        precision: As in `metrics.ManifoldMetrics`, and so are recall, density and coverage.
        classifier_score: Inception-score formula on the judge, from 1 to the number of classes;
            None, as the next, where the judge knows no classes.
        confident: Share of samples with a class probability above .95.
        class_shares: Share of samples in each class, from 0, as the judge reads them; or none.
        memorisation: Distances in pixels to the nearest training image, for up to 1,000 samples
            and as many test images.
    """

    samples: int
    references: int
    judged_by: str
    frechet_distance: float
    frechet_error: float
    frechet_floor: float
    kernel_distance: float
    kernel_error: float
    kernel_floor: float
    precision: float
    precision_real: float
    recall: float
    recall_real: float
    density: float
    density_real: float
    coverage: float
    coverage_real: float
    classifier_score: float | None
    classifier_score_real: float | None
    confident: float | None
    confident_real: float | None
    class_shares: tuple[float, ...]
    class_shares_real: tuple[float, ...]
    memorisation: metrics.Memorisation

    @property
    def frechet_ratio(self) -> float:
        """Frechet distance as a multiple of its floor."""
        return self.frechet_distance / self.frechet_floor

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as plain numbers, lists and dicts that JSON can hold."""
        return {
            **asdict(self),
            "frechet_ratio": self.frechet_ratio,
            "memorisation": self.memorisation._asdict(),
            "class_shares": list(self.class_shares),
            "class_shares_real": list(self.class_shares_real),
        }

    def __str__(self) -> str:
        """A table: metric, samples, real data."""
        memory = self.memorisation
        of_classes = [
            ("classifier score", f"{self.classifier_score:.2f}",
             f"{self.classifier_score_real:.2f}"),
            (f"confident (> {_CONFIDENT})", f"{self.confident:.1%}", f"{self.confident_real:.1%}"),
            ("smallest class", _class(self.class_shares, min), _class(self.class_shares_real, min)),
            ("largest class", _class(self.class_shares, max), _class(self.class_shares_real, max)),
        ] if self.class_shares else []  # fmt: skip
        rows = [
            ("", f"{self.samples:,} samples", "real data"),
            ("Frechet distance", f"{self.frechet_distance:.4g} +- {self.frechet_error:.2g}",
             f"{self.frechet_floor:.4g}"),
            ("  times the floor", f"{self.frechet_ratio:.2f}", "1"),
            ("kernel distance", f"{self.kernel_distance:.4g} +- {self.kernel_error:.2g}",
             f"{self.kernel_floor:.2g}"),
            *(
                (name, f"{getattr(self, name):.3f}", f"{getattr(self, name + '_real'):.3f}")
                for name in ("precision", "recall", "density", "coverage")
            ),
            *of_classes,
            ("nearest training image", f"{memory.median:.2f}", f"{memory.reference_median:.2f}"),
            ("suspiciously near", f"{memory.share_close:.1%}", f"{memory.quantile:.1%}"),
        ]  # fmt: skip
        first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
        table = "\n".join(
            f"{name:<{first}}  {own:>{second}}  {real:>{third}}" for name, own, real in rows
        )
        by_us = self.judged_by in judge.JUDGES
        return table if by_us else f"{table}\nfeatures: {self.judged_by}"


def evaluate(
    samples: Any,
    *,
    n: int = 10_000,
    data: ImageData | OwnImages | None = None,
    seed: int = 0,
    judged_by: str | judge.Judge = "first",
) -> Evaluation:
    """Computes every metric of a generator, each beside real data's own score.

    Args:
        samples: Images of the data's shape, float32 in [-1, 1], at least 6; or an object with
            ``sample(n, seed=...)``, such as a `gantut.GAN`; or a plain Keras generator.
        n: Number of samples to draw from a generator.
        data: Digits to compare with; MNIST if None. Or all images of your own that the generator
            learned from, 12 at least, as `gantut.data.read_images` returns them. They are split by
            chance, each time alike: samples are compared with one half, and the other gives the
            floor. With 30 images or more and their labels there are three parts, and the judge
            learns from the third. No more samples are used than there are images for the floor.
            Memorisation is looked for in all. What is computed on the real side is kept in memory
            for the next call with the same arrays.
        seed: Seed of the draw, of the bootstrap, and of the choice of samples for memorisation.
        judged_by: One of `gantut.judge.JUDGES`, for digits. For images of your own a function from
            images to features (N, F) and class probabilities (N, classes) or None, if they are to
            be judged by another network.

    Returns:
        An `Evaluation`; print it for a table.
    """
    reference = _reference(data, judged_by)
    images = reference.draw(samples, n, seed)
    if len(images) <= _NEIGHBOURS:
        raise ValueError(f"samples: wanted at least {_NEIGHBOURS + 1} images, got {len(images)}")
    values, probabilities = reference.read(images)
    fake, real = metrics.Features(values), reference.features
    chosen = np.random.default_rng(seed).permutation(len(images))[:_MEMORISATION_SAMPLES]
    nearest = metrics.nearest_training_images(images[np.sort(chosen)], reference.train)
    kernel_distance, kernel_error = metrics.kernel_distance_and_error(fake, real)
    return Evaluation(
        samples=len(images),
        references=len(real),
        judged_by=reference.judged_by,
        frechet_distance=metrics.frechet_distance(fake, real),
        frechet_error=metrics.frechet_distance_error(fake, real, seed=seed),
        kernel_distance=kernel_distance,
        kernel_error=kernel_error,
        **metrics.manifold_metrics(real, fake, _NEIGHBOURS)._asdict(),
        **_floors(reference.training(len(images)), real),
        **read_classes(probabilities),
        **{f"{name}_real": value for name, value in reference.of_classes.items()},
        memorisation=metrics.memorisation(nearest.distances[:, 0], reference.nearest_distances),
    )


def quick_frechet(
    samples: Any,
    *,
    n: int = 10_000,
    data: ImageData | OwnImages | None = None,
    seed: int = 0,
    judged_by: str | judge.Judge = "first",
) -> float:
    """Computes only the squared Frechet distance to the test images, for watching a training.

    After the first call, which reads the test set, 10,000 samples take about a second.

    Args:
        samples: As in `evaluate`; two images are enough.
        n: Number of samples to draw from a generator. Fewer samples mean a larger distance: keep
            it fixed within a comparison, and divide by ``frechet_floor(n)``.
        data: As in `evaluate`.
        seed: Seed of the draw.
        judged_by: As in `evaluate`.
    """
    reference = _reference(data, judged_by)
    found = reference.read(reference.draw(samples, n, seed))[0]
    return metrics.frechet_distance(found, reference.features)


def frechet_floor(
    n: int = 10_000,
    *,
    data: ImageData | OwnImages | None = None,
    judged_by: str | judge.Judge = "first",
) -> float:
    """Computes the Frechet distance of `n` training images to the test images.

    A generator's distance, from as many samples, is to be divided by it.

    Args:
        n: Number of training images, the first in `gantut.judge.order`; at least 2.
        data: As in `evaluate`.
        judged_by: As in `evaluate`.
    """
    n = _check.integer(n, "n", 2)
    reference = _reference(data, judged_by)
    if n > len(reference.rows):
        raise ValueError(f"n must be at most {len(reference.rows)}, the training images, got {n}")
    return metrics.frechet_distance(reference.training(n), reference.features)


def label_agreement(
    images: npt.ArrayLike, labels: npt.ArrayLike, *, data: ImageData | OwnImages | None = None
) -> float:
    """The share of images whose labels (N,), from 0, the data's judge guesses, as in `evaluate`."""
    reference = _reference(data, "first")
    return _right(reference.read(reference.check(images))[1], labels)


def read_classes(probabilities: npt.NDArray[np.float32] | None) -> dict[str, Any]:
    """The fields of an `Evaluation` that follow from class probabilities (N, classes) alone."""
    if probabilities is None:
        return {"classifier_score": None, "confident": None, "class_shares": ()}
    return {
        "classifier_score": metrics.classifier_score(probabilities),
        "confident": float(np.mean(probabilities.max(axis=1) > _CONFIDENT)),
        "class_shares": tuple(
            metrics.class_histogram(probabilities, probabilities.shape[1]).tolist()
        ),
    }


def stacked_modes(images: npt.ArrayLike) -> metrics.StackedModes:
    """Counts the triples of digits in images of three stacked digits.

    Stacked MNIST (`gantut.data.stacked_mnist`), the protocol of Metz et al. (2017) and PacGAN (Lin
    et al. 2018, section 4.2): a classifier of digits, here `gantut.judge`, reads each channel
    alone, its likeliest class counts, and the triple of classes is the image's mode. Usual numbers
    of images are 25,600 and 26,000.

    Perfect samples do not score 0: n of them spread evenly have a KL of about 999 / (2 n), 0.0192
    at 26,000, and MNIST's digits are not equally frequent. `gantut.data.stacked_mnist` itself,
    read by this judge, scores about 0.024 at 26,000. Every image is given some triple, however
    little it looks like digits: the numbers say nothing about the quality of the images.

    Args:
        images: float32 images (N, 28, 28, 3) in [-1, 1].
    """
    array = check_images(images)
    if array.shape[1:] != networks.STACKED_SHAPE:
        raise ValueError(
            f"images: wanted three stacked digits each, (N, 28, 28, 3), got shape {array.shape}; "
            f"{judge.DIGITS_ONLY}"
        )
    digits = [
        judge.probabilities(np.ascontiguousarray(array[..., i : i + 1])).argmax(axis=1)
        for i in range(3)
    ]
    return metrics.triples_of_digits(np.stack(digits, axis=1))


@dataclass(frozen=True)
class _Reference:
    """The real side: images under a judge.

    ``rows`` of the training images stand in for a perfect generator's, ``held_out`` are what both
    are compared with, and ``neighbour`` is 2 where these are training images too.
    """

    data: ImageData | OwnImages
    judged_by: str
    read: judge.Judge
    train: Float32
    rows: npt.NDArray[np.int64]
    held_out: Float32
    neighbour: int = 1
    known: dict[int, metrics.Features] = field(default_factory=dict)

    def check(self, images: Any, name: str = "samples") -> Float32:
        if isinstance(self.data, ImageData):
            return judge.check_digits(images, name)
        height, width, channels = self.train.shape[1:]
        return check_images(images, name=name, size=(height, width), channels=channels)

    def draw(self, samples: Any, n: int, seed: int) -> Float32:
        n, seed = _check.integer(n, "n", 1), _check.seed(seed)
        own = isinstance(self.data, OwnImages)
        n = min(n, len(self.rows)) if own else n
        if hasattr(samples, "sample"):
            images = samples.sample(n, seed=seed)
        elif hasattr(samples, "inputs") and callable(samples):
            images = sample(samples, n, seed=seed)
        elif hasattr(samples, "__array__"):
            images = samples
        else:
            raise TypeError(
                "samples: wanted images (N, height, width, channels), an object with sample(n, "
                f"seed=...) or a Keras generator, got {type(samples).__name__}"
            )
        # Distances depend on the numbers of images.
        return self.check(images)[: len(self.rows) if own else None]

    @cached_property
    def outputs(self) -> tuple[Float32, Float32 | None]:
        return self.read(self.held_out)

    @cached_property
    def features(self) -> metrics.Features:
        return metrics.Features(self.outputs[0])

    @cached_property
    def of_classes(self) -> dict[str, Any]:
        return read_classes(self.outputs[1])

    def training(self, n: int) -> metrics.Features:
        """Features of n training images, which stand in for a perfect generator's."""
        n = min(n, len(self.rows))
        if n not in self.known:
            self.known[n] = metrics.Features(self.read(self.train[self.rows[:n]])[0])
        return self.known[n]

    @cached_property
    def nearest_distances(self) -> npt.NDArray[np.float64]:
        rows = judge.order(len(self.held_out))[:_MEMORISATION_SAMPLES]
        images = self.held_out[np.sort(rows)]
        near = metrics.nearest_training_images(images, self.train, self.neighbour)
        return near.distances[:, -1]


def _digits(data: ImageData, judged_by: str) -> _Reference:
    train = judge.check_digits(data.x_train, "data.x_train")
    test = judge.check_digits(data.x_test, "data.x_test")

    def read(images: Float32) -> tuple[Float32, Float32]:
        return judge.outputs(images, judged_by)

    found = _Reference(data, judged_by, read, train, judge.order(len(train)), test)
    if (right := _right(found.outputs[1], data.y_test)) < _MINIMUM_ACCURACY:
        raise ValueError(
            f"data: the judge reads only {right:.0%} of the test labels; {judge.DIGITS_ONLY}"
        )
    return found


def _own(data: OwnImages, judged_by: str | judge.Judge) -> _Reference:
    x = check_images(data.images, name="data.images")
    if len(x) < LEAST:
        raise ValueError(f"data: wanted at least {LEAST} images to measure by, got {len(x)}")
    order, labels = judge.order(len(x)), data.labels
    if callable(judged_by) or labels is None or len(x) < 3 * _LEARNED:
        floor, held_out = (rows[:_MOST] for rows in np.array_split(order, 2))
        if callable(judged_by):
            name, read = getattr(judged_by, "__name__", "your own"), judged_by
        else:
            name, read = "random convolutions", judge.random_judge(x)
        return _Reference(data, name, read, x, floor, x[held_out], 2)
    floor, held_out, learned = np.array_split(order, 3)
    floor, held_out = floor[:_MOST], held_out[:_MOST]
    read = judge.train_judge(x[learned], labels[learned], num_classes=int(labels.max()) + 1)
    right = _right(read(x[held_out])[1], labels[held_out])
    name = f"a classifier by your labels, {right:.0%} right on new images"
    return _Reference(data, name, read, x, floor, x[held_out], 2)


def _right(probabilities: Float32 | None, labels: npt.ArrayLike) -> float:
    """The share of images that are read right."""
    if probabilities is None:
        raise ValueError("data: wanted labels, got images alone")
    labels = check_labels(labels, len(probabilities), probabilities.shape[1])
    return float(np.mean(probabilities.argmax(axis=1) == labels))


@lru_cache(maxsize=4)
def _floors(train: metrics.Features, real: metrics.Features) -> dict[str, Any]:
    """What training images score in the place of samples; some seconds of work."""
    manifold = metrics.manifold_metrics(real, train, _NEIGHBOURS)._asdict()
    return {
        "frechet_floor": metrics.frechet_distance(train, real),
        "kernel_floor": metrics.kernel_distance(train, real),
        **{f"{name}_real": value for name, value in manifold.items()},
    }


_references: dict[tuple[Any, ...], _Reference] = {}  # by judge and ids of the arrays they hold


def _reference(data: ImageData | OwnImages | None, judged_by: str | judge.Judge) -> _Reference:
    """The real side of a data set, MNIST if None; the two that were asked for last are kept."""
    if not (data is None or isinstance(data, ImageData | OwnImages)):
        raise TypeError(
            "data: wanted a gantut.data.ImageData of digits or a gantut.data.OwnImages, got "
            f"{type(data).__name__}"
        )
    key = (judged_by, *map(id, data or ()))
    found = _references.pop(key, None)
    if found is None:
        if isinstance(data, OwnImages):
            found = _own(data, judged_by)
        elif callable(judged_by):
            raise TypeError(f"judged_by: wanted one of {', '.join(judge.JUDGES)} for digits")
        else:
            found = _digits(data or load_mnist(), judged_by)
    _references[key] = found
    if len(_references) > 2:
        del _references[next(iter(_references))]
    return found


def _class(shares: tuple[float, ...], pick: Any) -> str:
    share = pick(shares)
    return f"{shares.index(share)}: {share:.1%}"
