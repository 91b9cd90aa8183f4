"""The benchmarks' files: rows that are run again take the place of the old, others stay."""

import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "recording.py"


@pytest.fixture
def recording():
    spec = importlib.util.spec_from_file_location("recording", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_a_group_takes_the_place_of_its_old_rows_alone(recording, tmp_path, capsys):
    path = tmp_path / "x.json"
    recording.Record(path, draws=3).put([{"v": 1}, {"v": 2}], experiment="a", seed=0)
    record = recording.Record(path, draws=3)
    record.put([{"v": 3}], experiment="a", seed=1)
    record.put([{"v": 4, "curve": [1, 2]}], experiment="a", seed=0)
    found = read(path)
    assert found["rows"] == [
        {"experiment": "a", "seed": 1, "v": 3},
        {"experiment": "a", "seed": 0, "v": 4, "curve": [1, 2]},
    ]
    assert found["seeds"] == [0, 1]
    assert found["draws"] == 3
    assert found["command"].startswith("python benchmarks/")
    assert {"versions", "python", "machine", "device"} <= found["environment"].keys()
    assert "curve" not in capsys.readouterr().out


def test_a_group_that_breaks_off_loses_nothing(recording, tmp_path):
    path = tmp_path / "x.json"
    recording.Record(path).put([{"v": 1}], seed=0)

    def rows():
        yield {"v": 2}
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        recording.Record(path).put(rows(), seed=0)
    assert read(path)["rows"] == [{"seed": 0, "v": 1}]


def test_a_timed_call_returns_what_it_made_and_its_processor_time(recording, monkeypatch):
    clock = iter([3.0, 5.5])
    monkeypatch.setattr(recording.time, "process_time", lambda: next(clock))
    assert recording.timed(divmod, 7, 2) == ((3, 1), 2.5)
