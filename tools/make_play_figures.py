"""Draws the two figures that stand in for the widgets of book/play.md where scripts are off.

    python tools/make_play_figures.py

The trainings are those of the page, by the package: the same networks, data, rates and losses.
They take about a minute of one core. The figures go to book/_static/play/.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.colors import LinearSegmentedColormap
from project import BOOK

from gantut import data, dynamics, plotting, toys
from gantut._io import atomic_write

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


def save(figure: Any, name: str) -> None:
    """Writes a figure into the page's folder."""
    with atomic_write(STATIC / name) as path:
        figure.savefig(path, dpi=110, metadata={"Software": None})
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


def main() -> None:
    """Draws both."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    plotting.use_style()
    draw_orbits()
    draw_playground()


if __name__ == "__main__":
    main()
