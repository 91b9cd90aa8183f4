"""An answer within the solution's bounds is right, and a wrong one is told what is off, no more."""

import json

import numpy as np
import pytest

from gantut import exercises

ANSWERS = json.loads(exercises._ANSWERS.read_text("utf-8"))


def middle(label):
    """A right answer: in the middle of the bounds."""
    low, high = (np.array(ANSWERS[label][bound], float) for bound in ("low", "high"))
    return np.asarray((low + high) / 2)


@pytest.mark.parametrize("label", exercises.labels())
def test_only_what_is_within_the_bounds_is_right(label):
    right = middle(label)
    low, high = (np.array(ANSWERS[label][bound], float) for bound in ("low", "high"))
    assert (low <= high).all()
    assert exercises.check(label, right) == "right"
    assert exercises.check(label, right.tolist()) == "right"
    assert exercises.check(label, right[..., None]).startswith("the wrong shape, (")
    for i in np.ndindex(right.shape):
        for off, hint in ((high + 1e-6 * (1 + abs(high)), "large"), (low - 1, "small")):
            wrong = right.copy()
            wrong[i] = off[i]  # i is () for one number
            said = exercises.check(label, wrong)
            assert said != "right"
            assert f"too {hint}" in said or "the wrong sign" in said
            if right.ndim:
                assert f"number {np.ravel_multi_index(i, right.shape) + 1} of {right.size}" in said


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.7, "right"),
        (np.float32(0.7), "right"),
        (0.5, "too small"),
        (0.9, "too large"),
        (-0.7, "the wrong sign"),
        (70, "too large: is it in per cent? A share is between 0 and 1"),
        (float("nan"), "not finite"),
        ("most", "not a number or an array of numbers: str"),
        (None, "not finite"),
        ({}, "not a number or an array of numbers: dict"),
        (..., "not answered yet: put your answer in place of the dots"),
        ([0.7], "the wrong shape, (1,): asked for is the share"),
    ],
)
def test_the_hint_says_what_is_off_and_not_what_is_right(tmp_path, monkeypatch, answer, hint):
    path = tmp_path / "exercises.json"
    path.write_text(json.dumps({"one": {"asked": "the share", "low": 0.6, "high": 0.8}}))
    monkeypatch.setattr(exercises, "_ANSWERS", path)
    assert exercises.labels() == ("one",)
    assert exercises.check("one", answer) == hint


def test_an_unknown_exercise_is_an_error():
    with pytest.raises(ValueError, match="label"):
        exercises.check("ex-nowhere", 1)
