"""Makes the layers of which `gantut.applications.attributes` composes its faces.

    pip install --no-deps --target styles dicebear-styles
    python tools/make_faces.py styles/dicebear_styles/pixel-art.json

The style "Pixel Art" by DiceBear is under CC0 1.0; its definition is a JSON file of shapes in the
manner of SVG, on a canvas of 16 x 16 pixels. Each variant of each attribute is drawn in its colour
at its place, and gantut/applications/attributes.npz keeps the pixels: red, green, blue (times
opacity) and opacity.
"""

import argparse
import io
import json
import re
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from project import ROOT

from gantut._files import atomic_write

TARGET = ROOT / "gantut/applications/attributes.npz"
SIDE = 16
LICENCE = "CC0 1.0"

HAIR = ("short04", "short13", "short18", "long03", "long12", "long20")
HAIR_COLOURS = {"black": "#28150a", "brown": "#83623b", "fair": "#cab188", "red": "#bd1700"}
SKINS = ("#ffdbac", "#e0b687", "#b68655", "#8d5524")
EYES = ("variant03", "variant08", "variant09")
GLASSES = ("", "light05", "dark07")
MOUTHS = ("happy06", "happy09", "sad01", "sad05")
SHIRTS = {"blue": "#428bca", "green": "#44c585", "red": "#d11141", "yellow": "#ffc425"}
ONE_COLOUR = {"eyes": "#5b7c8b", "glasses": "#191919", "mouth": "#de0f0d"}

Matrix = tuple[float, float, float, float, float, float]
Layer = npt.NDArray[np.float64]


def matrix(text: str | None) -> Matrix:
    """SVG's six numbers of a translation or a matrix; of nothing, those that change nothing."""
    numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+", text or "")]
    if not text:
        return 1, 0, 0, 1, 0, 0
    if text.startswith("translate"):
        x, y = (*numbers, 0.0)[:2]
        return 1, 0, 0, 1, x, y
    if text.startswith("matrix"):
        a, b, c, d, x, y = numbers
        return a, b, c, d, x, y
    raise ValueError(f"a transform that is not known: {text!r}")


def polygons(path: str) -> Iterator[list[tuple[float, float]]]:
    """The corners of each closed piece of a path of straight lines."""
    corners: list[tuple[float, float]] = []
    x = y = 0.0
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+", rest)]
        kind, relative = command.lower(), command.islower()
        if kind == "m":
            if corners:
                yield corners
            corners = []
        elif kind == "z":
            x, y = corners[0]
            continue
        if kind not in "mhvl":
            raise ValueError(f"a path with {command!r}, which is no straight line")
        while numbers:
            right = numbers.pop(0) if kind != "v" else 0.0 if relative else x
            down = numbers.pop(0) if kind != "h" else 0.0 if relative else y
            x, y = (x + right, y + down) if relative else (right, down)
            corners.append((x, y))
    yield corners


def inside(path: str, place: Matrix, even_odd: bool) -> npt.NDArray[np.bool_]:
    """The pixels whose middle a path has inside, by SVG's rule for what is inside."""
    a, b, c, d, e, f = place
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    turns = np.zeros((SIDE, SIDE), int)
    for corners in polygons(path):
        moved = [(a * x + c * y + e, b * x + d * y + f) for x, y in corners]
        for (x0, y0), (x1, y1) in zip(moved, [*moved[1:], moved[0]], strict=True):
            if y0 == y1:
                continue
            crosses = (rows >= min(y0, y1)) & (rows < max(y0, y1))
            at = x0 + (rows - y0) * (x1 - x0) / (y1 - y0)
            turns += np.where(crosses & (at > columns), np.sign(y1 - y0), 0).astype(int)
    return turns % 2 != 0 if even_odd else turns != 0


def colour(fill: Any, colours: dict[str, str]) -> Layer:
    """Red, green and blue of a fill in [0, 1]."""
    name = colours[fill["name"]] if isinstance(fill, dict) else fill
    name = {"white": "#ffffff", "black": "#000000"}.get(name, name)
    return np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def draw(elements: list[dict[str, Any]], colours: dict[str, str], x: float, y: float) -> Layer:
    """The paths of a variant, one over the other, moved by (x, y): (16, 16, 4)."""
    layer = np.zeros((SIDE, SIDE, 4))
    for element in elements:
        if element["type"] == "component":
            continue
        if element["name"] != "path":
            raise ValueError(f"an element that is not known: {element['name']!r}")
        shape = element["attributes"]
        a, b, c, d, e, f = matrix(shape.get("transform"))
        opacity = float(shape.get("fill-opacity", 1)) * float(shape.get("opacity", 1))
        even_odd = shape.get("fill-rule") == "evenodd"
        where = inside(shape["d"], (a, b, c, d, e + x, f + y), even_odd)[..., None]
        paint = np.append(colour(shape["fill"], colours), 1.0)
        layer = np.where(where, opacity * paint + (1 - opacity) * layer, layer)
    return layer


def layers(style: dict[str, Any]) -> dict[str, npt.NDArray[np.uint8]]:
    """The layers of each attribute, uint8 (values, 16, 16, 4); hair by style and colour."""
    canvas = style["canvas"]["elements"]
    places = {e["name"]: matrix(e.get("attributes", {}).get("transform")) for e in canvas}

    def variants(name: str, kinds: tuple[str, ...], **colours: str) -> list[Layer]:
        known, place = style["components"][name]["variants"], places[name]
        return [
            draw(known[kind]["elements"] if kind else [], colours, *place[4:]) for kind in kinds
        ]

    drawn = {
        "skin": [draw(canvas, {"skin": skin}, 0, 0) for skin in SKINS],
        "hair": [
            variants("hair", (kind,), hair=shade)[0]
            for kind, shade in product(HAIR, HAIR_COLOURS.values())
        ],
        "eyes": variants("eyes", EYES, **ONE_COLOUR),
        "glasses": variants("glasses", GLASSES, **ONE_COLOUR),
        "mouth": variants("mouth", MOUTHS, **ONE_COLOUR),
        "shirt": [
            variants("clothes", ("variant03",), clothing=shade)[0] for shade in SHIRTS.values()
        ],
    }
    return {name: np.rint(255 * np.stack(some)).astype(np.uint8) for name, some in drawn.items()}


def main(words: list[str]) -> None:
    """Reads the definition and writes the layers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definition", type=Path, help="pixel-art.json of dicebear-styles")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args(words)
    style = json.loads(options.definition.read_text("utf-8"))
    if (found := style["meta"]["license"]["name"]) != LICENCE:
        sys.exit(f"{options.definition}: wanted a style under {LICENCE}, got {found!r}")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **layers(style))  # type: ignore[arg-type]
    with atomic_write(options.out) as temporary:
        temporary.write_bytes(buffer.getvalue())
    print(f"{options.out}: {len(buffer.getvalue()):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
