"""A chapter as any notebook program shows it: plain Markdown for MyST's roles and directives.

The pages have numbers, links and folded solutions that Jupyter and Colab do not know. In the
notebook a caption stands below its figure, a term is its words, a citation names authors and year,
a reference is a link or names what it refers to, and the solutions come last.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from project import BOOK, chapter_facts, colab_url, is_notebook, kaggle_url, pages_url
from pybtex.database import BibliographyData, parse_file
from quiz import with_quiz

ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")
SHOWN = re.compile(r"(.*?)\s*<([^<>]+)>", re.DOTALL)  # text <target>
LABEL = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)
LINK = re.compile(r"(\[[^\]]*\])\(([\w-]+)(\.md)?(#[\w-]+)?\)")
FILE = re.compile(r"\]\(path:")  # a file to download
FORMULA = re.compile(r"^(\$\$\n.*?)\n\$\$(?: \(([\w-]+)\))?$", re.MULTILINE | re.DOTALL)
PROOF = re.compile(
    r"^:::\{prf:(\w+)\} ?([^\n]*)\n(?::label: (\S+)\n)?\n?(.*?)^:::$", re.MULTILINE | re.DOTALL
)
FIGURE = re.compile(
    r"^:::\{figure\} (\S+)\n:name: (\S+)\n(?::width: .*\n)?:alt: (.*)\n\n(.*?)\n:::$",
    re.MULTILINE | re.DOTALL,
)
PICTURE = re.compile(r'<picture>.*?<img src="\.\./(\S+)".*?alt="(.*?)">\n</picture>', re.DOTALL)
CARDS = re.compile(r"^::::\{grid\} .*\n:gutter: \d\n|^::::$", re.MULTILINE)
CARD = re.compile(r"^:::\{grid-item-card\} (.*?)\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
MAP = re.compile(r"^```\{chapter-map\} ?(shortest)?\n```$", re.MULTILINE)
NOTE = re.compile(r"^:::\{(note|warning|tip)\}\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
EXERCISE = re.compile(
    r"^:::\{(exercise|solution)-(start|end)\} ?(.*)\n(?::label: (\S+)\n)?(?::class: .*\n)?:::$",
    re.MULTILINE,
)


class Target(NamedTuple):
    """What a label marks: the page, the kind, the title of a section, the number in its page."""

    page: str
    kind: str
    title: str
    number: int


def marked(text: str) -> Iterator[tuple[str, str, str]]:
    """The labels of a page in their order, with kind and title."""
    pattern = re.compile(
        r"^\((?P<section>[\w-]+)\)=\n+#* ?(?P<title>.*)$"
        r"|^\$\$ \((?P<formula>[\w-]+)\)$"
        r"|^(?:    |:)name: (?P<figure>[\w-]+)$"
        r"|^:::\{(?P<what>prf:\w+|exercise-start)\} ?(?P<called>.*)\n:label: (?P<label>\S+)$",
        re.MULTILINE,
    )
    for found in pattern.finditer(text):
        if found["label"]:
            yield found["label"], found["what"].removeprefix("prf:"), found["called"]
        else:
            kind = str(found.lastgroup if found["title"] is None else "section")
            yield found[kind], kind, found["title"] or ""


@cache
def targets() -> dict[str, Target]:
    """Every label of the book."""
    found = {}
    for path in sorted(BOOK.glob("*.md")):
        counts: dict[str, int] = {}
        for label, kind, title in marked(path.read_text("utf-8")):
            counts[kind] = counts.get(kind, 0) + 1
            found[label] = Target(path.stem, kind, title, counts[kind])
    return found


@cache
def title_of(page: str) -> str:
    """A page's title."""
    found = re.search(r"^# (.+)$", (BOOK / f"{page}.md").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


@cache
def bibliography() -> BibliographyData:
    """The book's bibliography."""
    return parse_file(str(BOOK / "references.bib"))


def citation(key: str, in_text: bool) -> str:
    """Such as "Goodfellow et al. 2014" or, in the text, "Goodfellow et al. (2014)"."""
    entry = bibliography().entries[key]
    people = entry.persons.get("author") or entry.persons["editor"]
    names = [" ".join(person.prelast_names + person.last_names).strip("{}") for person in people]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    year = entry.fields["year"]
    return f"{who} ({year})" if in_text else f"{who} {year}"


def address(page: str, anchor: str = "") -> str:
    """Where a page, or a label of it, is published."""
    return f"{pages_url()}book/{page}.html" + (f"#{anchor}" if anchor else "")


def refer(label: str, page: str, text: str | None) -> str:
    """A reference of a page to a label, as text or link."""
    target = targets()[label]
    if target.kind == "section":
        return f"[{text or target.title}]({address(target.page, label)})"
    words = {"formula": "equation", "exercise-start": "exercise"}
    number = f"({target.number})" if target.kind == "formula" else str(target.number)
    name = f"{words.get(target.kind, target.kind)} {number}"
    if target.page == page:
        return text or name
    anchor = f"equation-{label}" if target.kind == "formula" else label
    return f"[{text or f'{name} of {title_of(target.page)}'}]({address(target.page, anchor)})"


def role(kind: str, content: str, page: str) -> str:
    """What a role shows."""
    shown = SHOWN.fullmatch(content)
    text, target = (shown[1], shown[2]) if shown else (None, content)
    match kind:
        case "term":
            return text or target
        case "cite:p":
            return f"({'; '.join(citation(key.strip(), False) for key in target.split(','))})"
        case "cite:t":
            return ", ".join(citation(key.strip(), True) for key in target.split(","))
        case "ref" | "numref" | "eq" | "prf:ref":
            return refer(target, page, text)
        case "doc":
            return link(f"[{text or title_of(target)}]", target, "")
        case _ if kind.startswith("py:"):
            name = target.removeprefix("~")
            return f"`{name.rpartition('.')[2] if target.startswith('~') else name}`"
    raise ValueError(f"{page}: no plain text for the role {kind}")


def link(text: str, page: str, anchor: str) -> str:
    """A link to another page: its notebook beside this one, or where it is published."""
    if page in targets():  # a section's label
        return f"{text}({address(targets()[page].page, page)})"
    if is_notebook(BOOK / f"{page}.md") and not anchor:
        return f"{text}({page}.ipynb)"
    return f"{text}({address(page, anchor.removeprefix('#'))})"


def markdown(text: str, page: str) -> str:
    """A page's MyST as plain Markdown, all but exercises and quizzes."""

    def formula(found: re.Match[str]) -> str:
        label = found[2]
        return f"{found[1]} \\tag{{{targets()[label].number}}}\n$$" if label else found[0]

    def statement(found: re.Match[str]) -> str:
        kind, title, label, body = found.groups()
        number = f" {targets()[label].number}" if label else ""
        called = f" ({title})" if title else ""
        return f"**{kind.capitalize()}{number}{called}.** {body.strip()}"

    def figure(found: re.Match[str]) -> str:
        path, name, alt, caption = found.groups()
        return f"![{alt}]({pages_url()}{path})\n\n*Figure {targets()[name].number}.* {caption}"

    def chapter_map(found: re.Match[str]) -> str:
        if not found[1]:
            return f"[The page]({address(page, 'welcome-map')}) has the map."
        names = [path.removeprefix("book/") for path in chapter_facts()["shortest"]]
        return "\n".join(f"1. [{title_of(name)}]({name}.ipynb)" for name in names)

    def remark(found: re.Match[str]) -> str:
        return f"**{found[1].capitalize()}.** {found[2].strip()}"

    steps: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
        (FORMULA, formula),
        (PROOF, statement),
        (NOTE, remark),
        (FIGURE, figure),
        (PICTURE, lambda found: f"![{found[2]}]({pages_url()}{found[1]})"),
        (CARD, lambda found: f"**{found[1]}**\n\n{found[2].strip()}\n"),
        (CARDS, lambda found: ""),
        (MAP, chapter_map),
        (LABEL, lambda found: ""),
        (FILE, lambda found: "]("),
        (LINK, lambda found: link(found[1], found[2], found[4] or "")),
        (ROLE, lambda found: role(found[1], found[2], page)),
    ]
    for pattern, replacement in steps:
        text = pattern.sub(replacement, text)
    return text.strip()


def caption_of(cell: Any, page: str) -> str | None:
    """The line below a figure, or None: its number in the page and its caption."""
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if "caption" not in figure:
        return None
    words = " ".join(markdown(figure["caption"], page).split())
    name = figure.get("name")
    return f"*Figure {targets()[name].number}.* {words}" if name else words


def as_notebook(source: Any, path: Path) -> Any:
    """The notebook of a chapter's MyST file, which jupytext has read from ``path``."""
    page = path.stem
    notebook = with_quiz(source, path)
    cells: list[Any] = []
    solutions: list[Any] = []
    titles: dict[str, str] = {}
    into = cells

    def add(text: str) -> None:
        text = markdown(text, page)
        if into and re.fullmatch("### .*", into[-1].source):
            into[-1].source += f"\n\n{text}"
        elif text:
            into.append(nbformat.v4.new_markdown_cell(text))

    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            into.append(cell)
            if caption := caption_of(cell, page):
                add(caption)
            continue
        rest = cell.source
        while found := EXERCISE.search(rest):
            add(rest[: found.start()])
            rest = rest[found.end() :]
            kind, end, name, label = found.groups()
            if (kind, end) == ("exercise", "start"):
                titles[label] = name
                add(f"### Exercise {len(titles)}: {name}")
            elif (kind, end) == ("solution", "start"):
                into = solutions
                number = list(titles).index(name) + 1
                add(f"### Solution {number}: {titles[name]}")
            else:
                into = cells
        add(rest)
    if solutions:
        cells.append(nbformat.v4.new_markdown_cell("## Solutions"))
    notebook.cells = cells + solutions
    add_way_back(notebook, page)
    return notebook


def add_way_back(notebook: Any, page: str) -> None:
    """Says below the title where the page is, and where else it can be opened."""
    title = next(cell for cell in notebook.cells if cell.source.startswith("# "))
    head, _, rest = title.source.partition("\n")
    colab, kaggle = colab_url(f"book/{page}"), kaggle_url(f"book/{page}")
    line = (
        f"*This notebook is a page of [a book]({pages_url()}). [The page]({address(page)}) has its "
        f"results, links and previews. Open the notebook in [Colab]({colab}) or [Kaggle]({kaggle}) "
        "(turn the internet on there).*"
    )
    title.source = f"{head}\n\n{line}\n{rest}".rstrip()
