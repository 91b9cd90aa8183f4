"""Draws the layers of the package, from the contract in pyproject.toml, into .github/layers.svg.

    python tools/draw_layers.py

The contract is import-linter's, which `make test` holds the code to: a module imports from the
rows below its own alone. What a box says is the first line of the module's docstring.
"""

import ast
import textwrap
import tomllib
from xml.sax.saxutils import escape

from project import ROOT, write_text

PICTURE = ROOT / ".github" / "layers.svg"
WIDTH, LINE, PAD, GAP = 1000, 14, 8, 8
LETTER = 6.3  # pixels, of the small text


def rows() -> list[list[str]]:
    """The modules of each layer of the contract, top to bottom, without the package's name."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = [c["layers"] for c in contracts["contracts"] if c["type"] == "layers"]
    return [layer.replace(":", "|").replace(" ", "").split("|") for layer in layers]


def summary(module: str) -> str:
    """The first line of a module's docstring."""
    path = ROOT / "gantut" / f"{module}.py"
    if not path.exists():
        path = ROOT / "gantut" / module / "__init__.py"
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


def picture() -> str:
    """The drawing, as the text of an SVG file."""
    parts, y = [], GAP
    for modules in rows():
        width = (WIDTH - GAP * (len(modules) + 1)) / len(modules)
        letters = int((width - 2 * PAD) / LETTER)
        texts = [textwrap.wrap(summary(module), letters, max_lines=4) for module in modules]
        height = 2 * PAD + LINE * (1 + max(map(len, texts)))
        for i, (module, lines) in enumerate(zip(modules, texts, strict=True)):
            x = GAP + i * (width + GAP)
            parts.append(
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{height}" rx="4" '
                f'fill="#f4f6fa" stroke="#8292b4"/>\n'
                f'<text x="{x + PAD:.0f}" y="{y + PAD + 11}" class="name">{escape(module)}</text>'
            )
            parts += [
                f'<text x="{x + PAD:.0f}" y="{y + PAD + 11 + LINE * n}">{escape(line)}</text>'
                for n, line in enumerate(lines, start=1)
            ]
        y += height + GAP
    style = "text{font:11px sans-serif;fill:#333}.name{font:bold 13px monospace;fill:#123}"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img">\n'
        f"<title>The layers of gantut: a module imports from the rows below its own</title>\n"
        f"<style>{style}</style>\n"
        f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def main() -> None:
    """Writes the picture."""
    write_text(PICTURE, picture())
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
