"""gantut.networks: shapes, sizes, names, ranges, labels, errors, and files that open anywhere."""

import functools
import inspect
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import special, stats

from gantut import networks
from gantut._keras import keras, tf
from gantut.networks import convolutional, dense, parts


def conditional(builder):
    return functools.partial(builder, num_classes=10)


GENERATORS = {
    "mlp": networks.mlp_generator,
    "dcgan": networks.dcgan_generator,
    "recurrent": networks.recurrent_generator,
    "channelwise_mlp": networks.channelwise_mlp_generator,
    "conditional_mlp": conditional(networks.mlp_generator),
    "conditional_dcgan": conditional(networks.dcgan_generator),
}
DISCRIMINATORS = {
    "logistic": networks.logistic_discriminator,
    "mlp": networks.mlp_discriminator,
    "dcgan": networks.dcgan_discriminator,
    "recurrent": networks.recurrent_discriminator,
    "channelwise_mlp": networks.channelwise_mlp_discriminator,
    "conditional_mlp": conditional(networks.mlp_discriminator),
    "conditional_dcgan": conditional(networks.dcgan_discriminator),
}
BUILDERS = {
    **{f"{name}_generator": f for name, f in GENERATORS.items()},
    **{f"{name}_discriminator": f for name, f in DISCRIMINATORS.items()},
    "tutorial_dcgan_generator": networks.tutorial_dcgan_generator,
    "tutorial_dcgan_discriminator": networks.tutorial_dcgan_discriminator,
    "stacked_generator": networks.stacked_generator,
    "stacked_discriminator": networks.stacked_discriminator,
    "projection_mlp_discriminator": networks.projection_mlp_discriminator,
    "residual_generator": networks.residual_generator,
    "residual_discriminator": networks.residual_discriminator,
    "mlp_encoder": networks.mlp_encoder,
}
CONDITIONAL = [name for name in BUILDERS if "condit" in name or "proj" in name or "resid" in name]
SMALL = {"width": 2, "widths": (4, 3)}


def small(builder, **arguments):
    known = inspect.signature(builder).parameters
    return builder(**{k: v for k, v in (SMALL | arguments).items() if k in known})


@functools.cache
def made(name):
    """A small network of each kind, for tests that change nothing of it."""
    return small(BUILDERS[name])


def call(model, first, labels=None):
    inputs = first if labels is None else [first, np.asarray(labels)]
    return np.asarray(model(inputs, training=False))


def affine(inputs, units, bias=True):
    return (inputs + bias) * units


def test_every_builder_is_tested():
    public = {
        name
        for module in (dense, convolutional)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    }
    builders = {name for name in public if not name.startswith("_")}
    assert builders == {name for name in BUILDERS if "conditional" not in name}
    assert builders < set(networks.__all__)


# --- Shapes and ranges -------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_make_images_in_range(name):
    shape = (8, 12, 3)
    model = small(GENERATORS[name], latent_dim=5, image_shape=shape)
    assert model.output_shape == (None, *shape)
    assert model.inputs[0].shape == (None, 5)
    z = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    labels = [0, 4, 9] if "conditional" in name else None
    # Enlarged weights drive the last activation to its ends: a tanh, and only a tanh, is left.
    last = model.get_layer("upsample_2" if "dcgan" in name else "pixels")
    last.set_weights([1e4 * w for w in last.get_weights()])
    images = call(model, z, labels)
    assert images.shape == (3, *shape)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (-1.0, 1.0)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_return_unbounded_logits(name):
    shape = (8, 12, 3)
    model = small(DISCRIMINATORS[name], image_shape=shape)
    assert model.output_shape == (None, 1)
    assert model.inputs[0].shape == (None, *shape)
    assert model.get_layer("logit").activation is keras.activations.linear
    x = np.random.default_rng(0).uniform(-1, 1, (4, *shape)).astype(np.float32)
    labels = [0, 4, 9, 9] if "conditional" in name else None
    logits = call(model, x, labels)
    # The last layer is linear: a thousand times its weights give a thousand times the logits.
    last = model.get_layer("logit")
    kernel, bias = last.get_weights()
    last.set_weights([1000 * kernel, bias - 7])
    np.testing.assert_allclose(call(model, x, labels), 1000 * logits - 7, rtol=1e-3, atol=2e-3)
    assert np.ptp(logits) > 1e-3


def test_dense_discriminator_takes_logits_beyond_any_probability():
    model = networks.logistic_discriminator((2, 2, 1))
    model.get_layer("logit").set_weights([np.full((4, 1), 50.0), np.array([1.0])])
    x = np.stack([np.ones((2, 2, 1)), -np.ones((2, 2, 1))]).astype(np.float32)
    assert call(model, x).ravel().tolist() == [201.0, -199.0]  # w . x + b


@pytest.mark.parametrize("name", BUILDERS)
def test_layers_have_names_of_their_own(name):
    one, two = made(name), small(BUILDERS[name])
    names = [layer.name for layer in one.layers]
    assert len(set(names)) == len(names)
    # Names that Keras numbers itself differ from one model to the next.
    assert names == [layer.name for layer in two.layers]
    assert one.name == name.removeprefix("conditional_")


# --- Sizes -------------------------------------------------------------------------------------


def test_mlp_has_the_widths_of_the_classic_tutorial():
    generator, discriminator = networks.mlp_generator(), networks.mlp_discriminator()
    assert generator.count_params() == (
        affine(100, 256) + affine(256, 512) + affine(512, 1024) + affine(1024, 784)
    )
    assert generator.count_params() == 1_486_352
    assert discriminator.count_params() == (
        affine(784, 1024) + affine(1024, 512) + affine(512, 256) + affine(256, 1)
    )
    assert discriminator.count_params() == 1_460_225
    normed = networks.mlp_generator(batch_norm=True)
    # Four numbers a unit of batch normalisation stand in for one bias.
    assert normed.count_params() == generator.count_params() + 3 * (256 + 512 + 1024)


def test_other_sizes():
    assert networks.logistic_discriminator().count_params() == 785
    assert networks.recurrent_generator(width=8).count_params() == (
        3 * (100 * 8 + 8 * 8 + 2 * 8) + affine(8, 28)
    )
    assert networks.recurrent_discriminator(width=8).count_params() == (
        3 * (28 * 8 + 8 * 8 + 2 * 8) + affine(8, 1)
    )
    assert networks.dcgan_generator(width=2).count_params() == (
        affine(100, 49 * 4, bias=False)
        + 4 * 4
        + 16 * 4 * 2
        + 4 * 2  # 4x4 kernels from 4 to 2 channels, batch norm of 2
        + 16 * 2
        + 1
    )
    assert networks.dcgan_discriminator(width=2).count_params() == (
        affine(16 * 1, 2) + affine(16 * 2, 4) + affine(49 * 4, 1)
    )


def test_conditional_networks_differ_by_one_input_a_class():
    size = lambda builder, **kw: small(builder, **kw).count_params()  # noqa: E731
    for classes in (2, 10):
        assert size(networks.mlp_generator, num_classes=classes) == (
            size(networks.mlp_generator) + 4 * classes
        )
        assert size(networks.mlp_discriminator, num_classes=classes) == (
            size(networks.mlp_discriminator) + 4 * classes
        )
        assert size(networks.dcgan_generator, num_classes=classes) == (
            size(networks.dcgan_generator) + 49 * 4 * classes
        )
        assert size(networks.dcgan_discriminator, num_classes=classes) == (
            size(networks.dcgan_discriminator) + 16 * 2 * classes
        )


def test_tutorial_dcgan_is_the_tutorials():
    """The layers that TensorFlow's page prints: parameters, and multiplications an image."""
    generator = networks.tutorial_dcgan_generator()
    by_layer = {layer.name: layer.count_params() for layer in generator.layers}
    assert {name: n for name, n in by_layer.items() if n} == {
        "dense": 100 * 12_544,
        "batch_norm_1": 4 * 12_544,
        "upsample_1": 5 * 5 * 256 * 128,
        "batch_norm_2": 4 * 128,
        "upsample_2": 5 * 5 * 128 * 64,
        "batch_norm_3": 4 * 64,
        "upsample_3": 5 * 5 * 64,
    }
    assert generator.count_params() == 2_330_944
    assert generator.output_shape == (None, 28, 28, 1)
    shapes = [generator.get_layer(f"upsample_{i}").output.shape[1:] for i in (1, 2, 3)]
    assert shapes == [(7, 7, 128), (14, 14, 64), (28, 28, 1)]
    # A transposed convolution multiplies each of its inputs by each kernel entry.
    products = 100 * 12_544 + sum(
        math.prod(layer.input.shape[1:3]) * layer.count_params()
        for layer in map(generator.get_layer, ("upsample_1", "upsample_2", "upsample_3"))
    )
    assert products == 51_744_000
    assert "52 million multiplications" in networks.tutorial_dcgan_generator.__doc__

    discriminator = networks.tutorial_dcgan_discriminator()
    assert discriminator.count_params() == (
        affine(25 * 1, 64) + affine(25 * 64, 128) + affine(7 * 7 * 128, 1)
    )
    assert discriminator.count_params() == 212_865
    rates = [layer.rate for layer in discriminator.layers if "dropout" in layer.name]
    assert rates == [0.3, 0.3]


def trained(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_stacked_networks_are_the_published_ones():
    """Layers and sizes of Metz et al. 2017 as PacGAN's code has them, D a quarter of G."""
    generator = networks.stacked_generator()
    layer_shapes = {layer.name: layer.output.shape[1:] for layer in generator.layers}
    assert layer_shapes["latent"] == (256,)
    assert layer_shapes["reshape"] == (4, 4, 64)
    upsampled = [layer_shapes[f"upsample_{i}"] for i in (1, 2, 3)]
    assert upsampled == [(7, 7, 32), (14, 14, 16), (28, 28, 8)]
    assert layer_shapes["image"] == networks.STACKED_SHAPE

    def normed(kernel, filters):  # kernel, bias, then scale and offset of batch normalisation
        return kernel * filters + 3 * filters

    assert trained(generator) == (
        normed(256, 1024)
        - 2 * (1024 - 64)  # the dense layer's normalisation has a pair a channel, not a unit
        + normed(9 * 64, 32)
        + normed(9 * 32, 16)
        + normed(9 * 16, 8)
        + affine(9 * 8, 3, bias=False)
        + 3
    )
    assert trained(generator) == 287_875
    x = np.random.default_rng(0).normal(size=(2, 256)).astype(np.float32)
    last = generator.get_layer("image")
    last.set_weights([1e4 * w for w in last.get_weights()])
    images = call(generator, x)
    assert (images.min(), images.max()) == (-1.0, 1.0)

    discriminator = networks.stacked_discriminator()
    shapes = [layer.output.shape[1:] for layer in discriminator.layers if "down" in layer.name]
    assert shapes == [(14, 14, 2), (7, 7, 4), (4, 4, 8)]
    for below, above in zip(shapes, reversed(upsampled), strict=True):
        assert 4 * below[-1] == above[-1]  # a quarter of G's channels
    assert trained(discriminator) == (
        normed(9 * 3, 2) + normed(9 * 2, 4) + normed(9 * 4, 8) + affine(4 * 4 * 8, 1, False) + 1
    )
    assert trained(discriminator) == 585
    slopes = {layer.negative_slope for layer in discriminator.layers if "leaky" in layer.name}
    assert slopes == {0.3}
    # Packing four samples lengthens the first kernels only.
    packed = networks.stacked_discriminator((28, 28, 12))
    assert trained(packed) == 585 + 9 * 9 * 2
    bare = networks.stacked_discriminator(batch_norm=False)
    assert trained(bare) == 585 - 2 * (2 + 4 + 8)
    assert not any("batch_norm" in layer.name for layer in bare.layers)


def test_channelwise_networks_share_weights_over_channels():
    shape = (4, 5, 3)
    rng = np.random.default_rng(0)
    mean = rng.uniform(-1, 1, shape).astype(np.float32)
    generator = networks.channelwise_mlp_generator(6, shape, 2, widths=(7, 8), mean_image=mean)
    batch_norms = 4 * (7 + 8)
    assert generator.count_params() == (
        affine(6, 3 * 2) + affine(2, 7, False) + affine(7, 8, False) + batch_norms + affine(8, 20)
    )
    # Equal codes give equal channels, and a channel depends on its own code alone.
    codes = generator.get_layer("codes")
    kernel = rng.normal(size=(6, 3, 2))
    kernel[:, 1] = kernel[:, 0]
    codes.set_weights([kernel.reshape(6, 6), np.zeros(6)])
    z = rng.normal(size=(3, 6)).astype(np.float32)
    before = call(generator, z)
    np.testing.assert_allclose(before[..., 0], before[..., 1], atol=1e-6)
    assert np.abs(before[..., 0] - before[..., 2]).max() > 1e-3
    kernel[:, 2] += 1
    codes.set_weights([kernel.reshape(6, 6), np.zeros(6)])
    after = call(generator, z)
    np.testing.assert_allclose(after[..., :2], before[..., :2], atol=1e-6)
    assert np.abs(after[..., 2] - before[..., 2]).max() > 1e-3
    # Without codes, each channel starts at the mean image (clipped where tanh would be flat).
    codes.set_weights([np.zeros((6, 6)), np.zeros(6)])
    start = np.broadcast_to(np.clip(mean.mean(axis=-1), -0.995, 0.995)[..., None], shape)
    np.testing.assert_allclose(call(generator, z)[0], start, atol=1e-5)

    discriminator = networks.channelwise_mlp_discriminator(shape, (7, 2), (4,), mean_image=mean)
    assert trained(discriminator) == affine(20, 7) + affine(7, 2) + affine(6, 4) + affine(4, 1)
    read = keras.Model(discriminator.input, discriminator.get_layer("channel_leaky_relu_2").output)
    x = rng.uniform(-1, 1, (2, *shape)).astype(np.float32)
    swapped = x[..., [2, 0, 1]]
    np.testing.assert_allclose(call(read, swapped), call(read, x)[:, [2, 0, 1]], atol=1e-5)
    # The layers above see which channel is which.
    assert np.abs(call(discriminator, swapped) - call(discriminator, x)).max() > 1e-3
    at_centre = keras.Model(discriminator.input, discriminator.get_layer("centre").output)
    expected = 2 * (x - mean.mean(axis=-1)[..., None]).reshape(2, 20, 3).transpose(0, 2, 1)
    np.testing.assert_allclose(call(at_centre, x), expected, atol=1e-5)


def test_activations_and_dropout_are_as_documented():
    for builder in (networks.mlp_discriminator, networks.dcgan_discriminator):
        model = small(builder, dropout=0.4)
        rates = [x.rate for x in model.layers if isinstance(x, keras.layers.Dropout)]
        assert rates == [0.4, 0.4]
        slopes = [x.negative_slope for x in model.layers if "leaky" in x.name]
        assert slopes == [0.2, 0.2]
        assert not any(isinstance(x, keras.layers.Dropout) for x in small(builder).layers)
        assert not any("batch_norm" in x.name for x in model.layers)


def test_transposed_kernels_cover_each_pixel_equally_often():
    """The default kernel is a multiple of the stride: constant input gives a constant interior."""
    model = networks.dcgan_generator(width=2)
    for name in ("upsample_1", "upsample_2"):
        layer = model.get_layer(name)
        layer.activation = keras.activations.linear
        layer.set_weights([np.ones_like(layer.get_weights()[0]), *layer.get_weights()[1:]])
        size = layer.input.shape[1:]
        out = np.asarray(layer(np.ones((1, *size), np.float32)))[0, 2:-2, 2:-2, 0]
        assert np.ptp(out) == 0.0


# --- Labels ------------------------------------------------------------------------------------


def test_label_planes_are_one_constant_channel_a_class():
    """Channel k is 1 at every pixel for label k and 0 for any other."""
    model = networks.dcgan_discriminator((8, 4, 2), width=2, num_classes=3)
    planes = keras.Model(model.inputs, model.get_layer("label_planes").output)
    x = np.zeros((4, 8, 4, 2), np.float32)
    seen = call(planes, x, [2, 0, 1, 2])
    wanted = np.zeros((4, 8, 4, 3), np.float32)
    for row, label in enumerate([2, 0, 1, 2]):
        wanted[row, :, :, label] = 1.0
    np.testing.assert_array_equal(seen, wanted)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_labels_change_the_output_row_by_row(name):
    model = small(BUILDERS[name], num_classes=4)
    rng = np.random.default_rng(0)
    first = np.repeat(rng.normal(size=(1, *model.inputs[0].shape[1:])), 3, axis=0)
    one, two, same = call(model, first.astype(np.float32), [1, 3, 1])
    np.testing.assert_allclose(one, same, atol=1e-6)
    assert np.abs(one - two).max() > 1e-4


@pytest.mark.parametrize("kind", ["mlp", "residual", "residual with spectral norm"])
def test_a_projection_is_an_inner_product_with_the_class(kind):
    """Miyato and Koyama 2018, section 3: w . phi(x) + b + v_k . phi(x)."""
    spectral_norm = kind.endswith("norm")
    if kind == "mlp":
        model = networks.projection_mlp_discriminator((8, 4, 2), (5, 4), num_classes=3)
    else:
        model = networks.residual_discriminator((8, 4, 2), 2, spectral_norm, num_classes=3)
    assert model.output_shape == (None, 1)
    last = "leaky_relu_2" if kind == "mlp" else "sum"
    phi = keras.Model(model.inputs, model.get_layer(last).output)
    rng = np.random.default_rng(0)
    x, labels = rng.uniform(-1, 1, (4, 8, 4, 2)).astype(np.float32), [2, 0, 1, 2]
    features = call(phi, x, labels)
    np.testing.assert_array_equal(features, call(phi, x, [0, 1, 2, 0]))  # blind to the label
    shared, rows = (model.get_layer(name) for name in ("shared_logit", "class_logits"))
    if spectral_norm:
        shared, rows = shared.layer, rows.layer
    shared.bias.assign([0.5])
    w, v = shared.kernel.numpy()[:, 0], rows.kernel.numpy()
    wanted = features @ w + 0.5 + (features * v[:, labels].T).sum(axis=1)
    np.testing.assert_allclose(call(model, x, labels)[:, 0], wanted, rtol=1e-5, atol=1e-5)


def test_centred_conditional_mlps_start_at_the_mean_image():
    shape = (4, 3, 2)
    mean = np.random.default_rng(1).uniform(-0.9, 0.9, shape).astype(np.float32)
    generator = networks.mlp_generator(5, shape, (4,), True, mean_image=mean, num_classes=3)
    generator.get_layer("pixels").kernel.assign(np.zeros((4, 24)))
    drawn = call(generator, np.ones((2, 5), np.float32), [0, 2])
    np.testing.assert_allclose(drawn, np.stack([mean, mean]), atol=1e-5)
    x = np.random.default_rng(2).uniform(-1, 1, (2, *shape)).astype(np.float32)
    wanted = 2 * (x - mean).reshape(2, -1)
    for builder in (networks.mlp_discriminator, networks.projection_mlp_discriminator):
        discriminator = builder(shape, (4,), mean_image=mean, num_classes=3)
        centre = keras.Model(discriminator.inputs, discriminator.get_layer("centre").output)
        np.testing.assert_allclose(call(centre, x, [1, 1]), wanted, atol=1e-5)


# --- The parts of BigGAN -----------------------------------------------------------------------


def test_residual_generator_normalises_by_latent_and_label():
    """Each normalisation's scale and offset: 1 and 0 plus linear functions of [z, one-hot]."""
    model = networks.residual_generator(4, (8, 12, 3), width=2, num_classes=3)
    assert model.output_shape == (None, 8, 12, 3)
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(5, 4)).astype(np.float32), np.array([0, 2, 1, 1, 0])
    condition = np.concatenate([z, np.eye(3)[labels]], axis=1)
    for block, channels, side in (
        ("block_1", 4, (2, 3)),
        ("block_2", 2, (4, 6)),
        ("end", 2, (4, 6)),
    ):
        parts = {part: model.get_layer(f"{block}_{part}") for part in ("norm", "scale", "offset")}
        assert parts["norm"].weights == parts["norm"].non_trainable_weights
        probe = [model.get_layer(f"{block}_{part}").output for part in ("norm", "relu")]
        normed, moved = (
            np.asarray(x) for x in keras.Model(model.inputs, probe)([z, labels], training=True)
        )
        assert normed.shape == (5, *side, channels)
        np.testing.assert_allclose(normed.mean(axis=(0, 1, 2)), 0, atol=1e-5)
        scale, offset = (
            condition @ layer.kernel.numpy() + layer.bias.numpy()
            for layer in (parts["scale"], parts["offset"])
        )
        assert 0.5 < scale.mean() < 1.5
        wanted = np.maximum(normed * scale[:, None, None] + offset[:, None, None], 0)
        np.testing.assert_allclose(moved, wanted, atol=1e-5)
    last = model.get_layer("pixels")
    last.set_weights([1e5 * w for w in last.get_weights()])
    images = call(model, z, labels)
    assert (images.min(), images.max()) == (-1.0, 1.0)


def test_residual_blocks_add_to_what_they_are_given():
    """With the last convolution of each block at 0 only the skip is left."""
    generator = networks.residual_generator(4, (8, 8, 1), width=2, num_classes=3)
    discriminator = networks.residual_discriminator(
        (8, 8, 1), 2, spectral_norm=False, num_classes=3
    )
    z = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    x = np.random.default_rng(1).uniform(-1, 1, (2, 8, 8, 1)).astype(np.float32)
    generator.get_layer("block_2_conv").kernel.assign(np.zeros((3, 3, 2, 2)))
    for i in (1, 2):
        discriminator.get_layer(f"block_{i}_conv_2").kernel.assign(np.zeros((3, 3, 4, 4)))

    def inside(model, layer, inputs):
        return call(keras.Model(model.inputs, model.get_layer(layer).output), inputs, [0, 1])

    small = inside(generator, "skip_conv", z)
    np.testing.assert_allclose(
        inside(generator, "residual", z), small.repeat(2, axis=1).repeat(2, axis=2), atol=1e-6
    )
    first = inside(discriminator, "skip_conv", x)
    assert first.shape == (2, 2, 2, 4)
    np.testing.assert_allclose(inside(discriminator, "residual_2", x), first, atol=1e-6)
    total = np.maximum(first, 0).sum(axis=(1, 2))
    np.testing.assert_allclose(inside(discriminator, "sum", x), total, rtol=1e-5, atol=1e-6)


def test_spectral_norm_is_around_every_matrix_of_the_residual_discriminator():
    model = networks.residual_discriminator((8, 8, 1), 2, num_classes=3)
    wrapped = [x for x in model.layers if isinstance(x, keras.layers.SpectralNormalization)]
    assert len(wrapped) == 8
    assert {w.path for layer in wrapped for w in layer.trainable_weights} == {
        w.path for w in model.trainable_weights
    }
    bare = networks.residual_discriminator((8, 8, 1), 2, spectral_norm=False, num_classes=3)
    assert trained(bare) == trained(model)
    assert networks.multiply_adds(bare) == networks.multiply_adds(model)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 1)).astype(np.float32)
    power_iteration = tf.function(lambda: model([x, np.array([0, 1])], training=True))
    for _ in range(60):
        power_iteration()
    for layer in wrapped:
        matrix = layer.layer.kernel.numpy().reshape(-1, layer.layer.kernel.shape[-1])
        assert np.linalg.norm(matrix, 2) == pytest.approx(1, abs=0.02), layer.name


def test_gumbel_noise_is_the_quantile_of_a_normal_number():
    z = np.array([-4.0, -1.2, 0.0, 0.3, 4.0], np.float32)
    wanted = stats.gumbel_r.ppf(special.ndtr(z.astype(np.float64)))
    np.testing.assert_allclose(parts.gumbel_noise(z), wanted, rtol=1e-3, atol=1e-4)
    far = parts.gumbel_noise(np.array([-30.0, 30.0], np.float32)).numpy()
    assert np.isfinite(far).all()


# --- Wrong arguments ---------------------------------------------------------------------------


def takes(argument):
    return [n for n, b in BUILDERS.items() if argument in inspect.signature(b).parameters]


@pytest.mark.parametrize("name", takes("image_shape"))
def test_wrong_image_shape(name):
    for shape in (28, None, (28.0, 28, 1), (True, 4, 1), "abc"):
        with pytest.raises(TypeError, match="image_shape"):
            small(BUILDERS[name], image_shape=shape)
    for shape in ((28, 28), (28, 28, 1, 1), (28, 0, 1), (28, -4, 1)):
        with pytest.raises(ValueError, match="image_shape"):
            small(BUILDERS[name], image_shape=shape)


@pytest.mark.parametrize("name", takes("image_shape"))
def test_integers_of_numpy_are_integers(name):
    sizes = {"latent_dim": 5, "width": 4, "code_dim": 3, "num_classes": 10}
    plain = small(BUILDERS[name], image_shape=(8, 8, 3), **sizes)
    sizes = {key: np.int64(value) for key, value in sizes.items()}
    model = small(BUILDERS[name], image_shape=np.array([8, 8, 3]), widths=np.array([4, 3]), **sizes)
    assert [w.shape for w in model.weights] == [w.shape for w in plain.weights]
    assert keras.Model.from_config(model.get_config()).name == model.name


@pytest.mark.parametrize(
    "name", [n for n in BUILDERS if ("dcgan" in n and "tutorial" not in n) or "residual" in n]
)
def test_dcgan_wants_multiples_of_four(name):
    with pytest.raises(ValueError, match="multiples of 4"):
        small(BUILDERS[name], image_shape=(30, 28, 1))


@pytest.mark.parametrize("argument", ["latent_dim", "num_classes", "width", "code_dim"])
def test_wrong_sizes(argument):
    tried = takes(argument)
    assert tried
    for builder in map(BUILDERS.get, tried):
        for value in (2.0, "3", True, [2]):
            with pytest.raises(TypeError, match=argument):
                small(builder, **{argument: value})
        for value in (0, np.int64(-1)):
            with pytest.raises(ValueError, match=argument):
                small(builder, **{argument: value})


@pytest.mark.parametrize("argument", ["widths", "top"])
def test_wrong_widths(argument):
    for name in takes(argument):
        for widths in (None, 256, (2.5,)):
            with pytest.raises(TypeError, match="widths"):
                BUILDERS[name](**{argument: widths})
        for widths in ((), (4, 0)):
            with pytest.raises(ValueError, match="widths"):
                BUILDERS[name](**{argument: widths})


def test_wrong_dropout():
    for name in takes("dropout"):
        for value in (-0.1, 1.0, math.nan):
            with pytest.raises(ValueError, match="dropout"):
                small(BUILDERS[name], dropout=value)
        for value in ("a", None):
            with pytest.raises(TypeError, match="dropout"):
                small(BUILDERS[name], dropout=value)


@pytest.mark.parametrize("name", takes("mean_image"))
def test_wrong_mean_image(name):
    for mean in (0.0, np.zeros((28, 28)), np.full((8, 8, 3), 1.1), np.full((8, 8, 3), np.nan)):
        with pytest.raises(ValueError, match="mean_image"):
            small(BUILDERS[name], image_shape=(8, 8, 3), mean_image=mean)


# --- Files -------------------------------------------------------------------------------------

# By hand: dense in * out; convolution kernel * kernel * in * out * output positions; transposed
# convolution the same with input positions; a GRU's step 3 gates of (input + state) * units.
MULTIPLY_ADDS = {
    "mlp_generator": 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784,
    "logistic_discriminator": 784,
    "conditional_mlp_discriminator": (784 + 10) * 1024 + 1024 * 512 + 512 * 256 + 256,
    "dcgan_generator": 100 * 49 * 64 + 49 * 16 * 64 * 32 + 196 * 16 * 32,
    "dcgan_discriminator": 196 * 16 * 32 + 49 * 16 * 32 * 64 + 49 * 64,
    "tutorial_dcgan_generator": (
        100 * 49 * 256 + 49 * 25 * 256 * 128 + 49 * 25 * 128 * 64 + 196 * 25 * 64
    ),
    "recurrent_discriminator": 28 * 3 * 128 * (28 + 128) + 128,
    "projection_mlp_discriminator": 784 * 1024 + 1024 * 512 + 512 * 256 + 256 * 11,
    "residual_generator": (
        42 * 49 * 32
        + 42 * 2 * (32 + 16 + 16)
        + 196 * 9 * (32 * 16 + 16 * 16)
        + 49 * 32 * 16
        + 196 * 16 * 16
    ),
    "residual_discriminator": (
        196 * 16 * 16 + 49 * 9 * (16 * 32 + 3 * 32 * 32) + 49 * 16 * 32 + 32 * 11
    ),
}


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds_are_those_of_the_layers(name):
    model = BUILDERS[name]()
    assert networks.multiply_adds(model) == MULTIPLY_ADDS[name]
    if len(model.inputs) == 1:
        outer = keras.Sequential([keras.Input(model.inputs[0].shape[1:]), model])
        assert networks.multiply_adds(outer) == MULTIPLY_ADDS[name]


def test_multiply_adds_of_every_builder_are_at_least_its_weights():
    for name in BUILDERS:
        model = made(name)
        matrices = sum(math.prod(w.shape) for w in model.trainable_weights if len(w.shape) > 1)
        assert networks.multiply_adds(model) >= 0.99 * matrices, name


def test_multiply_adds_refuse_what_they_cannot_count():
    image = keras.Input((8, 8, 2))
    model = keras.Model(image, keras.layers.DepthwiseConv2D(3, name="deep")(image))
    with pytest.raises(ValueError, match="'deep' is a DepthwiseConv2D"):
        networks.multiply_adds(model)


OPEN_ALL = """
import sys
import keras
import numpy as np
for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    archive = np.load(path.replace(".keras", ".npz"))
    inputs = [archive["first"], archive["labels"]][: len(model.inputs)]
    out = model(inputs if len(inputs) == 2 else inputs[0], training=False)
    np.testing.assert_allclose(np.asarray(out), archive["out"], rtol=1e-4, atol=1e-6)
assert not [name for name in sys.modules if name.startswith("gantut")]
print("opened", len(sys.argv) - 1)
"""


@pytest.mark.parametrize("name", BUILDERS)
def test_only_layers_of_keras_are_used(name):
    config = json.loads(small(BUILDERS[name], batch_norm=True, dropout=0.3).to_json())
    registered, opened = set(), [config["config"]]
    while opened:
        part = opened.pop()
        registered.add(part.get("registered_name") if isinstance(part, dict) else None)
        opened += part.values() if isinstance(part, dict) else part
        opened = [inner for inner in opened if isinstance(inner, dict | list)]
    assert registered == {None}


@pytest.mark.slow
def test_saved_networks_open_without_gantut(tmp_path):
    paths = []
    rng = np.random.default_rng(0)
    for name, builder in BUILDERS.items():
        model = small(builder, batch_norm=True, dropout=0.3)
        first = rng.normal(size=(3, *model.inputs[0].shape[1:])).astype(np.float32)
        labels = np.array([0, 9, 4])
        out = call(model, first, labels if len(model.inputs) == 2 else None)
        paths.append(str(tmp_path / f"{name}.keras"))
        model.save(paths[-1])
        np.savez(tmp_path / f"{name}.npz", first=first, labels=labels, out=out)
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ALL, *paths],
        cwd=tmp_path,
        env=os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"opened {len(BUILDERS)}"


def test_the_encoder_maps_images_to_codes():
    encoder = networks.mlp_encoder(5, (8, 8, 1), (16, 7))
    assert encoder.output_shape == (None, 5)
    assert encoder.get_layer("leaky_relu_2").output.shape == (None, 7)
    # 64 x 16 + 16, 16 x 7 + 7, 7 x 5 + 5.
    assert encoder.count_params() == 1_040 + 119 + 40
    mean = np.full((8, 8, 1), 0.25, np.float32)
    centred = networks.mlp_encoder(5, (8, 8, 1), (16, 7), mean_image=mean)
    centred.set_weights([*centred.get_weights()[:2], *encoder.get_weights()])
    # "centre" doubles what is left of an image.
    half = mean + 0.5 * np.random.default_rng(0).uniform(-0.5, 0.5, (3, 8, 8, 1))
    np.testing.assert_allclose(centred(half), encoder(2 * (half - mean)), atol=1e-5)
    with pytest.raises(ValueError, match="latent_dim"):
        networks.mlp_encoder(0)


def test_the_encoder_of_a_variational_autoencoder_has_two_outputs():
    encoder = networks.mlp_encoder(5, (8, 8, 1), (16, 7), variational=True)
    assert encoder.output_shape == [(None, 5), (None, 5)]
    assert encoder.output_names == ["mean", "log_variance"]
    assert encoder.count_params() == 1_040 + 119 + 2 * 40


def test_published_networks_have_other_shapes_too():
    for shape in ((9, 12, 4), (28, 28, 1), (16, 30, 3)):
        assert networks.stacked_generator(shape).output_shape == (None, *shape)
    assert networks.tutorial_dcgan_generator((8, 12, 3)).output_shape == (None, 8, 12, 3)
    assert networks.tutorial_dcgan_discriminator((9, 12, 3)).output_shape == (None, 1)
