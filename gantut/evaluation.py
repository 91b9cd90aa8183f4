"""All metrics of a digit generator in one call, each beside what real data scores.

The judge's features of the test set are the reference. Every number comes twice: for the samples,
and for as many real training images, which are what a perfect generator would produce. For the
distances that second number is the floor.
"""

from collections import OrderedDict
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, judge, metrics
from gantut.data import ImageData, check_images, load_mnist

CONFIDENT = 0.95
"""Largest class probability from which a sample counts as classified with confidence."""

NEIGHBOURS = 5
"""k of precision, recall, density and coverage."""

MEMORISATION_SAMPLES = 1000
"""Samples (and test images) whose nearest training image is looked up."""

_FLOOR_SEED = 0  # picks the training images that stand in for a perfect generator
_MINIMUM_ACCURACY = 0.9  # on the data's test labels; below it the data are not MNIST's digits


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found. Fields ending in `_floor` or `_real` are real data's own score.

    Attributes:
        samples: Number of samples N; the real scores use as many training images.
        references: Number of test images that both are compared with.
        frechet_distance: Squared Frechet distance on the judge's features.
        frechet_error: Its bootstrap standard error.
        frechet_floor: The same distance for N training images.
        kernel_distance: Unbiased squared kernel distance.
        kernel_error: Its jackknife standard error.
        kernel_floor: The same distance for N training images; about 0 and of either sign.
        precision: Share of samples inside the real support.
        precision_real: The same for training images.
        recall: Share of real images inside the samples' support.
        recall_real: The same for training images.
        density: Mean number of real balls around a sample, over k.
        density_real: The same for training images.
        coverage: Share of real balls that hold a sample.
        coverage_real: The same for training images.
        classifier_score: Inception-score formula on the judge, 1 to 10.
        classifier_score_real: The same for test images.
        confident: Share of samples with a class probability above .95.
        confident_real: The same for test images.
        class_shares: Share of samples in each class, 0 to 9, as the judge reads them.
        class_shares_real: The same for test images.
        memorisation: Distances in pixels to the nearest training image, for up to 1,000 samples
            and as many test images.
    """

    samples: int
    references: int
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
    classifier_score: float
    classifier_score_real: float
    confident: float
    confident_real: float
    class_shares: tuple[float, ...]
    class_shares_real: tuple[float, ...]
    memorisation: metrics.Memorisation

    @property
    def frechet_ratio(self) -> float:
        """Frechet distance as a multiple of its floor."""
        return self.frechet_distance / self.frechet_floor

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as plain numbers, lists and dicts that JSON can hold."""
        values = asdict(self)
        values["frechet_ratio"] = self.frechet_ratio
        values["memorisation"] = self.memorisation._asdict()
        for name in ("class_shares", "class_shares_real"):
            values[name] = list(values[name])
        return values

    def __str__(self) -> str:
        """A table: metric, samples, real data."""
        memory = self.memorisation
        rows = [
            ("Frechet distance", _pm(self.frechet_distance, self.frechet_error),
             f"{self.frechet_floor:.4g}"),
            ("  times the floor", f"{self.frechet_ratio:.2f}", "1"),
            ("kernel distance", _pm(self.kernel_distance, self.kernel_error),
             f"{self.kernel_floor:.2g}"),
            *(
                (name, f"{getattr(self, name):.3f}", f"{getattr(self, name + '_real'):.3f}")
                for name in ("precision", "recall", "density", "coverage")
            ),
            ("classifier score", f"{self.classifier_score:.2f}",
             f"{self.classifier_score_real:.2f}"),
            (f"confident (> {CONFIDENT})", f"{self.confident:.1%}", f"{self.confident_real:.1%}"),
            ("smallest class", _class(self.class_shares, min), _class(self.class_shares_real, min)),
            ("largest class", _class(self.class_shares, max), _class(self.class_shares_real, max)),
            ("nearest training image", f"{memory.median:.2f}", f"{memory.reference_median:.2f}"),
            ("suspiciously near", f"{memory.share_close:.1%}", f"{memory.quantile:.1%}"),
        ]  # fmt: skip
        header = ("", f"{self.samples:,} samples", "real data")
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(3)]
        return "\n".join(
            f"{name:<{widths[0]}}  {own:>{widths[1]}}  {real:>{widths[2]}}"
            for name, own, real in [header, *rows]
        )


def evaluate(
    samples: Any, *, n: int = 10_000, data: ImageData | None = None, seed: int = 0
) -> Evaluation:
    """Computes every metric of a digit generator, each beside real data's own score.

    Args:
        samples: Images (N, 28, 28, 1), float32 in [-1, 1], all of which are used; or an object
            with ``sample(n, seed=...)``, such as a `gantut.GAN`; or a plain Keras generator.
        n: Number of samples to draw from a generator.
        data: Digits to compare with; MNIST if None. What is computed on the real side is kept in
            memory for the next call with the same arrays.
        seed: Seed of the draw, of the bootstrap, and of the choice of samples for memorisation.

    Returns:
        An `Evaluation`; print it for a table.

    Raises:
        TypeError: If `samples` is none of these, or `n` or `seed` is not an integer.
        ValueError: If images have another shape, dtype or range or contain NaN, if there are
            fewer than 6 of them, or if `data` are not digits that the judge can read.
    """
    images = _draw(samples, n, seed)
    if len(images) <= NEIGHBOURS:
        raise ValueError(f"samples: wanted at least {NEIGHBOURS + 1} images, got {len(images)}")
    reference = _reference(data)
    floor = reference.floor(len(images))
    features, probabilities = judge.outputs(images)
    side = _Side(features)

    chosen = np.random.default_rng(seed).permutation(len(images))[:MEMORISATION_SAMPLES]
    nearest = metrics.nearest_training_images(images[np.sort(chosen)], reference.data.x_train)
    kernel_distance, kernel_error = side.kernel(reference.side)
    manifold = side.manifold(reference.side)
    real = reference.probabilities
    return Evaluation(
        samples=len(images),
        references=len(reference.side.features),
        frechet_distance=metrics.frechet_distance(side.features, reference.side.features),
        frechet_error=metrics.frechet_distance_error(
            side.features, reference.side.features, seed=seed
        ),
        frechet_floor=floor.frechet,
        kernel_distance=kernel_distance,
        kernel_error=kernel_error,
        kernel_floor=floor.kernel,
        precision=manifold.precision,
        precision_real=floor.manifold.precision,
        recall=manifold.recall,
        recall_real=floor.manifold.recall,
        density=manifold.density,
        density_real=floor.manifold.density,
        coverage=manifold.coverage,
        coverage_real=floor.manifold.coverage,
        classifier_score=metrics.classifier_score(probabilities),
        classifier_score_real=metrics.classifier_score(real),
        confident=_confident(probabilities),
        confident_real=_confident(real),
        class_shares=tuple(metrics.class_histogram(probabilities).tolist()),
        class_shares_real=tuple(metrics.class_histogram(real).tolist()),
        memorisation=metrics.memorisation(nearest.distances[:, 0], reference.nearest_distances),
    )


def quick_frechet(
    samples: Any, *, n: int = 10_000, data: ImageData | None = None, seed: int = 0
) -> float:
    """Computes only the Frechet distance, for watching a training.

    After the first call, which reads the test set, 10,000 samples take about a second.

    Args:
        samples: As in `evaluate`.
        n: Number of samples to draw from a generator. Fewer samples mean a larger distance: keep
            it fixed within a comparison, and divide by ``frechet_floor(n)``.
        data: Digits to compare with; MNIST if None.
        seed: Seed of the draw.

    Returns:
        The squared Frechet distance to the test images on the judge's features.

    Raises:
        TypeError: As in `evaluate`.
        ValueError: As in `evaluate`; two images are enough.
    """
    images = _draw(samples, n, seed)
    return metrics.frechet_distance(judge.features(images), _reference(data).side.features)


def frechet_floor(n: int = 10_000, *, data: ImageData | None = None) -> float:
    """Computes the Frechet distance of `n` training images to the test images.

    Args:
        n: Number of training images, drawn without replacement with a fixed seed; at least 2.
        data: Digits to compare with; MNIST if None.

    Returns:
        The floor that a generator's distance, from as many samples, is to be divided by.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 2 or above the number of training images, or `data` are not
            digits that the judge can read.
    """
    _check.integer(n, "n", 2)
    reference = _reference(data)
    if n > len(reference.data.x_train):
        raise ValueError(
            f"n must be at most {len(reference.data.x_train)}, the training images, got {n}"
        )
    return reference.floor(n).frechet


class _Side:
    """Features of one set of images, with what all-pairs metrics need of that set alone."""

    def __init__(self, features: npt.NDArray[np.float32]) -> None:
        self.features = features.astype(np.float64)

    @cached_property
    def kernel_rows(self) -> npt.NDArray[np.float64]:
        return metrics._kernel_rows(self.features)

    @cached_property
    def radii(self) -> npt.NDArray[np.float64]:
        return metrics._radii(self.features, NEIGHBOURS)

    def kernel(self, real: "_Side") -> tuple[float, float]:
        return metrics._kernel(self.features, real.features, self.kernel_rows, real.kernel_rows)

    def manifold(self, real: "_Side") -> metrics.ManifoldMetrics:
        return metrics._manifold(real.features, self.features, NEIGHBOURS, real.radii, self.radii)


class _Floor:
    """Scores of n training images against the test images, each computed when first asked for."""

    def __init__(self, reference: "_Reference", n: int) -> None:
        train = reference.data.x_train
        rows = np.random.default_rng(_FLOOR_SEED).permutation(len(train))[:n]
        self._real = reference.side
        self._side = _Side(judge.features(train[rows]))

    @cached_property
    def frechet(self) -> float:
        return metrics.frechet_distance(self._side.features, self._real.features)

    @cached_property
    def kernel(self) -> float:
        return self._side.kernel(self._real)[0]

    @cached_property
    def manifold(self) -> metrics.ManifoldMetrics:
        return self._side.manifold(self._real)


class _Reference:
    """The real side: test images under the judge, and floors by number of samples."""

    def __init__(self, data: ImageData) -> None:
        for name in ("x_train", "x_test"):
            check_images(getattr(data, name), name=f"data.{name}", size=(28, 28), channels=1)
        self.data = data
        features, self.probabilities = judge.outputs(data.x_test)
        labels = np.asarray(data.y_test)
        accuracy = float(np.mean(self.probabilities.argmax(axis=1) == labels))
        if accuracy < _MINIMUM_ACCURACY:
            raise ValueError(
                f"data: the judge reads only {accuracy:.0%} of the test labels; it knows MNIST's "
                "digits, and its distances mean nothing on other images"
            )
        self.side = _Side(features)
        self._floors: dict[int, _Floor] = {}

    def floor(self, n: int) -> _Floor:
        n = min(n, len(self.data.x_train))
        if n not in self._floors:
            self._floors[n] = _Floor(self, n)
        return self._floors[n]

    @cached_property
    def nearest_distances(self) -> npt.NDArray[np.float64]:
        rows = np.random.default_rng(_FLOOR_SEED).permutation(len(self.data.x_test))
        held_out = self.data.x_test[np.sort(rows[:MEMORISATION_SAMPLES])]
        return metrics.nearest_training_images(held_out, self.data.x_train).distances[:, 0]


# The arrays are kept beside their ids, so that no id is used again while its entry lives.
_references: OrderedDict[tuple[int, int] | None, _Reference] = OrderedDict()
_KEPT = 2


def _reference(data: ImageData | None) -> _Reference:
    key = None if data is None else (id(data.x_train), id(data.x_test))
    if key not in _references:
        _references[key] = _Reference(load_mnist() if data is None else data)
        while len(_references) > _KEPT:
            _references.popitem(last=False)
    _references.move_to_end(key)
    return _references[key]


def _draw(samples: Any, n: int, seed: int) -> npt.NDArray[np.float32]:
    _check.integer(n, "n", 1)
    _check.integer(seed, "seed", 0)
    if hasattr(samples, "sample"):
        images = samples.sample(n, seed=seed)
    elif hasattr(samples, "inputs") and callable(samples):
        from gantut.sampling import sample

        images = sample(samples, n, seed=seed)
    elif isinstance(samples, np.ndarray) or hasattr(samples, "__array__"):
        images = samples
    else:
        raise TypeError(
            "samples: wanted images (N, 28, 28, 1), an object with sample(n, seed=...) or a Keras "
            f"generator, got {type(samples).__name__}"
        )
    return check_images(images, name="samples", size=(28, 28), channels=1)


def _confident(probabilities: npt.NDArray[np.float32]) -> float:
    return float(np.mean(probabilities.max(axis=1) > CONFIDENT))


def _pm(value: float, error: float) -> str:
    return f"{value:.4g} +- {error:.2g}"


def _class(shares: tuple[float, ...], pick: Any) -> str:
    share = pick(shares)
    return f"{shares.index(share)}: {share:.1%}"
