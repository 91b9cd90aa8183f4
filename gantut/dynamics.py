"""Games of two parameters, where the training of a GAN can be followed with a pencil.

The Dirac-GAN (Mescheder et al. 2018, "Which training methods for GANs do actually converge?",
section 2) is the smallest GAN. The data is the single number 0; the generator has one parameter
``theta`` and always makes the number ``theta``; the discriminator has one parameter ``psi`` and
the logit ``l(x) = -psi * x``. With that sign a positive logit means "real", as everywhere in
gantut, and ``theta`` and ``psi`` are those of the paper, whose discriminator is positive on
generated samples. The equilibrium of every game here is ``(theta, psi) = (0, 0)``.

A :class:`Game` holds the vector field by which the players move; :func:`simulate` follows it. Only
numpy is needed. The chapter "Training dynamics" uses all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gantut import _check

Array = NDArray[np.float64]
Pair = tuple[Array, Array]

DIRAC_STRENGTHS: dict[str, float | None] = {
    "gan": None,
    "non_saturating": None,
    "wgan": 1.0,
    "wgan_gp": 0.7,
    "instance_noise": 0.7,
    "r1": 0.3,
    "consensus": 1.0,
}
"""The methods of :func:`dirac_gan`, each with its default ``strength``."""

UPDATES = ("simultaneous", "alternating", "extragradient", "optimistic")
"""The update rules of :func:`simulate`."""

# Gauss-Hermite nodes for the mean over instance noise. The integrand is smooth on the scale of
# the nodes as long as |psi| * std is a few at most; the tests measure the error.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class Noise(NamedTuple):
    """Noise added to the generated and to the real sample, and the weight of each draw.

    Attributes:
        fake: shape (draws, ...), added to ``theta``.
        real: shape (draws, ...), added to the data, which is 0.
        weights: shape (draws,), with the sum 1.
    """

    fake: Array
    real: Array
    weights: Array


Rule = Callable[[Array, Array, Noise | None], Pair]


@dataclass(frozen=True)
class Game:
    """Two players, one number each.

    Attributes:
        name: What to call it in a figure.
        field: ``(theta, psi, noise) -> (v_theta, v_psi)``, the direction in which each player
            moves: minus the derivative of its loss with respect to its parameter.
        noise_std: Standard deviation of the instance noise; 0 for a game without.
        clip: ``psi`` is moved back to [-clip, clip] after each step; None leaves it alone.
    """

    name: str
    field: Rule
    noise_std: float = 0.0
    clip: float | None = None


def f(t: ArrayLike) -> Array:
    """``f(t) = log sigmoid(t) = -log(1 + exp(-t))``, in nats: the log of a probability."""
    return -np.logaddexp(0.0, np.negative(t))


def f_prime(t: ArrayLike) -> Array:
    """``f'(t) = sigmoid(-t)``; at 0 it is 1/2."""
    return np.exp(f(np.negative(t)))


def f_second(t: ArrayLike) -> Array:
    """``f''(t) = -sigmoid(t) sigmoid(-t)``; at 0 it is -1/4."""
    return -f_prime(t) * f_prime(np.negative(t))


def _gan_field(theta: Array, psi: Array, noise: Noise | None) -> Pair:
    slope = f_prime(psi * theta)
    return -psi * slope, theta * slope


def _non_saturating_field(theta: Array, psi: Array, noise: Noise | None) -> Pair:
    return -psi * f_prime(-psi * theta), theta * f_prime(psi * theta)


def _bilinear_field(theta: Array, psi: Array, noise: Noise | None) -> Pair:
    return -psi, theta + np.zeros_like(psi)


def _instance_noise_field(theta: Array, psi: Array, noise: Noise | None) -> Pair:
    assert noise is not None  # as `vector_field` and `simulate` give it
    generated = theta + noise.fake
    slope_generated = f_prime(psi * generated)
    by_psi = generated * slope_generated - noise.real * f_prime(-psi * noise.real)
    v_theta = -psi * np.tensordot(noise.weights, slope_generated, axes=1)
    return v_theta, np.tensordot(noise.weights, by_psi, axes=1)


def bilinear_game() -> Game:
    """``min over theta, max over psi`` of ``theta * psi``: the smallest game without a minimum.

    Its field, ``(-psi, theta)``, is also that of the Dirac-GAN with the Wasserstein loss and no
    clipping.
    """
    return Game("bilinear", _bilinear_field)


def dirac_gan(method: str = "gan", *, strength: float | None = None, target: float = 1.0) -> Game:
    """The Dirac-GAN trained by one of the methods that Mescheder et al. (2018) compare.

    With ``f(t) = log sigmoid(t)``, the discriminator maximises ``V = f(0) + f(psi theta)`` and
    the generator of

    - ``gan`` minimises ``V`` (the saturating loss);
    - ``non_saturating`` minimises ``-f(-psi theta) = -log D(theta)``;
    - ``wgan`` minimises ``psi theta``, which the critic maximises with ``psi`` clipped to
      [-strength, strength] after each step;
    - ``wgan_gp`` does the same against a critic that pays
      ``strength / 2 * (abs(psi) - target)^2`` instead of being clipped;
    - ``instance_noise`` minimises ``V`` with N(0, strength^2) added to the generated and to the
      real sample;
    - ``r1`` minimises ``V`` against a discriminator that pays ``strength / 2 * psi^2``, which is
      half of strength times the squared gradient of the logit on the data;
    - ``consensus`` minimises ``V + strength * R`` against a discriminator that minimises
      ``-V + strength * R``, where ``R`` is half the squared length of the field of ``gan``
      (Mescheder et al. 2017, "The numerics of GANs").

    Args:
        method: A key of ``DIRAC_STRENGTHS``.
        strength: The method's one number, as above: clip, lambda, standard deviation or gamma.
            None takes the default from ``DIRAC_STRENGTHS``.
        target: The slope that ``wgan_gp`` asks for; the other methods ignore it.
    """
    default = _check.one_of(method, "method", DIRAC_STRENGTHS)
    if default is None:
        if strength is not None:
            raise ValueError(f"method {method!r} has no strength to set, got {strength!r}")
        if method == "gan":
            return Game("GAN", _gan_field)
        return Game("non-saturating", _non_saturating_field)
    size = _check.number(default if strength is None else strength, "strength", above=0.0)

    if method == "wgan":
        return Game(f"WGAN, clip {size:g}", _bilinear_field, clip=size)

    if method == "instance_noise":
        return Game(f"instance noise {size:g}", _instance_noise_field, noise_std=size)

    if method == "wgan_gp":

        def gp_field(theta: Array, psi: Array, noise: Noise | None) -> Pair:
            return -psi, theta - size * (np.abs(psi) - target) * np.sign(psi)

        return Game(f"WGAN-GP, lambda {size:g}", gp_field)

    if method == "r1":

        def r1_field(theta: Array, psi: Array, noise: Noise | None) -> Pair:
            v_theta, v_psi = _gan_field(theta, psi, noise)
            return v_theta, v_psi - size * psi

        return Game(f"R1, gamma {size:g}", r1_field)

    def consensus_field(theta: Array, psi: Array, noise: Noise | None) -> Pair:
        product = psi * theta
        slope, curvature = f_prime(product), f_second(product)
        squared = theta**2 + psi**2
        v_theta = -psi * slope - size * slope * (curvature * psi * squared + slope * theta)
        v_psi = theta * slope - size * slope * (curvature * theta * squared + slope * psi)
        return v_theta, v_psi

    return Game(f"consensus, gamma {size:g}", consensus_field)


def _quadrature(game: Game, axes: int) -> Noise | None:
    """Nodes whose weighted mean is the mean over the noise of ``game``."""
    if not game.noise_std:
        return None
    nodes = (game.noise_std * _NODES).reshape(-1, *[1] * axes)
    return Noise(nodes, nodes, _WEIGHTS)


def vector_field(game: Game, theta: ArrayLike, psi: ArrayLike) -> Pair:
    """The field at points of the plane, averaged over the instance noise if there is any.

    Args:
        game: From :func:`dirac_gan` or :func:`bilinear_game`.
        theta: The generator's parameter, any shape.
        psi: The discriminator's parameter, of a shape that broadcasts with it.

    Returns:
        ``(v_theta, v_psi)``, each of the common shape.
    """
    a, b = np.broadcast_arrays(np.asarray(theta, float), np.asarray(psi, float))
    return game.field(a, b, _quadrature(game, a.ndim))


def _project(game: Game, psi: Array) -> Array:
    return psi if game.clip is None else np.clip(psi, -game.clip, game.clip)


def _step(
    game: Game,
    theta: Array,
    psi: Array,
    step_size: float,
    update: str,
    draw: Callable[[], Noise | None],
) -> Pair:
    """One step of a rule that needs no memory."""
    v_theta, v_psi = game.field(theta, psi, draw())
    if update == "extragradient":
        ahead = theta + step_size * v_theta, _project(game, psi + step_size * v_psi)
        v_theta, v_psi = game.field(*ahead, draw())
    moved = theta + step_size * v_theta
    if update == "alternating":
        _, v_psi = game.field(moved, psi, draw())
    return moved, _project(game, psi + step_size * v_psi)


def simulate(
    game: Game,
    *,
    steps: int = 500,
    step_size: float = 0.2,
    start: ArrayLike = (1.0, 1.0),
    update: str = "simultaneous",
    noise_draws: int = 1000,
    seed: int = 0,
) -> Array:
    """Follows both players from a start.

    With ``w = (theta, psi)``, field ``v`` and step size ``h``, the update is

    - ``simultaneous``: ``w + h v(w)``, gradient descent by both players at once;
    - ``alternating``: ``theta`` moves first, then ``psi`` sees the new ``theta``;
    - ``extragradient``: ``w + h v(w + h v(w))`` (Korpelevich 1976);
    - ``optimistic``: ``w + 2 h v(w) - h v(w before)`` (Daskalakis et al. 2018), whose
      first step is a simultaneous one.

    Args:
        game: From :func:`dirac_gan` or :func:`bilinear_game`.
        steps: Number of steps, >= 0.
        step_size: ``h`` > 0, the same for both players.
        start: ``(theta, psi)``, or several starts as an array (n, 2). A clipped game moves a
            start into its range first.
        update: One of ``UPDATES``.
        noise_draws: Draws of instance noise averaged in each evaluation of the field, new ones
            each time (the paper's code takes 1000). Games without noise ignore it.
        seed: Fixes the noise; without noise nothing is random.

    Returns:
        float64 of shape (steps + 1, 2), or (steps + 1, n, 2) for several starts; the first row
        is the start.
    """
    _check.one_of(update, "update", UPDATES)
    h = _check.number(step_size, "step_size", above=0.0)
    steps = _check.integer(steps, "steps", 0)
    noise_draws = _check.integer(noise_draws, "noise_draws", 1)
    origin = np.asarray(start, float)
    if origin.ndim not in (1, 2) or origin.shape[-1] != 2 or not origin.size:
        raise ValueError(f"start must have the shape (2,) or (n, 2), got {origin.shape}")
    if not np.isfinite(origin).all():
        raise ValueError(f"start must be finite, got {start!r}")

    rng = _check.rng(seed)
    shape = (noise_draws, *origin.shape[:-1])
    weights = np.full(noise_draws, 1.0 / noise_draws)

    def draw() -> Noise | None:
        if not game.noise_std:
            return None
        fake = game.noise_std * rng.standard_normal(shape)
        return Noise(fake, game.noise_std * rng.standard_normal(shape), weights)

    path = np.empty((steps + 1, *origin.shape))
    theta, psi = origin[..., 0], _project(game, origin[..., 1])
    path[0] = np.stack([theta, psi], axis=-1)
    last: Pair | None = None
    for i in range(1, steps + 1):
        if update == "optimistic":
            now = game.field(theta, psi, draw())
            last = last or now
            theta = theta + h * (2 * now[0] - last[0])
            psi = _project(game, psi + h * (2 * now[1] - last[1]))
            last = now
        else:
            theta, psi = _step(game, theta, psi, h, update, draw)
        path[i, ..., 0], path[i, ..., 1] = theta, psi
    return path


def step_jacobian(game: Game, *, step_size: float = 0.2, update: str = "simultaneous") -> Array:
    """The Jacobian of one training step at the equilibrium, by central differences.

    Its eigenvalues tell what training does there: the largest modulus is the factor by which the
    distance shrinks (below 1) or grows (above 1) in each step. The arguments are those of
    `simulate`, without "optimistic", whose step depends on the one before it.

    Returns:
        float64 (2, 2), the derivative of the new ``(theta, psi)`` by the old.
    """
    _check.one_of(update, "update", UPDATES[:3])
    h = _check.number(step_size, "step_size", above=0.0)
    noise = _quadrature(game, 0)
    epsilon = 1e-5

    def step(start: Array) -> Array:
        return np.stack(_step(game, start[0], start[1], h, update, lambda: noise))

    columns = [(step(shift) - step(-shift)) / (2 * epsilon) for shift in epsilon * np.eye(2)]
    return np.stack(columns, axis=-1)
