"""What readers and teachers take away, from the built pages: what ``make take-away`` runs.

The articles of all pages become one document, in which links between pages are links inside it.
Chromium sets its formulas and prints it; the EPUB has them as MathML. Of each chapter there are
slides (its aims, figures, displayed formulas and recap), and there is a zip of all figures with
their captions. All of it is put into _build/html/take-away, which is published with the pages.
"""

import datetime
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

import yaml
from bs4 import BeautifulSoup, Tag
from project import BROWSERS, BUILD, ROOT, chapters, find_browser, pages_url, toc_pages

from gantut import __version__

OUT = BUILD / "html/take-away"
# What a reader of paper cannot use.
SCREEN_ONLY = (
    "script, link, button, audio, input, .headerlink, .last-run, p.gantut-links, details.hide"
)
REFERENCES = ("for", "aria-labelledby", "aria-describedby", "headers")
STYLE = """
body { background: white; }
article { break-before: page; }
.take-away-title { break-after: page; text-align: center; padding-top: 30vh; }
h1 + ol { columns: 2; }
article > section > h1 { display: block !important; }
table { break-inside: auto; }
"""
SLIDES_STYLE = """
@page { size: 1280px 720px; margin: 0; }
body { margin: 0; background: white; color: black; font: 28px/1.4 sans-serif; }
section { box-sizing: border-box; width: 1280px; height: 720px; padding: 48px 64px;
  overflow: hidden; break-after: page; display: flex; flex-direction: column; }
h1 { font-size: 56px; margin: auto 0 0; } h1 + p { margin: 16px 0 auto; }
h2 { font-size: 36px; margin: 0 0 24px; }
img, svg { min-height: 0; width: 100%; flex: 1 1 0; object-fit: contain; }
section > div.math { margin: auto 0; font-size: 36px; } .eqno { float: right; }
figcaption, .small { font-size: 20px; color: #444; }
@media screen { body { background: #ddd; } section { margin: 16px auto; background: white; } }
"""
# Sets smaller what does not fit on a slide: wide formulas and long lists.
FIT = """<script>addEventListener("load", () => MathJax.startup.promise.then(() => {
  for (const formula of document.querySelectorAll("section > div.math")) {
    const share = formula.clientWidth / formula.scrollWidth;
    if (share < 1) formula.style.fontSize = `${Math.floor(36 * share)}px`;
  }
  for (const slide of document.querySelectorAll("section")) {
    for (let size = 28; size > 14 && slide.scrollHeight > slide.clientHeight; size--) {
      slide.style.fontSize = `${size}px`;
    }
  }
}));</script>"""
EPUB_STYLE = """
body { line-height: 1.4; }
img, svg { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; font-size: 0.8em; }
table { border-collapse: collapse; font-size: 0.85em; }
th, td { padding: 0.2em 0.5em; border-bottom: 1px solid #bbb; }
figcaption, .caption-text { font-size: 0.9em; font-style: italic; }
.visually-hidden { display: none; }
"""
# Each formula as the MathML that MathJax keeps for screen readers; then each article as XHTML.
TO_XHTML = """() => {
  for (const formula of document.querySelectorAll("mjx-container")) {
    formula.replaceWith(formula.querySelector("mjx-assistive-mml math"));
  }
  const writer = new XMLSerializer();
  return [...document.querySelectorAll("article")].map((a) => writer.serializeToString(a));
}"""


def stem(page: str) -> str:
    """What the ids of a page's parts begin with in the one document."""
    return page.rpartition("/")[2]


def address(link: str, page: str, pages: list[str]) -> str:
    """Where a link of a page leads in the one document, or on the web."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return link
    target = urljoin(f"{page}.html", parts.path) if parts.path else f"{page}.html"
    name = target.removesuffix(".html")
    if name not in pages:
        return urljoin(pages_url(), target)
    return f"#{stem(name)}--{parts.fragment or 'top'}"


def article(html: Path, page: str, pages: list[str]) -> Tag:
    """A page's article, ready to stand beside the others."""
    soup = BeautifulSoup((html / f"{page}.html").read_text("utf-8"), "html.parser")
    found = soup.find("article")
    assert isinstance(found, Tag)
    for unwanted in found.select(SCREEN_ONLY):
        unwanted.decompose()
    for fallback in found.find_all("noscript"):  # a picture in place of a widget
        for text in fallback.find_all(string=re.compile("Scripts are off")):
            text.replace_with(text.replace("Scripts are off", "This needs a screen"))
        fallback.unwrap()
    for still in found.select("picture > source[srcset]"):  # in place of a moving picture
        assert still.parent is not None
        image = still.parent.find("img")
        assert isinstance(image, Tag)
        image["src"] = still["srcset"]
        still.parent.replace_with(image)
    seen: set[str] = set()
    for tag in found.find_all(True):
        if (name := str(tag.get("id", ""))) in seen:  # all exercises of a page share one
            del tag["id"]
        elif name and tag.find_parent("svg") is None:
            seen.add(name)
            tag["id"] = f"{stem(page)}--{name}"
        for name in REFERENCES:
            if name in tag.attrs:
                tag[name] = " ".join(f"{stem(page)}--{x}" for x in str(tag[name]).split())
        if tag.name == "a" and "href" in tag.attrs:
            tag["href"] = address(str(tag["href"]), page, pages)
        if tag.name == "details":
            tag["open"] = ""
        if tag.name == "img":
            tag["loading"] = "eager"
    found["id"] = f"{stem(page)}--top"
    return found


def title_of(part: Tag) -> str:
    """The title of an article."""
    heading = part.find("h1")
    return heading.get_text().strip() if heading else ""


def head_of(html: Path, page: str) -> tuple[str, str]:
    """The style sheets of a page, and the scripts that set its formulas."""
    soup = BeautifulSoup((html / f"{page}.html").read_text("utf-8"), "html.parser")
    styles = [str(link) for link in soup.select("link[rel=stylesheet]")]
    scripts = [str(s) for s in soup.find_all("script") if "mathjax" in str(s).lower()]
    return "".join(styles), "".join(scripts)


def one_document(parts: dict[str, Tag], head: str) -> str:
    """All articles as one HTML document, to be opened beside the pages."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    today = datetime.datetime.now(datetime.UTC).date()
    contents = "".join(
        f'<li><a href="#{stem(page)}--top">{escape(title_of(part))}</a></li>'
        for page, part in parts.items()
    )
    front = (
        f'<div class="take-away-title"><h1>{config["title"]}</h1><p>{config["author"]}</p>'
        f'<p>Version {__version__}, {today}</p><p><a href="{pages_url()}">{pages_url()}</a></p>'
        f"<p>{config['html']['extra_footer']}</p></div><h1>Contents</h1><ol>{contents}</ol>"
    )
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{config['title']}</title>{head}<style>{STYLE}</style></head>"
        f'<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">'
        f"{front}{''.join(map(str, parts.values()))}</div></div></main></body></html>"
    )


def slides(part: Tag, head: str) -> str:
    """The slides of a chapter, given its article and what the head of a page loads."""
    title = title_of(part)
    shown = [f"<section><h1>{escape(title)}</h1><p>{pages_url()}</p></section>"]

    def show(heading: str, *content: object) -> None:
        # Links into the book lead nowhere here.
        body = re.sub(
            r'<a [^>]*href="#[^>]*>(.*?)</a>', r"\1", "".join(map(str, content)), flags=re.S
        )
        shown.append(f"<section><h2>{escape(heading)}</h2>{body}</section>")

    heading = title
    for tag in part.find_all(["h2", "h3", "p", "figure", "ul", "ol", "div"]):
        if tag.name in ("h2", "h3"):
            heading = tag.get_text().strip()
            if heading in ("Check yourself", "Exercises"):
                break
        elif tag.name == "figure":
            show(
                heading, *(tag.find_all("img") or tag.find_all("svg")), tag.find("figcaption") or ""
            )
        elif tag.name == "div" and "math" in tag.get_attribute_list("class"):
            show(heading, tag)
        elif tag.name in ("ul", "ol") and heading == title and len(shown) == 1:
            show("After this chapter you can", tag)
    recap = part.find(lambda t: t.name == "h2" and t.get_text().strip() == "Recap")
    if recap is not None and (points := recap.find_next("ul")) is not None:
        show("Recap", points)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"{head}{FIT}<style>{SLIDES_STYLE}</style></head><body>{''.join(shown)}</body></html>"
    )


def zip_figures(path: Path, parts: dict[str, Tag], html: Path) -> int:
    """Packs the figures of the articles with a list of captions; returns how many there are."""
    lines = [
        f"Figures of {pages_url()}, version {__version__}.",
        "Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
        "",
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for page, part in parts.items():
            for figure in part.find_all("figure"):
                label = str(figure.get("id", "")).rpartition("--")[2]
                caption = figure.find("figcaption")
                for image in figure.find_all("img"):
                    source = html / "book" / str(image["src"]).partition("?")[0]
                    name = f"{stem(page)}/{label or source.stem}{source.suffix}"
                    archive.write(source, name)
                    words = " ".join(caption.get_text().split()) if caption else ""
                    lines += [f"{name}: {words.rstrip('#')}", ""]
        archive.writestr("captions.txt", "\n".join(lines))
    return (len(lines) - 3) // 2


def print_book(tab: Any, source: Path, pdf: Path) -> list[str]:
    """Prints the one document into ``pdf``; returns its articles as XHTML with MathML."""
    tab.goto(source.as_uri())
    tab.evaluate("() => MathJax.startup.promise")
    footer = '<div style="font-size: 8px; width: 100%; text-align: center">'
    tab.pdf(
        path=pdf,
        format="A4",
        scale=0.9,
        margin={"top": "20mm", "bottom": "20mm", "left": "18mm", "right": "18mm"},
        print_background=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=f'{footer}<span class="pageNumber"></span></div>',
        outline=True,
        tagged=True,
    )
    articles: list[str] = tab.evaluate(TO_XHTML)
    return articles


def print_slides(tab: Any, source: Path) -> None:
    """Prints slides into a PDF beside them."""
    tab.goto(source.as_uri())
    tab.evaluate("() => MathJax.startup.promise")
    tab.pdf(path=source.with_suffix(".pdf"), prefer_css_page_size=True, print_background=True)


def write_epub(path: Path, parts: dict[str, Tag], articles: list[str], html: Path) -> None:
    """Packs the articles, as XHTML, into an EPUB 3 with their pictures."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    images: dict[str, Path] = {}
    files: dict[str, str] = {}

    def picture(match: re.Match[str]) -> str:
        source = (html / "book" / match[1]).resolve()
        images[f"images/{source.name}"] = source
        return f'src="images/{source.name}"'

    titles = [title_of(part) for part in parts.values()]
    for page, title, text in zip(parts, titles, articles, strict=True):
        text = re.sub(r'src="(\.\./[^"?]+)[^"]*"', picture, text)
        text = re.sub(r'href="#([\w-]+?)--', lambda m: f'href="{m[1]}.xhtml#{m[1]}--', text)
        text = re.sub(r' srcset="[^"]*"', "", text)
        files[f"{stem(page)}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" '
            f'lang="en"><head><title>{escape(title)}</title>'
            f'<link rel="stylesheet" href="book.css"/></head><body>{text}</body></html>'
        )
    entries = "".join(
        f'<li><a href="{name}">{escape(title)}</a></li>'
        for name, title in zip(files, titles, strict=True)
    )
    nav = (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents</title></head><body>'
        f'<nav epub:type="toc"><h1>Contents</h1><ol>{entries}</ol></nav></body></html>'
    )
    kinds = {".png": "png", ".svg": "svg+xml", ".webp": "webp", ".jpg": "jpeg", ".gif": "gif"}
    items = [
        f'<item id="p{i}" href="{name}" media-type="application/xhtml+xml"'
        + (' properties="' + " ".join(has) + '"' if (has := properties(text)) else "")
        + "/>"
        for i, (name, text) in enumerate(files.items())
    ] + [
        f'<item id="i{i}" href="{name}" media-type="image/{kinds[source.suffix]}"/>'
        for i, (name, source) in enumerate(images.items())
    ]
    spine = "".join(f'<itemref idref="p{i}"/>' for i in range(len(files)))
    opf = (
        '<?xml version="1.0" encoding="utf-8"?>\n<package xmlns="http://www.idpf.org/2007/opf" '
        'version="3.0" unique-identifier="id"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">{pages_url()}{__version__}</dc:identifier>'
        f"<dc:title>{config['title']}</dc:title><dc:creator>{config['author']}</dc:creator>"
        f'<dc:language>en</dc:language><meta property="dcterms:modified">{now}</meta></metadata>'
        '<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" '
        'properties="nav"/><item id="css" href="book.css" media-type="text/css"/>'
        f"{''.join(items)}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<?xml version="1.0"?><container version="1.0" '
        'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
        'full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("book.opf", opf)
        archive.writestr("nav.xhtml", nav)
        archive.writestr("book.css", EPUB_STYLE)
        for name, text in files.items():
            archive.writestr(name, text)
        for name, source in images.items():
            archive.write(source, name)


def properties(text: str) -> list[str]:
    """What the manifest of an EPUB says that a file contains."""
    return [name for name, tag in (("mathml", "<math"), ("svg", "<svg")) if tag in text]


def main() -> None:
    """Writes all of it from _build/html."""
    from playwright.sync_api import sync_playwright

    html, pages = BUILD / "html", toc_pages()
    if not (html / "index.html").is_file():
        sys.exit(f"{html / 'index.html'} is not there: run make book first")
    browser = find_browser()
    if browser is None:
        sys.exit(f"a browser is needed: none of {', '.join(BROWSERS)} is installed")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    parts = {page: article(html, page, pages) for page in pages}
    styles, scripts = head_of(html, pages[0])
    book = OUT / "gantut-book.html"
    book.write_text(one_document(parts, styles + scripts), "utf-8")
    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page()
        tab.set_default_timeout(600_000)
        articles = print_book(tab, book, OUT / "gantut-book.pdf")
        book.unlink()
        for page in chapters():
            source = OUT / f"slides-{stem(page)}.html"
            source.write_text(slides(parts[page], scripts), "utf-8")
            print_slides(tab, source)
        chromium.close()
    write_epub(OUT / "gantut-book.epub", parts, articles, html)
    count = zip_figures(OUT / "gantut-figures.zip", parts, html)
    for path in sorted(OUT.glob("gantut-*")):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    print(f"{count} figures, slides of {len(chapters())} chapters")


if __name__ == "__main__":
    main()
