"""gantut.toys: members that do not touch each other, seeds, films, and what a short run reaches."""

import dataclasses

import numpy as np
import pytest

from gantut import data, toys
from gantut._keras import keras, tf

RING = data.ring_mixture()
TINY = dataclasses.replace(
    toys.METHODS["steady"], name="tiny", g_widths=(8,), d_widths=(8,), batch_size=8
)


def rows(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def weights(run, member):
    networks = (run.gan.generator, run.gan.discriminator, run.gan.ema_generator)
    return [np.asarray(w)[member] for model in networks for w in model.weights]


def test_parallel_dense_is_dense_layers_side_by_side():
    layer = toys.ParallelDense(3, members=2)
    x = rows((10, 4))
    layer.build(x.shape)
    layer.bias.assign(rows((2, 1, 3), seed=1))
    with tf.GradientTape() as tape:
        y = layer(tf.constant(x))
        loss = tf.reduce_sum(y**2)
    together = tape.gradient(loss, layer.trainable_variables)
    assert y.shape == (10, 3)
    for member in range(2):
        alone = keras.layers.Dense(3)
        part = x[5 * member : 5 * member + 5]
        alone.build(part.shape)
        alone.set_weights([layer.kernel[member].numpy(), layer.bias[member, 0].numpy()])
        with tf.GradientTape() as tape:
            wanted = alone(tf.constant(part))
            loss = tf.reduce_sum(wanted**2)
        np.testing.assert_allclose(y[5 * member : 5 * member + 5], wanted, rtol=1e-5, atol=1e-6)
        kernel, bias = tape.gradient(loss, alone.trainable_variables)
        np.testing.assert_allclose(together[0][member], kernel, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(together[1][member, 0], bias, rtol=1e-5, atol=1e-5)


def test_parallel_dense_starts_in_the_range_of_dense():
    layer = toys.ParallelDense(50, members=40)
    layer.build((None, 100))
    kernel = np.abs(layer.kernel.numpy())
    limit = np.sqrt(6 / 150)  # Glorot and Bengio's for one Dense layer, whatever `members` is
    assert kernel.max() <= limit * (1 + 1e-6)  # the draws are rounded to float32
    assert kernel.max() > 0.999 * limit  # of 200,000 uniform draws
    assert not layer.bias.numpy().any()


@pytest.mark.parametrize("bad", [{"units": 0}, {"units": 2, "members": 0}, {"units": 2.5}])
def test_parallel_dense_refuses_bad_numbers(bad):
    with pytest.raises((TypeError, ValueError), match=next(reversed(bad))):
        toys.ParallelDense(**bad)


def test_parallel_dense_refuses_rows_that_cannot_be_shared_out():
    with pytest.raises(ValueError, match="cannot share out 5 rows among 2 members"):
        toys.ParallelDense(3, members=2)(rows((5, 4)))


def test_networks_map_rows_to_rows_and_open_again(tmp_path):
    method = dataclasses.replace(
        TINY, latent_dim=3, g_widths=(5, 4), d_widths=(5, 4), packing=3, instance_noise=0.1
    )
    g, d = (build(method, members=2, scale=2.0) for build in (toys.generator, toys.discriminator))
    points = g(rows((12, 3)))
    assert points.shape == (12, 2)
    logits = d(points)
    assert logits.shape == (4, 1)
    for model, inputs, outputs in ((g, rows((12, 3)), points), (d, points, logits)):
        path = tmp_path / f"{model.name}.keras"
        model.save(path)
        np.testing.assert_array_equal(keras.models.load_model(path)(inputs), outputs)


def test_scale_is_the_unit_of_length_of_both_networks():
    z, x = rows((6, 2)), rows((6, 2), seed=1)
    g, d = toys.generator(TINY, scale=3.0), toys.discriminator(TINY, scale=3.0)
    np.testing.assert_allclose(g(z), 3.0 * toys.generator(TINY)(z), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(d(3.0 * x), toys.discriminator(TINY)(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("builder", [toys.generator, toys.discriminator])
def test_a_member_starts_as_the_single_one_of_its_seed(builder):
    three = builder(TINY, members=3, seed=5)
    for member in range(3):
        alone = builder(TINY, seed=5 + member)
        for together, single in zip(three.weights, alone.weights, strict=True):
            np.testing.assert_array_equal(together[member], single[0])
    first = three.weights[0].numpy()
    assert not np.any(first[0] == first[1])


def test_networks_of_one_seed_differ_in_their_roles():
    g, d = toys.generator(TINY, seed=1), toys.discriminator(TINY, seed=1)
    assert g.weights[0].shape == d.weights[0].shape
    assert not np.any(g.weights[0].numpy() == d.weights[0].numpy())


@pytest.mark.parametrize(
    ("builder", "bad", "message"),
    [
        (toys.generator, {"latent_dim": 0}, "latent_dim"),
        (toys.generator, {"g_widths": ()}, "at least one layer"),
        (toys.discriminator, {"d_widths": (4, 0)}, "widths"),
        (toys.discriminator, {"packing": 0}, "m"),
        (toys.discriminator, {"instance_noise": -1.0}, "stddev must be"),
        (toys.generator, {"activation": "sigh"}, "sigh"),
    ],
)
def test_networks_refuse_bad_sizes(builder, bad, message):
    with pytest.raises(ValueError, match=message):
        builder(dataclasses.replace(TINY, **bad))


def test_deviation_in_closed_form():
    assert toys.deviation(RING) == pytest.approx(np.sqrt(1 / 2 + 0.01**2))
    assert toys.deviation(data.grid_mixture()) == pytest.approx(np.sqrt(8 + 0.05**2))
    moved = RING._replace(centres=RING.centres + 7.0)
    assert toys.deviation(moved) == pytest.approx(toys.deviation(RING))


def test_methods_know_their_names():
    assert all(name == method.name for name, method in toys.METHODS.items())
    assert toys.get("plain") is toys.METHODS["plain"]
    assert toys.get(TINY) is TINY
    with pytest.raises(ValueError, match="known are plain"):
        toys.get("plane")
    with pytest.raises(TypeError, match="method"):
        toys.get(3)


def test_members_do_not_see_each_other():
    # One step of D and G on the same rows of member 0, and other rows of member 1.
    method = dataclasses.replace(TINY, packing=2, unroll_steps=1)
    x = rows((16, 2))
    other = np.concatenate([x[:8], rows((8, 2), seed=1)])
    after = []
    for real in (x, other):
        gan = toys.build(method, RING, members=2)
        gan.train_step(tf.constant(real))
        gan.train_step(tf.constant(real))
        models = (gan.generator, gan.discriminator, gan.ema_generator)
        after.append([w.numpy() for model in models for w in model.weights])
    for one, two in zip(*after, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
    assert any(np.any(one[1] != two[1]) for one, two in zip(*after, strict=True))


def test_a_member_trains_as_the_single_one_of_its_seed():
    # Three members, so that their share of the mean is no power of two and is rounded. The
    # smallest weights that move at all differ by 1e-6 then; a wrong epsilon, order of the data
    # or latent vector makes 1e-2 of it.
    together = toys.train(TINY, RING, members=3, seed=4, steps=20)
    alone = toys.train(TINY, RING, seed=6, steps=20)
    assert together.seeds == (4, 5, 6)
    for one, two in zip(weights(together, 2), weights(alone, 0), strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5)
    np.testing.assert_allclose(
        together.samples(50, seed=1)[2], alone.samples(50, seed=1)[0], atol=5e-5
    )
    assert np.abs(weights(together, 2)[0] - weights(together, 1)[0]).max() > 0.1


@pytest.fixture(scope="module")
def run():
    return toys.train(TINY, RING, members=2, steps=120, film=[0, 50, 120], frame=30)


@pytest.mark.slow
def test_a_seed_fixes_every_bit(run):
    again = toys.train(TINY, RING, members=2, steps=120)
    for one, two in zip(run.gan.get_weights(), again.gan.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(run.samples(10), again.samples(10))


def test_what_a_run_tells(run):
    assert run.steps == 120
    assert run.history["step"] == [50, 100, 120]
    assert float(run.gan.penalty_factor) == 1.0  # put back
    assert list(run.film) == [0, 50, 120]
    assert all(points.shape == (2, 30, 2) for points in run.film.values())
    np.testing.assert_array_equal(run.film[120], run.samples(30))
    # The first frame is the untrained generator's, for the same latent vectors as the last.
    untrained = dataclasses.replace(run, gan=toys.build(TINY, RING, members=2))
    np.testing.assert_array_equal(run.film[0], untrained.samples(30))
    assert np.any(run.samples(30, seed=0) != run.samples(30, seed=1))
    assert np.any(run.samples(30)[0] != run.samples(30)[1])
    coverage = run.coverage(100)
    assert len(coverage) == 2
    assert coverage[0].num_modes == 8
    assert run.cpu_seconds > 0
    assert run.seconds > 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"members": 0}, "members"),
        ({"steps": 0}, "steps"),
        ({"frame": 0}, "frame"),
        ({"film": [70]}, "multiples of 50 up to 100, got 70"),
        ({"film": [150]}, "multiples of 50 up to 100, got 150"),
        ({"seed": -1}, "seed must be an integer"),
    ],
)
def test_train_refuses_bad_numbers(bad, message):
    with pytest.raises(ValueError, match=message):
        toys.train(TINY, RING, **{"steps": 100, **bad})


@pytest.mark.parametrize("end", [0.0, 1.5])
def test_build_refuses_penalties_that_vanish_or_rise(end):
    with pytest.raises(ValueError, match=r"penalty_end must lie in \(0, 1\], got"):
        toys.build(dataclasses.replace(TINY, penalty_end=end), RING)


def test_the_factor_of_the_penalties_scales_their_gradient():
    x = tf.constant(rows((8, 2)))
    assert toys.build(dataclasses.replace(TINY, penalty_every=4), RING).penalty_every == 4
    gan = toys.build(dataclasses.replace(TINY, penalties={"r1": 2.0}), RING)
    whole = float(gan.penalty(x, x, None))
    gan.penalty_factor.assign(0.25)
    assert float(gan.penalty(x, x, None)) == pytest.approx(whole / 4, rel=1e-6)
    assert whole > 0


def test_build_refuses_packs_that_do_not_fill_the_batch():
    with pytest.raises(ValueError, match="multiple of packing 3, got 8"):
        toys.build(dataclasses.replace(TINY, packing=3), RING)


@pytest.mark.slow
def test_a_short_training_finds_the_ring():
    # Seeds 0 to 3 had 8 modes, 51 to 68 % of high quality and a reverse KL of .004 to .034.
    run = toys.train("steady", RING, members=2, steps=600)
    for found in run.coverage():
        assert found.modes == 8
        assert found.high_quality > 0.35
        assert found.reverse_kl < 0.15
