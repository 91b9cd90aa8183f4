"""Recorded results are found, say where they come from, and become tables that render."""

import json
import math

import numpy as np
import pytest
from docutils.nodes import table
from myst_parser.parsers.docutils_ import Parser
from scipy import stats

from gantut import results


def test_each_recorded_result_says_how_it_was_made():
    assert "fast" in results.available()
    for name in results.available():
        result = results.load(name)
        assert result["rows"], name
        # Said once for all rows, or by each row that was run by itself.
        for row in result["rows"]:
            said = {**result, **row}
            assert said["command"].startswith(f"python benchmarks/{name}.py"), name
            assert {"versions", "python", "machine", "device"} <= said["environment"].keys(), name


def test_an_unknown_result_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"slow.*fast"):
        results.load("slow")
    with pytest.raises(ValueError, match="name"):
        results.load("../results/fast")


def test_an_installed_package_reads_its_own_copy(tmp_path, monkeypatch):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "one.json").write_text(json.dumps({"from": folder.name}))
    monkeypatch.setattr(results, "_FOLDERS", (inside, outside))
    assert results.load("one") == {"from": "inside"}
    (inside / "one.json").unlink()
    assert results.load("one") == {"from": "outside"}


def test_mean_and_error():
    values = [1.0, 2.0, 4.0, 9.0]
    mean, error = results.mean_and_error(values)
    assert mean == np.mean(values)
    assert math.isclose(error, np.std(values, ddof=1) / 2)
    with pytest.raises(ValueError, match="two values"):
        results.mean_and_error([1.0])


def test_select():
    rows = [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 2}]
    assert results.select(rows, a=1) == rows[:2]
    assert results.select(rows, b=3) == rows[1:2]
    with pytest.raises(ValueError, match="'c'"):
        results.select(rows, a=1, c=None)


def test_grouped():
    rows = [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 2, "b": 3}]
    assert results.grouped(rows, "a") == {2: [rows[0], rows[2]], 1: [rows[1]]}
    assert list(results.grouped(rows, "a", "b")) == [(2, 1), (1, 1), (2, 3)]


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_paired_difference_is_that_of_students_test(confidence):
    first, second = np.random.default_rng(0).normal(size=(2, 5))
    mean, half = results.paired_difference(first, second, confidence)
    interval = stats.ttest_rel(first, second).confidence_interval(confidence)
    np.testing.assert_allclose([mean - half, mean + half], interval, rtol=1e-12)


def test_the_verdict_is_that_of_the_interval():
    ahead, level = [3.0, 4.0, 3.5], [1.0, 4.0, 2.0]
    behind = [0.0, 1.1, 0.4]
    assert results.verdict(ahead, behind) == results.verdict(behind, ahead, better=-1) == "first"
    assert results.verdict(behind, ahead) == results.verdict(ahead, behind, better=-1) == "second"
    # The differences 2, 0 and 1.5 have the mean 1.17 and the standard error 0.60, times 4.3.
    assert results.verdict(ahead, level) == "tie"
    assert results.verdict(ahead, level, confidence=0.5) == "first"
    assert results.verdict(ahead, ahead) == "tie"


def test_a_difference_needs_pairs():
    with pytest.raises(ValueError, match="2 and 3"):
        results.paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="two values"):
        results.paired_difference([1], [2])
    with pytest.raises(ValueError, match="confidence"):
        results.paired_difference([1, 2], [2, 3], 95)


def test_markdown_is_a_table_to_the_parser_of_the_book():
    from docutils.frontend import get_default_settings
    from docutils.utils import new_document

    text = results.markdown(["method", "modes"], [["plain | GAN", 6.5], ["two\nlines", "8"]])
    assert text.splitlines()[1] == "| :-- | --: |"
    document = new_document("x", get_default_settings(Parser))
    Parser().parse(text, document)
    (node,) = document.findall(table)
    cells = [entry.astext() for entry in node.findall(lambda n: n.tagname == "entry")]
    assert cells == ["method", "modes", "plain | GAN", "6.5", "two lines", "8"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="1 cells"):
        results.markdown(["a", "b"], [["1"]])


def test_a_notebook_shows_a_table():
    formatters = pytest.importorskip("IPython.core.formatters")
    made = results.markdown(["method", "modes"], [["GAN", 8]])
    shown, _ = formatters.DisplayFormatter().format(made)
    assert shown["text/markdown"] == made
    assert type(shown["text/markdown"]) is str


def test_a_mean_and_its_error_have_as_many_digits():
    assert results.plus_minus([0.5, 0.7], 1, 100) == "60.0 ± 10.0"
    assert results.plus_minus(np.array([1.0, 2.0, 3.0]), 2) == "2.00 ± 0.58"
    assert results.plus_minus([1000, 2000], 0) == "1,500 ± 500"


def test_a_table_of_methods_and_measures():
    rows = [
        {"method": "GAN", "seed": 0, "right": 0.9, "seconds": 10},
        {"method": "GAN", "seed": 1, "right": 0.8, "seconds": 14},
        {"method": "real", "seed": 0, "right": 1.0},
        {"method": "real", "seed": 1, "right": 1.0},
    ]
    made = results.comparison(
        "two seeds",
        {name: results.select(rows, method=name) for name in ("GAN", "real")},
        {
            "right (%)": ("right", 1, 100),
            "seconds": ("seconds", 0, 1),
            "runs": lambda some: str(len(some)),
        },
    )
    assert made.splitlines() == [
        "| two seeds | right (%) | seconds | runs |",
        "| :-- | --: | --: | --: |",
        "| GAN | 85.0 ± 5.0 | 12 ± 2 | 2 |",
        "| real | 100.0 ± 0.0 |  | 2 |",
    ]
