"""Figures show the numbers they were given, in one style, and leave Matplotlib as it was."""

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from gantut import plotting

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import to_hex

N = 5
HISTORY = {
    "d_loss": np.linspace(0.7, 1.3, N),
    "g_loss": np.linspace(3, 0.8, N),
    "d_real": np.linspace(0.9, 0.6, N),
    "d_fake": np.linspace(0.1, 0.4, N),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def images(n: int, channels: int = 1, side: int = 28) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (n, side, side, channels)).astype(np.float32)


def draw_all(ax=None) -> list:
    common = {"title": "title", "ax": ax}
    return [
        plotting.image_grid(images(6), **common),
        plotting.loss_curves(HISTORY, **common),
        plotting.probability_curves(HISTORY, **common),
        plotting.class_bars(np.full(10, 0.1), np.full(10, 0.1), **common),
    ]


def bytes_of(image: np.ndarray) -> np.ndarray:
    return np.rint((image.astype(np.float64) + 1) * 127.5)


def test_every_function_draws_on_the_axes_given_and_never_shows(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: pytest.fail("show was called"))
    _, ax = plt.subplots()
    assert all(drawn is ax for drawn in draw_all(ax))
    assert len(plt.get_fignums()) == 1
    assert len({id(drawn) for drawn in draw_all()}) == 4
    assert len(plt.get_fignums()) == 5


def test_only_use_style_changes_settings():
    before = dict(mpl.rcParams)
    draw_all()
    assert dict(mpl.rcParams) == before
    with plt.rc_context():
        plotting.use_style()
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(plotting.PALETTE)
        assert not mpl.rcParams["axes.spines.top"]


def test_axes_have_names_and_legends_stand_above_the_data():
    for ax in draw_all()[1:]:
        assert ax.get_title() == "title"
        ax.figure.canvas.draw()
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        legend = ax.get_legend().get_window_extent()
        axes, figure = ax.get_window_extent(), ax.figure.bbox
        assert legend.y0 >= axes.y1
        assert legend.y1 <= ax.title.get_window_extent().y0
        assert legend.x1 <= figure.x1
        assert ax.title.get_window_extent().y1 <= figure.y1


def test_palette_keeps_apart_in_grey_or_by_line_style():
    ax = plotting.loss_curves(HISTORY)
    d_loss, g_loss = ax.get_lines()[:2]
    assert (to_hex(d_loss.get_color()), to_hex(g_loss.get_color())) == (
        plotting.REAL.lower(),
        plotting.FAKE.lower(),
    )
    assert d_loss.get_linestyle() != g_loss.get_linestyle()


# --- Images --------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_image_grid_shows_each_image_in_its_place(channels):
    batch = images(5, channels)
    shown = plotting.image_grid(batch, columns=3).get_images()[0].get_array()
    gap = 2
    assert shown.shape[:2] == (2 * 28 + gap, 3 * 28 + 2 * gap)
    for index, image in enumerate(batch):
        top, left = (index // 3) * (28 + gap), (index % 3) * (28 + gap)
        tile = shown[top : top + 28, left : left + 28].reshape(28, 28, channels)
        np.testing.assert_array_equal(tile, bytes_of(image))
    assert (shown[28 + gap :, 2 * (28 + gap) :] == 255).all()  # the empty place is white


@pytest.mark.parametrize(
    ("n", "rows", "columns", "expected"),
    [
        (9, None, None, (3, 3)),
        (10, None, None, (3, 4)),
        (1, None, None, (1, 1)),
        (10, 2, None, (2, 5)),
        (10, None, 10, (1, 10)),
        (7, 3, 4, (3, 4)),
    ],
)
def test_grid_shape(n, rows, columns, expected):
    shape = plotting.image_grid(images(n), rows, columns).get_images()[0].get_array().shape
    assert ((shape[0] + 2) // 30, (shape[1] + 2) // 30) == expected


def test_save_grid_writes_the_pixels(tmp_path):
    batch = images(6)
    path = tmp_path / "new" / "grid.png"
    plotting.save_grid(batch, path, 3, scale=2)
    assert [p.name for p in path.parent.iterdir()] == ["grid.png"]
    with Image.open(path) as file:
        assert file.mode == "L"
        written = np.asarray(file)
    assert written.shape == (2 * (2 * 28 + 2), 2 * (3 * 28 + 4))
    small = written[::2, ::2]
    np.testing.assert_array_equal(written, small.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(small[30:, 60:], bytes_of(batch[5])[..., 0])
    plotting.save_grid(images(2, channels=3), path)
    with Image.open(path) as file:
        assert file.mode == "RGB"


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    plotting.save_grid(images(1), path)
    before = path.read_bytes()

    def half_a_file(self, file, format):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", half_a_file)
    with pytest.raises(OSError, match="disk full"):
        plotting.save_grid(images(2), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        plotting.save_grid(images(1), tmp_path / "file" / "grid.png")


@pytest.mark.parametrize(
    "function", [plotting.image_grid, lambda x: plotting.save_grid(x, "a.png")]
)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (images(2)[..., 0], "shape"),
        (images(2, channels=2), "1 channel .* or 3 .*, got 2"),
        (images(2) * 3, "values in"),
        (images(2) * np.nan, "NaN"),
        (images(0), "at least one image"),
        (images(2).astype(np.float64), "float64"),
    ],
)
def test_bad_images(function, bad, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        function(bad)
    assert list(tmp_path.iterdir()) == []


def test_bad_grids(tmp_path):
    with pytest.raises(ValueError, match="too small"):
        plotting.image_grid(images(7), 2, 3)
    with pytest.raises(ValueError, match="rows"):
        plotting.image_grid(images(7), 0)
    with pytest.raises(TypeError, match="columns"):
        plotting.image_grid(images(7), columns=2.5)
    with pytest.raises(ValueError, match="path"):
        plotting.save_grid(images(1), tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="scale"):
        plotting.save_grid(images(1), tmp_path / "a.png", scale=0)


# --- Curves --------------------------------------------------------------------------------------


class FitResult:
    """As Keras' History."""

    history = HISTORY


@pytest.mark.parametrize("history", [HISTORY, FitResult()])
def test_loss_curves(history):
    ax = plotting.loss_curves(history)
    d_loss, g_loss, d_line, g_line = ax.get_lines()
    np.testing.assert_array_equal(d_loss.get_xydata(), np.c_[1 : N + 1, HISTORY["d_loss"]])
    np.testing.assert_array_equal(g_loss.get_ydata(), HISTORY["g_loss"])
    assert d_line.get_ydata() == pytest.approx([2 * np.log(2)] * 2)
    assert g_line.get_ydata() == pytest.approx([np.log(2)] * 2)
    assert [text.get_text() for text in ax.texts] == ["2 log 2", "log 2"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "discriminator",
        "generator",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss (nats)")
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_names_of_the_lines_keep_apart_on_any_scale():
    for top in (1.5, 20, 1000):
        ax = plotting.loss_curves({"d_loss": [0.1, 0.1], "g_loss": [0.5, top]})
        ax.figure.canvas.draw()
        upper, lower = (text.get_window_extent() for text in ax.texts)
        assert lower.y1 <= upper.y0 + 1
        assert max(upper.x1, lower.x1) <= ax.figure.bbox.x1


def test_curves_at_given_positions_without_references():
    ax = plotting.loss_curves(
        HISTORY, x=[0, 10, 20, 30, 40], x_label="seconds", references=False, title="hinge"
    )
    assert ax.get_lines()[0].get_xdata().tolist() == [0, 10, 20, 30, 40]
    assert len(ax.get_lines()) == 2
    assert not ax.texts
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("seconds", "loss", "hinge")


def test_probability_curves():
    ax = plotting.probability_curves(FitResult())
    real, fake, half = ax.get_lines()
    np.testing.assert_array_equal(real.get_ydata(), HISTORY["d_real"])
    np.testing.assert_array_equal(fake.get_ydata(), HISTORY["d_fake"])
    assert list(half.get_ydata()) == [0.5, 0.5]
    low, high = ax.get_ylim()
    assert low <= 0
    assert high >= 1


@pytest.mark.parametrize(
    ("history", "x", "error", "message"),
    [
        ([1, 2], None, ValueError, "history"),
        ({"loss": [1]}, None, ValueError, r"no d_loss and no g_loss among \['loss'\]"),
        ({"d_loss": [1], "g_loss": [1, 2]}, None, ValueError, r"one length, .* \(1,\) and \(2,\)"),
        ({"d_loss": [], "g_loss": []}, None, ValueError, "one length"),
        (HISTORY, [1, 2], ValueError, r"\(2,\) and \(5,\)"),
    ],
)
def test_bad_histories(history, x, error, message):
    with pytest.raises(error, match=message):
        plotting.loss_curves(history, x=x)


# --- Classes -------------------------------------------------------------------------------------


def test_class_bars():
    generated, real = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    ax = plotting.class_bars(generated, real)
    heights = [[bar.get_height() for bar in group] for group in ax.containers]
    np.testing.assert_allclose(heights, [100 * real, 100 * generated])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2"]
    assert "%" in ax.get_ylabel()


@pytest.mark.parametrize(
    ("shares", "real", "message"),
    [
        ([0.5, 0.6], [1.0], "shares"),
        ([1.5, -0.5], [1.0], "shares: .* minimum of -0.5"),
        ([np.nan, 1], [1.0], "shares: wanted non-negative"),
        ([[1.0]], [1.0], r"shares: wanted shares of shape \(classes,\)"),
        ([0.5, 0.5], [1.0], "real: wanted 2 shares, got 1"),
    ],
)
def test_bad_shares(shares, real, message):
    with pytest.raises(ValueError, match=message):
        plotting.class_bars(shares, real)
