"""Image translation: from one kind of image to another, with pairs and without.

    from gantut.applications import translation

    run = translation.train(images_a, images_b)      # two sets, no pairs
    like_b = run.gan.translate(new_images_a)
    like_a = run.gan.translate_back(new_images_b)

With pairs it is `gantut.applications.image_to_image`; here is a source for it, `thin_strokes`.
Without pairs it is `CycleGAN` (Zhu et al. 2017). The module makes two tasks whose answers are
known: digits between upright and `bold_italic`, and pieces of photographs that ship with
scikit-image between the photograph and a `painting` of it. The rivals without a network are
`slant_and_weight`, and two of `gantut.applications.rivals`.

All images are float32 (n, height, width, channels) in [-1, 1], and what is made of them has their
shape. Digits have one channel and some ink, which is what is above -1.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from gantut import _check, losses, metrics, recipes
from gantut._keras import computed, keras, tf, unchanged
from gantut.applications import image_to_image
from gantut.applications.image_to_image import Builder, image_discriminator, restyler
from gantut.applications.rivals import Restorer
from gantut.data import Float32, Float64, check_alike, check_images

Model: TypeAlias = keras.Model
Tensor: TypeAlias = tf.Tensor

SLANT = 0.4
"""Pixels to the right for a pixel upwards, of `bold_italic`."""

PHOTOGRAPHS = ("astronaut", "coffee", "motorcycle_left", "rocket", "chelsea")
"""Those of scikit-image's wheel that show ordinary things in colour; the last is a cat."""

PENS: dict[str, npt.NDArray[np.bool_]] = {
    "cross": np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool),
    "square": np.ones((3, 3), bool),
}
"""The pixels whose brightest a bolder pixel takes, itself in the middle; `bold_italic` has a cross.
"""


# --- Strokes and letters -----------------------------------------------------------------------


def thin_strokes(images: npt.ArrayLike) -> Float32:
    """Draws only the middle line of each stroke, one pixel wide (Zhang and Suen 1984).

    Strokes are what is above 0. The lines are 1, and all else is -1.
    """
    from skimage.morphology import skeletonize

    array = check_images(images, channels=1)
    lines = np.stack([skeletonize(image[..., 0] > 0) for image in array])
    return np.where(lines, 1.0, -1.0).astype(np.float32)[..., None]


def slants(images: npt.ArrayLike) -> Float64:
    """How far each digit's ink leans, in pixels to the right for a pixel upwards (n,).

    The slope of the line of least squares through column over row, weighted with ink; 0 where all
    ink is in one row.
    """
    ink = (check_images(images, channels=1)[..., 0].astype(np.float64) + 1) / 2
    mass = ink.sum(axis=(1, 2))
    if not np.all(mass > 0):
        raise ValueError(f"image {int(np.argmin(mass))} is blank: it has no slant")
    row, column = np.mgrid[: ink.shape[1], : ink.shape[2]]
    up, right = (
        place - ((ink * place).sum(axis=(1, 2)) / mass)[:, None, None] for place in (-row, column)
    )
    spread = (ink * up * up).sum(axis=(1, 2))
    lean = (ink * up * right).sum(axis=(1, 2))
    return np.divide(lean, spread, out=np.zeros_like(lean), where=spread > 1e-9)


def shear(images: npt.ArrayLike, slopes: npt.ArrayLike) -> Float32:
    """Leans images to the right, about the middle row; linear between pixels, -1 beyond the frame.

    Slopes are pixels to the right for a pixel upwards: one number, or one for each image.
    """
    array = check_images(images)
    n, height, width, _ = array.shape
    slope = np.asarray(slopes, np.float64)
    if slope.shape not in ((), (n,)) or not np.isfinite(slope).all():
        raise ValueError(f"slopes must be one finite number or {n}, got {slopes!r}")
    slope = np.broadcast_to(slope, n)
    up = (height - 1) / 2 - np.arange(height)
    source = np.arange(width)[None, None, :] - slope[:, None, None] * up[None, :, None]
    left = np.floor(source).astype(int)
    share = (source - left).astype(np.float32)[..., None]

    def pixel(column: npt.NDArray[np.int_]) -> Float32:
        inside = ((column >= 0) & (column < width))[..., None]
        index = np.clip(column, 0, width - 1)[..., None]
        return np.where(inside, np.take_along_axis(array, index, axis=2), np.float32(-1))

    return np.asarray((1 - share) * pixel(left) + share * pixel(left + 1), np.float32)


def upright(images: npt.ArrayLike) -> Float32:
    """Takes the slant out of each digit, by :func:`slants`."""
    return shear(images, -slants(images))


def bold_italic(images: npt.ArrayLike) -> Float32:
    """Leans images by ``SLANT``; a pixel becomes the brightest of itself and its neighbours."""
    return _dilate(shear(images, SLANT))


def _dilate(images: Float32, pen: str = "cross") -> Float32:
    footprint = PENS[pen][None, :, :, None]
    return np.asarray(ndimage.grey_dilation(images, footprint=footprint), np.float32)


def thicken(images: Float32, setting: tuple[int, float]) -> Float32:
    """The filter against thin strokes: widens them, and blurs.

    The setting is (pixels to each side, standard deviation of the blur in pixels).
    """
    pixels, sigma = setting
    for _ in range(pixels):
        images = _dilate(images)
    return np.asarray(ndimage.gaussian_filter(images, (0, sigma, sigma, 0)), np.float32)


THICKNESSES = tuple((pixels, sigma) for pixels in (0, 1, 2) for sigma in (0.4, 0.7, 1.0, 1.4))
"""Settings of `thicken` for `gantut.applications.restoration.levelled` to choose from."""


# --- Photographs and paintings -----------------------------------------------------------------


def photograph(name: str) -> Float32:
    """One of ``PHOTOGRAPHS`` at half its size, float32 (height, width, 3) in [-1, 1].

    Each pixel is the mean of 2 x 2, and a last row or column that has no partner is left out.
    """
    import skimage
    from skimage import io

    name = _check.one_of(name, "photograph", PHOTOGRAPHS)
    # skimage.data has a function for each, but that of the motorcycle wants to download two more.
    folder = Path(skimage.__file__).parent / "data"
    pixels = io.imread(next(folder.glob(f"{name}.*g")))[..., :3].astype(np.float32)
    height, width = (side - side % 2 for side in pixels.shape[:2])
    halved = pixels[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    return np.asarray(halved / 127.5 - 1, np.float32)


def tiles(image: npt.ArrayLike, size: int = 32) -> tuple[Float32, Float32]:
    """The white and the black fields (n, size, size, channels) of an image as a chessboard.

    Args:
        image: float32 (height, width, channels) in [-1, 1].
        size: Side of a square in pixels. What is left at the lower and right edge is not used.
    """
    whole = check_images(np.asarray(image)[None])[0]
    size = _check.integer(size, "size", 1)
    rows, columns = (side // size for side in whole.shape[:2])
    if rows * columns < 2:
        raise ValueError(f"an image of {whole.shape[:2]} pixels has not two squares of {size}")
    board = whole[: rows * size, : columns * size].reshape(rows, size, columns, size, -1)
    fields = board.swapaxes(1, 2)
    white = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0
    return fields[white], fields[~white]


def painting(images: npt.ArrayLike) -> Float32:
    """Paints photographs: flat strokes with sharp edges, and a warm palette.

    Strokes are those of the filter of Kuwahara et al. 1976: of the four squares of 3 x 3 pixels
    that have a pixel in a corner, the most even one gives its mean.
    """
    array = check_images(images, channels=3).astype(np.float64)
    grey = array.mean(axis=-1, keepdims=True)

    def mean(x: Float64, corner: tuple[int, int]) -> Float64:
        origin = (0, *corner, 0)
        return ndimage.uniform_filter(x, (1, 3, 3, 1), origin=origin, mode="nearest")

    corners = [(i, j) for i in (-1, 1) for j in (-1, 1)]
    unevenness = np.stack([mean(grey**2, c) - mean(grey, c) ** 2 for c in corners])
    colours = np.stack([mean(array, c) for c in corners])
    flat = np.take_along_axis(colours, unevenness.argmin(axis=0)[None], axis=0)[0]
    warmth = 0.25 * flat.mean(axis=-1, keepdims=True) * np.array([1.0, 0.3, -1.0])
    mixed = np.tanh(1.5 * flat) + warmth + np.array([0.1, 0.0, -0.05])
    return np.clip(mixed, -1, 1).astype(np.float32)


def painting_sets() -> tuple[Float32, Float32, tuple[Float32, Float32]]:
    """Tiles of photographs and paintings to learn from.

    Of all ``PHOTOGRAPHS`` but the last the white `tiles` stay photographs, and the black ones are
    cut from the `painting`, so that no painted tile has its photograph in the other set. Mirror
    images are added.

    Returns:
        The photographs, the paintings, and the photographs with their own paintings, which a method
        without pairs must not see.
    """
    photos, paintings, answers = [], [], []
    for name in PHOTOGRAPHS[:-1]:
        whole = photograph(name)
        photos.append(tiles(whole)[0])
        painted_white, painted_black = tiles(painting(whole[None])[0])
        paintings.append(painted_black)
        answers.append(painted_white)
    a, b, c = (
        np.concatenate([*tiled, *(tile[:, :, ::-1] for tile in tiled)])
        for tiled in (photos, paintings, answers)
    )
    return a, b, (a, c)


def last_photograph() -> tuple[Float32, Float32]:
    """The photograph that is in neither set, and its painting, (1, height, width, 3) each."""
    cat = photograph(PHOTOGRAPHS[-1])[None]
    height, width = (side - side % 2 for side in cat.shape[1:3])
    return cat[:, :height, :width], painting(cat)[:, :height, :width]


def texture_distance(images: npt.ArrayLike, reference: npt.ArrayLike, size: int = 5) -> float:
    """Frechet distance between the pieces of two crowds of images, where a local style shows.

    Both have the same channels; pieces are squares of ``size`` pixels that do not overlap.
    """
    pieces = []
    for crowd in (images, reference):
        fields = [field for image in check_images(crowd) for field in tiles(image, size)]
        pieces.append(np.concatenate([field.reshape(len(field), -1) for field in fields]))
    return metrics.frechet_distance(*pieces)


# --- Without networks and without pairs --------------------------------------------------------


def slant_and_weight(a: npt.ArrayLike, b: npt.ArrayLike, *, pen: str = "square") -> Restorer:
    """What a typographer would do: makes the mean slant and the mean ink of two sets equal.

    Images are leaned by the difference of the slants, and then mixed with their own dilation (or
    erosion) by a pen of ``PENS`` so far that the ink agrees. What is returned makes digits like
    those of ``b``. The "cross" is the pen that made `bold_italic`, which the two sets do not tell.
    """
    x, y = check_alike(a, b, ("a", "b"))
    _check.one_of(pen, "pen", PENS)
    slope = float(slants(y).mean() - slants(x).mean())
    leaned = shear(x, slope)
    wanted, ink = float(y.mean()), float(leaned.mean())
    sign = 1 if wanted > ink else -1

    def change(images: Float32) -> Float32:
        return sign * _dilate(sign * images, pen)

    full = float(change(leaned).mean())
    share = np.float32(np.clip((wanted - ink) / (full - ink), 0, 1)) if full != ink else 0

    def translate(images: Float32) -> Float32:
        made = shear(images, slope)
        return np.asarray(made + share * (change(made) - made), np.float32)

    return translate


# --- The model ---------------------------------------------------------------------------------


class CycleGAN(image_to_image.Redrawer):
    """Two generators, from A to B and from B to A, with a critic for each kind of image.

    The generators minimise the sum of both adversarial losses and ``cycle_weight`` times the cycle
    consistency ``mean |F(G(a)) - a| + mean |G(F(b)) - b|`` (Zhu et al. 2017, eqs. 2 and 3), plus
    ``identity_weight`` times ``mean |G(b) - b| + mean |F(a) - a|`` (their section 5.2). As a
    `gantut.GAN` it has one "generator" from [a, b] to [G(a), F(b)] and one "discriminator" with
    both critics. The dataset holds (a, b), two independent batches. Critics see the newest images
    only; Zhu et al. keep a pool of 50 older ones.

    Args:
        to_b: The generator G, from images like A to images like B.
        to_a: The generator F, the other way.
        critic_a: Maps images like A to logits (batch, 1).
        critic_b: The same for B.
        loss: As in `gantut.GAN`, but for the relativistic one.
        cycle_weight: At least 0.
        identity_weight: At least 0; above it, A and B must have the same channels.
        **options: The other options of `gantut.GAN`, but for ``unroll_steps``; of the penalties
            "r1".
    """

    def __init__(
        self,
        to_b: Model,
        to_a: Model,
        critic_a: Model,
        critic_b: Model,
        loss: str | losses.AdversarialLoss = "non_saturating",
        *,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.0,
        **options: Any,
    ) -> None:
        cycle_weight = _check.number(cycle_weight, "cycle_weight", least=0)
        identity_weight = _check.number(identity_weight, "identity_weight", least=0)
        if options.get("unroll_steps"):
            raise ValueError("a CycleGAN's discriminators are not unrolled")
        if other := set(options.get("penalties") or {}) - {"r1"}:
            raise ValueError(f"of the penalties a CycleGAN knows 'r1', got {', '.join(other)}")
        if losses.get_loss(loss).relativistic:
            raise ValueError("a CycleGAN's images have no partners that a relativistic loss needs")
        networks = {"to_b": to_b, "to_a": to_a, "critic_a": critic_a, "critic_b": critic_b}
        a, b = _ends(to_b)
        wanted = {"to_b": [a, b], "to_a": [b, a], "critic_a": [a, (1,)], "critic_b": [b, (1,)]}
        for name, network in networks.items():
            if _ends(network) != wanted[name]:
                raise ValueError(
                    f"to_b maps {a} to {b}, so {name} must map {wanted[name][0]} to "
                    f"{wanted[name][1]}, got {_ends(network)}"
                )
        # Layers of one model need names of their own.
        named = {k: keras.Model(n.inputs[0], n.outputs[0], name=k) for k, n in networks.items()}
        a, b = keras.Input(a, name="a"), keras.Input(b, name="b")
        super().__init__(
            keras.Model([a, b], [named["to_b"](a), named["to_a"](b)], name="both_ways"),
            keras.Model([a, b], [named["critic_a"](a), named["critic_b"](b)], name="both_critics"),
            loss,
            **options,
        )
        self.to_b, self.to_a = named["to_b"], named["to_a"]
        self.critic_a, self.critic_b = named["critic_a"], named["critic_b"]
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.conditional = True  # The "label" of an image of A is the one of B in its batch.
        self.cycle_tracker = keras.metrics.Mean("cycle")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of a GAN, and ``cycle``, the sum of both ways' cycle errors."""
        return [*self.trackers, self.cycle_tracker]

    @staticmethod
    def check_networks(generator: Model, discriminator: Model) -> None:
        """Nothing: the four networks were checked before they were joined."""

    def check_batch(self, x: npt.ArrayLike, y: npt.ArrayLike | None) -> None:
        """Raises ValueError where the images do not fit the networks."""
        if y is None:
            raise ValueError("training needs images of both kinds, (a, b), got one kind")
        for name, images, tensor in zip(("a", "b"), (x, y), self.generator.inputs, strict=True):
            image_to_image.check_fit(images, tensor, name)

    def discriminator_step(
        self, real: Tensor, labels: Tensor, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Updates both critics once, on real images and on those of the generators."""
        a, b = real, labels
        with unchanged(self.generator):
            fake_b, fake_a = (tf.stop_gradient(x) for x in self.generator([a, b], training=True))
        loss, penalty, logits = 0.0, 0.0, []
        with tf.GradientTape() as tape:
            for critic, x, fake in ((self.critic_a, a, fake_a), (self.critic_b, b, fake_b)):
                both = critic(x, training=True), critic(fake, training=True)
                loss += self.adversarial_loss.discriminator(*both)
                logits.append(both)
                if with_penalty:
                    penalty += self.penalties["r1"] * losses.r1_penalty(critic, x)
            total = loss + self.penalty_every * penalty
        variables = self.discriminator.trainable_variables
        gradients = tape.gradient(total, variables)
        with computed(gradients if with_penalty else []):
            self.d_optimizer.apply(gradients, variables)
        real_logits, fake_logits = (tf.concat(pair, axis=0) for pair in zip(*logits, strict=True))
        return loss, real_logits, fake_logits

    def generator_step(self, real: Tensor, labels: Tensor) -> Tensor:
        """Updates both generators once, and their average. Returns their loss."""
        a, b = real, labels
        with unchanged(self.discriminator), tf.GradientTape() as tape:
            fake_b, fake_a = self.to_b(a, training=True), self.to_a(b, training=True)
            loss = sum(
                self.adversarial_loss.generator(critic(fake, training=True), None)
                for critic, fake in ((self.critic_a, fake_a), (self.critic_b, fake_b))
            )
            if self.cycle_weight:
                cycle = _distance(self.to_a(fake_b, training=True), a)
                cycle += _distance(self.to_b(fake_a, training=True), b)
                self.cycle_tracker.update_state(cycle)
                loss += self.cycle_weight * cycle
            if self.identity_weight:
                identity = _distance(self.to_b(b, training=True), b)
                identity += _distance(self.to_a(a, training=True), a)
                loss += self.identity_weight * identity
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        self.update_average()
        return loss

    def step(self, real: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """One step of ``fit``: both critics, then both generators."""
        return {**super().step(real, labels), "cycle": self.cycle_tracker.result()}

    def translate(self, images: npt.ArrayLike, batch_size: int = 500) -> Float32:
        """Translates images from A to B, with the averaged weights, some at a time."""
        return image_to_image.translate(self.ema_generator.get_layer("to_b"), images, batch_size)

    def translate_back(self, images: npt.ArrayLike, batch_size: int = 500) -> Float32:
        """Translates images from B to A, as ``translate``."""
        return image_to_image.translate(self.ema_generator.get_layer("to_a"), images, batch_size)

    def at_size(self, shape: tuple[int, int, int]) -> tuple[Model, Model]:
        """Both generators for images of another (height, width, channels), averaged weights."""
        to_b, to_a = (self.ema_generator.get_layer(name) for name in ("to_b", "to_a"))
        return image_to_image.resized(to_b, shape), image_to_image.resized(to_a, shape)


def _distance(x: Tensor, y: Tensor) -> Tensor:
    return tf.reduce_mean(tf.abs(x - y))


def _ends(network: Model) -> list[tuple[int, ...]]:
    """The shapes that a network takes and makes."""
    return [tuple(tensor.shape[1:]) for tensor in (network.inputs[0], network.outputs[0])]


@dataclass(frozen=True, kw_only=True)
class CycleRecipe(recipes.GameSettings):
    """Settings of a training without pairs, as `recipe` makes them.

    The rest is as in `gantut.recipes.GameSettings`, with other defaults; the batch size counts the
    images of each kind.

    Attributes:
        generator: From a shape (height, width, channels) to a generator, for both ways.
        critic: The same for a critic.
        cycle_weight: As in `CycleGAN`.
        identity_weight: As there.
    """

    generator: Builder = restyler
    critic: Builder = image_discriminator
    cycle_weight: float = 10.0
    identity_weight: float = 0.0
    penalties: Mapping[str, float] = field(default_factory=lambda: {"r1": 0.1})
    penalty_every: int = 8
    ema: float | None = 0.99
    batch_size: int = 16
    steps: int = 300
    g_learning_rate: float = 4e-3
    d_learning_rate: float = 4e-3
    beta_2: float = 0.99
    schedule: recipes.Schedule = field(default_factory=recipes.cosine_decay)
    steps_per_execution: int = 10

    def build(self, shape: tuple[int, int, int], seed: int = 0) -> CycleGAN:
        """A compiled `CycleGAN` for images of a shape (height, width, channels)."""
        recipes.make_deterministic(seed)
        return self.compiled(
            CycleGAN,
            self.generator(shape),
            self.generator(shape),
            self.critic(shape),
            self.critic(shape),
            cycle_weight=self.cycle_weight,
            identity_weight=self.identity_weight,
            seed=seed,
        )


METHODS: dict[str, dict[str, Any]] = {
    "letters": {},
    "painting": {
        "generator": functools.partial(restyler, skip=True, places=False),
        "cycle_weight": 5.0,
        "batch_size": 8,
        "g_learning_rate": 2e-3,
    },
}
"""What differs from the defaults of `CycleRecipe`: between upright and bold italic digits, and
between tiles of photographs and of paintings, whose generators then fit images of any size."""


def recipe(method: str = "letters", **settings: Any) -> CycleRecipe:
    """The settings of a training without pairs.

    Args:
        method: A key of ``METHODS``.
        **settings: Fields of `CycleRecipe` that are to be others.
    """
    return CycleRecipe(**_check.one_of(method, "method", METHODS) | settings)


@recipes.cpu_timed
def train(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    method: str = "letters",
    *,
    steps: int | None = None,
    seed: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    **settings: Any,
) -> recipes.Run[CycleGAN]:
    """Trains two networks to translate between two sets of images that have no pairs.

    Images of both have the same size; they are as many or not, in any order. The history has the
    cycle error ``cycle`` as well. Arguments otherwise as in `image_to_image.train`.
    """
    plan = recipe(method, **settings)
    steps = _check.integer(plan.steps if steps is None else steps, "steps", 1)
    x, y = check_alike(a, b, ("a", "b"))
    gan = plan.build(x.shape[1:], seed)
    # Two orders from two seeds: even where row i of one set belongs to row i of the other, no
    # batch knows it.
    seeds = np.random.SeedSequence(seed).generate_state(2) >> 1
    batches = [
        recipes.batches(images, batch_size=plan.batch_size, seed=int(order))
        for images, order in zip((x, y), seeds, strict=True)
    ]
    dataset = tf.data.Dataset.zip(*batches)
    return recipes.run(gan, dataset, steps=steps, schedule=plan.schedule, callbacks=callbacks)
