"""Links between the book and the API reference, made by Sphinx from what the chapters say and run.

A section uses a public function or class of gantut if its text links to it or its code names it.
Below a section's text stand links to what only its code uses; in the reference, each entry says in
which sections it is used, those whose text names it first. Where no section uses it, the entry says
what the paragraph at the top of its module says.
"""

import ast
import importlib
import inspect
from functools import cache, partial
from typing import Any

from docutils import nodes
from sphinx import addnodes

import gantut

REFERENCE = "book/api"
ASIDE = ("Exercises", "Recap")  # sections that come last in the reference's lists
KINDS = ("function", "class", "exception")
MOST = 3  # sections named in an entry


@cache
def public_name(dotted: str) -> str | None:
    """The name under which the reference has ``dotted``, or None.

    Args:
        dotted: Such as ``gantut.GAN``, ``gantut.metrics.psnr`` or, with an attribute behind it,
            ``gantut.GAN.fit``.

    Returns:
        Such as ``gantut.gan.GAN``: the module that defines a function or class, and its name.
    """
    parts = dotted.split(".")
    if len(parts) > 1 and parts[1] in gantut.EXPORTS:
        parts[1:1] = [gantut.EXPORTS[parts[1]]]
    if parts[0] != "gantut" or len(parts) < 3 or parts[1] not in gantut.MODULES:
        return None
    if parts[1] == "applications" and parts[2] not in gantut.applications.MODULES:
        return None
    for end in range(len(parts), 1, -1):
        try:
            module = importlib.import_module(".".join(parts[: end - 1]))
        except ModuleNotFoundError:
            continue
        thing: Any = getattr(module, parts[end - 1], None)
        # What automodule lists: a module's __all__, or else what it defines itself. A partial is
        # shown as the function that it is.
        is_partial = isinstance(thing, partial)
        here = is_partial or getattr(thing, "__module__", "") == module.__name__
        listed = parts[end - 1] in module.__all__ if hasattr(module, "__all__") else here
        known = is_partial or inspect.isclass(thing) or inspect.isfunction(inspect.unwrap(thing))
        if known and listed and not any(part.startswith("_") for part in parts[:end]):
            return ".".join(parts[:end])
    return None


def names_in_code(source: str, imported: dict[str, str]) -> list[str]:
    """The public names of gantut that a cell uses, in the order of the code.

    Args:
        source: Python code; none is found in what is not Python, such as a cell of magics.
        imported: What each name means that earlier cells imported; the cell's own are added.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.split(".")[0]
                imported[alias.asname or name] = name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)]
    for use in sorted(uses, key=lambda node: (node.lineno, node.col_offset)):
        root, *rest = ast.unparse(use).split(".") if is_dotted(use) else [""]
        used = public_name(".".join([imported[root], *rest])) if root in imported else None
        if used:
            found[used] = None
    return list(found)


def is_dotted(node: ast.AST) -> bool:
    """Whether an expression is names with dots between them."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def section_of(node: nodes.Node) -> nodes.section | None:
    """The innermost section that a node stands in."""
    parent = node.parent
    while parent is not None and not isinstance(parent, nodes.section):
        parent = parent.parent
    return parent


def link(name: str) -> addnodes.pending_xref:
    """A link to an entry of the reference, to be resolved like one that a writer made."""
    text = name.removeprefix("gantut.").removeprefix("applications.")
    return addnodes.pending_xref(
        "",
        nodes.literal(text, text, classes=["xref", "py"]),
        refdomain="py",
        reftype="obj",
        reftarget=name,
        refexplicit=True,
        refwarn=True,
    )


def links_line(label: str, links: list[nodes.Node]) -> nodes.paragraph:
    """A paragraph of links with commas between them."""
    line = nodes.paragraph("", "", nodes.Text(label), classes=["gantut-links"])
    for index, one in enumerate(links):
        line += nodes.Text(", " if index else " ")
        line += one
    return line


def collect(app: Any, doctree: nodes.document) -> None:
    """Notes which section of a page uses what, and links to what only its code uses."""
    page = app.env.docname
    if page == REFERENCE or not page.startswith("book/"):
        return
    uses: list[tuple[int, str, str, str]] = []
    in_text: dict[nodes.section, set[str]] = {}
    in_code: dict[nodes.section, dict[str, None]] = {}
    imported: dict[str, str] = {}
    for node in doctree.findall():
        section = section_of(node)
        if section is None:
            continue
        if isinstance(node, addnodes.pending_xref) and node.get("refdomain") == "py":
            if name := public_name(node["reftarget"]):
                in_text.setdefault(section, set()).add(name)
        elif isinstance(node, nodes.literal_block) and "cell_input" in node.parent.get("classes"):
            for name in names_in_code(node.astext(), imported):
                in_code.setdefault(section, {})[name] = None
    for section in doctree.findall(nodes.section):
        told = in_text.get(section, set())
        ran = [name for name in in_code.get(section, {}) if name not in told]
        title = section[0].astext()
        for name in [*sorted(told), *ran]:
            rank = 2 if title in ASIDE else int(name not in told)
            uses.append((rank, name, section["ids"][0], title))
        if ran:
            line = links_line("In the reference:", [link(name) for name in ran])
            for xref in line.findall(addnodes.pending_xref):
                xref["refdoc"] = page
            at = next(
                (i for i, child in enumerate(section) if isinstance(child, nodes.section)),
                len(section),
            )
            section.insert(at, line)
    all_uses(app.env)[page] = uses


def all_uses(env: Any) -> dict[str, list[tuple[int, str, str, str]]]:
    """What `collect` has noted of each page: rank, name, the section's id and title."""
    if not hasattr(env, "gantut_uses"):
        env.gantut_uses = {}
    uses: dict[str, list[tuple[int, str, str, str]]] = env.gantut_uses
    return uses


def forget(app: Any, env: Any, page: str) -> None:
    """Drops what was noted of a page that is read again."""
    all_uses(env).pop(page, None)


def explain(app: Any, doctree: nodes.document, page: str) -> None:
    """Adds to each function and class of the reference the sections that use it."""
    if page != REFERENCE:
        return
    order = {name: index for index, name in enumerate(app.env.toctree_includes_in_order)}
    places: dict[str, list[tuple[int, int, str, str, str]]] = {}
    for source, uses in all_uses(app.env).items():
        for rank, name, anchor, title in uses:
            places.setdefault(name, []).append((rank, order[source], source, anchor, title))
    for entry in doctree.findall(addnodes.desc):
        if entry.get("domain") != "py" or entry.get("objtype") not in KINDS:
            continue
        entry_name = public_name(entry[0]["ids"][0])
        best = sorted(places.get(str(entry_name), []), key=lambda place: place[:2])[:MOST]
        links: list[nodes.Node] = []
        for _, _, source, anchor, title in best:
            uri = app.builder.get_relative_uri(page, source) + f"#{anchor}"
            links.append(nodes.reference("", title, internal=True, refuri=uri))
        section = section_of(entry)
        if not links and section is not None:
            top = next(section.findall(nodes.paragraph), None)
            found = [] if top is None else list(top.findall(nodes.reference))
            links = [reference.deepcopy() for reference in found]
        if links:
            entry[-1].append(links_line("Explained in", links))


def note_order(app: Any, env: Any) -> None:
    """Keeps the reading order of the pages, by which sections are listed."""
    pages: list[str] = []

    def follow(page: str) -> None:
        pages.append(page)
        for child in env.toctree_includes.get(page, []):
            follow(child)

    follow(env.config.root_doc)
    env.toctree_includes_in_order = pages + sorted(set(env.found_docs) - set(pages))


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", forget)
    app.connect("env-updated", note_order)
    app.connect("doctree-resolved", explain)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
