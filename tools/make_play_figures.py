"""Draws what stands in for the widgets of book/play.md where scripts are off, and the opening.

    python tools/make_play_figures.py [playground | orbits | film | explorer | opening ...]

The trainings in the plane are those of the page, by the package: the same networks, data, rates and
losses. They take about a minute of one core. The film's pictures come from film-data.js, the
explorer's from the generator that ships. The opening is the moving picture of the first page, the
film again. The figures go to book/_static/play/.
"""

import argparse
import base64
import io
import json
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from export_generator import DIGITS, NAME, find_directions
from matplotlib import font_manager
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image, ImageDraw, ImageFont
from project import BOOK

from gantut import data, dynamics, load, metrics, plotting, sampling, toys
from gantut._files import atomic_write
from gantut.applications import conditional

STATIC = BOOK / "_static/play"
STEPS = 800
REACH = 1.6

# The settings of book/_static/play/engine.js.
COMMON: dict[str, Any] = {
    "summary": "as in the page",
    "g_widths": (32, 32, 32),
    "d_widths": (32, 32, 32),
    "standardise": False,
    "batch_size": 256,
    "d_learning_rate": 1e-3,
    "g_learning_rate": 2e-3,
    "beta_1": 0.5,
    "beta_2": 0.99,
}
METHODS = {
    "Non-saturating loss": toys.Method(name="page_collapse", **COMMON),
    "RpGAN with R1 and R2": toys.Method(
        name="page_cure", loss="relativistic", penalties={"r1": 0.3, "r2": 0.3}, **COMMON
    ),
}


def save(figure: Any, name: str, *, greys: bool = False) -> None:
    """Writes a figure into the page's folder; one that is mostly grey with 128 colours only."""
    with atomic_write(STATIC / name) as path:
        figure.savefig(path, dpi=110, metadata={"Software": None})
        if greys:
            Image.open(path).convert("RGB").quantize(128).save(path, "PNG", optimize=True)
    plt.close(figure)


def draw_playground() -> None:
    """Draws the field of D, the data and the generated points after the collapse and the cure."""
    ring = data.ring_mixture(sigma=0.05)
    real = data.sample_mixture(ring, 256, seed=5)
    axis = np.linspace(-REACH, REACH, 121)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2).astype(np.float32)
    ground = LinearSegmentedColormap.from_list("ground", ["#f0a550", "#ffffff", "#56a0d3"])
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 4.3), layout="constrained", sharey=True)
    for ax, (title, method) in zip(axes, METHODS.items(), strict=True):
        run = toys.train(method, ring, steps=STEPS)
        fake = run.samples(1000)[0]
        found = run.coverage(1000)[0]
        logits = run.gan.discriminator.predict_on_batch(grid)[:, 0]
        if method.loss == "relativistic":  # level and scale of its logits have no meaning
            answers = [run.gan.discriminator.predict_on_batch(x).mean() for x in (real, fake[:256])]
            logits = logits - np.mean(answers)
            logits /= np.abs(logits).mean()
        shade = np.tanh(logits / 2)  # 2 sigmoid - 1; its root is shown, as in the page
        ax.imshow(
            (np.sign(shade) * np.sqrt(np.abs(shade))).reshape(121, 121),
            cmap=ground,
            vmin=-1,
            vmax=1,
            origin="lower",
            extent=(-REACH, REACH, -REACH, REACH),
        )
        ax.scatter(*real.T, s=7, color=plotting.REAL, label="data")
        ax.scatter(*fake[:256].T, s=9, color=plotting.FAKE, edgecolors="w", lw=0.3)
        ax.scatter([], [], s=20, color=plotting.FAKE, label="generated")
        ax.set_title(f"{title}\n{found.modes} of 8 modes covered")
        ax.set_xlabel("x")
        ax.set_ylim(-REACH, REACH)
        ax.grid(False)
        print(f"{title}: {found}")
    axes[0].set_ylabel("y")
    axes[0].legend(loc="upper left", fontsize=9, frameon=True)
    save(figure, "playground.png")


def draw_orbits() -> None:
    """Draws three orbits of the Dirac-GAN: outwards, around, inwards."""
    games = {
        "GAN, both at once": (dynamics.dirac_gan("gan"), "simultaneous"),
        "GAN, in turns": (dynamics.dirac_gan("gan"), "alternating"),
        "GAN with R1, both at once": (dynamics.dirac_gan("r1"), "simultaneous"),
    }
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.2), layout="constrained", sharey=True)
    axis = np.linspace(-2, 2, 11)
    theta, psi = np.meshgrid(axis, axis)
    for ax, (title, (game, update)) in zip(axes, games.items(), strict=True):
        path = dynamics.simulate(game, steps=500, step_size=0.2, update=update)
        v_theta, v_psi = dynamics.vector_field(game, theta, psi)
        ax.quiver(theta, psi, v_theta, v_psi, color="0.7")
        ax.plot(*path.T, color=plotting.FAKE, lw=1)
        ax.plot(*path[0], "o", color=plotting.REAL, label="start")
        ax.plot(*path[-1], "s", color=plotting.FAKE, label="after 500 steps")
        ax.plot(0, 0, "k+", ms=10)
        ax.set_title(title, fontsize=11)
        ax.set_xlabel(r"$\theta$, the generator")
        ax.set_xlim(-2.2, 2.2)
        ax.set_ylim(-2.2, 2.2)
        ax.set_aspect("equal")
        print(f"{title}: distance {np.hypot(*path[-1]):.4f} after 500 steps")
    axes[0].set_ylabel(r"$\psi$, the discriminator")
    axes[0].legend(loc="lower left", fontsize=8, frameon=True)
    save(figure, "orbits.png")


FRAMES = (0, 64, 256, 1024, 2048, 6000)


def read_film() -> tuple[dict[str, Any], dict[int, np.ndarray]]:
    """What film-data.js holds, and the picture of each step: bytes (140, 280)."""
    text = (STATIC / "film-data.js").read_text("utf-8")
    film = json.loads(text[text.index("{") : text.rindex("}") + 1])
    sprite = Image.open(io.BytesIO(base64.b64decode(film["sprite"].partition(",")[2])))
    pictures = np.split(np.asarray(sprite.convert("L")), len(film["frames"]))
    return film, {
        frame["step"]: picture for frame, picture in zip(film["frames"], pictures, strict=True)
    }


def draw_film() -> None:
    """Draws six frames of the film above its curves."""
    film, pictures = read_film()
    steps = list(pictures)
    figure = plt.figure(figsize=(7.6, 5.6), layout="constrained")
    axes = figure.subplot_mosaic([["0", "1", "2"], ["3", "4", "5"], ["curves"] * 3])
    for i, step in enumerate(FRAMES):
        axes[str(i)].imshow(pictures[step], cmap="gray", vmin=0, vmax=255)
        axes[str(i)].set_title(f"step {step:,}", fontsize=11)
        axes[str(i)].axis("off")
    ax = axes["curves"]
    columns = {name: [row[name] for row in film["losses"]] for name in ("step", "d_loss", "g_loss")}
    ax.plot(columns["step"], columns["d_loss"], color=plotting.REAL, label="loss of D")
    ax.plot(columns["step"], columns["g_loss"], "--", color=plotting.FAKE, label="loss of G")
    ratios = [frame["frechet_ratio"] for frame in film["frames"]]
    ax.plot(steps, ratios, "k:", label="Fréchet distance, in floors")
    ax.set_xscale("function", functions=(np.sqrt, np.square))
    ax.set_yscale("log")
    ax.set_xticks([0, 250, 1000, 2000, 4000, 6000])
    ax.set_xlabel("step")
    ax.legend(fontsize=9)
    save(figure, "film.png", greys=True)


def draw_explorer() -> None:
    """Draws a map of latent space, ten labels, a way between classes, samples and neighbours."""
    generator = load(NAME)
    (across, up), _ = (part[:2] for part in find_directions(generator))
    z = np.random.default_rng(4).standard_normal(generator.inputs[0].shape[-1])
    rest = z - across * (across @ z) - up * (up @ z)
    at = np.arange(-3, 4)
    places = [rest + u * across + v * up for v in at[::-1] for u in at]
    figure, axes = plt.subplot_mosaic(
        [["map", "labels"], ["map", "way"], ["map", "near"]],
        figsize=(7.6, 3.7),
        width_ratios=(1, 1.25),
        height_ratios=(2, 1.2, 2),
        layout="constrained",
    )

    def show(name: str, images: Any, columns: int, title: str) -> None:
        size = images.shape[1]
        rows = images.reshape(-1, columns, size, size).transpose(0, 2, 1, 3)
        picture = rows.reshape(-1, columns * size)
        reach = at[-1] + 0.5
        extent = (-reach, reach, -reach, reach) if name == "map" else None
        axes[name].imshow(picture, cmap="gray", vmin=-1, vmax=1, extent=extent)
        axes[name].set_title(title, fontsize=11)
        axes[name].grid(False)
        if name != "map":
            axes[name].axis("off")

    show(
        "map", sampling.render(generator, places, [4] * len(places)), 7, "A plane through z: fours"
    )
    axes["map"].set_xlabel("place along direction 1")
    axes["map"].set_ylabel("along direction 2")
    show("labels", sampling.render(generator, [z] * 10, np.arange(10)), 5, "One z, ten labels")
    show("way", conditional.between_classes(generator, [z], [4], [9])[0], 9, "From a 4 to a 9")
    digits = data.load_mnist().x_train[:DIGITS]
    samples = sampling.sample(generator, 5, seed=2)
    near = digits[metrics.nearest_training_images(samples, digits).indices[:, 0]]
    show("near", np.concatenate([samples, near]), 5, "Samples; below them the nearest digits")
    save(figure, "explorer.png", greys=True)


LATENTS = 3  # rows of the film in the opening
SECONDS = 4.5  # WCAG 2.2.2 asks for a way to stop what moves for more than five


def draw_opening() -> None:
    """Writes the film's upper rows as a picture that moves once, and its end as one that does not.

    Each pixel is a square of two, and a line below says how long the training has lasted.
    """
    film, pictures = read_film()
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 15)
    frames = []
    for step, picture in pictures.items():
        digits = Image.fromarray(picture[: LATENTS * film["side"]])
        digits = digits.resize((2 * digits.width, 2 * digits.height), Image.Resampling.NEAREST)
        frame = Image.new("L", (digits.width, digits.height + 24))
        frame.paste(digits)
        said = f"after {step:,} steps of training"
        ImageDraw.Draw(frame).text((6, digits.height + 3), said, fill=255, font=font)
        frames.append(frame)
    milliseconds = int(1000 * SECONDS / len(frames))
    with atomic_write(STATIC / "opening.webp") as path:
        frames[0].save(
            path,
            "WEBP",
            save_all=True,
            append_images=frames[1:],
            duration=milliseconds,
            loop=1,
            lossless=True,
        )
    with atomic_write(STATIC / "opening.png") as path:
        frames[-1].save(path, "PNG", optimize=True)


DRAWINGS = {
    "orbits": draw_orbits,
    "playground": draw_playground,
    "film": draw_film,
    "explorer": draw_explorer,
    "opening": draw_opening,
}


def main() -> None:
    """Draws those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DRAWINGS)}")
    names = parser.parse_args().names or list(DRAWINGS)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    plotting.use_style()
    for name in names:
        DRAWINGS[name]()


if __name__ == "__main__":
    main()
