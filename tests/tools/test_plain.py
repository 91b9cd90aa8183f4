"""Notebooks are plain Markdown: nothing of MyST is left, and what it says is still there."""

import re

import jupytext
import plain
import pytest
from project import BOOK, ROOT, chapters, code_cells, read_chapter


@pytest.mark.parametrize("page", chapters())
def test_nothing_of_myst_is_left_and_no_code_is_lost(page):
    source, notebook = read_chapter(ROOT / f"{page}.md"), jupytext.read(ROOT / f"{page}.ipynb")
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    code = re.sub(r"\$\$.*?\$\$|```.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"\{[\w:]+\}`|^:::|^\([\w-]+\)=$", code, re.MULTILINE)
    for name in re.findall(r"\]\(([\w/-]+\.(?:md|ipynb))\)", text):
        assert name.endswith(".ipynb"), name
        assert (BOOK / name).is_file()
    assert sorted(c.source for c in code_cells(notebook)) == sorted(
        c.source for c in code_cells(source)
    )


def test_every_reference_to_a_page_of_the_book_is_to_one_of_its_labels():
    for page in chapters():
        text = (ROOT / f"{page}.ipynb").read_text("utf-8")
        for name, anchor in re.findall(
            rf"{re.escape(plain.pages_url())}book/([\w-]+)\.html#([\w-]+)", text
        ):
            assert plain.targets()[anchor.removeprefix("equation-")].page == name


@pytest.fixture
def page(monkeypatch):
    """Text as a page's, whose labels are those in it."""

    def shown(text: str) -> str:
        labels: dict[str, plain.Target] = {}
        counts: dict[str, int] = {}
        for label, kind, title in plain.marked(text):
            counts[kind] = counts.get(kind, 0) + 1
            labels[label] = plain.Target("x", kind, title, counts[kind])
        monkeypatch.setattr(plain, "targets", lambda: labels)
        return plain.markdown(text, "x")

    return shown


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("a {term}`GAN` and {term}`samples <sample>`", "a GAN and samples"),
        (
            "Cited {cite:p}`goodfellow2014,lecun1998`.",
            "Cited (Goodfellow et al. 2014; LeCun et al. 1998).",
        ),
        ("{cite:t}`krizhevsky2012` won.", "Krizhevsky et al. (2012) won."),
        ("{py:func}`~gantut.metrics.psnr` of {py:mod}`gantut`", "`psnr` of `gantut`"),
        ("{doc}`recipe <implementation>`", "[recipe](implementation.ipynb)"),
        (
            "[a](minimax.md), [b](glossary.md)",
            "[a](minimax.ipynb), [b](https://gantut.github.io/gantut/book/glossary.html)",
        ),
        (
            "$$\na\n$$ (one)\n\n$$\nb\n$$ (two)\n\nBy {eq}`two`.",
            "$$\na \\tag{1}\n$$\n\n$$\nb \\tag{2}\n$$\n\nBy equation (2).",
        ),
        (
            ":::{prf:theorem} A name\n:label: thm\n\nIt holds.\n:::\n\nBy {prf:ref}`thm`.",
            "**Theorem 1 (A name).** It holds.\n\nBy theorem 1.",
        ),
        (
            "(here)=\n## A title\n\nSee {ref}`here`.",
            "## A title\n\nSee [A title](https://gantut.github.io/gantut/book/x.html#here).",
        ),
        (":::{warning}\nTake care.\n:::", "**Warning.** Take care."),
        (
            ":::{figure} a.svg\n:name: b\n:alt: A line\n\nRises.\n:::\n\n{numref}`b`",
            "![A line](https://gantut.github.io/gantut/a.svg)\n\n*Figure 1.* Rises.\n\nfigure 1",
        ),
        (
            '<picture>\n<source srcset="../b">\n<img src="../a.webp" alt="A">\n</picture>',
            "![A](https://gantut.github.io/gantut/a.webp)",
        ),
        (
            "::::{grid} 1 2\n:gutter: 2\n\n:::{grid-item-card} One\nText.\n:::\n::::",
            "**One**\n\nText.",
        ),
        (
            "```{chapter-map}\n```",
            "[The page](https://gantut.github.io/gantut/book/x.html#welcome-map) has the map.",
        ),
    ],
)
def test_each_construct(page, myst, expected):
    assert page(myst) == expected


def test_a_role_without_a_plain_text_is_an_error(page):
    with pytest.raises(ValueError, match="no plain text for the role kbd"):
        page("{kbd}`x`")


def test_solutions_come_last(tmp_path, chapter_header):
    def part(kind: str, name: str, body: str) -> str:
        start = f":::{{{kind}-start}} {name}\n:label: {kind[0]}-one\n:::"
        return f"{start}\n\n{body}\n\n:::{{{kind}-end}}\n:::\n\n"

    code = "```{code-cell} ipython3\nx = 1\n```"
    text = f"{chapter_header}\n# X\n\n## Exercises\n\n{part('exercise', 'First', 'Do it.')}"
    text += part("solution", "e-one", f"So:\n\n{code}\n\nDone.") + "The end.\n"
    (tmp_path / "x.md").write_text(text, "utf-8")
    notebook = plain.as_notebook(read_chapter(tmp_path / "x.md"), tmp_path / "x.md")
    assert [cell.source for cell in notebook.cells][1:] == [
        "### Exercise 1: First\n\nDo it.",
        "The end.",
        "## Solutions",
        "### Solution 1: First\n\nSo:",
        "x = 1",
        "Done.",
    ]
    assert "kaggle.com" in notebook.cells[0].source
