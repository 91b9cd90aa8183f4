"""The record of the sabotaged chapters is current, and each sabotage does what it says."""

from functools import partial

import numpy as np
import pytest
import sabotage
import tiny
from project import chapters

from gantut import networks, recipes


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_notices_each_sabotage_that_touches_it(page):
    found = sabotage.read_record()[page]
    assert set(found) == set(sabotage.SABOTAGES)
    assert [name for name, result in found.items() if sabotage.is_missed(page, name, result)] == []


@pytest.mark.parametrize("page", chapters())
def test_what_is_recorded_of_a_chapter_is_still_there(page):
    for result in sabotage.read_record()[page].values():
        assert "line" not in result or len(sabotage.cells_with(page, result["line"])) == 1


def test_who_is_spared_has_a_run_that_says_so():
    found = sabotage.read_record()
    assert all(found[page][name].get("touched") for page, name in sabotage.SPARED)


@pytest.fixture
def breaking(monkeypatch):
    """Applies a sabotage until the test's end."""
    monkeypatch.setattr(sabotage, "patch", monkeypatch.setattr)
    monkeypatch.setattr(sabotage, "touched", [])
    return lambda name: sabotage.SABOTAGES[name]()


def trained(steps=8, labels=None, **changes):
    """A short training's GAN."""
    return recipes.train(tiny.recipe(**changes), tiny.images(), labels, steps=steps).gan


def parameters(network):
    """What training moves, be it frozen or not; batch normalisation's means move by themselves."""
    return [weight.numpy() for weight in network.weights if "moving" not in weight.path]


def same(one, other, network):
    """Whether two GANs have the same parameters in a network."""
    pairs = zip(*(parameters(getattr(gan, network)) for gan in (one, other)), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("name", "still"),
    [
        ("untrained", ["generator", "discriminator", "ema_generator"]),
        ("blind", ["discriminator"]),
        ("unaveraged", ["ema_generator"]),
    ],
)
def test_what_a_sabotage_stops_does_not_move(breaking, name, still):
    breaking(name)
    early, late = trained(steps=2), trained(steps=8)
    players = ("generator", "discriminator", "ema_generator")
    assert [player for player in players if same(early, late, player)] == still
    assert sabotage.touched


def test_penalties_are_zero(breaking):
    without = trained()
    breaking("unpenalised")
    assert same(trained(penalties={"r1": 10.0}), without, "discriminator")
    assert sabotage.touched


def test_labels_are_those_of_other_images(breaking):
    conditional = {
        "conditional": True,
        "generator": partial(networks.mlp_generator, 4, widths=(8,), num_classes=3),
        "discriminator": partial(networks.projection_mlp_discriminator, widths=(8,), num_classes=3),
    }
    alike, mixed = np.zeros(64, int), np.arange(64) % 3
    right = [trained(labels=labels, **conditional) for labels in (alike, mixed)]
    breaking("mislabelled")
    wrong = [trained(labels=labels, **conditional) for labels in (alike, mixed)]
    assert [same(*pair, "discriminator") for pair in zip(right, wrong, strict=True)] == [
        True,
        False,
    ]


def test_samples_are_copies_of_one(breaking):
    breaking("collapsed")
    samples = trained().sample(5)
    assert np.ptp(samples, axis=0).max() == 0 < np.ptp(samples)


def test_samples_are_training_images(breaking):
    breaking("copying")
    known = {image.tobytes() for image in tiny.images()}
    assert all(image.tobytes() in known for image in trained().sample(5))
