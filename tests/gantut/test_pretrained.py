"""Generators that ship are what their records say."""

import hashlib
from pathlib import Path

import pytest

import gantut
from gantut import pretrained
from gantut.sampling import sample


def test_fast_ships():
    assert "fast" in pretrained.available()


@pytest.mark.parametrize("name", pretrained.available())
def test_generators_that_ship_are_what_their_records_say(name):
    folder = Path(gantut.__file__).parent / "weights"
    record = pretrained.record(name)
    content = (folder / f"{name}.npz").read_bytes()
    assert record["bytes"] == len(content)
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["training"]["command"].startswith(f"gantut train {record['recipe']} ")
    generator = gantut.load(name)
    assert generator.count_params() == record["parameters"]
    images = sample(generator, 16, seed=0)
    assert images.shape == (16, *record["image_shape"])
    assert {"tensorflow", "keras", "numpy"} <= set(record["training"]["environment"]["versions"])


def test_all_that_ships_weighs_two_megabytes_at_most():
    folder = Path(gantut.__file__).parent / "weights"
    assert sum((folder / f"{name}.npz").stat().st_size for name in pretrained.available()) <= 2e6


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="known are conditional_fast, fast"):
        pretrained.load("judge")
