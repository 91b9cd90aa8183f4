"""The script that draws the layers of the faces: paths, places, opacity, and whose licence."""

import json

import make_faces
import numpy as np
import pytest

from gantut.applications import attributes

BLACK = "#000000"


def path(d, **more):
    return {"type": "element", "name": "path", "attributes": {"d": d, "fill": BLACK, **more}}


def drawn(*elements, x=0, y=0):
    return make_faces.draw([*elements], {"hair": "#ff0000"}, x, y)


def opacity(*elements, **place):
    return drawn(*elements, **place)[..., 3]


def test_a_rectangle_covers_its_pixels():
    wanted = np.zeros((16, 16))
    wanted[3:5, 1:4] = 1
    for d in ("M1 3h3v2H1z", "M1 3H4V5H1Z", "m1 3l3 0l0 2l-3 0z", "M1 3h3v2h-3z"):
        np.testing.assert_array_equal(opacity(path(d)), wanted)
    np.testing.assert_array_equal(opacity(path("M0 0h3v2H0z"), x=1, y=3), wanted)
    np.testing.assert_array_equal(opacity(path("M0 0h3v2H0z", transform="translate(1 3)")), wanted)
    # Mirrored, then moved.
    mirrored = path("M0 0h3v2H0z", transform="matrix(-1 0 0 1 4 3)")
    np.testing.assert_array_equal(opacity(mirrored), wanted)


def test_pieces_of_a_path_begin_where_the_last_one_did():
    wanted = np.zeros((16, 16))
    wanted[0, 0] = wanted[2, 2] = 1
    np.testing.assert_array_equal(opacity(path("M0 0h1v1H0zm2 2h1v1h-1z")), wanted)


@pytest.mark.parametrize(("rule", "middle"), [("evenodd", 0), ("nonzero", 1)])
def test_the_rule_says_what_is_a_hole(rule, middle):
    found = opacity(path("M0 0h5v5H0zM1 1h3v3H1z", **{"fill-rule": rule}))
    assert found[2, 2] == middle
    assert found[0].sum() == 5
    assert opacity(path("M0 0h5v5H0zM1 1v3h3V1z"))[2, 2] == 0  # the other way round


def test_what_is_half_clear_lets_the_lower_colour_through():
    red = path("M0 0h2v1H0z", fill={"type": "color", "name": "hair"})
    white = path("M1 0h2v1H1z", fill="white", **{"fill-opacity": ".5"})
    row = drawn(red, white)[0]
    np.testing.assert_allclose(row[0], [1, 0, 0, 1])
    np.testing.assert_allclose(row[1], [1, 0.5, 0.5, 1])
    np.testing.assert_allclose(row[2], [0.5, 0.5, 0.5, 0.5])
    assert not row[3].any()


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (path("M0 0c1 1 2 2 3 3z"), "'c', which is no straight line"),
        (path("M0 0h1v1z", transform="rotate(3)"), "rotate"),
        ({"type": "element", "name": "circle", "attributes": {}}, "circle"),
    ],
)
def test_what_it_cannot_draw_is_refused(element, message):
    with pytest.raises(ValueError, match=message):
        drawn(element)


def definition(licence="CC0 1.0"):
    """A style in which each variant is one square, at a place of its own."""
    square = {"elements": [path("M0 0h2v2H0z", fill={"type": "color", "name": "skin"})]}
    wanted = {
        "hair": (make_faces.HAIR, "hair"),
        "eyes": (make_faces.EYES, "eyes"),
        "glasses": (make_faces.GLASSES[1:], "glasses"),
        "mouth": (make_faces.MOUTHS, "mouth"),
        "clothes": (("variant03",), "clothing"),
    }
    components, canvas = {}, [square["elements"][0]]
    for place, (name, (kinds, colour)) in enumerate(wanted.items()):
        shape = path("M0 0h2v2H0z", fill={"type": "color", "name": colour})
        components[name] = {"variants": {kind: {"elements": [shape]} for kind in kinds}}
        move = {"attributes": {"transform": f"translate({3 * place} 4)"}} if place else {}
        canvas.append({"type": "component", "name": name, **move})
    return {
        "meta": {"license": {"name": licence}},
        "canvas": {"elements": canvas},
        "components": components,
    }


def test_the_file_has_a_layer_for_each_value(tmp_path):
    source, out = tmp_path / "style.json", tmp_path / "layers.npz"
    source.write_text(json.dumps(definition()), "utf-8")
    make_faces.main([str(source), "--out", str(out)])
    first = out.read_bytes()
    make_faces.main([str(source), "--out", str(out)])
    assert out.read_bytes() == first
    with np.load(out) as made, np.load(make_faces.TARGET) as shipped:
        assert {name: made[name].shape for name in made} == {
            name: shipped[name].shape for name in shipped
        }
        assert made["shirt"][3, 4, 12].tolist() == [0xFF, 0xC4, 0x25, 255]
        assert made["hair"][2, 0, 0].tolist() == [0xCA, 0xB1, 0x88, 255]
        assert not made["glasses"][0].any()
    assert make_faces.TARGET.stat().st_size < 10_000


def test_the_values_are_those_that_the_package_names():
    names = attributes.ATTRIBUTES
    sizes = make_faces.SKINS, make_faces.HAIR, make_faces.HAIR_COLOURS, make_faces.EYES
    sizes += make_faces.GLASSES, make_faces.MOUTHS, make_faces.SHIRTS
    assert [len(values) for values in sizes] == [len(values) for values in names.values()]
    assert [*make_faces.HAIR_COLOURS] == [*names["hair colour"]]
    assert [*make_faces.SHIRTS] == [*names["shirt"]]


def test_a_style_under_another_licence_is_refused(tmp_path):
    source = tmp_path / "style.json"
    source.write_text(json.dumps(definition("CC BY 4.0")), "utf-8")
    with pytest.raises(SystemExit, match=r"wanted a style under CC0 1\.0, got 'CC BY 4\.0'"):
        make_faces.main([str(source), "--out", str(tmp_path / "x.npz")])
