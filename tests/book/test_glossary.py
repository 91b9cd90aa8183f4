"""The glossary has each term that pages mark, and each abbreviation in the text of several."""

import collections
import re

from project import BOOK

ENTRIES = re.findall(r"^(\S.*)\n  \S", (BOOK / "glossary.md").read_text("utf-8"), re.MULTILINE)
PAGES = {path.stem: path.read_text("utf-8") for path in sorted(BOOK.glob("*.md"))}
NOT_PROSE = (
    r"```.*?```|^\|[^\n]*$|\$\$.*?\$\$|:::\{raw\}.*?:::|`[^`\n]*`|\$[^$\n]*\$|\]\([^)]*\)|<[^>]*>"
)
# Software, licences, units and hardware, which a reader looks up elsewhere.
NOT_TERMS = {
    "BY",
    "CC",
    "CPU",
    "GPU",
    "GPUs",
    "MB",
    "MIT",
    "NaN",
    "NumPy",
    "PDF",
    "PyTorch",
    "TensorFlow",
}


def test_entries_are_in_alphabetical_order_and_once():
    assert len(ENTRIES) > 100
    assert sorted(set(ENTRIES), key=str.casefold) == ENTRIES


def test_each_marked_term_is_an_entry():
    known = {entry.casefold() for entry in ENTRIES}
    marked = collections.defaultdict(set)
    for page, text in PAGES.items():
        for content in re.findall(r"\{term\}`([^`]+)`", text):
            target = re.search(r"<(.+)>$", content)
            marked[(target[1] if target else content).casefold()].add(page)
    assert len(marked) > 50
    assert {term: pages for term, pages in marked.items() if term not in known} == {}


def test_each_abbreviation_of_several_chapters_is_explained():
    pages = collections.defaultdict(set)
    for page in PAGES.keys() - {"api", "changelog", "glossary", "notation", "troubleshooting"}:
        prose = re.sub(NOT_PROSE, " ", PAGES[page], flags=re.DOTALL | re.MULTILINE)
        for word in re.findall(r"\b\w*[A-Z]\w*[A-Z0-9]\w*\b", prose):
            pages[word].add(page)
    common = {word for word, where in pages.items() if len(where) > 1} - NOT_TERMS
    assert len(common) > 15
    assert {word for word in common if not re.search(rf"\b{word}", PAGES["glossary"])} == set()
