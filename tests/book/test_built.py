"""The notebooks as they were run and the pages as they were built; make book runs these last."""

import base64
import hashlib
import html
import importlib
import inspect
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import book_extension
import cross_references
import execute_notebooks
import nbformat
import project
import pytest
import yaml
from PIL import Image
from project import BUILD, ROOT

import gantut

pytestmark = pytest.mark.built

HTML = BUILD / "html"
PAGES = project.toc_pages()
CHAPTERS = project.chapters()


class Page(HTMLParser):
    """What a page links to, what it loads by itself, its pictures, what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if identity := attributes.get("id"):
            self.ids.add(identity)
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"] or "")
        if tag == "img":
            self.pictures.append(attributes)
        if tag in ("script", "img", "iframe", "source") and "src" in attributes:
            self.loads.append(attributes["src"] or "")
        if tag == "link" and attributes.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(attributes["href"] or "")


def article(page: str) -> str:
    """The part of a page that is the chapter, as HTML."""
    text = (HTML / f"{page}.html").read_text("utf-8")
    start, end = text.index("<article"), text.rindex("</article>")
    return text[start:end]


def plain(markup: str) -> str:
    """The text of HTML without spaces, so that highlighting and wrapping do not matter."""
    return re.sub(r"\s+", "", html.unescape(re.sub(r"<[^>]+>", "", markup)))


def executed(page: str):
    """A chapter with the results of its run."""
    return nbformat.read(execute_notebooks.executed_path(page), as_version=4)


def test_every_chapter_was_run_as_it_is_now():
    assert execute_notebooks.run_problems() == []
    assert list(execute_notebooks.current_keys()) == CHAPTERS


@pytest.mark.parametrize("page", CHAPTERS)
def test_every_cell_was_run_without_an_error(page):
    cells = project.code_cells(executed(page))
    source = project.code_cells(project.read_chapter(ROOT / f"{page}.md"))
    assert [cell.source for cell in cells] == [cell.source for cell in source]
    for cell in cells:
        if "skip-execution" not in cell.metadata.get("tags", []):
            assert cell.execution_count is not None, cell.source
        assert "error" not in [output.output_type for output in cell.outputs], cell.source


@pytest.mark.parametrize("page", [*PAGES, "genindex", "search"])
def test_the_page_is_there(page):
    assert "<title>" in (HTML / f"{page}.html").read_text("utf-8")


def test_the_index_leads_to_the_first_page():
    assert f"{PAGES[0]}.html" in (HTML / "index.html").read_text("utf-8")


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_page_shows_the_results_of_that_run(page):
    shown = article(page)
    text = plain(shown)
    results = 0
    for cell in project.code_cells(executed(page)):
        if {"remove-cell", "remove-output"} & set(cell.metadata.get("tags", [])):
            continue
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stdout":
                assert plain(html.escape(output.text)) in text
                results += 1
            elif picture := output.get("data", {}).get("image/png"):
                name = hashlib.sha256(base64.b64decode(picture)).hexdigest()
                assert f"{name}.png" in shown
                assert (HTML / f"_images/{name}.png").is_file()
                results += 1
    assert results > 0


@pytest.mark.parametrize("page", CHAPTERS)
def test_tables_that_cells_make_are_shown_as_tables(page):
    made = [
        "".join(output["data"]["text/markdown"])
        for cell in project.code_cells(executed(page))
        for output in cell.outputs
        if "text/markdown" in output.get("data", {})
    ]
    shown = re.findall(r"<table.*?</table>", article(page), flags=re.DOTALL)
    assert len(shown) >= len([text for text in made if text.startswith("|")])
    assert not re.search(r"<p>\s*\|", article(page))


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_page_hides_what_only_notebooks_and_the_tests_need(page):
    text = plain(article(page))
    assert "find_spec" not in text
    assert "Traceback" not in text
    for cell in project.code_cells(executed(page)):
        for line in cell.metadata.get("nbmake", {}).get("post_cell_execute", []):
            if line.startswith("assert") and line not in cell.source:
                assert plain(html.escape(line)) not in text, line


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_colab_button_opens_this_chapter(page):
    assert project.colab_url(page) in (HTML / f"{page}.html").read_text("utf-8")


@pytest.mark.parametrize("page", CHAPTERS)
def test_below_the_title_is_when_the_page_was_last_run(page):
    entry = execute_notebooks.read_record()[page]
    line = re.search(r'</h1>\s*<p class="last-run">(.*?)</p>', article(page), re.DOTALL)
    assert f"on {entry['date']} with TensorFlow {entry['versions']['tensorflow']}" in line[1]
    assert f'href="{project.kaggle_url(page)}"' in line[1]


@pytest.mark.parametrize("page", PAGES)
def test_a_report_names_the_page_and_the_version(page):
    text = (HTML / f"{page}.html").read_text("utf-8")
    (link,) = set(re.findall(r'href="([^"]*/issues/new[^"]*)"', text))
    fields = dict(part.split("=") for part in html.unescape(link).partition("?")[2].split("&"))
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE" / fields.pop("template")).read_text())
    assert fields == {"page": f"{project.pages_url()}{page}.html", "version": gantut.__version__}
    assert set(fields) <= {part["id"] for part in form["body"]}


def test_the_table_of_runs_has_every_chapter():
    text = article("book/what-was-run")
    for page in CHAPTERS:
        assert f'href="{page.removeprefix("book/")}.html"' in text
    record = execute_notebooks.read_record()
    total = sum(record[page]["seconds"] for page in CHAPTERS)
    assert f"<strong>{total:.0f}</strong>" in text


def test_links_within_the_book_lead_somewhere():
    pages = {
        path.resolve(): Page(path) for path in HTML.rglob("*.html") if "_static" not in str(path)
    }
    broken = []
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link in ("", "#"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file() or (
                anchor and target in pages and anchor not in pages[target].ids
            ):
                broken.append(f"{path.name}: {link}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_the_page_loads_nothing_from_elsewhere(page):
    elsewhere = [link for link in Page(HTML / f"{page}.html").loads if urlsplit(link).netloc]
    assert elsewhere == []


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_is_described(page):
    for picture in Page(HTML / f"{page}.html").pictures:
        if "logo" in str(picture["src"]):  # the theme's, on the button for Colab
            continue
        alt = picture.get("alt") or ""
        # Without a text of ours, Sphinx writes the file's name.
        assert len(alt) >= 15, picture
        assert "_images" not in alt, picture


def test_the_theme_is_tidied_and_figures_keep_their_places(tmp_path):
    (tmp_path / "_images").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "_images/a.png")
    (tmp_path / "_images/b.svg").write_text('<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>\n')
    page = (
        '<script defer src="../_static/scripts/fontawesome.js?digest=1"></script>'
        '<summary aria-label="Toggle hidden content">Show</summary>'
        '<img alt="A line" src="../_images/a.png" /><img alt="B" src="../_static/b.png" />'
        '<a class="reference internal image-reference" href="../_images/b.svg">'
        '<img alt="C" src="../_images/b.svg" style="width: 100%;" /></a>'
    )
    tidy = book_extension.tidied(page, tmp_path)
    assert tidy == (
        "<summary>Show</summary>"
        '<img alt="A line" src="../_images/a.png" width="30" height="20" loading="lazy" />'
        '<img alt="B" src="../_static/b.png" />'
        '<svg role="img" aria-label="C" viewBox="0 0 1 1"><path d="M0 0"/></svg>'
    )
    assert book_extension.tidied(tidy, tmp_path) == tidy


def test_no_page_is_left_untidied():
    pages = "".join(path.read_text("utf-8") for path in sorted((HTML / "book").glob("*.html")))
    for pattern, _ in book_extension.TIDYINGS:
        assert not pattern.search(pages), pattern.pattern
    figures = re.findall(r'<img [^>]*src="\.\./_images/[^>]*>', pages)
    assert len(figures) > 50
    assert all('loading="lazy"' in figure for figure in figures)


def entries(kind):
    """The functions, or the classes and exceptions, of the API reference: name and HTML."""
    text = article("book/api")
    starts = [m.start() for m in re.finditer(r'<dl class="py (function|class|exception)"', text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        if text.startswith('<dl class="py function"', start) == (kind == "function"):
            name = re.search(r'<dt class="sig[^"]*" id="([^"]+)"', text[start:end])
            assert name is not None
            yield name[1], text[start:end]


@pytest.mark.parametrize("kind", ["function", "class"])
def test_the_reference_leads_to_the_sections_and_back(kind):
    found = dict(entries(kind))
    # All that is public in the modules of the reference is there.
    assert set(found) == {
        name for name in public_names() if inspect.isclass(resolve(name)) == (kind == "class")
    }
    pages = {page: (HTML / f"{page}.html").read_text("utf-8") for page in PAGES}
    for name, text in found.items():
        line = re.search(r'<p class="gantut-links">Explained in .*?</p>', text, re.DOTALL)
        assert line is not None, name
        links = re.findall(r'href="([\w-]+)\.html(#[^"]+)?"', line[0])
        assert links, name
        for page, anchor in links:
            if anchor:  # a section, not the chapter of the whole module
                back = rf'href="api\.html#{re.escape(name)}[".]'
                assert re.search(back, pages[f"book/{page}"]), (name, page)


def public_names():
    """The functions and classes that the modules of the API reference define."""
    modules = [f"gantut.{name}" for name in gantut.MODULES]
    modules += [f"gantut.applications.{name}" for name in gantut.applications.MODULES]
    for name in modules:
        module = importlib.import_module(name)
        for attribute in vars(module):
            if cross_references.public_name(f"{name}.{attribute}") == f"{name}.{attribute}":
                yield f"{name}.{attribute}"


def resolve(name):
    """The function or class of that name."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def test_the_sitemap_has_every_page_under_the_configured_address():
    text = (HTML / "sitemap.xml").read_text("utf-8")
    listed = re.findall(r"<loc>(.*?)</loc>", text)
    assert set(listed) == {f"{project.pages_url()}{page}.html" for page in PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_other_sites_can_show_a_card_of_the_page(page):
    text = (HTML / f"{page}.html").read_text("utf-8")
    card = dict(re.findall(r'<meta property="og:([\w:]+)" content="([^"]*)"', text))
    assert card["url"] == f"{project.pages_url()}{page}.html"
    assert f'<link rel="canonical" href="{card["url"]}"' in text
    assert len(card["title"]) > 3
    assert len(card["description"]) > 20
    assert card["image"].startswith(project.pages_url())
    assert (HTML / card["image"].removeprefix(project.pages_url())).is_file()
    assert "$" not in card["description"]


def test_the_search_knows_the_chapters():
    text = (HTML / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert set(PAGES) <= set(index["docnames"])
