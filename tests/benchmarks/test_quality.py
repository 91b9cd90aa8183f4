"""What a row of the benchmark of quality says of samples."""

import sys
from pathlib import Path

import pytest

from gantut import judge, load_mnist

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import quality


@pytest.mark.slow
def test_images_of_the_floor_are_one_floor_away():
    data = load_mnist()
    row = quality.measured(data.x_train[judge.order(60_000)[: quality.SAMPLES]])
    assert row["frechet_ratio"] == row["second_judge"]["frechet_ratio"] == pytest.approx(1)
    assert 0.08 < row["smallest_class"] < row["largest_class"] < 0.13
