"""The map of the chapters on the first page, and the picture above it."""

import book_extension
import project
import pytest
from PIL import Image
from project import BOOK

FACTS = project.chapter_facts()
PARTS = [part for part in project.toc_parts() if part[1][0] in FACTS["chapters"]]
ORDER = [page for _, pages in PARTS for page in pages]
OPENING = BOOK / "_static/play/opening.webp"


def test_the_map_has_every_chapter():
    assert sorted(FACTS["chapters"]) == sorted(ORDER)
    assert set(project.chapters()) - set(ORDER) == {"book/welcome"}


def test_what_a_chapter_builds_on_comes_before_it():
    for page, fact in FACTS["chapters"].items():
        assert fact["level"] in (1, 2, 3), page
        for need in fact["needs"]:
            assert ORDER.index(need) < ORDER.index(page), (page, need)


def test_the_shortest_path_has_all_that_its_chapters_build_on():
    path = FACTS["shortest"]
    assert len(path) == 6
    for i, page in enumerate(path):
        assert set(FACTS["chapters"][page]["needs"]) <= set(path[:i]), page


def test_the_table_numbers_the_chapters_and_names_needs_by_number():
    fact = {"asks": "Why?", "needs": [], "level": 1}
    facts = {"chapters": {"book/a": fact, "book/b": {**fact, "needs": ["book/a"], "level": 3}}}
    lines = book_extension.map_table(
        facts,
        [("One", ["book/a"]), ("Two", ["book/b"])],
        {"book/a": (5, 2), "book/b": (7, None)},
    )
    assert lines[2:] == [
        "| | **One** | | | | | |",
        "| 1 | [](/book/a.md) | Why? |  | 1 | 5 | 2 |",
        "| | **Two** | | | | | |",
        "| 2 | [](/book/b.md) | Why? | [1](/book/a.md) | 3 | 7 | in the page |",
    ]


def test_minutes_are_rounded_up(monkeypatch, tmp_path):
    monkeypatch.setattr(book_extension, "ROOT", tmp_path)
    (tmp_path / "a.md").write_text("---\njupytext:\n---\n" + "word " * 201)
    (tmp_path / "b.md").write_text("word")
    assert book_extension.minutes("a", {"a": {"seconds": 61.0}}) == (2, 2)
    assert book_extension.minutes("b", {}) == (1, None)


@pytest.mark.parametrize(
    "unread",
    [
        "```{code-cell}\n" + "x = 1\n" * 300 + "```\n",
        "## Exercises\n" + "word " * 300,
        '<img alt="' + "word " * 300 + '">',
    ],
)
def test_code_exercises_and_markup_take_no_time(unread):
    assert project.reading_minutes("word " * 150) == 1
    assert project.reading_minutes("word " * 150 + "\n\n" + unread) == 1


def test_the_picture_stops_within_five_seconds():
    """WCAG 2.2.2: what moves longer needs a way to stop it."""
    with Image.open(OPENING) as film:
        assert film.info["loop"] == 1
        duration = 0
        for i in range(film.n_frames):
            film.seek(i)
            film.load()
            duration += film.info["duration"]
        end = film.convert("L")
    assert film.n_frames > 20
    assert duration <= 5_000
    assert OPENING.stat().st_size <= 300_000
    with Image.open(OPENING.with_suffix(".png")) as still:
        assert still.convert("L").tobytes() == end.tobytes()
