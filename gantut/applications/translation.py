"""Image translation: from one kind of image to another, with pairs and without.

    from gantut.applications import translation

    run = translation.train(images_a, images_b)      # two sets, no pairs
    like_b = run.gan.translate(new_images_a)
    like_a = run.gan.translate_back(new_images_b)

With pairs it is `gantut.applications.image_to_image`; here is a source for it, `thin_strokes`.
Without pairs it is `CycleGAN` (Zhu et al. 2017). Two tasks have known answers: digits between
upright and `bold_italic`, and pieces of photographs that ship with scikit-image between the
photograph and a `painting` of it. The rivals without a network are `slant_and_weight`, and two of
`gantut.applications.rivals`.

All images are float32 (n, height, width, channels) in [-1, 1], and what is made of them has their
shape. Digits have one channel and some ink, which is what is above -1.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from gantut import _check, metrics, recipes
from gantut._keras import Tensor, gradients, keras, tf, unchanged
from gantut.applications import image_to_image
from gantut.applications.image_to_image import Builder, image_discriminator, restyler
from gantut.applications.rivals import Restorer
from gantut.data import Float32, Float64, check_alike, check_images
from gantut.networks.parts import Model

SLANT = 0.4  # pixels to the right for a pixel upwards, of `bold_italic`
# Those of scikit-image's wheel that show ordinary things in colour; the last is a cat.
PHOTOGRAPHS = ("astronaut", "coffee", "motorcycle_left", "rocket", "chelsea")
# The 3 x 3 pixels whose brightest a bolder pixel takes; `bold_italic` has a cross.
PENS = {"cross": ndimage.generate_binary_structure(2, 1), "square": np.ones((3, 3), bool)}


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
    slope = np.broadcast_to(np.asarray(slopes, np.float64), n)
    up = (height - 1) / 2 - np.arange(height)
    source = np.arange(width) - slope[:, None, None] * up[:, None]
    left = np.floor(source).astype(int)
    share = (source - left).astype(np.float32)[..., None]
    framed = np.pad(array, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=-1)

    def pixel(column: npt.NDArray[np.int_]) -> Float32:
        return np.take_along_axis(framed, np.clip(column + 1, 0, width + 1)[..., None], axis=2)

    return np.asarray((1 - share) * pixel(left) + share * pixel(left + 1), np.float32)


def upright(images: npt.ArrayLike) -> Float32:
    """Takes the slant out of each digit, by :func:`slants`."""
    return shear(images, -slants(images))


def bold_italic(images: npt.ArrayLike) -> Float32:
    """Leans images by ``SLANT``; a pixel becomes the brightest of itself and its neighbours."""
    return _dilate(shear(images, SLANT))


def _dilate(images: Float32, pen: str = "cross") -> Float32:
    return ndimage.grey_dilation(images, footprint=PENS[pen][None, :, :, None])


def thicken(images: Float32, setting: tuple[int, float]) -> Float32:
    """The filter against thin strokes: widens them, and blurs.

    The setting is (pixels to each side, standard deviation of the blur in pixels).
    """
    pixels, sigma = setting
    for _ in range(pixels):
        images = _dilate(images)
    return ndimage.gaussian_filter(images, (0, sigma, sigma, 0))


# Settings of `thicken` for `gantut.applications.restoration.levelled` to choose from.
THICKNESSES = tuple((pixels, sigma) for pixels in (0, 1, 2) for sigma in (0.4, 0.7, 1.0, 1.4))


# --- Photographs and paintings -----------------------------------------------------------------


def photograph(name: str) -> Float32:
    """One of ``PHOTOGRAPHS`` at half its size, float32 (height, width, 3) in [-1, 1].

    Each pixel is the mean of 2 x 2, and a last row or column that has no partner is left out.
    """
    import skimage
    from skimage import io, transform

    # skimage.data has a function for each, but that of the motorcycle wants to download two more.
    folder = Path(skimage.__file__).parent / "data"
    pixels = io.imread(next(folder.glob(f"{name}.*g")))[..., :3].astype(np.float32)
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    halved = transform.downscale_local_mean(pixels, (2, 2, 1))[:height, :width]
    return np.asarray(halved / 127.5 - 1, np.float32)


def tiles(image: Float32, size: int = 32) -> tuple[Float32, Float32]:
    """The white and the black fields (n, size, size, channels) of an image as a chessboard.

    The image has no batch axis. What is left at its lower and right edge is not used.
    """
    rows, columns = (side // size for side in image.shape[:2])
    board = image[: rows * size, : columns * size].reshape(rows, size, columns, size, -1)
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

    def means(x: Float64) -> Float64:
        corners = [(0, i, j, 0) for i in (-1, 1) for j in (-1, 1)]
        filtered = functools.partial(ndimage.uniform_filter, x, (1, 3, 3, 1), mode="nearest")
        return np.stack([filtered(origin=corner) for corner in corners])

    calmest = (means(grey**2) - means(grey) ** 2).argmin(axis=0)[None]
    flat = np.take_along_axis(means(array), calmest, axis=0)[0]
    warmth = 0.25 * flat.mean(axis=-1, keepdims=True) * np.array([1.0, 0.3, -1.0])
    mixed = np.tanh(1.5 * flat) + warmth + np.array([0.1, 0.0, -0.05])
    return np.clip(mixed, -1, 1).astype(np.float32)


def painting_sets() -> tuple[Float32, Float32, tuple[Float32, Float32]]:
    """Tiles of photographs, tiles of paintings, and pairs, which a method without must not see.

    Of all ``PHOTOGRAPHS`` but the last the white `tiles` stay photographs, and the black ones are
    cut from the `painting`, so that no painted tile has its photograph in the other set. Mirror
    images are added. The pairs are the photographs with their own paintings.
    """
    wholes = [photograph(name) for name in PHOTOGRAPHS[:-1]]
    photos = [tiles(whole)[0] for whole in wholes]
    answers, paintings = zip(*(tiles(painting(x[None])[0]) for x in wholes), strict=True)
    a, b, c = (
        np.concatenate([*tiled, *(tile[:, :, ::-1] for tile in tiled)])
        for tiled in (photos, paintings, answers)
    )
    return a, b, (a, c)


def last_photograph() -> tuple[Float32, Float32]:
    """The photograph that is in neither set, and its painting, (1, 150, 224, 3) each."""
    cat = photograph(PHOTOGRAPHS[-1])[None]
    # Networks want an even number of columns.
    return cat[:, :, :224], painting(cat)[:, :, :224]


def texture_distance(images: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Frechet distance between the pieces of two crowds of images, where a local style shows.

    Both have the same channels; pieces are squares of 5 x 5 pixels that do not overlap.
    """
    pieces = []
    for crowd in (images, reference):
        fields = [field for image in check_images(crowd) for field in tiles(image, 5)]
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
    slope = float(slants(y).mean() - slants(x).mean())
    leaned = shear(x, slope)
    wanted, ink = float(y.mean()), float(leaned.mean())
    sign = 1 if wanted > ink else -1

    def change(images: Float32) -> Float32:
        return sign * _dilate(sign * images, pen)

    full = float(change(leaned).mean())
    share = np.float32(np.clip((wanted - ink) / (full - ink), 0, 1))

    def translate(images: Float32) -> Float32:
        made = shear(images, slope)
        return np.asarray(made + share * (change(made) - made), np.float32)

    return translate


# --- The model ---------------------------------------------------------------------------------


class CycleGAN(image_to_image.Redrawer):
    """Two generators, from A to B and from B to A, with a critic for each kind of image.

    The generators minimise the sum of both adversarial losses and ``cycle_weight`` times the cycle
    consistency ``mean |F(G(a)) - a| + mean |G(F(b)) - b|`` (Zhu et al. 2017, eqs. 2 and 3). To
    `gantut.GAN` the four are one generator, from [a, b] to [G(a), F(b)], and one discriminator. The
    dataset holds (a, b), two independent batches. Critics see the newest images only; Zhu et al.
    keep a pool of 50 older ones.

    Args:
        *networks: G from A to B, F from B to A, and the critics of A and of B, which map images
            to logits (batch, 1).
        cycle_weight: At least 0.
        **options: As of `gantut.GAN`: a loss that is not relativistic, and all but
            ``unroll_steps`` and ``simultaneous``.
    """

    def __init__(self, *networks: Model, cycle_weight: float = 10.0, **options: Any) -> None:
        # Layers of one model need names of their own.
        named = zip(("to_b", "to_a", "critic_a", "critic_b"), networks, strict=True)
        to_b, to_a, critic_a, critic_b = (
            keras.Model(network.inputs[0], network.outputs[0], name=name) for name, network in named
        )
        a, b = (keras.Input(x.shape[1:]) for x in (to_b.inputs[0], to_b.outputs[0]))
        both_ways = keras.Model([a, b], [to_b(a), to_a(b)], name="both_ways")
        both_critics = keras.Model([a, b], [critic_a(a), critic_b(b)], name="both_critics")
        super().__init__(both_ways, both_critics, **options)
        self.check_plain("a CycleGAN goes with", unroll_steps=0, simultaneous=False)
        if self.adversarial_loss.relativistic:
            raise ValueError("a CycleGAN's images have no partners that a relativistic loss needs")
        self.to_b, self.to_a, self.critic_a, self.critic_b = to_b, to_a, critic_a, critic_b
        self.cycle_weight = _check.number(cycle_weight, "cycle_weight", least=0)
        self.cycle_tracker = keras.metrics.Mean("cycle")
        self.trackers = [*self.trackers, self.cycle_tracker]

    def discriminate(self, x: Tensor, labels: Model) -> Tensor:
        """Logits of a critic, which stands where another GAN has labels."""
        return labels(x, training=True)

    def discriminator_gradients(
        self, real: Tensor, labels: Tensor, with_penalty: bool
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """The sum of both critics' losses, all their logits, and their gradients."""
        a, b = real, labels
        with unchanged(self.generator):
            fake_b, fake_a = self.generator([a, b], training=True)
        with tf.GradientTape() as tape:
            of_a = self.discriminator_loss(a, fake_a, self.critic_a, with_penalty)
            of_b = self.discriminator_loss(b, fake_b, self.critic_b, with_penalty)
            loss, total = of_a[0] + of_b[0], of_a[-1] + of_b[-1]
        real_logits, fake_logits = (tf.concat([of_a[i], of_b[i]], axis=0) for i in (1, 2))
        return loss, real_logits, fake_logits, gradients(tape, total, self.discriminator)

    def generator_gradients(self, real: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Both generators' loss, and its gradients."""
        a, b = real, labels
        adversarial = self.adversarial_loss.generator
        with unchanged(self.discriminator), tf.GradientTape() as tape:
            fake_b, fake_a = self.to_b(a, training=True), self.to_a(b, training=True)
            loss = adversarial(self.discriminate(fake_a, self.critic_a), None)
            loss += adversarial(self.discriminate(fake_b, self.critic_b), None)
            if self.cycle_weight:
                cycle = tf.reduce_mean(tf.abs(self.to_a(fake_b, training=True) - a))
                cycle += tf.reduce_mean(tf.abs(self.to_b(fake_a, training=True) - b))
                self.cycle_tracker.update_state(cycle)
                loss += self.cycle_weight * cycle
        return loss, self.generator_slopes(tape, loss)

    def translate(self, images: npt.ArrayLike) -> Float32:
        """Translates images from A to B, with the averaged weights."""
        return image_to_image.translate(self.ema_generator.get_layer("to_b"), images)

    def translate_back(self, images: npt.ArrayLike) -> Float32:
        """Translates images from B to A, as ``translate``."""
        return image_to_image.translate(self.ema_generator.get_layer("to_a"), images)

    def at_size(self, shape: tuple[int, int, int]) -> tuple[Model, Model]:
        """Both generators for images of another (height, width, channels), averaged weights."""
        to_b, to_a = (self.ema_generator.get_layer(name) for name in ("to_b", "to_a"))
        return image_to_image.resized(to_b, shape), image_to_image.resized(to_a, shape)


@dataclass(frozen=True, kw_only=True)
class CycleRecipe(recipes.GameSettings):
    """Settings of a training without pairs: of `gantut.recipes.GameSettings` and `CycleGAN`."""

    generator: Builder = restyler  # from a shape (height, width, channels) to the network
    critic: Builder = image_discriminator  # the same
    cycle_weight: float = 10.0
    penalties: Mapping[str, float] = field(default_factory=lambda: {"r1": 0.1})
    penalty_every: int = 8
    ema: float | None = 0.99
    batch_size: int = 16  # of each kind
    steps: int = 300
    g_learning_rate: float = 4e-3
    d_learning_rate: float = 4e-3
    beta_2: float = 0.99
    schedule: recipes.Schedule = field(default_factory=recipes.cosine_decay)
    steps_per_execution: int = 10

    def build(self, shape: tuple[int, int, int], seed: int = 0) -> CycleGAN:
        """A compiled `CycleGAN` for images of a shape (height, width, channels)."""
        recipes.make_deterministic(seed)
        makers = (self.generator, self.generator, self.critic, self.critic)
        networks = (make(shape) for make in makers)
        return self.compiled(CycleGAN, *networks, cycle_weight=self.cycle_weight, seed=seed)


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
    """The settings of a method of ``METHODS``, some of them replaced."""
    return CycleRecipe(**_check.one_of(method, "method", METHODS) | settings)


@recipes.cpu_timed
def train(
    a: npt.ArrayLike, b: npt.ArrayLike, method: str = "letters", *, seed: int = 0, **settings: Any
) -> recipes.Run[CycleGAN]:
    """Trains two networks to translate between two sets of images that have no pairs.

    Images of both have the same size; they are as many or not, in any order. The history has the
    cycle error ``cycle`` as well. Arguments otherwise as in `image_to_image.train`.
    """
    plan = recipe(method, **settings)
    x, y = check_alike(a, b, ("a", "b"))
    gan = plan.build(x.shape[1:], seed)
    # Two orders from two seeds: even where row i of one set belongs to row i of the other, no
    # batch knows it.
    seeds = np.random.SeedSequence(seed).generate_state(2) >> 1
    batches = (
        recipes.batches(images, batch_size=plan.batch_size, seed=int(order))
        for images, order in zip((x, y), seeds, strict=True)
    )
    dataset = tf.data.Dataset.zip(*batches)
    return recipes.run(gan, dataset, steps=plan.steps, schedule=plan.schedule)
