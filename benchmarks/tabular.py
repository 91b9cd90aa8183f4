"""Measurements behind the chapter on densities and tables.

Two experiments, five seeds each. A seed fixes the split, the training and the samples.

- ``density``: 2,000 points of two moons and of a spiral. GANs, kernel density estimates and the
  training points themselves beside 4,000 new points.
- ``table``: the tables ``diabetes`` and ``breast cancer`` of scikit-learn, cut into a training half
  and a held-out half. GANs, what a practitioner would do instead, and the training half itself
  beside the held-out half. Every synthetic table has as many records as the training half; each
  method draws three, and their mean counts.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from lib.recording import main
from scipy.stats import gaussian_kde
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gantut.applications import rivals, tabular

POINTS, NEW_POINTS = 2_000, 4_000
DRAWS = 3
DENSITY_GANS: dict[str, dict[str, Any]] = {
    "plain GAN": {"method": "plain"},
    "GAN": {"method": "steady"},
    "GAN, 2 latent numbers": {"method": "steady", "latent_dim": 2},
}
TABLE_GANS: dict[str, dict[str, Any]] = {
    "plain GAN": {"method": "plain"},
    "GAN": {"method": "steady"},
    "GAN, standard scaling": {"method": "steady", "scaling": "standard"},
    "GAN, 8,000 steps": {"method": "steady", "steps": 8_000},
}
RIVALS = {
    "independent columns": rivals.independent_columns,
    "Gaussian copula": rivals.gaussian_copula,
    "Gaussian mixture": rivals.gaussian_mixture,
    "sequential trees": rivals.sequential_trees,
    "interpolation": rivals.interpolated_records,
}
METHODS = {
    "density": ("new points", "training points", "KDE", "KDE, Scott", *DENSITY_GANS),
    "table": ("real records", *RIVALS, *TABLE_GANS),
}


def moons(n: int, seed: int) -> Any:
    """Points of two moons."""
    return datasets.make_moons(n, noise=0.06, random_state=seed)[0]


def spiral(n: int, seed: int) -> Any:
    """Points of one turn of a spiral, evenly dense along it."""
    rng = np.random.default_rng(seed)
    turn = 3 * np.pi * np.sqrt(rng.uniform(0.1, 1, n))
    line = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 5
    return line + 0.05 * rng.standard_normal((n, 2))


def best_kernel_density(points: Any) -> KernelDensity:
    """A kernel density estimate whose bandwidth is chosen by cross-validation."""
    grid = {"bandwidth": np.geomspace(0.02, 0.4, 12)}
    return GridSearchCV(KernelDensity(), grid, cv=5).fit(points).best_estimator_


def diabetes() -> tuple[Any, tuple[str, ...]]:
    """442 patients: age, sex, eight measurements, and the disease a year later."""
    data = datasets.load_diabetes(scaled=False)
    table = np.column_stack([data.data, data.target])
    whole = [np.array_equal(column, np.rint(column)) for column in table.T]
    kinds = ["integer" if w else "continuous" for w in whole]
    kinds[data.feature_names.index("sex")] = "category"
    return table, tuple(kinds)


def breast_cancer() -> tuple[Any, tuple[str, ...]]:
    """569 tumours: the means of ten measurements of cell nuclei, and the diagnosis."""
    data = datasets.load_breast_cancer()
    table = np.column_stack([data.data[:, :10], data.target])
    return table, ("continuous",) * 10 + ("category",)


TABLES: dict[str, Callable[[], tuple[Any, tuple[str, ...]]]] = {
    "diabetes": diabetes,
    "breast cancer": breast_cancer,
}


def predictors(name: str) -> dict[str, Any]:
    """A linear model and a forest that predict the last column."""
    if name == "diabetes":
        return {
            "linear": make_pipeline(StandardScaler(), RidgeCV()),
            "forest": RandomForestRegressor(min_samples_leaf=3, random_state=0),
        }
    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "forest": RandomForestClassifier(min_samples_leaf=3, random_state=0),
    }


def halves(table: Any, seed: int) -> tuple[Any, Any]:
    """A training half and a held-out half."""
    order = np.random.default_rng(seed).permutation(len(table))
    half = len(table) // 2
    return table[order[:half]], table[order[half : 2 * half]]


def mean_measures(
    name: str, kinds: tuple[str, ...], train: Any, holdout: Any, made: list[Any]
) -> dict[str, float]:
    """The means of the measures over synthetic tables."""
    found = []
    for synthetic in made:
        forest = RandomForestClassifier(50, min_samples_leaf=3, random_state=0)
        measured = tabular.measure(synthetic, train, holdout, kinds, forest)._asdict()
        for model, predictor in predictors(name).items():
            measured[model] = tabular.train_on_synthetic(predictor, synthetic, holdout, -1)
        found.append(measured)
    return {key: float(np.mean([f[key] for f in found])) for key in found[0]}


def density_rows(seed: int, method: str) -> Iterator[dict[str, Any]]:
    """GANs and kernel density estimates on points in the plane."""
    for name, draw in (("moons", moons), ("spiral", spiral)):
        points, new = draw(POINTS, seed), draw(NEW_POINTS, 1_000 + seed)
        begin = time.process_time()
        row: dict[str, Any] = {"data": name}
        if method == "new points":
            made = draw(NEW_POINTS, 2_000 + seed)
        elif method == "training points":
            made = points
        elif method == "KDE":
            density = best_kernel_density(points)
            made = density.sample(NEW_POINTS, random_state=seed)
            row["bandwidth"] = float(density.bandwidth_)
        elif method == "KDE, Scott":
            made = gaussian_kde(points.T).resample(NEW_POINTS, seed=seed).T
        else:
            run = tabular.train(
                points,
                ("continuous", "continuous"),
                scaling="standard",
                widths=(64, 64, 64),
                seed=seed,
                **DENSITY_GANS[method],
            )
            made = run.sample(NEW_POINTS, seed=seed)
        row["cpu_seconds"] = time.process_time() - begin
        row["energy"] = tabular.energy_distance(new, made)
        row["told_apart"] = tabular.two_sample_accuracy(
            KNeighborsClassifier(20), new[:POINTS], made[:POINTS]
        )
        yield row


def table_rows(seed: int, method: str) -> Iterator[dict[str, Any]]:
    """GANs and their rivals on tables."""
    for name, load in TABLES.items():
        table, kinds = load()
        train, holdout = halves(table, seed)
        n = len(train)
        begin = time.process_time()
        if method == "real records":
            made = [train]
        elif method in RIVALS:
            made = [RIVALS[method](train, kinds, n, DRAWS * seed + i) for i in range(DRAWS)]
        else:
            run = tabular.train(train, kinds, seed=seed, **TABLE_GANS[method])
            made = list(run.sample(DRAWS * n, seed=seed).reshape(DRAWS, n, -1))
        cpu_seconds = time.process_time() - begin
        measured = mean_measures(name, kinds, train, holdout, made)
        yield {"data": name, "cpu_seconds": cpu_seconds, **measured}


if __name__ == "__main__":
    main(
        __doc__,
        {"density": density_rows, "table": table_rows},
        {"seed": (0, 1, 2, 3, 4), "method": METHODS},
        draws=DRAWS,
    )
