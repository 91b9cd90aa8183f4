"""A Sphinx extension: the glossary's definitions, which term.js shows next to the links to them."""

import json
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from project import write_text


def definitions(glossary: str) -> dict[str, str]:
    """The HTML of each definition by its term's id, from the glossary's page; links become text."""
    found = {}
    for term in BeautifulSoup(glossary, "html.parser").select("dl.glossary > dt[id]"):
        definition = term.find_next_sibling("dd")
        assert definition is not None
        for link in definition.find_all("a"):
            link.unwrap()
        found[str(term["id"])] = definition.decode_contents().strip()
    return found


def write_terms(app: Any, error: Exception | None) -> None:
    """Writes them into a script, which a page can load from a file too."""
    page = Path(app.outdir) / "book/glossary.html"
    if error is None and app.builder.format == "html" and page.is_file():
        terms = json.dumps(definitions(page.read_text("utf-8")), ensure_ascii=False)
        write_text(Path(app.outdir) / "_static/terms.js", f"gantutTerms = {terms};\n")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("build-finished", write_terms)
    app.add_js_file("term.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
