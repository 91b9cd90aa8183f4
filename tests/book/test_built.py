"""The notebooks as they were run and the pages as they were built; make book runs these last."""

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import execute_notebooks
import nbformat
import project
import pytest
from project import BUILD, ROOT

pytestmark = pytest.mark.built

HTML = BUILD / "html"
PAGES = project.toc_pages()
CHAPTERS = project.chapters()
BROWSER = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome", "chrome"])),
    None,
)


class Page(HTMLParser):
    """What a page links to, what it loads by itself, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if identity := attributes.get("id"):
            self.ids.add(identity)
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"] or "")
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
def test_the_page_hides_what_only_colab_and_the_tests_need(page):
    text = plain(article(page))
    assert "google.colab" not in text
    assert "Traceback" not in text
    for cell in project.code_cells(executed(page)):
        for line in cell.metadata.get("nbmake", {}).get("post_cell_execute", []):
            if line.startswith("assert") and line not in cell.source:
                assert plain(html.escape(line)) not in text, line


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_colab_button_opens_this_chapter(page):
    assert project.colab_url(page) in (HTML / f"{page}.html").read_text("utf-8")


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


@pytest.mark.skipif(BROWSER is None and not os.environ.get("CI"), reason="no Chromium here")
@pytest.mark.parametrize("page", PAGES)
def test_the_browser_loads_the_page_without_a_complaint(page, tmp_path):
    assert BROWSER is not None, "CI is set, and there is no Chromium"
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    command += ["--disable-component-update", f"--user-data-dir={tmp_path}"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"]
    loaded = subprocess.run(
        [*command, (HTML / f"{page}.html").as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=180,
        check=True,
    )
    said = [line for line in loaded.stderr.splitlines() if ":CONSOLE" in line]
    # The theme and its toggle buttons report what they do.
    assert [line for line in said if not re.search(r'"\[(PST|togglebutton)\]:', line)] == []
    formulas = (HTML / f"{page}.html").read_text("utf-8").count('class="math')
    assert loaded.stdout.count("<mjx-container") >= formulas
    assert "<mjx-merror" not in loaded.stdout


def test_the_search_knows_the_chapters():
    text = (HTML / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert set(PAGES) <= set(index["docnames"])
