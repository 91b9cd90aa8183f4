"""Faces of which all is known: what a GAN copies, what it combines, and how faces are edited.

    from gantut import recipes
    from gantut.applications import attributes

    shown, holdout = attributes.split(1_000)
    run = recipes.train("fast", attributes.possible().images[shown], steps=2_000)
    found = attributes.measure(run.gan.sample(2_000), shown, holdout)

A face is a choice of seven attributes, one layer of pixels each, of the style "Pixel Art" by
DiceBear (CC0 1.0); ``tools/make_faces.py`` drew the layers. There are 13,824 faces, so that any
image can be read by the nearest of them. Images are float32 (n, 16, 16, 3) in [-1, 1], codes are
integers (n, 7): the place of each attribute's value in `ATTRIBUTES`.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from gantut import _check, sampling
from gantut._files import Npz
from gantut.data import Float32, Float64, Int64, check_images

Bool: TypeAlias = npt.NDArray[np.bool_]

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "skin": ("1", "2", "3", "4"),  # from light to dark
    "hair": ("cropped", "spiky", "balding", "shoulder", "long", "bob"),
    "hair colour": ("black", "brown", "fair", "red"),
    "eyes": ("narrow", "left", "wide"),
    "glasses": ("none", "clear", "dark"),
    "mouth": ("laughing", "smiling", "sad", "straight"),
    "shirt": ("blue", "green", "red", "yellow"),
}
"""The attributes and their values, in the order of the codes."""

SIZES = tuple(map(len, ATTRIBUTES.values()))
COUNT = math.prod(SIZES)
GROUND = (200, 210, 220)  # what is behind a face, in bytes
ORDER = ("skin", "shirt", "eyes", "glasses", "mouth", "hair")  # of the layers, the last on top


# --- The faces ---------------------------------------------------------------------------------


class Faces(NamedTuple):
    """Images (n, 16, 16, 3) and their codes (n, 7)."""

    images: Float32
    codes: Int64


@cache
def possible() -> Faces:
    """All 13,824 faces, read-only."""
    codes = np.stack(np.unravel_index(np.arange(COUNT), SIZES), axis=1)
    values = dict(zip(ATTRIBUTES, codes.T, strict=True))
    # Hair comes by style and colour.
    values["hair"] = values["hair"] * len(ATTRIBUTES["hair colour"]) + values["hair colour"]
    image: Float32 = np.array(GROUND, np.float32) / np.float32(255)
    with Path(__file__).with_suffix(".npz").open("rb") as file, Npz(file) as archive:
        for name in ORDER:
            # Bytes (values, 16, 16, 4): red, green and blue times opacity, and opacity.
            layer = (archive[name].astype(np.float32) / np.float32(255))[values[name]]
            image = layer[..., :3] + (1 - layer[..., 3:]) * image
    faces = Faces(2 * image - 1, codes)
    for array in faces:
        array.flags.writeable = False
    return faces


def render(codes: npt.ArrayLike) -> Float32:
    """The faces of codes, integers (n, 7)."""
    return possible().images[np.ravel_multi_index(np.transpose(codes), SIZES)]


def has(codes: Int64, attribute: str, *values: str) -> Bool:
    """Which of the codes (n, 7) have one of these values of an attribute, a key of `ATTRIBUTES`."""
    known = _check.one_of(attribute, "attribute", ATTRIBUTES)
    return np.isin(codes[:, [*ATTRIBUTES].index(attribute)], [known.index(v) for v in values])


def is_withheld(codes: Int64) -> Bool:
    """Which faces have spiky hair and a yellow shirt, a pair that `split` never shows."""
    return has(codes, "hair", "spiky") & has(codes, "shirt", "yellow")


def split(n: int, seed: int = 0) -> tuple[Int64, Int64]:
    """Draws faces to train on and as many others, all without the withheld pair.

    Returns:
        Two arrays (n,) of different rows of `possible`, drawn with equal chances.
    """
    rows = np.flatnonzero(~is_withheld(possible().codes))
    if 2 * _check.integer(n, "n", 1) > len(rows):
        raise ValueError(f"n must be at most {len(rows) // 2}, got {n}")
    drawn = _check.rng(seed).permutation(rows)
    return drawn[:n], drawn[n : 2 * n]


# --- Measures ----------------------------------------------------------------------------------


class Reading(NamedTuple):
    """The faces that images are nearest to.

    Attributes:
        rows: Their places in `possible`, (n,).
        distances: To them, (n,): the root of the mean squared difference of the pixels.
    """

    rows: Int64
    distances: Float64

    @property
    def codes(self) -> Int64:
        """The codes (n, 7) of the nearest faces."""
        return possible().codes[self.rows]


def read(images: npt.ArrayLike) -> Reading:
    """Finds the possible face that each image (n, 16, 16, 3) is nearest to."""
    x = check_images(images, size=(16, 16), channels=3)
    faces, flat = possible().images.reshape(COUNT, -1), x.reshape(len(x), -1)
    halves = (faces**2).sum(axis=1) / 2
    blocks = np.array_split(flat, math.ceil(len(flat) / 500))
    rows = np.concatenate([(halves - block @ faces.T).argmin(axis=1) for block in blocks])
    gaps = (flat - faces[rows]).astype(np.float64)
    return Reading(rows, np.sqrt(np.mean(gaps**2, axis=1)))


class Measures(NamedTuple):
    """How samples compare with the faces of a training set.

    Attributes:
        distance: Mean distance to the nearest possible face.
        copies: Share of the samples that are read as a face of the training set.
        holdout: Share read as one of the held-out faces: what ``copies`` is without copying.
        pair: Share with spiky hair and a yellow shirt.
        pair_by_chance: Share with spiky hair times share with a yellow shirt.
        kinds: Number of different faces.
    """

    distance: float
    copies: float
    holdout: float
    pair: float
    pair_by_chance: float
    kinds: int


def measure(images: npt.ArrayLike, shown: Int64, holdout: Int64) -> Measures:
    """Reads samples (n, 16, 16, 3) and compares them with the rows of `split`."""
    found = read(images)
    codes = found.codes
    spiky, yellow = has(codes, "hair", "spiky").mean(), has(codes, "shirt", "yellow").mean()
    return Measures(
        distance=float(found.distances.mean()),
        copies=float(np.isin(found.rows, shown).mean()),
        holdout=float(np.isin(found.rows, holdout).mean()),
        pair=float(is_withheld(codes).mean()),
        pair_by_chance=float(spiky * yellow),
        kinds=len(np.unique(found.rows)),
    )


# --- Rivals ------------------------------------------------------------------------------------


def halves(images: npt.ArrayLike, n: int, seed: int = 0) -> Float32:
    """The upper half of one training image on the lower half of another, n times."""
    x = check_images(images)
    one, other = x[_check.rng(seed).integers(len(x), size=(2, n))]
    middle = x.shape[1] // 2
    return np.concatenate([one[:, :middle], other[:, middle:]], axis=1)


def shuffled(codes: Int64, n: int, seed: int = 0) -> Float32:
    """Faces with each attribute drawn by itself from the training set; it needs their codes."""
    chosen = _check.rng(seed).integers(len(codes), size=(n, codes.shape[1]))
    return render(np.take_along_axis(codes, chosen, axis=0))


# --- Editing -----------------------------------------------------------------------------------

EDITS: dict[str, tuple[str, tuple[str, ...]]] = {
    "glasses": ("glasses", ("clear", "dark")),
    "smile": ("mouth", ("laughing", "smiling")),
    "long hair": ("hair", ("shoulder", "long", "bob")),
    "red hair": ("hair colour", ("red",)),
}
"""By the name of an edit, the attribute and the values that count."""

STRENGTHS = {"latent": np.geomspace(0.5, 16, 11), "pixels": np.geomspace(0.25, 4, 9)}
"""By kind of direction, the lengths of the steps that `edits` tries."""


def latent_direction(z: Float32, wanted: Bool) -> Float32:
    """The unit vector along which a logistic regression on latent vectors (n, d) grows.

    After Shen et al. 2020, who fit a linear support vector machine.
    """
    weights = LogisticRegression(C=0.1, max_iter=1_000).fit(z, wanted).coef_[0]
    return (weights / np.linalg.norm(weights)).astype(np.float32)


def mean_difference(images: Float32, wanted: Bool) -> Float32:
    """The mean image of those that have what is wanted, less that of the others."""
    return images[wanted].mean(axis=0) - images[~wanted].mean(axis=0)


class Edited(NamedTuple):
    """What an edit did to faces that lacked what is wanted.

    Attributes:
        success: Share that has it afterwards.
        others: Mean number of the six other attributes that changed.
        distance: Mean distance to the nearest possible face afterwards.
    """

    success: float
    others: float
    distance: float


def compare(before: Int64, images: npt.ArrayLike, name: str) -> Edited:
    """Reads edited images (n, 16, 16, 3) beside the codes (n, 7) from ``before`` the edit."""
    attribute, values = _check.one_of(name, "name", EDITS)
    after = read(images)
    changed = before != after.codes
    changed[:, [*ATTRIBUTES].index(attribute)] = False
    return Edited(
        success=float(has(after.codes, attribute, *values).mean()),
        others=float(changed.sum(axis=1).mean()),
        distance=float(after.distances.mean()),
    )


def edits(generator: Any, name: str, seed: int = 0, n: int = 1_000) -> dict[str, Edited]:
    """Edits samples along a latent direction and by the mean difference in pixels.

    Both directions come from 2 n samples and what is read in them. The step is the shortest of
    ``STRENGTHS`` by which nine of ten of some of these have what is wanted, or else the best; it is
    then taken from those of n other samples that lack it.

    Args:
        generator: From latent vectors to faces.
        name: A key of ``EDITS``.
        seed: Fixes the latent vectors.
        n: Samples, of which those are edited that lack what is wanted.
    """
    attribute, values = _check.one_of(name, "name", EDITS)
    rng = _check.rng(seed)
    z = rng.standard_normal((3 * n, generator.inputs[0].shape[-1]), dtype=np.float32)
    images = sampling.render(generator, z, compiled=True)
    codes = read(images).codes
    wanted = has(codes, attribute, *values)
    if not 0 < (share := wanted[: 2 * n].mean()) < 1:
        raise ValueError(f"{name}: wanted samples with and without it, got {share:.0%} with it")
    along = latent_direction(z[: 2 * n], wanted[: 2 * n])
    difference = mean_difference(images[: 2 * n], wanted[: 2 * n])
    lacking = np.flatnonzero(~wanted)
    tried, fresh = lacking[lacking < 2 * n][:200], lacking[lacking >= 2 * n]

    def edit(way: str, rows: Int64, strength: float) -> Edited:
        if way == "latent":
            changed = sampling.render(generator, z[rows] + strength * along, compiled=True)
        else:
            changed = np.clip(images[rows] + strength * difference, -1, 1)
        return compare(codes[rows], changed, name)

    found = {}
    for way, strengths in STRENGTHS.items():
        best = (0.0, 0.0)
        for strength in strengths.tolist():
            best = max(best, (edit(way, tried, strength).success, strength))
            if best[0] >= 0.9:
                break
        found[way] = edit(way, fresh, best[1])
    return found
