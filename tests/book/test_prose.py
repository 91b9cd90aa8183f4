"""The pages' English: one spelling for a word, none of our old habits, no endless sentence."""

import re
from pathlib import Path

import pytest
import quiz
from project import BOOK, ROOT

PAGES = [
    *sorted(BOOK.glob("*.md")),
    *sorted(BOOK.glob("quizzes/*.yml")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]
LONGEST = 45  # words of a sentence
INSTEAD = {  # a pattern, and what to write
    r"optimis(e|ed|er|ers|ing)": "optimize, optimizer",
    r"learnt": "learned",
    r"artefacts?": "artifact",
    r"per cent": "%",
    r"\d+ ?x ?\d+": "28×28",
    r"made (images?|digits?|samples?|ones?|pictures?)": "generated",
    r"beside": "next to, or in addition to",
    r"at hand": "available",
    r"(lies|lie|lay|stands?|stood) (at|on|beside|next to|below|above|under)": "is",
    r"as one (would|expects|sees|likes)|one (sees|gets|wants|needs|expects)": "you or we",
    r"who(so)?ever|wherein|whereof|thereof|whither": "a plain word",
    r"by heart|anew|in a breath|for want of|the short of it|cry out|cries out": "a plain word",
    r"thrift\w*|scorn\w*|zeal\w*|ruinous\w*": "a plain word",
    r"comes? to nothing|came of|comes? of": "a plain verb",
    r"obviously|of course|needless to say|it should be noted": "nothing",
    r"times as badly|twice as late": "times worse, takes twice as long",
    r"is no (digit|error|image|picture|number)|are no errors": "is not a",
    r"[Tt]hat is what": "the thing by its name",
}


def paragraphs(text: str) -> list[str]:
    """The prose of a page: no code, formulas, tables, directives or HTML; roles as one word."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^(`{3,}).*?^\1", "\n", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\$\$.*?\$\$", " formula. ", text, flags=re.DOTALL)
    text = re.sub(r"^([|:#(<]|    ).*$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"(\{[\w:]+\})?`[^`]*`|\$[^$]*\$|<[^>]*>|\]\([^)]*\)", "x", text)
    return [
        " ".join(part.split()) for part in re.split(r"\n\s*\n|^\s*(?:-|\d+\.) ", text, flags=re.M)
    ]


def content(page: Path) -> str:
    """A page's Markdown; of a chapter's questions, what the notebook shows."""
    if page.suffix == ".yml":
        return quiz.quiz_markdown(quiz.read_quiz(page))
    return page.read_text("utf-8")


def sentences(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.!?:])\)?\*?\s+(?=[A-Z(*\[x])", paragraph)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_words_and_sentences(page):
    found = []
    for paragraph in paragraphs(content(page)):
        for pattern, instead in INSTEAD.items():
            found += [
                f"{match[0]!r} in '{paragraph[:60]}...': write {instead}"
                for match in re.finditer(rf"\b(?:{pattern})\b", paragraph)
            ]
        found += [
            f"{len(sentence.split())} words: {sentence}"
            for sentence in sentences(paragraph)
            if len(sentence.split()) > LONGEST
        ]
    assert not found, "\n".join(found)


def test_the_rules_see_what_they_are_for():
    said = (
        "The made images lie on a 28x28 grid, as one expects.\n\n```\nlearnt\n```\n- And `learnt`."
    )
    (first, second) = [part for part in paragraphs(said) if part]
    hits = [pattern for pattern in INSTEAD if re.search(rf"\b(?:{pattern})\b", first)]
    assert len(hits) == 4
    assert second == "And x."
    assert len(sentences("It is so. (This is not.) *Why?* Because.")) == 4
