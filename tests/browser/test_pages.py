"""Every page of the built book in a real browser, from its file and from a server, offline."""

import gzip
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import make_dist
import project
import pytest
import vendor
from project import BUILD

pytestmark = pytest.mark.built

HTML = BUILD / "html"
PAGES = project.toc_pages()
CHAPTERS = project.chapters()
MODELS = "_static/play/models/"  # what only the widgets need
FIRST_VIEW = 1_500_000  # bytes, gzipped
THEME = re.compile(r"^\[(PST|togglebutton)\]:")  # what the theme reports of itself in each page
DRAWN = "() => !window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)"
# A formula that MathJax passed over, one that it could not read, or TeX between its fences in the
# text. Code may hold any of these.
FORMULAS = r"""() => {
  const found = [...document.querySelectorAll(".math")]
    .filter((e) => !e.querySelector("mjx-container") && !e.closest(".MathJax"))
    .map((e) => e.outerHTML);
  document.querySelectorAll("mjx-merror").forEach((e) => found.push(e.outerHTML));
  const text = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (text.nextNode()) {
    const node = text.currentNode;
    if (!node.parentElement.closest("pre, code, script, style, textarea, mjx-container")
        && /\\\(|\\\[|\$\$|\\begin\{/.test(node.data)) found.push(node.data);
  }
  return found;
}"""
# What has to be scrolled sideways, hidden solutions included: tables and code, and the page itself.
CUT_OFF = """() => {
  document.querySelectorAll("main details").forEach((e) => { e.open = true; });
  const boxes = document.querySelectorAll(".pst-scrollable-table-container, .bd-article pre");
  return [...boxes].filter((e) => e.scrollWidth > e.clientWidth + 1)
    .map((e) => e.innerText.slice(0, 80));
}"""
BEYOND = "() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
DESKTOP, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}
# Most of a page's elements are inside formulas, which are MathJax's affair, in highlighted code,
# whose few colours are the same everywhere (they are kept in the page CODE only), and in the
# entries of the API reference and the index, all made alike: two of each module are kept.
FLATTEN = """(keepCode) => {
  for (const e of document.querySelectorAll("mjx-container")) e.replaceChildren();
  const alike = "dl.py ~ dl.py ~ dl.py, dl.py dl.py ~ dl.py, table.genindextable";
  for (const e of document.querySelectorAll(alike)) e.remove();
  document.head.insertAdjacentHTML("beforeend", "<style>* {transition: none !important}</style>");
  if (keepCode) return;
  for (const e of document.querySelectorAll("pre")) e.textContent = e.innerText;
}"""
CODE = "book/welcome"
# Between them these have every kind of element that the theme gives colours to.
DARK = [CODE, "book/api", "book/minimax", "book/play", "book/references", "search"]
AXE = """(rules) => axe.run(document, {
  preload: false, resultTypes: ["violations"],
  ...(rules ? {runOnly: {type: "rule", values: rules}} : {}),
}).then((found) => found.violations
  .filter((v) => v.impact === "serious" || v.impact === "critical")
  .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary}`)))"""
# What a reader looks for, and a page that must be among the first ten found.
TERMS = {
    "mode collapse": "book/collapse",
    "non-saturating": "book/minimax",
    "transposed convolution": "book/architectures",
    "Frechet distance": "book/measuring",
    "anomaly": "book/anomaly",
    "checkerboard": "book/architectures",
    "mel spectrogram": "book/vocoder",
    "super-resolution": "book/restoration",
    "Dirac": "book/dynamics",
    "batch normalisation": "book/failure",
}


class Reader:
    """One tab; what the page that it shows asked for and complained of."""

    def __init__(self, browser, address):
        self.context = browser.new_context(viewport=DESKTOP)
        self.context.set_default_timeout(60_000)
        self.tab = self.context.new_page()
        self.address = address
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("console", self.heard)

    def heard(self, message):
        if message.type in ("error", "warning") and not THEME.match(message.text):
            self.complaints.append(message.text)

    def open(self, page):
        """Shows a page with its formulas drawn."""
        self.asked.clear()
        self.complaints.clear()
        self.tab.goto(f"{self.address}/{page}.html")
        self.tab.wait_for_function(DRAWN)
        return self.tab

    def elsewhere(self):
        """What was asked for that is not of the book."""
        ours = (self.address + "/", "data:", "blob:")
        return [url for url in self.asked if not url.startswith(ours)]


@pytest.fixture(scope="module")
def from_file(browser):
    reader = Reader(browser, HTML.as_uri())
    yield reader
    reader.context.close()


@pytest.fixture(scope="module")
def from_server(browser, serve):
    reader = Reader(browser, serve(HTML))
    yield reader
    reader.context.close()


def first_view(reader):
    """Bytes of all files that the page loaded by itself, gzipped as a server would send them."""
    paths = {Path(unquote(urlsplit(url).path)) for url in reader.asked if url.startswith("file:")}
    return sum(
        len(gzip.compress(path.read_bytes(), 6)) for path in paths if MODELS not in path.as_posix()
    )


@pytest.mark.parametrize("page", [*PAGES, "genindex", "search"])
def test_the_page_opens_from_its_file(page, from_file, record_property):
    tab = from_file.open(page)
    assert from_file.complaints == []
    assert from_file.elsewhere() == []
    assert tab.evaluate(FORMULAS) == []
    size = first_view(from_file)  # before more is shown
    record_property("first_view", size)
    print(f"first view: {size / 1e6:.2f} MB")
    assert size <= FIRST_VIEW
    assert tab.evaluate(CUT_OFF) == []
    assert tab.evaluate(BEYOND) <= 1
    tab.set_viewport_size(PHONE)
    assert tab.evaluate(BEYOND) <= 1
    tab.set_viewport_size(DESKTOP)
    colab = tab.locator("a[href*='colab.research.google.com']").evaluate_all(
        "(links) => links.map((link) => link.href)"
    )
    assert set(colab) == ({project.colab_url(page)} if page in CHAPTERS else set())
    # What axe-core finds in the light theme, and of the colours in the dark one.
    tab.evaluate(FLATTEN, page == CODE)
    tab.evaluate(vendor.AXE.read_text("utf-8"))
    assert tab.evaluate(AXE) == []
    if page in DARK:
        tab.evaluate("document.documentElement.dataset.theme = 'dark'")
        assert tab.evaluate(AXE, ["color-contrast"]) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_page_opens_from_a_server(page, from_server):
    tab = from_server.open(page)
    assert from_server.complaints == []
    assert from_server.elsewhere() == []
    assert tab.evaluate(FORMULAS) == []


def found(tab, term):
    """The pages that the book's search finds, best first."""
    tab.evaluate("(term) => Search.performSearch(term)", term)
    tab.wait_for_function("() => /found|did not match/.test(Search.status.textContent)")
    links = tab.locator("#search-results ul.search > li > a").evaluate_all(
        "(links) => links.map((link) => new URL(link.href).pathname)"
    )
    return [link[link.index("book/") :].removesuffix(".html") for link in links if "book/" in link]


def test_the_search_finds_ten_terms(from_server):
    tab = from_server.open("search")
    # Without the lines of text below each hit, for which whole pages are fetched.
    tab.evaluate("DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false")
    missed = {}
    for term, page in TERMS.items():
        tab.evaluate("document.querySelector('#search-results').replaceChildren()")
        if page not in (pages := found(tab, term))[:10]:
            missed[term] = pages[:5]
    assert missed == {}


def test_the_search_works_from_a_file(from_file):
    tab = from_file.open("search")
    assert "book/collapse" in found(tab, "mode collapse")


def test_the_zip_of_the_book_opens_from_its_folder(from_file, browser, tmp_path):
    archive = tmp_path / "book.zip"
    make_dist.zip_book(HTML, archive)
    shutil.unpack_archive(archive, tmp_path)
    reader = Reader(browser, (tmp_path / "book").as_uri())
    tab = reader.open("index")
    tab.wait_for_url(f"**/{PAGES[0]}.html")
    tab.wait_for_function(DRAWN)
    tab.locator(".prev-next-area a.right-next").click()
    tab.wait_for_url(f"**/{PAGES[1]}.html")
    tab.wait_for_function(DRAWN)
    assert tab.evaluate(FORMULAS) == []
    assert reader.complaints == []
    assert reader.elsewhere() == []
    reader.context.close()
