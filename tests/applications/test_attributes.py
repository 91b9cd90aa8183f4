"""gantut.applications.attributes: the faces, their reading, what is counted, and the edits."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gantut._keras import keras, tf
from gantut.applications import attributes

FACES = attributes.possible()
NAMES = [*attributes.ATTRIBUTES]


def some(n=50, seed=0):
    """Rows of faces."""
    return np.random.default_rng(seed).integers(attributes.COUNT, size=n)


# --- The faces -----------------------------------------------------------------------------------


def test_there_are_as_many_different_faces_as_choices():
    images, codes = FACES
    assert images.shape == (13_824, 16, 16, 3)
    assert images.dtype == np.float32
    assert images.min() >= -1
    assert images.max() <= 1
    assert len(np.unique(codes, axis=0)) == 13_824
    assert (codes.max(axis=0) + 1 == attributes.SIZES).all()
    assert len(np.unique(images.reshape(13_824, -1), axis=0)) == 13_824
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_what_lies_on_top_is_seen():
    (image,) = (attributes.render([[0, 0, 0, 0, 0, 0, 3]]) + 1) * 127.5
    np.testing.assert_allclose(image[0, 0], attributes.GROUND, atol=0.01)
    np.testing.assert_allclose(image[15, 4], (0xFF, 0xC4, 0x25), atol=0.01)  # a yellow shirt
    np.testing.assert_allclose(image[11, 5], (0xFF, 0xDB, 0xAC), atol=30)  # the skin's shade
    dark, bare = (attributes.render([[0, 0, 0, 0, kind, 0, 0]])[0] for kind in (2, 0))
    assert (dark <= bare + 1e-6).mean() > 0.98
    assert (dark < bare).any(axis=-1).sum() > 20


@pytest.mark.parametrize("attribute", NAMES)
def test_each_attribute_changes_pixels_of_its_own(attribute):
    place = NAMES.index(attribute)
    codes = np.tile([1, 0, 1, 0, 0, 0, 0], (attributes.SIZES[place], 1))
    codes[:, place] = np.arange(len(codes))
    images = attributes.render(codes)
    for i, j in zip(*np.triu_indices(len(codes), 1), strict=True):
        assert np.sqrt(np.mean((images[i] - images[j]) ** 2)) > 0.03


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        ([[0, 0]], ValueError),
        (np.zeros((1, 7)), TypeError),
        ([[4, 0, 0, 0, 0, 0, 0]], ValueError),
        ([[0, 0, 0, -1, 0, 0, 0]], ValueError),
    ],
)
def test_codes_that_are_no_faces_are_refused(codes, error):
    with pytest.raises(error):
        attributes.render(codes)


def test_what_a_face_has_is_told_by_name():
    codes = attributes.possible().codes
    assert attributes.has(codes, "glasses", "clear", "dark").mean() == pytest.approx(2 / 3)
    assert attributes.has(codes, "hair", "spiky").mean() == pytest.approx(1 / 6)
    assert attributes.is_withheld(codes).sum() == 13_824 / 24
    with pytest.raises(ValueError, match="unknown attribute 'nose'"):
        attributes.has(codes, "nose", "long")


def test_a_split_shows_no_withheld_pair_and_holds_others_out():
    shown, holdout = attributes.split(1_000, seed=3)
    assert len({*shown} | {*holdout}) == 2_000
    assert not attributes.is_withheld(FACES.codes[np.concatenate([shown, holdout])]).any()
    assert (attributes.split(1_000, seed=3)[0] == shown).all()
    assert (attributes.split(1_000, seed=4)[0] != shown).any()
    everything = np.concatenate(attributes.split(6_624))
    assert len({*everything}) == 13_248
    with pytest.raises(ValueError, match="at most 6624, got 6625"):
        attributes.split(6_625)


# --- Measures ------------------------------------------------------------------------------------


def test_each_face_is_read_as_itself_through_noise():
    rows = some(200)
    found = attributes.read(FACES.images[rows])
    assert (found.rows == rows).all()
    assert found.distances.max() == 0
    noise = np.random.default_rng(1).standard_normal((200, 16, 16, 3))
    noisy = np.clip(FACES.images[rows] + 0.1 * noise, -1, 1).astype(np.float32)
    found = attributes.read(noisy)
    assert (found.codes == FACES.codes[rows]).all()
    assert found.distances.mean() == pytest.approx(0.1, rel=0.1)


def test_the_nearest_face_is_that_of_a_full_search():
    images = np.random.default_rng(2).uniform(-1, 1, (7, 16, 16, 3)).astype(np.float32)
    found = attributes.read(images)
    distances = cdist(images.reshape(7, -1), FACES.images.reshape(13_824, -1)) / np.sqrt(768)
    assert (found.rows == distances.argmin(axis=1)).all()
    np.testing.assert_allclose(found.distances, distances.min(axis=1), rtol=1e-5)


def test_copies_held_out_faces_and_the_pair_are_counted():
    shown, holdout = attributes.split(60, seed=0)
    pair = np.flatnonzero(attributes.is_withheld(FACES.codes))[:30]
    others = attributes.split(200, seed=0)[0][120:130]  # neither shown nor held out
    rows = np.concatenate([shown[:40], holdout[:20], holdout[:20], pair, others[:10]])
    found = attributes.measure(FACES.images[rows], shown, holdout)
    assert found.distance == 0
    assert found.copies == pytest.approx(40 / 120)
    assert found.pair == pytest.approx(30 / 120)
    assert found.kinds == 40 + 20 + 30 + 10
    spiky, yellow = (
        np.mean(FACES.codes[rows][:, place] == value) for place, value in ((1, 1), (6, 3))
    )
    assert found.pair_by_chance == pytest.approx(spiky * yellow)
    assert found.holdout >= 40 / 120


# --- Rivals --------------------------------------------------------------------------------------


def test_halves_are_put_together():
    images = FACES.images[some(20)]
    made = attributes.halves(images, 100, seed=1)
    upper, lower = (
        [np.flatnonzero([(x[part] == y[part]).all() for y in images])[0] for x in made]
        for part in (slice(0, 8), slice(8, 16))
    )
    assert len({*upper}) > 10
    assert np.mean(np.array(upper) == lower) < 0.3


def test_attributes_drawn_one_by_one_keep_their_shares_alone():
    shown, _ = attributes.split(2_000)
    codes = FACES.codes[shown]
    drawn = attributes.read(attributes.shuffled(codes, 3_000, seed=0)).codes
    for place, size in enumerate(attributes.SIZES):
        shares = [
            np.bincount(some[:, place], minlength=size) / len(some) for some in (codes, drawn)
        ]
        np.testing.assert_allclose(*shares, atol=0.04)
    expected = np.mean(codes[:, 1] == 1) * np.mean(codes[:, 6] == 3)
    assert attributes.is_withheld(drawn).mean() == pytest.approx(expected, abs=0.01)
    assert expected > 0.02


# --- Editing -------------------------------------------------------------------------------------


def test_directions_are_those_of_a_known_case():
    z = np.random.default_rng(0).standard_normal((2_000, 6)).astype(np.float32)
    direction = attributes.latent_direction(z, z @ [3, 0, 4, 0, 0, 0] > 1)
    np.testing.assert_allclose(direction, [0.6, 0, 0.8, 0, 0, 0], atol=0.05)
    images = FACES.images[[0, 1, 2, 3]]
    difference = attributes.mean_difference(images, np.array([True, False, True, False]))
    np.testing.assert_allclose(
        difference, (images[0] + images[2] - images[1] - images[3]) / 2, atol=1e-6
    )


def test_an_edit_is_judged_by_what_it_was_for_and_by_what_else_it_changed():
    before = np.array([[0, 0, 0, 0, 0, 0, 0]] * 4)
    after = np.array(
        [
            [0, 0, 0, 0, 2, 0, 0],  # glasses and nothing else
            [0, 0, 0, 0, 1, 1, 1],  # glasses, and two more
            [3, 0, 0, 0, 0, 0, 0],  # no glasses, and one more
            [0, 0, 0, 0, 0, 0, 0],
        ]
    )
    found = attributes.compare(before, attributes.render(after), "glasses")
    assert found == attributes.Edited(success=0.5, others=0.75, distance=0.0)
    with pytest.raises(ValueError, match="unknown name 'beard'"):
        attributes.compare(before, attributes.render(after), "beard")


class Switches(keras.layers.Layer):
    """A generator that is understood: the sign of each latent number sets one attribute."""

    def call(self, z):
        on = tf.constant([3, 5, 3, 2, 2, 3, 3])  # the last values; off is the first
        code = tf.where(z > 0, 0, on)
        steps = np.cumprod([1, *attributes.SIZES[:0:-1]])[::-1]
        return tf.gather(FACES.images, tf.reduce_sum(code * steps.astype(np.int32), axis=1))


def test_edits_of_a_generator_of_switches_are_right():
    inputs = keras.Input((7,))
    generator = keras.Model(inputs, Switches()(inputs))
    found = attributes.edits(generator, "glasses", seed=0, n=100)
    assert found["latent"].success > 0.9
    assert found["latent"].others < 0.6
    assert found["latent"].distance == 0
    assert found["pixels"].success > 0.9
    assert found["pixels"].others < 0.6
    assert found["pixels"].distance > 0.01


def test_what_a_generator_never_draws_cannot_be_edited():
    inputs = keras.Input((7,))
    always = keras.Model(inputs, Switches()(keras.ops.abs(inputs)))
    with pytest.raises(ValueError, match="long hair: wanted samples with and without it, got 0%"):
        attributes.edits(always, "long hair", n=50)
