"""Figures of the book in one style. Each function draws on one Axes and returns it.

Nothing here calls `show` and nothing changes Matplotlib's settings for good, except `use_style`,
which is what it is for. Real data are blue and generated data orange wherever both appear; the
colours are Okabe and Ito's, which stay apart in every common kind of colour blindness. Legends
stand above the axes, never over the data. Matplotlib is imported when the first figure is drawn, so
that `save_grid` and `save_images`, which need only Pillow, stay quick to import.
"""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._files import atomic_write
from gantut.data import check_images

if TYPE_CHECKING:
    from keras.callbacks import History
    from matplotlib.axes import Axes

REAL = "#0072B2"
"""Colour of real data and of the discriminator's answer to them."""

FAKE = "#D55E00"
"""Colour of generated data and of the generator's loss."""

PALETTE = (REAL, FAKE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Colours of Okabe and Ito (2008), without the yellow that white paper swallows."""

GREY = "#595959"
"""Colour of reference lines and their names."""

_STYLE: Any = {
    "figure.figsize": (6.4, 3.6),
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "legend.fontsize": 10.5,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "image.cmap": "gray",
    "axes.prop_cycle": f"cycler(color={PALETTE})",
}

P = ParamSpec("P")
T = TypeVar("T")


def use_style() -> None:
    """Sets the book's style for every figure drawn after it, your own ones included."""
    import matplotlib.pyplot as plt

    plt.rcParams.update(_STYLE)


def _styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draws in the book's style and leaves Matplotlib's settings as they were."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib.pyplot as plt

        with plt.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return wrapped


@_styled
def image_grid(
    images: npt.ArrayLike,
    rows: int | None = None,
    columns: int | None = None,
    *,
    title: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Shows images side by side, row by row.

    Args:
        images: float32 images (N, H, W, 1) or (N, H, W, 3) in [-1, 1].
        rows: Rows of the grid; as many as needed if None.
        columns: Columns of the grid; about the square root of N if `rows` is None too.
        title: Title, which stands clear of the legend.
        ax: Where to draw; a new figure if None.
    """
    batch = _drawable(images)
    rows, columns = _grid_shape(len(batch), rows, columns)
    if ax is None:
        ax = _axes(figsize=(max(0.62 * columns, 1.2), max(0.62 * rows, 1.2)))
    mosaic = _mosaic(batch, rows, columns)
    ax.imshow(mosaic, vmin=0, vmax=255, cmap="gray", interpolation="nearest")
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title)
    return ax


def save_grid(
    images: npt.ArrayLike,
    path: str | os.PathLike[str],
    columns: int | None = None,
    *,
    scale: int = 1,
) -> None:
    """Writes images side by side into a PNG file, pixel for pixel.

    Images and columns are those of `image_grid`. The file, ending in ``.png``, appears whole or not
    at all, and its folder is made if need be. Each pixel becomes a square of side ``scale``.
    """
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"path: wanted a file that ends in .png, got {path.name!r}")
    batch = _drawable(images)
    rows, columns = _grid_shape(len(batch), None, columns)
    scale = _check.integer(scale, "scale", 1)
    mosaic = _mosaic(batch, rows, columns)
    mosaic = mosaic.repeat(scale, axis=0).repeat(scale, axis=1)
    with atomic_write(path) as temporary:
        Image.fromarray(mosaic).save(temporary, format="PNG")


def save_images(images: npt.ArrayLike, folder: str | os.PathLike[str]) -> None:
    """Writes each image into a PNG file of its own, for the tools that compute a paper's FID.

    Args:
        images: Those of `image_grid`.
        folder: A folder that is not there yet, or an empty one. The files are called 000000.png
            and so on.

    Raises:
        FileExistsError: The folder holds something.
    """
    from PIL import Image

    batch = _drawable(images)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{str(folder)!r}: wanted a new or an empty folder; it holds files")
    for number, image in enumerate(batch):
        pixels = _bytes(image[..., 0] if image.shape[2] == 1 else image)
        Image.fromarray(pixels).save(folder / f"{number:06}.png")


def _drawable(images: npt.ArrayLike) -> npt.NDArray[np.float32]:
    batch = check_images(images)
    if batch.shape[3] not in (1, 3):
        raise ValueError(f"images: wanted 1 channel (grey) or 3 (colour), got {batch.shape[3]}")
    return batch


def _grid_shape(n: int, rows: int | None, columns: int | None) -> tuple[int, int]:
    if rows is not None:
        rows = _check.integer(rows, "rows", 1)
    if columns is not None:
        columns = _check.integer(columns, "columns", 1)
    if columns is None:
        columns = int(np.ceil(np.sqrt(n))) if rows is None else -(-n // rows)
    if rows is None:
        rows = -(-n // columns)
    if rows * columns < n:
        raise ValueError(f"a grid of {rows} x {columns} is too small for {n} images")
    return rows, columns


def _mosaic(images: npt.NDArray[np.float32], rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Images as bytes on white, a gap apart."""
    _, height, width, channels = images.shape
    gap = max(1, round(height / 14))
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = _bytes(image)
    return sheet[..., 0] if channels == 1 else sheet


def _bytes(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.rint((image + 1) * 127.5).astype(np.uint8)


@_styled
def loss_curves(
    history: "History | Mapping[str, npt.ArrayLike]",
    *,
    x: npt.ArrayLike | None = None,
    x_label: str = "epoch",
    references: bool = True,
    title: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws both losses of a training.

    Args:
        history: What `GAN.fit` returned, or a mapping with the sequences ``d_loss``, ``g_loss``.
        x: Position of each value; 1, 2, ... if None.
        x_label: Name of the horizontal axis.
        references: Whether to draw what a discriminator that cannot tell real from fake would
            score with the minimax or non-saturating loss: 2 log 2 for D, log 2 for G. They mean
            nothing for other losses.
        title: Title, which stands clear of the legend.
        ax: Where to draw; a new figure if None.
    """
    names = {"d_loss": "discriminator", "g_loss": "generator"}
    ax = _draw_curves(history, names, x, x_label, ax)
    if references:
        # The names stand on either side of the gap, so that they keep apart on any scale.
        for level, name, colour, side in (
            (2 * np.log(2), "2 log 2", REAL, "bottom"),
            (np.log(2), "log 2", FAKE, "top"),
        ):
            ax.axhline(level, color=colour, linestyle=":", linewidth=1.4)
            _name_line(ax, level, name, colour, side)
    ax.set_ylabel("loss (nats)" if references else "loss")
    _legend_above(ax, title)
    return ax


@_styled
def probability_curves(
    history: "History | Mapping[str, npt.ArrayLike]",
    *,
    x: npt.ArrayLike | None = None,
    x_label: str = "epoch",
    title: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws the mean of D on real and on generated samples, beside 1/2, where D sees no difference.

    The arguments are those of `loss_curves`; the history holds ``d_real`` and ``d_fake``.
    """
    names = {"d_real": "D(real)", "d_fake": "D(generated)"}
    ax = _draw_curves(history, names, x, x_label, ax)
    ax.axhline(0.5, color=GREY, linestyle=":", linewidth=1.4)
    _name_line(ax, 0.5, "1/2", GREY, "center")
    ax.set(ylabel="mean probability of real", ylim=(-0.02, 1.02))
    _legend_above(ax, title)
    return ax


def _draw_curves(
    history: "History | Mapping[str, npt.ArrayLike]",
    names: Mapping[str, str],
    x: npt.ArrayLike | None,
    x_label: str,
    ax: "Axes | None",
) -> "Axes":
    """Draws a curve of the data and one of the samples, each with its name in the legend."""
    from matplotlib.ticker import MaxNLocator

    records = getattr(history, "history", history)
    missing = [name for name in names if name not in records]
    if missing:
        raise ValueError(f"history: no {' and no '.join(missing)} among {sorted(records)}")
    real, fake = (np.asarray(records[name], dtype=np.float64) for name in names)
    if real.shape != fake.shape or real.ndim != 1 or not real.size:
        raise ValueError(
            f"history: {' and '.join(names)} must be sequences of one length, got shapes "
            f"{real.shape} and {fake.shape}"
        )
    positions = np.arange(1, len(real) + 1) if x is None else x
    ax = _axes() if ax is None else ax
    real_name, fake_name = names.values()
    ax.plot(positions, real, color=REAL, label=real_name)
    ax.plot(positions, fake, color=FAKE, label=fake_name, linestyle=(0, (5, 1.2)))
    ax.set_xlabel(x_label)
    if x is None:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return ax


@_styled
def class_bars(
    shares: npt.ArrayLike,
    real: npt.ArrayLike,
    *,
    title: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws the share of samples in each class, in per cent, beside that of real data.

    Shares (C,) sum to 1, as from `gantut.metrics.class_histogram`. A new figure if ``ax`` is None.
    """
    generated, truth = _shares(shares, "shares"), _shares(real, "real")
    if truth.shape != generated.shape:
        raise ValueError(f"real: wanted {len(generated)} shares, got {len(truth)}")
    positions = np.arange(len(generated))
    ax = _axes() if ax is None else ax
    ax.bar(positions - 0.2, 100 * truth, width=0.4, color=REAL, label="real")
    ax.bar(
        positions + 0.2, 100 * generated, width=0.4, color=FAKE, label="generated", hatch="//",
        edgecolor="white", linewidth=0,
    )  # fmt: skip
    _legend_above(ax, title)
    ax.set_xticks(positions)
    ax.grid(visible=False, axis="x")
    ax.set(xlabel="class", ylabel="share of samples (%)")
    return ax


def _shares(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    shares = np.asarray(values, dtype=np.float64)
    if shares.ndim != 1 or shares.size == 0:
        raise ValueError(f"{name}: wanted shares of shape (classes,), got shape {shares.shape}")
    if not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(
            f"{name}: wanted non-negative shares that sum to 1, got a sum of {shares.sum():.4g} "
            f"and a minimum of {shares.min():.4g}"
        )
    return shares


def _axes(figsize: tuple[float, float] | None = None) -> "Axes":
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize)[1]


def _legend_above(ax: "Axes", title: str | None) -> None:
    handles, _ = ax.get_legend_handles_labels()
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=len(handles),
        borderaxespad=0.2,
        markerscale=2.5,
        columnspacing=1.4,
    )
    if title is not None:
        ax.set_title(title, pad=28)


def _name_line(ax: "Axes", level: float, name: str, colour: str, side: str) -> None:
    ax.annotate(
        name,
        (1.0, level),
        xycoords=ax.get_yaxis_transform(),
        xytext=(4, 0),
        textcoords="offset points",
        va=side,
        color=colour,
        fontsize=10,
        annotation_clip=False,
    )
