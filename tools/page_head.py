"""A Sphinx extension: under a chapter's title when it was last run, and where else it opens."""

from typing import Any

import execute_notebooks
from docutils import nodes
from project import kaggle_url


def verified(entry: dict[str, Any]) -> str:
    """When a chapter was last run, with what, and for how long, from its entry in run.json."""
    versions = entry["versions"]
    return (
        f"Last run on {entry['date']} with TensorFlow {versions['tensorflow']} and Keras "
        f"{versions['keras']}, in {entry['seconds']:.0f} seconds. "
    )


def add_line(app: Any, doctree: nodes.document) -> None:
    """Puts the line below the title of a chapter whose results are shown."""
    page = app.env.docname
    entry = execute_notebooks.read_record().get(page)
    title = next(iter(doctree.findall(nodes.title)), None)
    if entry is None or title is None:
        return
    app.env.note_dependency(str(execute_notebooks.RECORD))
    line = nodes.paragraph(classes=["last-run"])
    line += nodes.Text(verified(entry))
    line += nodes.reference("", "Open in Kaggle", refuri=kaggle_url(page))
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-read", add_line)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
