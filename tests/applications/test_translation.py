"""gantut.applications.translation: the two tasks, the methods without networks, and CycleGAN."""

import functools

import numpy as np
import pytest
from skimage import data as sk_data
from skimage import transform

from gantut import load_mnist, losses, metrics
from gantut._keras import keras, tf
from gantut.applications import image_to_image, restoration, translation


def small_generator(shape):
    return keras.Sequential(
        [keras.Input(shape), keras.layers.Conv2D(shape[2], 3, padding="same", activation="tanh")]
    )


def small_critic(shape):
    layers = keras.layers
    return keras.Sequential(
        [keras.Input(shape), layers.Flatten(), layers.Dense(8, "tanh"), layers.Dense(1)]
    )


SMALL = {"generator": small_generator, "critic": small_critic, "batch_size": 8, "steps": 10}


@pytest.fixture(scope="module")
def digits():
    return load_mnist()


def dots(n=64, seed=0):
    """Images of 8 x 8 with a bright square somewhere."""
    rng = np.random.default_rng(seed)
    x = np.full((n, 8, 8, 1), -1, np.float32)
    for image, (row, column) in zip(x, rng.integers(1, 5, (n, 2)), strict=True):
        image[row : row + 3, column : column + 3] = 1
    return x


# --- Strokes and letters -----------------------------------------------------------------------


def test_thin_strokes_are_one_pixel_wide_and_inside(digits):
    images = digits.x_test[:20]
    thin = translation.thin_strokes(images)
    line = thin == 1
    assert set(np.unique(thin)) == {-1, 1}
    assert not np.any(line & (images <= 0))
    blocks = line[:, 1:, 1:] & line[:, :-1, 1:] & line[:, 1:, :-1] & line[:, :-1, :-1]
    assert not blocks.any()
    np.testing.assert_array_equal(translation.thin_strokes(thin), thin)


def test_slant_of_a_line_is_its_slope():
    row, column = np.mgrid[:21, :21]
    for slope in (-0.5, 0.0, 0.8):
        middle = 10 + slope * (10 - row)
        image = np.clip(1 - np.abs(column - middle), 0, 1)  # ink 1, shared by two pixels
        found = translation.slants((2 * image - 1).astype(np.float32)[None, ..., None])
        assert found == pytest.approx([slope], abs=1e-6)
    flat = np.full((1, 4, 4, 1), -1, np.float32)
    flat[0, 2] = 1
    assert translation.slants(flat) == [0]


def test_shear_is_scikit_images_warp(digits):
    images = digits.x_test[:3]
    for image, sheared in zip(images, translation.shear(images, [0.3, 0.0, -0.7]), strict=True):
        slope = (0.3, 0.0, -0.7)[int(np.argmin([np.abs(i - image).sum() for i in images]))]
        # From a place of the result to one of the source: x - slope * (13.5 - y).
        back = np.array([[1, slope, -13.5 * slope], [0, 1, 0], [0, 0, 1]])
        wanted = transform.warp(image[..., 0].astype(np.float64), back, order=1, cval=-1)
        np.testing.assert_allclose(sheared[..., 0], wanted, atol=1e-5)


def test_upright_digits_do_not_lean_and_italic_ones_do(digits):
    images = digits.x_test[:300]
    assert translation.slants(images).std() > 0.2
    upright = translation.upright(images)
    # Linear interpolation is exact to the moments, but for ink beyond the frame.
    assert np.abs(translation.slants(upright)).max() < 0.02
    bold = translation.bold_italic(upright)
    assert abs(translation.slants(bold).mean() - translation.SLANT) < 0.03
    assert bold.mean() > upright.mean() + 0.1
    assert np.all(bold >= translation.shear(upright, translation.SLANT))


def test_a_levelled_filter_chooses_a_thickness(digits):
    targets = digits.x_train[:200]
    sources = translation.thin_strokes(targets)
    found = restoration.levelled(translation.thicken, translation.THICKNESSES, sources, targets)
    new = digits.x_test[:100]
    thin = translation.thin_strokes(new)
    # Measured: 12.2 dB before, 19.3 after.
    gain = metrics.psnr(found(thin), new).mean() - metrics.psnr(thin, new).mean()
    assert gain > 4


# --- Photographs and paintings -----------------------------------------------------------------


def test_photographs_are_those_of_the_wheel_at_half_size():
    cat = translation.photograph("chelsea")
    wanted = transform.downscale_local_mean(sk_data.chelsea()[:300, :450], (2, 2, 1))
    np.testing.assert_allclose((cat + 1) * 127.5, wanted, atol=1e-3)
    for name in translation.PHOTOGRAPHS:
        image = translation.photograph(name)
        assert image.shape[2] == 3
        assert min(image.shape[:2]) >= 150
        assert np.abs(image).max() <= 1


def test_a_photograph_is_read_where_only_the_wheel_is(monkeypatch):
    import skimage

    def refuse(*args, **kwargs):
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr(skimage.data._fetchers, "_fetch", refuse)
    assert translation.photograph("motorcycle_left").shape == (250, 370, 3)


def test_tiles_share_no_pixel():
    image = np.arange(7 * 10, dtype=np.float32).reshape(7, 10, 1) / 70
    white, black = translation.tiles(image, 3)
    assert (len(white), len(black)) == (3, 3)
    np.testing.assert_array_equal(white[0], image[:3, :3])
    np.testing.assert_array_equal(black[0], image[:3, 3:6])
    np.testing.assert_array_equal(black[1], image[3:6, :3])
    both = np.concatenate([white, black])
    assert len(np.unique(both)) == both.size


def kuwahara(grey):
    """The definition, pixel by pixel, within the frame."""
    made = np.full(grey.shape, np.nan)
    for i in range(2, grey.shape[0] - 2):
        for j in range(2, grey.shape[1] - 2):
            squares = [grey[a : a + 3, b : b + 3] for a in (i - 2, i) for b in (j - 2, j)]
            made[i, j] = min(squares, key=np.var).mean()
    return made


def test_painting_is_kuwaharas_filter_with_other_colours():
    rng = np.random.default_rng(0)
    grey = rng.uniform(-1, 1, (12, 10))
    photo = np.repeat(grey[..., None], 3, axis=-1).astype(np.float32)
    painted = translation.painting(photo[None])[0]
    flat = kuwahara(grey)[2:-2, 2:-2]
    for channel, (warmth, offset) in enumerate(((0.25, 0.1), (0.075, 0.0), (-0.25, -0.05))):
        wanted = np.clip(np.tanh(1.5 * flat) + warmth * flat + offset, -1, 1)
        np.testing.assert_allclose(painted[2:-2, 2:-2, channel], wanted, atol=1e-5)


def test_painting_sets_have_no_pairs_but_the_answers_do():
    photos, paintings, (sources, answers) = translation.painting_sets()
    assert photos.shape == (2 * 128, 32, 32, 3)
    assert paintings.shape == (2 * 127, 32, 32, 3)
    np.testing.assert_array_equal(sources, photos)
    # Away from its edges a tile's painting is that of the photograph which it was cut from.
    np.testing.assert_allclose(
        translation.painting(photos[:9])[:, 2:-2, 2:-2], answers[:9, 2:-2, 2:-2], atol=1e-5
    )
    # The nearest painting in the other set is far off; its own one is near.
    own = np.abs(photos - answers).mean(axis=(1, 2, 3))
    other = [np.abs(photo - paintings).mean(axis=(1, 2, 3)).min() for photo in photos[:40]]
    assert np.median(own) < 0.6 * np.median(other)
    cat, painted = translation.last_photograph()
    assert cat.shape == painted.shape == (1, 150, 224, 3)


def test_texture_distance_knows_a_painting_and_no_order():
    cat = translation.photograph("chelsea")[None, :100, :100]
    painted = translation.painting(cat)
    assert translation.texture_distance(cat, cat) == pytest.approx(0, abs=1e-6)
    assert translation.texture_distance(painted, cat) > 0.5
    quarters = np.concatenate([cat[:, :50, :50], cat[:, :50, 50:], cat[:, 50:, :50]])
    moved = np.concatenate([quarters, cat[:, 50:, 50:]])[::-1]
    assert translation.texture_distance(moved, cat) == pytest.approx(0, abs=1e-6)


# --- Without networks --------------------------------------------------------------------------


def test_a_typographer_needs_no_pairs(digits):
    upright = translation.upright(digits.x_train[:2_000])
    bold = translation.bold_italic(upright)
    a, b = upright[:1_000], bold[1_000:]
    new = translation.upright(digits.x_test[:100])
    # Measured with the pen that made them: 38 dB forth and 25 dB back; doing nothing has 10.
    ways = {
        pen: (
            translation.slant_and_weight(a, b, pen=pen),
            translation.slant_and_weight(b, a, pen=pen),
        )
        for pen in translation.PENS
    }
    forth, back = ways["cross"]
    assert metrics.psnr(forth(new), translation.bold_italic(new)).mean() > 30
    assert metrics.psnr(back(translation.bold_italic(new)), new).mean() > 21
    other = metrics.psnr(ways["square"][0](new), translation.bold_italic(new)).mean()
    assert 20 < other < 26
    same = translation.slant_and_weight(a, a)
    np.testing.assert_allclose(same(new), new, atol=1e-6)


# --- CycleGAN ----------------------------------------------------------------------------------


def compiled(**settings):
    return translation.recipe(**SMALL | settings).build((8, 8, 1))


@functools.cache
def untrained():
    return compiled()


def test_the_generators_loss_is_that_of_the_paper():
    gan = compiled(cycle_weight=7.0, loss="least_squares")
    a, b = tf.constant(dots(8)), tf.constant(-dots(8, seed=1))
    fake_b, fake_a = gan.to_b(a), gan.to_a(b)

    def distance(x, y):
        return float(np.abs(x.numpy() - y.numpy()).mean())

    wanted = 0.5 * float(tf.reduce_mean((gan.critic_b(fake_b) - 1) ** 2))
    wanted += 0.5 * float(tf.reduce_mean((gan.critic_a(fake_a) - 1) ** 2))
    cycle = distance(gan.to_a(fake_b), a) + distance(gan.to_b(fake_a), b)
    wanted += 7 * cycle
    critics = [w.numpy() for w in gan.discriminator.trainable_variables]
    assert float(gan.generator_step(a, b)) == pytest.approx(wanted, rel=1e-4)
    assert float(gan.cycle_tracker.result()) == pytest.approx(cycle, rel=1e-4)
    for before, now in zip(critics, gan.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, now.numpy())


def test_the_critics_loss_is_the_sum_of_both():
    gan = compiled()
    a, b = tf.constant(dots(8)), tf.constant(-dots(8, seed=1))
    pairs = [(gan.critic_a(a), gan.critic_a(gan.to_a(b)))]
    pairs.append((gan.critic_b(b), gan.critic_b(gan.to_b(a))))
    wanted = sum(float(losses.minimax_discriminator(*pair)) for pair in pairs)
    generators = [w.numpy() for w in gan.generator.trainable_variables]
    before = [w.numpy() for w in gan.discriminator.trainable_variables]
    loss, real, fake = gan.discriminator_step(a, b, with_penalty=True)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(real, np.concatenate([p[0] for p in pairs]), rtol=1e-5)
    np.testing.assert_allclose(fake, np.concatenate([p[1] for p in pairs]), rtol=1e-5)
    for old, now in zip(generators, gan.generator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, now.numpy())
    # The first step of Adam moves every weight that has a gradient, so both critics'.
    assert all(
        np.any(old != now.numpy())
        for old, now in zip(before, gan.discriminator.trainable_variables, strict=True)
    )


def test_a_step_is_fixed_by_the_seed():
    a, b = tf.constant(dots(8)), tf.constant(-dots(8, seed=1))
    first, again = compiled(), compiled()
    for gan in (first, again):
        for _ in range(2):
            gan.train_step((a, b))
    for one, other in zip(first.ema_generator.weights, again.ema_generator.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert int(first.step_counter) == 2


def dimmed(**settings):
    """From bright squares to dim ones, learnt from other squares."""
    return translation.train(dots(200), dots(200, seed=1) / 2, **SMALL | settings)


@pytest.mark.slow
def test_a_short_training_dims_squares_without_a_pair():
    settings = {"steps": 600, "batch_size": 16, "steps_per_execution": 25, "cycle_weight": 2.0}
    run = dimmed(**settings, g_learning_rate=1e-2, d_learning_rate=1e-2)
    new = dots(100, seed=2)
    error = np.abs(run.gan.translate(new) - new / 2).mean()
    back = np.abs(run.gan.translate_back(new / 2) - new).mean()
    # Doing nothing has 0.5. Measured over seeds 0 to 2: 0.010 to 0.021, back 0.028 to 0.035.
    assert error < 0.1
    assert back < 0.1
    assert run.history["cycle"][-1] < 0.5 * run.history["cycle"][0]


def test_a_training_can_be_saved_and_its_generators_open_alone(tmp_path):
    run = dimmed()
    assert run.steps == SMALL["steps"]
    assert {"d_loss", "g_loss", "d_real", "d_fake", "cycle"} < set(run.history)
    assert run.cpu_seconds > 0
    assert run.seconds > 0
    a, b = dots(5, seed=3), dots(5, seed=4) / 2
    drawn = run.gan.translate(a), run.gan.translate_back(b)
    run.gan.save(tmp_path)
    other = compiled()
    assert np.any(other.translate(a) != drawn[0])
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.translate(a), drawn[0])
    np.testing.assert_array_equal(other.translate_back(b), drawn[1])
    both = keras.models.load_model(tmp_path / "generator.keras")([a, b])
    for one, wanted in zip(both, drawn, strict=True):
        np.testing.assert_allclose(one, wanted, atol=1e-6)


def test_painters_of_tiles_paint_a_larger_picture():
    gan = translation.recipe("painting").build((8, 8, 3))
    x = np.random.default_rng(0).uniform(-1, 1, (1, 24, 26, 3)).astype(np.float32)
    for large, small in zip(
        gan.at_size(x.shape[1:]), (gan.translate, gan.translate_back), strict=True
    ):
        drawn = large(x).numpy()
        assert drawn.shape == x.shape
        same = image_to_image.resized(large, (8, 8, 3))(x[:, :8, :8])
        np.testing.assert_allclose(small(x[:, :8, :8]), same, atol=1e-6)


def four(*networks, **options):
    return translation.CycleGAN(*(build((8, 8, 1)) for build in networks), **options)


G, D = small_generator, small_critic


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: translation.slants(x - 1), ValueError, "image 0 is blank"),
        (lambda x: translation.shear(x, [1, 2]), ValueError, "broadcast"),
        (lambda x: translation.thin_strokes(x + 2), ValueError, "wanted values in"),
        (lambda x: translation.painting(x), ValueError, "channel"),
        (lambda x: translation.train(x, x, "strokes"), ValueError, "unknown method"),
        (lambda x: translation.train(x, x, steps=0), ValueError, "steps"),
        (lambda x: translation.train(x, x, speed=1), TypeError, "speed"),
        (lambda x: compiled(cycle_weight=-1.0), ValueError, "cycle_weight"),
        (lambda x: compiled(loss="relativistic"), ValueError, "relativistic"),
        (lambda x: four(G, G, D, D, unroll_steps=2), ValueError, "goes with unroll_steps=0"),
        (lambda x: four(G, G, D, D, simultaneous=True), ValueError, "goes with simultaneous"),
        (lambda x: untrained().sample(3), TypeError, "translate"),
        (lambda x: untrained().translate(x[:, :4]), ValueError, "wanted 8 x 8"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((5, 8, 8, 1), np.float32))
