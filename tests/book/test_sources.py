"""Each source can be looked up, each entry is used, and nobody's fault is told without an address."""

import re

import project
import pytest
from project import BOOK

ENTRY = re.compile(r"^@\w+\{(\S+),\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
CITED = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
# Somebody else's work, by no name.
UNNAMED = re.compile(
    r"\b(?:(?:one|another|some|many|most|a popular|a well-known|two well-known) "
    r"(?:tutorials?|textbooks?|texts?|programs?|examples?|collections?|sources?|lists?)"
    r"|a (?:popular )?collection of \w+ GANs|a textbook|that we (?:have )?met)\b",
    re.IGNORECASE,
)
SOURCE = re.compile(r"\{cite|\]\(https?://|<https?://")


def pages() -> dict[str, str]:
    """The text of each page without its code."""
    return {
        page: re.sub(r"^(`{3,}).*?^\1$", "", (BOOK.parent / f"{page}.md").read_text("utf-8"),
                     flags=re.MULTILINE | re.DOTALL)
        for page in project.toc_pages()
    }  # fmt: skip


def unsourced(text: str) -> list[str]:
    """The paragraphs that speak of a work without its name and give no source."""
    paragraphs = re.split(r"\n\s*\n", text)
    return [one for one in paragraphs if UNNAMED.search(one) and not SOURCE.search(one)]


def test_each_entry_is_cited_and_each_cited_entry_is_there():
    entries = {key for key, _ in ENTRY.findall((BOOK / "references.bib").read_text("utf-8"))}
    cited = {
        key.strip()
        for page in project.toc_pages()
        for keys in CITED.findall((BOOK.parent / f"{page}.md").read_text("utf-8"))
        for key in keys.split(",")
    }
    assert entries - cited == set(), "in the bibliography, cited nowhere"
    assert cited - entries == set(), "cited, not in the bibliography"


def test_each_entry_can_be_looked_up():
    entries = ENTRY.findall((BOOK / "references.bib").read_text("utf-8"))
    assert len(entries) > 100
    for key, fields in entries:
        assert re.search(r"^  (?:doi|eprint|url) = \{\S+\},$", fields, re.MULTILINE), key


@pytest.mark.parametrize("page", project.toc_pages())
def test_what_is_said_of_a_work_names_it(page):
    assert unsourced(pages()[page]) == []


def test_a_work_without_a_name_is_noticed():
    assert unsourced("As one tutorial has it, D is linear.\n\nAnd so on.")
    assert not unsourced("As one tutorial has it {cite:p}`paul2021`, D is linear.")
    assert not unsourced("A tutorial may say so.")
