"""The book's own Sphinx extension: only current results, the table of runs, MathJax from here."""

from typing import Any

import execute_notebooks
from docutils import nodes
from docutils.statemachine import StringList
from fetch_mathjax import SCRIPT, STATIC
from project import chapters
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


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
        for problem in execute_notebooks.run_problems():
            LOGGER.warning("%s: run make book", problem, location=self.get_location())
        record = execute_notebooks.read_record()
        pages = [page for page in chapters() if page in record]
        holder = nodes.container()
        lines = run_table(record, pages)
        self.state.nested_parse(StringList(lines, str(execute_notebooks.RECORD)), 0, holder)
        return holder.children


def use_local_mathjax(app: Any, config: Any) -> None:
    """Takes MathJax from _build/static if fetch_mathjax.py has put it there."""
    if SCRIPT.exists():
        config.html_static_path.append(str(STATIC))
        config.mathjax_path = SCRIPT.relative_to(STATIC).as_posix()


def keep_current_results(app: Any) -> None:
    """Leaves in the execution cache what was run with the present package and versions."""
    execute_notebooks.fill_cache()


def outdated(app: Any, env: Any, added: set[str], changed: set[str], removed: set[str]) -> set[str]:
    """The pages whose results are other ones than when the page was last built."""
    keys = execute_notebooks.current_keys()
    before = getattr(env, "gantut_keys", {})
    env.gantut_keys = keys
    return {page for page, key in keys.items() if before.get(page) != key}


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("run-table", RunTable)
    app.connect("config-inited", use_local_mathjax)
    app.connect("builder-inited", keep_current_results)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
