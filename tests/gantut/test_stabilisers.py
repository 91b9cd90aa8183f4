"""gantut.stabilisers: each part by what its paper says it must do, and all of them together."""

import itertools
from functools import partial

import numpy as np
import pytest

import gantut
from gantut import losses, networks, stabilisers
from gantut._keras import keras, layers_of, tf
from gantut.stabilisers import DiffAugment, InstanceNoise, MinibatchStdDev, Pack

layers = keras.layers
SHAPE = (4, 4, 1)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def images(n, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *shape)).astype(np.float32)


def linear_discriminator(image_shape):
    x = keras.Input(image_shape)
    return keras.Model(x, layers.Dense(1, name="logit")(layers.Flatten()(x)))


def in_graph(layer, shape, **kwargs):
    """The layer called with a number of rows that the graph does not know."""
    signature = [tf.TensorSpec((None, *shape), tf.float32)]
    return tf.function(lambda x: layer(x, **kwargs), input_signature=signature)


# --- Packing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("shape", [(5, 4, 2), (3,)], ids=["images", "points"])
def test_packing_divides_the_rows_and_multiplies_the_channels(m, shape):
    x = normal(6, *shape)
    for y in (Pack(m)(x).numpy(), in_graph(Pack(m), shape)(x).numpy()):
        assert y.shape == (6 // m, *shape[:-1], m * shape[-1])
        for i, j in itertools.product(range(6 // m), range(m)):
            ours = y[i, ..., j * shape[-1] : (j + 1) * shape[-1]]
            np.testing.assert_array_equal(ours, x[i * m + j])
    assert Pack(m)(keras.Input(shape)).shape == (None, *shape[:-1], m * shape[-1])
    assert Pack(np.int64(m))(keras.Input(shape)).shape == (None, *shape[:-1], m * shape[-1])


def test_packs_need_full_batches():
    with pytest.raises(ValueError, match=r"Pack\(2\) got 5 rows, wanted a multiple of 2"):
        Pack(2)(normal(5, 3))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Pack\(2\) got a number of rows"):
        in_graph(Pack(2), (3,))(normal(5, 3))
    for m, error in ((0, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="m must be an integer"):
            Pack(m)
        with pytest.raises(error, match="m must be an integer"):
            stabilisers.packed(linear_discriminator, m)


def test_a_packed_discriminator_judges_neighbours_together():
    asked = []

    def builder(image_shape):
        asked.append(networks.mlp_discriminator(image_shape, widths=(5,)))
        return asked[0]

    packed = stabilisers.packed(builder, 2)(image_shape=SHAPE)
    (inner,) = asked
    assert inner.input_shape == (None, 4, 4, 2)
    assert packed.input_shape == (None, *SHAPE)
    x = images(6)
    logits = packed(x).numpy()
    assert logits.shape == (3, 1)
    pairs = np.concatenate([x[0::2], x[1::2]], axis=-1)
    np.testing.assert_allclose(logits, inner(pairs), atol=1e-6)
    # The same samples in other packs get other logits: it is the pack that is judged.
    assert np.abs(packed(x[[0, 2, 1, 3, 4, 5]])[0] - logits[0]).max() > 1e-3
    assert stabilisers.packed(builder, 1) is builder


def test_a_packed_conditional_discriminator_reads_all_labels():
    builder = partial(networks.mlp_discriminator, widths=(5,))
    packed = stabilisers.packed(builder, 2)(image_shape=SHAPE, num_classes=3)
    x, labels = images(4), np.array([2, 0, 1, 1])
    one_hot = np.eye(3)[labels]
    rows = np.concatenate(
        [np.concatenate([x[0::2], x[1::2]], -1).reshape(2, -1), one_hot[0::2], one_hot[1::2]], 1
    )
    w1, b1, w2, b2 = (v.numpy() for v in packed.trainable_variables)
    assert w1.shape == (2 * 16 + 2 * 3, 5)
    hidden = rows @ w1 + b1
    wanted = np.where(hidden > 0, hidden, 0.2 * hidden) @ w2 + b2
    np.testing.assert_allclose(packed([x, labels]), wanted, atol=1e-5)


def test_packing_the_mean_image():
    mean, builder = images(1)[0], partial(networks.mlp_discriminator, widths=(3,))
    packed = stabilisers.packed(builder, 3)(image_shape=SHAPE, mean_image=mean)
    (centre,) = (x for x in layers_of(packed) if x.name == "centre")
    np.testing.assert_array_equal(centre.moving_mean.numpy().reshape(4, 4, 3), mean.repeat(3, -1))


def test_builders_that_cannot_be_packed():
    def stubborn(image_shape):
        return networks.tutorial_dcgan_discriminator()

    with pytest.raises(ValueError, match=r"asked for .*\(28, 28, 2\).* made one of \(28, 28, 1\)"):
        stabilisers.packed(stubborn, 2)((28, 28, 1))

    def embedding(image_shape, num_classes):
        x, label = keras.Input(image_shape), keras.Input((), dtype="int32")
        code = layers.Embedding(num_classes, 2)(label)
        both = layers.Concatenate()([layers.Flatten()(x), code])
        return keras.Model([x, label], layers.Dense(1)(both), name="embedding")

    with pytest.raises(ValueError, match="cannot pack the labels of 'embedding': it has no layer"):
        stabilisers.packed(embedding, 2)(SHAPE, num_classes=10)


def test_what_gradient_penalties_measure_on_packs():
    """D(x, y) = v . x + w . y: a gradient that one can read off."""
    packed = stabilisers.packed(linear_discriminator, 2)((3,))
    kernel = normal(6, 1)
    packed.trainable_variables[0].assign(kernel)
    squares = [float(np.sum(kernel[:3] ** 2)), float(np.sum(kernel[3:] ** 2))]
    x, fake = tf.constant(normal(8, 3)), tf.constant(normal(8, 3, seed=1))
    assert float(losses.r1_penalty(packed, x)) == pytest.approx(sum(squares) / (2 * 2), rel=1e-5)
    wanted = np.mean((np.sqrt(squares) - 1.0) ** 2)
    assert float(losses.gradient_penalty(packed, x, fake)) == pytest.approx(wanted, rel=1e-5)


# --- Instance noise ----------------------------------------------------------------------------


def test_noise_has_its_deviation_in_training_only():
    x = normal(2000, 5)
    layer = InstanceNoise(0.3, seed=1)
    np.testing.assert_array_equal(layer(x), x)
    noise = layer(x, training=True).numpy() - x
    # Deviations of a mean and of a standard deviation of 10,000 draws: .003 and .0021.
    assert abs(noise.mean()) < 4 * 0.003
    assert abs(noise.std() - 0.3) < 4 * 0.0021
    again = layer(x, training=True).numpy() - x
    assert abs(np.corrcoef(noise.ravel(), again.ravel())[0, 1]) < 0.04  # new each time
    same = InstanceNoise(0.3, seed=1)(x, training=True).numpy() - x
    np.testing.assert_array_equal(noise, same)


def test_noise_can_be_lowered_in_a_compiled_graph():
    layer = InstanceNoise(1.0)
    x = np.zeros((50, 4), np.float32)
    call = in_graph(layer, (4,), training=True)
    assert call(x).numpy().std() > 0.5
    layer.stddev.assign(0.0)
    np.testing.assert_array_equal(call(x), x)


@pytest.mark.parametrize("stddev", [-0.1, np.inf, np.nan, "much"])
def test_bad_noise(stddev):
    with pytest.raises((TypeError, ValueError), match="stddev"):
        InstanceNoise(stddev)


def test_layers_at_the_input_share_the_discriminator():
    d = networks.mlp_discriminator(SHAPE, (5,), num_classes=3)
    noisy = stabilisers.at_input(d, InstanceNoise(0.5))
    assert [id(v) for v in noisy.trainable_variables] == [id(v) for v in d.trainable_variables]
    inputs = [images(6), np.arange(6) % 3]
    np.testing.assert_array_equal(noisy(inputs), d(inputs))
    assert np.abs(noisy(inputs, training=True) - d(inputs)).max() > 0.01
    with pytest.raises(ValueError, match=r"must keep its shape \(4, 4, 1\), got \(4, 4, 2\)"):
        stabilisers.at_input(d, Pack(2))


def noisy_gan(stddev=0.4, noise=True):
    keras.utils.set_random_seed(0)
    z, x = keras.Input((2,)), keras.Input((2,))
    d = keras.Model(x, layers.Dense(1)(x), name="judge")
    if noise:
        d = stabilisers.at_input(d, InstanceNoise(stddev))
    gan = gantut.GAN(keras.Model(z, layers.Dense(2)(z)), d)
    gan.compile(run_eagerly=True)
    return gan


# --- DiffAugment -------------------------------------------------------------------------------


def shifted(image, down, right):
    result = np.zeros_like(image)
    h, w = image.shape[:2]
    result[max(down, 0) : h + min(down, 0), max(right, 0) : w + min(right, 0)] = image[
        max(-down, 0) : h + min(-down, 0), max(-right, 0) : w + min(-right, 0)
    ]
    return result


def test_translations_are_shifts_of_up_to_an_eighth_each_image_its_own():
    """12 x 8 pixels: up to 2 down or up (12 / 8 rounds to 2), up to 1 to the side."""
    x = images(300, (12, 8, 2))
    y = DiffAugment("translation", seed=3)(x, training=True).numpy()
    found = {}
    for old, new in zip(x, y, strict=True):
        fits = [
            (down, right)
            for down, right in itertools.product(range(-3, 4), range(-3, 4))
            if np.array_equal(shifted(old, down, right), new)
        ]
        assert len(fits) == 1
        found[fits[0]] = found.get(fits[0], 0) + 1
    assert set(found) == set(itertools.product((-2, -1, 0, 1, 2), (-1, 0, 1)))
    # 15 shifts of 20 images each; the deviation is 4.3.
    assert min(found.values()) >= 5


@pytest.mark.parametrize("side", [8, 6], ids=["even square", "odd square"])
def test_cutouts_are_squares_of_half_the_side_centred_anywhere(side):
    length = side // 2
    x = images(600, (side, side, 1))
    y = DiffAugment("cutout", seed=3)(x, training=True).numpy()
    wiped = (y == 0.0)[..., 0]
    np.testing.assert_array_equal(y[~wiped], x[~wiped])
    starts = range(-(length // 2), side - length // 2 + 1 - length % 2)
    possible = {}
    for top, left in itertools.product(starts, starts):
        mask = np.zeros((side, side), bool)
        mask[max(top, 0) : top + length, max(left, 0) : left + length] = True
        possible[mask.tobytes()] = 0
    for mask in wiped:
        possible[mask.tobytes()] += 1
    assert min(possible.values()) >= 1  # 600 draws of at most 81
    assert wiped.any(axis=0).all()


def test_colour_changes_brightness_contrast_and_saturation_within_their_ranges():
    x = images(400, (4, 4, 3))
    y = DiffAugment("color", seed=3)(x, training=True).numpy()

    def parts(image):
        grey = image.mean(-1, keepdims=True)
        return image.mean((1, 2, 3)), (grey - image.mean((1, 2, 3), keepdims=True)), image - grey

    (mean, grey, hue), (new_mean, new_grey, new_hue) = parts(x), parts(y)
    brightness = new_mean - mean
    contrast = (new_grey * grey).sum((1, 2, 3)) / (grey**2).sum((1, 2, 3))
    both = (new_hue * hue).sum((1, 2, 3)) / (hue**2).sum((1, 2, 3))
    # What is left are exactly these three numbers for each image.
    np.testing.assert_allclose(new_grey, contrast[:, None, None, None] * grey, atol=2e-6)
    np.testing.assert_allclose(new_hue, both[:, None, None, None] * hue, atol=2e-6)
    for values, low, high in (
        (brightness, -0.5, 0.5),
        (contrast, 0.5, 1.5),
        (both / contrast, 0.0, 2.0),
    ):
        width = high - low
        assert low - 1e-5 < values.min() < low + 0.03 * width
        assert high - 0.03 * width < values.max() < high + 1e-5


def test_augmentation_lets_the_derivative_through():
    """All three are affine in the image, so that a difference over any distance is exact."""
    x, direction = images(4, (8, 8, 3)), normal(4, 8, 8, 3, seed=1)
    weights = normal(4, 8, 8, 3, seed=2)

    def value(x):  # the same random numbers each time
        return tf.reduce_sum(weights * DiffAugment(seed=5)(x, training=True))

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = value(x)
    slope = float(tf.reduce_sum(tape.gradient(y, x) * direction))
    difference = float(value(x + direction) - value(x - direction)) / 2
    assert slope == pytest.approx(difference, rel=1e-4)
    assert abs(slope) > 1.0


def test_augmentation_rests_outside_training_and_draws_anew():
    x = images(4, (8, 8, 1))
    layer = DiffAugment(seed=0)
    np.testing.assert_array_equal(layer(x), x)
    first, second = layer(x, training=True), layer(x, training=True)
    assert np.abs(first - second).max() > 0.1
    y = in_graph(layer, (8, 8, 1), training=True)(x)
    assert y.shape == x.shape


@pytest.mark.parametrize("policy", ["", "colour", "cutout,cutout", "color;cutout", None])
def test_bad_policies(policy):
    with pytest.raises(ValueError, match="policy must be some of color, translation, cutout"):
        DiffAugment(policy)


def test_augmentation_is_for_images():
    with pytest.raises(ValueError, match=r"changes images .* got samples of shape \(4, 2\)"):
        DiffAugment()(normal(4, 2))


# --- Minibatch standard deviation --------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 2, 4), (5,)], ids=["images", "points"])
@pytest.mark.parametrize(("rows", "group"), [(8, 4), (6, 2), (3, 4)])
def test_minibatch_deviation(shape, rows, group):
    x = normal(rows, *shape)
    size = min(rows, group)
    wanted = x.reshape(rows // size, size, *shape).std(axis=1)
    wanted = wanted.reshape(rows // size, -1).mean(axis=1).repeat(size)
    layer = MinibatchStdDev(group)
    for y in (layer(x).numpy(), in_graph(layer, shape)(x).numpy()):
        assert y.shape == (rows, *shape[:-1], shape[-1] + 1)
        np.testing.assert_array_equal(y[..., :-1], x)
        channel = y[..., -1].reshape(rows, -1)
        np.testing.assert_allclose(channel, wanted[:, None] * np.ones_like(channel), rtol=1e-5)
    assert layer(keras.Input(shape)).shape == (None, *shape[:-1], shape[-1] + 1)


def test_minibatch_deviation_of_a_collapsed_batch():
    """It is next to nothing, and its derivative is a number."""
    x = tf.constant(normal(1, 5).repeat(4, axis=0))
    with tf.GradientTape() as tape:
        tape.watch(x)
        channel = MinibatchStdDev(4)(x)[:, -1]
    np.testing.assert_allclose(channel, 1e-4, rtol=1e-3)  # the root of the 1e-8
    assert np.isfinite(tape.gradient(channel, x)).all()


def test_groups_need_full_batches():
    with pytest.raises(ValueError, match=r"MinibatchStdDev\(4\) got 6 rows, wanted a multiple"):
        MinibatchStdDev(4)(normal(6, 2))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"MinibatchStdDev\(4\) got a number"):
        in_graph(MinibatchStdDev(4), (2,))(normal(6, 2))
    with pytest.raises(ValueError, match="group_size must be an integer >= 2, got 1"):
        MinibatchStdDev(1)


def test_a_discriminator_that_sees_the_deviation():
    keras.utils.set_random_seed(0)
    d = networks.dcgan_discriminator((8, 8, 1), 4)
    wide = stabilisers.with_minibatch_stddev(d, 4)
    x = images(8, (8, 8, 1))
    np.testing.assert_allclose(wide(x), d(x), atol=1e-6)  # it begins as the same function
    changed, old = wide.get_layer("logit").kernel, d.get_layer("logit").kernel
    assert changed.shape[-2] == old.shape[-2] + 1
    assert wide.count_params() == d.count_params() + np.prod(old.shape) // old.shape[-2]
    assert not {id(v) for v in wide.variables} & {id(v) for v in d.variables}
    # The new weights have a gradient, and with another value D tells equal rows from others.
    with tf.GradientTape() as tape:
        y = tf.reduce_mean(wide(x))
    slope = tape.gradient(y, changed.value).numpy()[..., -1, :]
    assert np.abs(slope).max() > 0.01
    kernel = changed.numpy()
    kernel[..., -1, :] = 1.0
    changed.assign(kernel)
    among_others, among_equals = wide(x)[0], wide(x[:1].repeat(4, axis=0))[0]
    assert abs(float(among_others[0] - among_equals[0])) > 0.01
    np.testing.assert_allclose(d(x)[0], d(x[:1].repeat(4, axis=0))[0], atol=1e-6)


def test_parts_reach_into_models_inside_models():
    builder = partial(networks.mlp_discriminator, widths=(5,))
    d = stabilisers.at_input(stabilisers.packed(builder, 2)(SHAPE), InstanceNoise(0.1))
    x = images(8)
    whole = stabilisers.spectrally_normalised(stabilisers.with_minibatch_stddev(d, 2))
    np.testing.assert_allclose(whole(x), d(x), atol=1e-6)
    kinds = [type(x) for x in layers_of(whole)]
    assert kinds.count(layers.SpectralNormalization) == 2
    assert kinds.count(MinibatchStdDev) == 1
    assert not {id(v) for v in whole.variables} & {id(v) for v in d.variables}
    assert whole(x, training=True).shape == (4, 1)


def test_deviation_for_layers_that_are_not_there():
    x = keras.Input((2,))
    with pytest.raises(ValueError, match="'flat' has no dense or convolutional layer"):
        stabilisers.with_minibatch_stddev(keras.Model(x, layers.Flatten()(x), name="flat"))


# --- Spectral normalisation --------------------------------------------------------------------


def norms(model):
    kernels = [
        x.kernel.numpy() for x in layers_of(model) if isinstance(x, layers.SpectralNormalization)
    ]
    return [np.linalg.svd(k.reshape(-1, k.shape[-1]), compute_uv=False)[0] for k in kernels]


def test_normalised_layers_have_the_spectral_norm_1():
    """The kernels' matrices against NumPy's singular values, before and after a power iteration."""
    keras.utils.set_random_seed(0)
    d = networks.dcgan_discriminator((8, 8, 1), 4)
    for variable in d.trainable_variables:
        variable.assign(3.0 * variable)
    normalised = stabilisers.spectrally_normalised(d)
    x = images(4, (8, 8, 1))
    np.testing.assert_allclose(normalised(x), d(x), atol=1e-5)
    assert min(norms(normalised)) > 2.0
    for _ in range(40):
        normalised(x, training=True)
    assert norms(normalised) == pytest.approx([1.0] * 3, abs=1e-3)
    np.testing.assert_array_equal(norms(d), [])  # the one given has no wrapped layer ...
    assert np.abs(d(x) - normalised(x)).max() > 0.1  # ... and is what it was


def test_training_keeps_the_norm_at_1():
    """Each step of D moves the norm; the next call brings it back."""
    keras.utils.set_random_seed(0)
    gan = gantut.GAN(
        networks.mlp_generator(2, SHAPE, (4,)),
        stabilisers.at_input(
            stabilisers.spectrally_normalised(networks.mlp_discriminator(SHAPE, (6,))),
            InstanceNoise(0.1),
        ),
    )
    gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), run_eagerly=True)
    real = tf.constant(images(8))
    for _ in range(20):
        gan.discriminator_step(real, None, with_penalty=False)
    gan.discriminate(real, None)
    before = [v.numpy() for v in gan.discriminator.weights]
    assert norms(gan.discriminator) == pytest.approx([1.0] * 2, abs=5e-3)
    # A layer inside a model inside D is put back after G's step too.
    gan.generator_step(real, None)
    for one, other in zip(before, gan.discriminator.weights, strict=True):
        np.testing.assert_array_equal(one, other.numpy())


def test_what_is_normalised():
    d = networks.mlp_discriminator(SHAPE, (3, 3), mean_image=images(1)[0])
    d.get_layer("dense_1").trainable = False
    wrapped = [
        x.name
        for x in stabilisers.spectrally_normalised(d).layers
        if isinstance(x, layers.SpectralNormalization)
    ]
    assert wrapped == ["dense_2", "logit"]
    twice = stabilisers.spectrally_normalised(stabilisers.spectrally_normalised(d))
    assert not any(isinstance(x.layer, layers.SpectralNormalization) for x in twice.layers
                   if isinstance(x, layers.SpectralNormalization))  # fmt: skip
    x = keras.Input((2,))
    with pytest.raises(ValueError, match="'flat' has no trainable dense or convolutional layer"):
        stabilisers.spectrally_normalised(keras.Model(x, layers.Flatten()(x), name="flat"))


# --- Two time scales ---------------------------------------------------------------------------


def test_two_time_scales():
    gan = noisy_gan()
    gan.compile(*stabilisers.two_time_scales())
    for optimizer, rate in ((gan.d_optimizer, 4e-4), (gan.g_optimizer, 1e-4)):
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
    for arguments in ({"g_learning_rate": 0.0}, {"d_learning_rate": np.inf}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            stabilisers.two_time_scales(**arguments)
