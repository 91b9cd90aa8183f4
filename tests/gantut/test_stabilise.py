"""gantut.recipes.stabilise: all parts of gantut.stabilisers together, in a recipe."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tiny

from gantut import networks, recipes
from gantut._keras import keras, layers_of, tf
from gantut.stabilisers import DiffAugment, InstanceNoise, MinibatchStdDev, Pack

layers = keras.layers
SHAPE = (4, 4, 1)


def recipe(conditional=False):
    return tiny.recipe(
        name="small",
        generator=partial(networks.mlp_generator, 3, widths=(6,)),
        discriminator=partial(networks.mlp_discriminator, widths=(6,)),
        batch_size=8,
        steps=4,
        loss="relativistic",
        penalties={"r1": 0.3, "r2": 0.3},
        conditional=conditional,
    )


ALL = {
    "packing": 2,
    "spectral_norm": True,
    "instance_noise": 0.2,
    "minibatch_stddev": 2,
    "diff_augment": "translation,cutout",
}


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])
def test_all_parts_together(conditional, tmp_path):
    """Both networks learn, D's step and G's leave each other alone, and D opens again."""
    small = recipe(conditional)
    whole = recipes.stabilise(small, **ALL)
    assert whole.name == (
        "small+minibatch_stddev2+spectral_norm+packing2+instance_noise0.2+diff_augment"
    )
    assert whole.summary.startswith("for tests; with minibatch_stddev2, spectral_norm, packing2,")
    gan = replace(whole, unroll_steps=1).build(SHAPE, 3)
    kinds = [type(x) for x in layers_of(gan.discriminator)]
    order = [DiffAugment, InstanceNoise, Pack, MinibatchStdDev, layers.SpectralNormalization]
    assert [kind for kind in kinds if kind in order][-1] is layers.SpectralNormalization
    assert {*order} <= {*kinds}
    x, y = tiny.images(8, 4), np.arange(8) % 3
    labels = tf.constant(y, tf.int32) if conditional else None

    def equal(one, other):
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    def state(*groups):
        return [v.numpy() for group in groups for v in group]

    before = state(gan.discriminator.trainable_variables), state(gan.generator.variables)
    gan.discriminator_step(tf.constant(x), labels, with_penalty=True)
    assert equal(before[1], state(gan.generator.variables))
    moved = zip(before[0], state(gan.discriminator.trainable_variables), strict=True)
    assert all(np.abs(a - b).max() > 1e-5 for a, b in moved if a.size > 1)
    before = state(gan.discriminator.weights, gan.d_optimizer.variables), before[1]
    gan.generator_step(tf.constant(x), labels)
    after = state(gan.discriminator.weights, gan.d_optimizer.variables)
    assert equal(before[0], after)
    moved = zip(before[1], state(gan.generator.variables), strict=True)
    assert all(np.abs(a - b).max() > 1e-5 for a, b in moved)
    assert all(np.isfinite(value).all() for value in state(gan.state().values()))

    inputs = [x, y] if conditional else x
    logits = gan.discriminate(tf.constant(x), labels)
    assert logits.shape == (4, 1)
    noise = next(v for v in gan.discriminator.variables if v.path.endswith("stddev"))
    noise.assign(0.05)
    gan.discriminator.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    np.testing.assert_allclose(loaded(inputs), gan.discriminator(inputs), atol=1e-6)
    values = [float(v) for v in loaded.variables if v.path.endswith("stddev")]
    assert values == pytest.approx([0.05])
    copy = keras.models.clone_model(gan.discriminator)
    copy.set_weights(gan.discriminator.get_weights())
    np.testing.assert_allclose(copy(inputs), gan.discriminator(inputs), atol=1e-6)


def test_a_recipe_trains_with_its_noise_annealed():
    """In a compiled graph; the noise of each execution of two steps is read between them."""
    small = recipes.stabilise(recipe(), packing=2, instance_noise=0.2)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.extend(
                float(v) for v in self.model.discriminator.variables if v.path.endswith("stddev")
            )

    run = recipes.train(small, tiny.images(16, 4), steps=4, callbacks=[Look()])
    assert run.steps == 4
    assert seen == pytest.approx([0.2, 0.1])
    assert np.isfinite(run.history["d_loss"]).all()


def test_nothing_added_is_the_recipe_itself():
    assert recipes.stabilise("dcgan") is recipes.get("dcgan")
    own = replace(recipes.get("dcgan"), name="own", callbacks=lambda **length: [length])
    noisy = recipes.stabilise(own, instance_noise=0.1)
    first, second = noisy.callbacks(steps=7)
    assert first == {"steps": 7}
    assert second.total == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"packing": 0}, "packing"),
        ({"minibatch_stddev": 1}, "group_size must be an integer >= 2, got 1"),
        ({"instance_noise": -1.0}, "stddev must be a finite number >= 0, got -1.0"),
        ({"diff_augment": "blur"}, "policy must be some of color, translation, cutout"),
    ],
    ids=str,
)
def test_what_does_not_fit_a_recipe(arguments, message):
    with pytest.raises(ValueError, match=message):
        recipes.stabilise("dcgan", **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"packing": 3}, r"Pack\(3\) got 8 rows, wanted a multiple of 3"),
        ({"packing": 2, "minibatch_stddev": 3}, r"MinibatchStdDev\(3\) got 4 rows"),
    ],
    ids=str,
)
def test_what_does_not_divide_a_batch_stops_the_first_step(arguments, message):
    with pytest.raises(ValueError, match=message):
        recipes.train(recipes.stabilise(recipe(), **arguments), tiny.images(8, 4), steps=1)
