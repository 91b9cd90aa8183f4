"""gantut.optimizers: FusedAdam and Unrolled take Keras' own steps."""

import numpy as np
import pytest

from gantut._keras import keras, tf
from gantut.optimizers import FusedAdam, Unrolled

SHAPES = [(7, 5), (5,), (3, 2, 4)]
STEPS = 10


def descend(optimizer, *, change_rate=False, dtype="float32", in_graph=False):
    """Ten steps with given gradients: the weights after each, flat, of shape (10, n)."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=s), dtype=dtype) for s in SHAPES]
    optimizer.build(variables)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if in_graph:
        apply = tf.function(apply)
    path = []
    for step in range(STEPS):
        if change_rate and step == 4:
            optimizer.learning_rate = 3e-2
        # Gradients over six orders of magnitude, some of them exactly 0.
        scale = 10.0 ** rng.uniform(-4, 2)
        apply(
            [tf.constant(scale * rng.normal(size=s) * (rng.random(s) < 0.8), dtype) for s in SHAPES]
        )
        path.append(np.concatenate([np.ravel(v.numpy()) for v in variables]))
    return np.array(path)


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1e-2},
        {"learning_rate": 5e-3, "beta_1": 0.0, "beta_2": 0.99},
        {"learning_rate": 2e-4, "beta_1": 0.5},
        {"learning_rate": 1e-2, "epsilon": 1e-3, "clipnorm": 1.0},
        {"learning_rate": 1e-2, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_equals_keras_adam(settings, in_graph):
    ours = descend(FusedAdam(**settings), change_rate=True, in_graph=in_graph)
    keras_own = descend(keras.optimizers.Adam(**settings), change_rate=True)
    assert relative_error(ours, keras_own) < 1e-6
    moved = np.abs(keras_own[1:] - keras_own[:-1]).max(axis=1)
    assert moved.min() > 1e-5  # every step moves something, so the comparison says something


def test_the_steps_depend_on_what_is_compared():
    """The other settings of the test above give paths that differ by far more than its bound."""
    one = descend(FusedAdam(1e-2, beta_1=0.0), change_rate=True)
    for other in (
        descend(FusedAdam(1e-2, beta_1=0.0)),
        descend(FusedAdam(1e-2, beta_1=0.1), change_rate=True),
        descend(FusedAdam(1e-2, beta_1=0.0, beta_2=0.99), change_rate=True),
    ):
        assert relative_error(one, other) > 1e-3


def test_follows_a_schedule():
    def schedule():
        return keras.optimizers.schedules.ExponentialDecay(1e-2, 5, 0.5)

    ours, theirs = descend(FusedAdam(schedule())), descend(keras.optimizers.Adam(schedule()))
    assert relative_error(ours, theirs) < 1e-6


@pytest.mark.parametrize(
    ("settings", "dtype"), [({"amsgrad": True}, "float32"), ({}, "float64")], ids=str
)
def test_falls_back_to_keras_where_the_kernel_does_not_apply(settings, dtype):
    ours = descend(FusedAdam(1e-2, **settings), dtype=dtype)
    theirs = descend(keras.optimizers.Adam(1e-2, **settings), dtype=dtype)
    np.testing.assert_array_equal(ours, theirs)


def test_falls_back_for_sparse_gradients():
    ends = []
    for optimizer in (FusedAdam(1e-2), keras.optimizers.Adam(1e-2)):
        table = keras.Variable(np.arange(1.0, 9.0).reshape(4, 2), dtype="float32")
        optimizer.build([table])
        for _ in range(3):
            with tf.GradientTape() as tape:
                rows = tf.gather(table.value, [0, 2])
                loss = tf.reduce_sum(tf.square(rows))
            gradient = tape.gradient(loss, table.value)
            assert isinstance(gradient, tf.IndexedSlices)
            optimizer.apply([gradient], [table])
        ends.append(table.numpy())
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6)
    assert (ends[0][0] != [1, 2]).all()
    assert (ends[0][1] == [3, 4]).all()


def test_state_continues_in_keras_adam():
    """Same slots under the same names: one may be put in the other's place."""
    optimizer = FusedAdam(1e-2)
    descend(optimizer)
    theirs = keras.optimizers.Adam(1e-2)
    descend(theirs)
    names = [[v.name.split("_")[-1] for v in o.variables] for o in (optimizer, theirs)]
    assert names[0] == names[1]
    assert {"momentum", "velocity"} < set(names[0])
    for a, b in zip(optimizer.variables, theirs.variables, strict=True):
        # The kernel computes 1 - 0.999 in float32, which is 1.3e-5 too small.
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1.5e-5, atol=1e-12)
    assert optimizer.iterations.numpy() == STEPS
    assert FusedAdam.from_config(optimizer.get_config()).get_config() == optimizer.get_config()


# --- Steps as functions ------------------------------------------------------------------------

RULES = {
    "adam": lambda: keras.optimizers.Adam(1e-2, beta_1=0.5),
    "fused adam": lambda: FusedAdam(1e-2, beta_1=0.0, beta_2=0.99),
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.75),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.75, nesterov=True),
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_unrolled_steps_are_the_optimizers_own(rule):
    """From the state after three steps; with gradients in which zeros and one None are."""
    rng = np.random.default_rng(0)
    gradients = [
        [tf.constant(rng.normal(size=s) * (rng.random(s) < 0.7), tf.float32) for s in SHAPES]
        for _ in range(6)
    ]
    optimizer = RULES[rule]()
    variables = [keras.Variable(rng.normal(size=s), dtype="float32") for s in SHAPES]
    optimizer.build(variables)
    for step in gradients[:3]:
        optimizer.apply(step, variables)
    state = [v.numpy() for v in (*optimizer.variables, *variables)]

    unrolled = Unrolled(optimizer, variables)
    values = [tf.convert_to_tensor(v) for v in variables]
    steps = 1 if rule == "schedule" else 3  # the rate is that of the first step throughout
    for step in gradients[3 : 3 + steps]:
        values = unrolled.step(values, step)
    after = [v.numpy() for v in (*optimizer.variables, *variables)]
    assert all(np.array_equal(a, b) for a, b in zip(state, after, strict=True))

    for step in gradients[3 : 3 + steps]:
        optimizer.apply(step, variables)
    for ours, theirs, before in zip(values, variables, state[-3:], strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
        assert np.abs(theirs.numpy() - before).max() > 1e-3
    # A variable without a gradient stays.
    assert unrolled.step(values, [None, *gradients[0][1:]])[0] is values[0]


@pytest.mark.parametrize("rule", RULES)
def test_unrolled_steps_have_finite_derivatives_where_gradients_vanish(rule):
    """Adam divides by the root of a mean of squares, whose derivative at 0 is infinite."""
    optimizer = RULES[rule]()
    variable = keras.Variable([1.0, 2.0])
    optimizer.build([variable])
    x = tf.constant([0.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        (value,) = Unrolled(optimizer, [variable]).step([tf.constant([1.0, 2.0])], [x])
    slopes = tape.gradient(value, x).numpy()
    assert np.isfinite(slopes).all()
    if "adam" not in rule:
        assert slopes == pytest.approx([slopes[0]] * 2)
        assert slopes[0] < -0.09
