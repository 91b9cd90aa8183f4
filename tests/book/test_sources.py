"""Sources can be looked up, tables say where they come from, and no work is told of unnamed."""

import ast
import re

import nbformat
import project
import pytest
from project import BOOK

import gantut

ENTRY = re.compile(r"^@\w+\{(\S+),\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
CITED = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
# Somebody else's work, by no name.
UNNAMED = re.compile(
    r"\b(?:(?:one|another|some|many|most|a popular|a well-known|two well-known) "
    r"(?:tutorials?|textbooks?|texts?|examples?|collections?|sources?|lists?)"
    r"|a (?:popular )?collection of \w+ GANs|a textbook|that we (?:have )?met)\b",
    re.IGNORECASE,
)
SOURCE = re.compile(r"\{cite|\]\(https?://|<https?://")
TABLES = {"comparison", "markdown", "Markdown"}
MARK = re.compile(r"^\*Recorded: (.+)\.\*$", re.MULTILINE)


def pages() -> dict[str, str]:
    """The text of each page without its code."""
    return {
        page: re.sub(r"^(`{3,}).*?^\1$", "", (BOOK.parent / f"{page}.md").read_text("utf-8"),
                     flags=re.MULTILINE | re.DOTALL)
        for page in project.toc_pages()
    }  # fmt: skip


def unsourced(text: str) -> list[str]:
    """The paragraphs that speak of a work without its name and give no source."""
    paragraphs = re.split(r"\n\s*\n", text)
    return [one for one in paragraphs if UNNAMED.search(one) and not SOURCE.search(one)]


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def inner_names(statement: ast.AST) -> set[str]:
    """The names that exist only inside comprehensions, lambdas and functions of a statement."""
    names: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.comprehension):
            names |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef):
            names |= {
                n.id for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }  # fmt: skip
    return names


def outer_names(statement: ast.AST) -> set[str]:
    """The names that a statement binds, and those of the lists and dicts that it adds to."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            names |= {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.For):
            names |= {n.id for n in ast.walk(node.iter) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.Call) and called(node) in ("append", "extend", "update"):
            names |= {n.id for n in ast.walk(node.func) if isinstance(n, ast.Name)}
    return names - inner_names(statement)


def recorded_tables(page: str) -> list[tuple[set[str], str]]:
    """For each table that a chapter's cells make of records: the records, and the text below."""
    cells = project.read_chapter(BOOK.parent / f"{page}.md").cells
    known: dict[str, set[str]] = {}
    functions: dict[str, ast.FunctionDef] = {}
    makers = set(TABLES)
    loaders = set()
    found = []

    def records(node: ast.AST) -> set[str]:
        inner = inner_names(node)
        names = set()
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id not in inner:
                names |= known.get(part.id, set())
            elif isinstance(part, ast.Call) and (
                ast.unparse(part.func) == "results.load" or ast.unparse(part.func) in loaders
            ):
                names |= {part.args[0].value} if isinstance(part.args[0], ast.Constant) else {"?"}
        return names

    for i, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        tree = ast.parse(re.sub(r"^\s*%.*$", "    pass", cell.source, flags=re.MULTILINE))
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.module == "gantut.results":
                loaders |= {name.name for name in statement.names} & {"load"}
            known.update({name: records(function) for name, function in functions.items()})
            read = records(statement)
            if isinstance(statement, ast.FunctionDef):
                functions[statement.name] = statement
                calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call)]
                makers |= {statement.name} if any(called(n) in makers for n in calls) else set()
                continue
            for name in outer_names(statement):
                if isinstance(statement, ast.Assign):
                    known[name] = set(read)
                else:
                    known[name] = known.get(name, set()) | read
        known.update({name: records(function) for name, function in functions.items()})
        last = tree.body[-1]
        shown = last.value if isinstance(last, ast.Expr) else None
        if isinstance(shown, ast.Call) and called(shown) in makers and records(shown):
            found.append((records(shown), cells[i + 1].source if i + 1 < len(cells) else ""))
    return found


def test_each_entry_is_cited_and_each_cited_entry_is_there():
    entries = {key for key, _ in ENTRY.findall((BOOK / "references.bib").read_text("utf-8"))}
    cited = {
        key.strip()
        for page in project.toc_pages()
        for keys in CITED.findall((BOOK.parent / f"{page}.md").read_text("utf-8"))
        for key in keys.split(",")
    }
    assert entries - cited == set(), "in the bibliography, cited nowhere"
    assert cited - entries == set(), "cited, not in the bibliography"


def test_each_entry_can_be_looked_up():
    entries = ENTRY.findall((BOOK / "references.bib").read_text("utf-8"))
    assert len(entries) > 100
    for key, fields in entries:
        assert re.search(r"^  (?:doi|eprint|url) = \{\S+\},$", fields, re.MULTILINE), key


@pytest.mark.parametrize("page", project.toc_pages())
def test_what_is_said_of_a_work_names_it(page):
    assert unsourced(pages()[page]) == []


def test_a_work_without_a_name_is_noticed():
    assert unsourced("As one tutorial has it, D is linear.\n\nAnd so on.")
    assert not unsourced("As one tutorial has it {cite:p}`paul2021`, D is linear.")
    assert not unsourced("A tutorial may say so.")


@pytest.mark.parametrize("page", project.chapters())
def test_a_table_of_a_record_names_its_command(page):
    for records, below in recorded_tables(page):
        if not records & {"?", *gantut.results.available()}:
            continue  # such as that of a GPU: shown once somebody has run it
        mark = MARK.search(below)
        assert mark, f"no line '*Recorded: ...*' below the table of {sorted(records)}"
        if "?" not in records:
            named = set(re.findall(r"benchmarks/(\w+)\.py", mark[1]))
            assert named, mark[0]
            assert named <= records, (named, records)


def test_a_table_that_quotes_papers_says_so():
    for page, text in pages().items():
        for table in re.findall(r"((?:^\|.*\n){3,})\n*(.*)", text, re.MULTILINE):
            quoted = len(CITED.findall(table[0])) > 1 and re.search(r"\| *\d*\.\d+ *\|", table[0])
            assert not quoted or table[1].startswith("*Quoted"), (page, table[0][:200])


def test_the_tables_of_records_are_found():
    assert sum(len(recorded_tables(page)) for page in project.chapters()) > 40


LINE, LINES = 79, 25


def long_cells(cells: list) -> list[str]:
    """What is too wide for the page, or too long for a reader to take in at once."""
    found = []
    for number, cell in enumerate(cells):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        found += [f"cell {number}: {line}" for line in lines if len(line) > LINE]
        hidden = {"hide-input", "remove-input", "remove-cell"} & {*cell.metadata.get("tags", [])}
        if len(lines) > LINES and not hidden:
            found.append(f"cell {number}: {len(lines)} lines")
    return found


@pytest.mark.parametrize("page", project.chapters())
def test_code_is_short(page):
    assert long_cells(project.code_cells(project.read_chapter(BOOK.parent / f"{page}.md"))) == []


def test_long_code_is_noticed():
    long, hidden = nbformat.v4.new_code_cell("x = 1\n" * 26), nbformat.v4.new_code_cell("")
    hidden.metadata["tags"] = ["hide-input"]
    hidden.source = long.source
    assert long_cells([long, hidden]) == ["cell 0: 26 lines"]
    hidden.source = f"x = {'1' * 76}"
    long.source = "x = 1\n\n" * 25
    assert long_cells([long, hidden]) == [f"cell 1: {hidden.source}"]
