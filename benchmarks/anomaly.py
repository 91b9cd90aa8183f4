"""Measurements behind the chapter on anomaly detection.

    python benchmarks/anomaly.py

All images of one digit of MNIST are the anomaly: 80 % of the others train, and the rest is judged
together with a quarter of the test set of Zenati et al. 2018 (drawn at random, normal and anomalous
images alike, so that their ratio is the protocol's). A seed fixes the split and the training.

- ``choice``: digit 3 left out, one seed: where settings were chosen.
- ``digits``: digits 1, 4, 5, 7 and 9, three seeds, with what was chosen.

All of it runs on one thread. ``--rows`` names experiments to run again, ``--digits`` and
``--seeds`` what of them; other rows are kept. Writes benchmarks/results/anomaly.json after each
digit.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gantut import load_mnist
from gantut._backend import tf
from gantut._io import environment, write_json
from gantut.applications import anomaly

RESULT = Path(__file__).parent / "results" / "anomaly.json"
TEST_SHARE = 0.25
EXPERIMENTS: dict[str, tuple[list[int], list[int]]] = {
    "choice": ([3], [0]),
    "digits": ([1, 4, 5, 7, 9], [0, 1, 2]),
}


def scored(split: anomaly.Split, seed: int, choice: bool) -> Iterator[tuple[str, Any, float]]:
    """Yields names of methods, their scores of the test images, and CPU seconds."""
    train, test = split.train, split.test
    begin = time.process_time()

    def spent() -> float:
        nonlocal begin
        before, begin = begin, time.process_time()
        return begin - before

    for components in (4, 8, 16) if choice else (8,):
        residuals = anomaly.pca_residuals(train, test, components)
        name = f", {components}" if choice else ""
        yield f"PCA residual{name}", residuals, spent()
    yield "nearest pixels", anomaly.neighbour_scores(train, test), spent()
    for components in (20, 40) if choice else (40,):
        spent()
        a, b = anomaly.principal_components(train, test, components)
        scores = anomaly.neighbour_scores(a, b, angle=True)
        name = f", {components}" if choice else ""
        yield f"nearest components by angle{name}", scores, spent()
    for latent_dim in (8, 32) if choice else (8,):
        spent()
        detector = anomaly.train_autoencoder(train, latent_dim=latent_dim, seed=seed)
        name = f", {latent_dim}" if choice else ""
        yield f"autoencoder residual{name}", detector.residuals(test), spent()
        scores = detector.neighbour_scores(train, test)
        yield f"autoencoder nearest{name}", scores, spent()

    for latent_dim in (16, 64) if choice else (64,):
        spent()
        detector = anomaly.train(train, latent_dim=latent_dim, seed=seed)
        training = spent()
        name = f", {latent_dim}" if choice else ""
        yield f"f-AnoGAN, pixels alone{name}", detector.residuals(test, kappa=0.0), training
        yield f"f-AnoGAN{name}", detector.residuals(test), training
        spent()
        of_train, of_test = detector.features(train), detector.features(test)
        logs = [
            np.log(anomaly.neighbour_scores(a, b, angle=True))
            for a, b in zip(of_train, of_test, strict=True)
        ]
        total = training + spent()
        yield f"GAN nearest, E alone{name}", logs[0], total
        yield f"GAN nearest, D alone{name}", logs[1], total
        yield f"GAN nearest{name}", np.mean(logs, axis=0), total


def main() -> None:
    """Runs the experiments that were asked for, and writes the file after each digit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--digits", nargs="+", type=int)
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    data = load_mnist()
    images = np.concatenate([data.x_train, data.x_test])
    labels = np.concatenate([data.y_train, data.y_test])
    rows: list[dict[str, Any]] = []
    if arguments.out.exists():
        rows = json.loads(arguments.out.read_text("utf-8"))["rows"]
    for experiment in arguments.rows:
        digits, seeds = EXPERIMENTS[experiment]
        # Seeds first: a run that is stopped has whole columns.
        for seed in arguments.seeds or seeds:
            for digit in arguments.digits or digits:
                key = {"experiment": experiment, "digit": digit, "seed": seed}
                split = anomaly.leave_one_out(
                    images, labels, digit, seed=seed, test_share=TEST_SHARE
                )
                new = []
                for method, scores, cpu_seconds in scored(split, seed, experiment == "choice"):
                    new.append(
                        {
                            **key,
                            "method": method,
                            "auroc": anomaly.auroc(scores, split.anomalous),
                            "auprc": anomaly.auprc(scores, split.anomalous),
                            "prevalence": float(split.anomalous.mean()),
                            "cpu_seconds": cpu_seconds,
                        }
                    )
                    print(new[-1], flush=True)
                rows = [row for row in rows if any(row[k] != key[k] for k in key)] + new
                write_json(
                    arguments.out,
                    {
                        "command": "python benchmarks/anomaly.py",
                        "seeds": sorted({row["seed"] for row in rows}),
                        "test_share": TEST_SHARE,
                        "environment": environment(),
                        "rows": rows,
                    },
                )


if __name__ == "__main__":
    main()
