"""Where a benchmark judges a training, and the seconds that it counts."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from lib import marks


@pytest.fixture
def trained(monkeypatch):
    """Trains three steps at a time, in 2 seconds; judging takes 100. Returns the rows."""
    clock = [50.0]
    monkeypatch.setitem(marks.CLOCKS, "seconds", lambda: clock[0])

    def judge(model):
        clock[0] += 100
        return {"seen": int(model.step_counter.numpy())}

    def train(executions, *places, **settings):
        steps = np.zeros((), int)
        model = SimpleNamespace(
            step_counter=SimpleNamespace(numpy=lambda: steps), stop_training=False
        )
        callback = marks.Marks(places, judge, clock="seconds", **settings)
        callback.set_model(model)
        callback.on_train_begin()
        while executions and not model.stop_training:
            executions, clock[0] = executions - 1, clock[0] + 2
            steps += 3
            callback.on_train_batch_end(int(steps) - 1)
        callback.on_train_end()
        return [(row["step"], row["seconds"], row["seen"]) for row in callback.rows]

    return train


def test_a_model_is_judged_once_where_marks_are_reached_until_the_last(trained):
    assert trained(9, 0, 1, 2, 7, 12) == [(0, 0, 0), (3, 2, 3), (9, 6, 9), (12, 8, 12)]


def test_a_training_that_ends_before_the_last_mark_is_judged_there(trained):
    assert trained(2, 3, 100) == [(3, 2, 3), (6, 4, 6)]
    assert trained(1, 3, 100) == [(3, 2, 3)]


def test_marks_of_seconds_leave_out_the_judging(trained):
    assert trained(9, 3, 7, of="seconds") == [(6, 4, 6), (12, 8, 12)]


def test_the_first_execution_is_left_out_of_the_seconds_of_a_step():
    times = iter([5.0, 25.0, 26.0, 28.0])
    executions = marks.Executions(lambda: next(times))
    executions.on_train_begin()
    for last in (15, 31, 39):
        executions.on_train_batch_end(last)
    steps, seconds = executions.taken()
    assert (steps.tolist(), seconds.tolist()) == ([16, 8], [1, 2])
