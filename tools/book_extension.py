"""The book's own Sphinx extension: only current results, tables of the runs, scripts from here."""

import importlib
import math
import pkgutil
import re
from pathlib import Path
from typing import Any

import execute_notebooks
from docutils import nodes
from docutils.statemachine import StringList
from numpy.typing import ArrayLike
from PIL import Image
from project import (
    ROOT,
    chapter_facts,
    chapters,
    is_notebook,
    pages_url,
    reading_minutes,
    toc_parts,
    write_text,
)
from sabotage import RECORD, SABOTAGES, SPARED, cells_with, read_record
from sphinx.errors import ConfigError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import stringify_annotation
from sphinxext import opengraph
from vendor import MATHJAX, STATIC

import gantut

LOGGER = logging.getLogger(__name__)
ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")
# The theme's icons are in its fonts, so its script of 0.5 MB (gzipped) that draws them again is not
# needed. And what a button shows must be in its name, or those who speak to it are not understood.
TIDYINGS = [
    (re.compile(r'\s*<script defer src="[^"]*/scripts/fontawesome\.js[^"]*"></script>'), ""),
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    (re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="Search"'), r"\1"),
    # No list: links stand between its entries.
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
]
# The theme's link to a new issue, and the form of ours that knows the page and the version.
ISSUE = re.compile(r'issues/new\?title=Issue%20on%20page%20%2F([^"&]+)&(?:amp;)?body=[^"]*')
# With the link around it, whose colour would be the drawing's.
DRAWING = re.compile(
    r'(?:<a class="reference internal image-reference"[^>]*>)?<img alt="([^"]*)"[^>]*'
    r' src="(?:\.\./)?(_images/[^"]+\.svg)"[^>]*/>(?:</a>)?'
)
FIGURE = re.compile(r'<img (alt="[^"]*" src="(?:\.\./)?(_images/[^"]+\.png)") ?/>')
NDARRAY = re.compile(
    r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[~?numpy\.(\w+)\]\]"
)


def run_table(record: dict[str, Any], pages: list[str]) -> list[str]:
    """What run.json says of ``pages``, as lines of Markdown: times and devices, then versions."""
    entries = [record[page] for page in pages]
    total = sum(entry["seconds"] for entry in entries)
    lines = ["| Chapter | Seconds | Device | Date |", "|---|--:|---|---|"]
    for page, entry in zip(pages, entries, strict=True):
        cells = [f"[](/{page}.md)", f"{entry['seconds']:.0f}", entry["device"], entry["date"]]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"| **Together** | **{total:.0f}** | | |", ""]
    if entries:
        first = entries[0]
        versions = {"Python": first["python"], **first["versions"]}
        lines += ["| Package | Version |", "|---|---|"]
        lines += [f"| {name} | {version} |" for name, version in versions.items()]
        lines += ["", f"Machine: {first['machine']}."]
    return lines


class RunTable(SphinxDirective):
    """``{run-table}``: seconds, device and date of each chapter's run, and the versions."""

    def run(self) -> list[nodes.Node]:
        """Makes the two tables; a chapter without a current run is a warning."""
        self.env.note_dependency(str(execute_notebooks.RECORD))
        off = self.config.nb_execution_mode == "off"  # then no page shows results
        for problem in [] if off else execute_notebooks.run_problems():
            LOGGER.warning("%s: run make book", problem, location=self.get_location())
        record = execute_notebooks.read_record()
        pages = [page for page in chapters() if page in record]
        holder = nodes.container()
        lines = run_table(record, pages)
        self.state.nested_parse(StringList(lines, str(execute_notebooks.RECORD)), 0, holder)
        return holder.children


def sabotage_table(found: dict[str, Any], pages: list[str]) -> list[str]:
    """What sabotage.json says of ``pages``, in Markdown: the table, then the assertions."""
    # With places at which a narrow column breaks them.
    names = [re.sub("^(un|mis|collap|copy)", "\\g<0>\u00ad", name) for name in SABOTAGES]
    lines = [f"| | {' | '.join(names)} |", f"|---{'|:-:' * len(SABOTAGES)}|"]
    listed = []
    for page in pages:
        marks = []
        listed += [f"[](/{page}.md)", ""]
        for sabotage in SABOTAGES:
            result = found[page][sabotage]
            if "line" in result:
                cell = cells_with(page, result["line"])[0]
                marks.append(f"{cell}")
                error = f"{result['error']} at " if result["error"] else ""
                listed.append(f"- *{sabotage}*, cell {cell}: {error}`{result['line']}`")
            elif result["touched"]:
                marks.append("spared")
                listed.append(f"- *{sabotage}*: {SPARED[page, sabotage]}")
            else:
                marks.append("–")
        lines.append(f"| [](/{page}.md) | {' | '.join(marks)} |")
        listed += [""]
    return [*lines, "", ":::{dropdown} The first assertion that failed", *listed, ":::"]


def minutes(page: str, record: dict[str, Any]) -> tuple[int, int | None]:
    """The minutes of reading and of running a page, rounded up; None where nothing is run."""
    path = ROOT / f"{page}.md"
    seconds = record[page]["seconds"] if page in record else 0
    run = math.ceil(seconds / 60) if is_notebook(path) else None
    return reading_minutes(path.read_text("utf-8")), run


def map_table(
    facts: dict[str, Any],
    parts: list[tuple[str, list[str]]],
    times: dict[str, tuple[int, int | None]],
) -> list[str]:
    """The chapters in reading order, in Markdown, each with a number by which others name it."""
    known = facts["chapters"]
    numbers = {page: i for i, page in enumerate((p for _, part in parts for p in part), 1)}
    lines = [
        "| | chapter | the question | builds on | level | read, min | run, min |",
        "|--:|---|---|---|--:|--:|--:|",
    ]
    for caption, pages in parts:
        lines.append(f"| | **{caption}** | | | | | |")
        for page in pages:
            fact, (read, run) = known[page], times[page]
            needs = ", ".join(f"[{numbers[need]}](/{need}.md)" for need in fact["needs"])
            cells = [str(numbers[page]), f"[](/{page}.md)", fact["asks"], needs, str(fact["level"])]
            cells += [str(read), "in the page" if run is None else str(run)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


class ChapterMap(SphinxDirective):
    """``{chapter-map}``: all chapters; ``{chapter-map} shortest``: the six of the shortest path.

    Reading minutes come from the pages' words, running minutes from the record of the run.
    """

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Makes the table, or the list."""
        facts, record = chapter_facts(), execute_notebooks.read_record()
        for path in (ROOT / "_chapters.yml", ROOT / "_toc.yml", execute_notebooks.RECORD):
            self.env.note_dependency(str(path))
        times = {page: minutes(page, record) for page in facts["chapters"]}
        if self.arguments == ["shortest"]:
            lines = [f"1. [](/{page}.md), {times[page][0]} min" for page in facts["shortest"]]
        else:
            parts = [part for part in toc_parts() if part[1][0] in facts["chapters"]]
            lines = map_table(facts, parts, times)
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, "_chapters.yml"), 0, holder)
        for table in holder.findall(nodes.table):
            table["classes"].append("chapter-map")
        return holder.children


class SabotageTable(SphinxDirective):
    """``{sabotage-table}``: where each chapter noticed that the package was broken."""

    def run(self) -> list[nodes.Node]:
        """Makes the table."""
        self.env.note_dependency(str(RECORD))
        holder = nodes.container()
        lines = sabotage_table(read_record(), chapters())
        self.state.nested_parse(StringList(lines, str(RECORD)), 0, holder)
        return holder.children


def use_vendored_scripts(app: Any, config: Any) -> None:
    """Adds what vendor.py has put into _build/static to the pages' static files."""
    if not (STATIC / MATHJAX).is_file():
        raise ConfigError(f"{STATIC / MATHJAX} is not there: run tools/vendor.py")
    config.html_static_path.append(str(STATIC))
    config.mathjax_path = MATHJAX


def keep_current_results(app: Any) -> None:
    """Leaves in the execution cache what was run with the present package and versions."""
    if app.config.nb_execution_mode != "off":
        execute_notebooks.fill_cache()


def outdated(app: Any, env: Any, added: set[str], changed: set[str], removed: set[str]) -> set[str]:
    """The pages whose results are other ones than when the page was last built."""
    keys = execute_notebooks.current_keys()
    before = getattr(env, "gantut_keys", {})
    env.gantut_keys = keys
    return {page for page, key in keys.items() if before.get(page) != key}


def resolve_short_name(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Finds ``gantut.GAN`` and the like where they are documented: ``gantut.gan.GAN``."""
    target = node.get("reftarget", "")
    package, _, name = target.rpartition(".")
    if package != "gantut" or name not in gantut.EXPORTS:
        return None
    full = f"gantut.{gantut.EXPORTS[name]}.{name}"
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], full, node, contnode
    )


def shorten_types(app: Any, *_: Any) -> None:
    """Writes NumPy's array types in the API reference as they stand in the source."""
    for annotations in app.env.temp_data.get("annotations", {}).values():
        for name, text in annotations.items():
            annotations[name] = NDARRAY.sub(r"NDArray[\1]", text.replace(ARRAY_LIKE, "ArrayLike"))


def skip_tuple_fields(
    app: Any, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Leaves out a named tuple's fields as members: its docstring's attributes describe them."""
    return True if type(member).__name__ == "_tuplegetter" else None


def lend_docs_of_data(app: Any) -> None:
    """A package's face says of its tables what the file says in which they are set.

    Sphinx finds a class's or a function's text wherever it is imported from, and that of data only
    in the module itself.
    """
    for found in pkgutil.walk_packages(gantut.__path__, "gantut."):
        if not found.ispkg:
            continue
        package = importlib.import_module(found.name)
        face = ModuleAnalyzer.for_module(found.name)
        face.analyze()
        for part in pkgutil.iter_modules(package.__path__, f"{found.name}."):
            analyzer = ModuleAnalyzer.for_module(part.name)
            for (scope, name), text in analyzer.find_attr_docs().items():
                if not scope and name in getattr(package, "__all__", ()):
                    face.attr_docs.setdefault((scope, name), text)


def tidy_scripts(app: Any, page: str, template: str, context: dict[str, Any], _: Any) -> None:
    """Removes scripts that a page holds twice, an error in the browser, and the unused thebe."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for script in context["script_files"]:
        key = (str(script), getattr(script, "attributes", {}).get("body", ""))
        if key not in seen and "thebe" not in "".join(key).lower():
            kept.append(script)
        seen.add(key)
    context["script_files"] = kept


def tidied(page: str, folder: Path) -> str:
    """A page's HTML as the theme should have written it; see TIDYINGS.

    Its figures are loaded when the reader comes near them; their sizes, read from the files below
    ``folder``, keep their places until then. Drawings (SVG) become part of the page, so that the
    theme's colours are theirs.
    """

    def drawn(match: re.Match[str]) -> str:
        drawing = (folder / match[2]).read_text("utf-8").strip()
        return drawing.replace("<svg ", f'<svg role="img" aria-label="{match[1]}" ', 1)

    def sized(match: re.Match[str]) -> str:
        with Image.open(folder / match[2]) as image:
            width, height = image.size
        return f'<img {match[1]} width="{width}" height="{height}" loading="lazy" />'

    for pattern, replacement in TIDYINGS:
        page = pattern.sub(replacement, page)
    report = (
        f"issues/new?template=text.yml&amp;page={pages_url()}\\1&amp;version={gantut.__version__}"
    )
    page = ISSUE.sub(report, page)
    return FIGURE.sub(sized, DRAWING.sub(drawn, page))


def tidy_pages(app: Any, error: Exception | None) -> None:
    """Applies TIDYINGS to every page, and removes the script that no page loads any more."""
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in folder.rglob("*.html"):
        before = path.read_text("utf-8")
        if (after := tidied(before, folder)) != before:
            write_text(path, after)
    for path in (folder / "_static/scripts").glob("fontawesome.js*"):
        path.unlink()
    for path in (folder / "_static").rglob("*.map"):  # for those who mend the theme's scripts
        path.unlink()


def address_of_cards(app: Any, config: Any) -> None:
    """The site's address stands once, as html: baseurl in _config.yml; the cards follow it."""
    config.ogp_site_url = config.html_baseurl


def describe(*arguments: Any, plain: Any = opengraph.get_description) -> str:
    """A page's description on cards: items of a list, joined with commas, may end with one."""
    return str(plain(*arguments)).replace(",,", ",")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("run-table", RunTable)
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("sabotage-table", SabotageTable)
    opengraph.get_description = describe
    app.connect("config-inited", use_vendored_scripts)
    app.connect("config-inited", address_of_cards)
    app.connect("builder-inited", keep_current_results)
    app.connect("builder-inited", lend_docs_of_data)
    app.connect("env-get-outdated", outdated)
    app.connect("missing-reference", resolve_short_name)
    app.connect("autodoc-process-signature", shorten_types, priority=900)
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("html-page-context", tidy_scripts, priority=900)
    app.connect("build-finished", tidy_pages, priority=900)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
