"""The benchmarks' files: rows that are run again take the place of the old, others stay."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "lib" / "recording.py"


@pytest.fixture
def recording():
    spec = importlib.util.spec_from_file_location("recording", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def command(recording, tmp_path, monkeypatch):
    """Calls `main` as a script of two experiments would, and returns the calls and the rows."""
    monkeypatch.setattr(recording, "use_one_thread", lambda: None)
    calls = []

    def experiment(name):
        def rows(seed, digit):
            calls.append((name, seed, digit))
            yield {"value": 10 * seed + digit, "run": len(calls)}

        return rows

    def run(*words):
        out = tmp_path / "x.json"
        monkeypatch.setattr(sys, "argv", ["benchmarks/x.py", "--out", str(out), *words])
        calls.clear()
        known = {name: experiment(name) for name in ("long", "short")}
        digits = {"long": (4, 7), "short": (4,)}
        recording.main("A table.", known, {"seed": (0, 1), "digit": digits}, group="part", draws=3)
        return list(calls), read(out)

    return run


def test_the_command_runs_each_experiment_for_each_value_of_its_keys(command):
    calls, found = command()
    assert calls == [
        *(("long", seed, digit) for seed in (0, 1) for digit in (4, 7)),
        *(("short", seed, 4) for seed in (0, 1)),
    ]
    assert found["rows"][1] == {"part": "long", "seed": 0, "digit": 7, "value": 7, "run": 2}
    assert (found["seeds"], found["draws"]) == ([0, 1], 3)
    assert found["command"] == "python benchmarks/x.py"


def test_the_command_runs_what_is_named_and_keeps_the_rest(command):
    command()
    calls, found = command("--only", "long", "--seeds", "1", "--digits", "7")
    assert calls == [("long", 1, 7)]
    assert len(found["rows"]) == 6
    again = [row for row in found["rows"] if row["run"] == 1]
    assert [(row["part"], row["seed"], row["digit"]) for row in again] == [
        ("long", 0, 4),
        ("long", 1, 7),
    ]


def test_the_command_refuses_an_unknown_experiment(command, capsys):
    with pytest.raises(SystemExit):
        command("--only", "medium")
    assert "invalid choice: 'medium'" in capsys.readouterr().err


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


def test_a_command_has_keys_of_words_options_and_heads_of_the_rows(
    recording, tmp_path, monkeypatch
):
    def rows(library, folder):
        yield {"length": len(library), "folder": folder}

    out = tmp_path / "x.json"
    words = ["x.py", "--libraries", "two", "--folder", "here", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", words)
    recording.main(
        "A table.",
        {"all": rows},
        {"library": ("one", "three")},
        group=None,
        options={"folder": {"required": True}},
        one_thread=False,
        total=lambda rows: sum(row["length"] for row in rows),
    )
    found = read(out)
    assert found["rows"] == [{"library": "two", "length": 3, "folder": "here"}]
    assert found["total"] == 3
