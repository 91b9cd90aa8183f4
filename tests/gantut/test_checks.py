"""Each fault of tutorials is found by the check for it, and what is sound passes them all."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from gantut import GAN, checks, data, losses, networks, recipes

layers = keras.layers
LATENT = 6
INSIDE = {"step", "data_use"}
"""What only `inspect` can see."""


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def images():
    return tiny.images(32)


def generator(activation="tanh", side=8, channels=1):
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(16),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Dense(side * side * channels, activation=activation),
            layers.Reshape((side, side, channels)),
        ]
    )


def discriminator(*hidden, activation=None, shape=(8, 8, 1)):
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            layers.Dense(16),
            layers.LeakyReLU(),
            *hidden,
            layers.Dense(1, activation=activation),
        ]
    )


def tape_step(
    g,
    d,
    *,
    training=True,
    g_label=1.0,
    real_label=1.0,
    rows=None,
    show_data=True,
    penalty=None,
    d_steps=1,
    graph=False,
    optimizer=keras.optimizers.SGD,
):
    """A training step as tutorials write it, with a fault where one is asked for."""
    optimizers = optimizer(1e-2), optimizer(1e-2)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)

    def step(x):
        x = tf.convert_to_tensor(x)
        n = rows or tf.shape(x)[0]
        for _ in range(d_steps):
            fake = g(tf.random.normal((n, LATENT)), training=training)
            with tf.GradientTape() as tape:
                on_real = d(x if show_data else fake, training=training)
                on_fake = d(fake, training=training)
                d_loss = loss(real_label * tf.ones_like(on_real), on_real)
                d_loss += loss((1.0 - real_label) * tf.ones_like(on_fake), on_fake)
                if penalty is not None:
                    d_loss += penalty(d, x, fake)
            gradients = tape.gradient(d_loss, d.trainable_variables)
            optimizers[0].apply_gradients(zip(gradients, d.trainable_variables, strict=True))
        with tf.GradientTape() as tape:
            answer = d(g(tf.random.normal((n, LATENT)), training=training), training=training)
            g_loss = loss(g_label * tf.ones_like(answer), answer)
        gradients = tape.gradient(g_loss, g.trainable_variables)
        optimizers[1].apply_gradients(zip(gradients, g.trainable_variables, strict=True))
        return d_loss, g_loss

    return tf.function(step) if graph else step


def optimizers_of(step):
    cells = getattr(step, "python_function", step).__closure__
    return next(c.cell_contents for c in cells if isinstance(c.cell_contents, tuple))


def gradient_penalty(draw, epsilon=1e-12):
    """The penalty of Gulrajani et al. 2017, with the weights and the epsilon that are asked for."""

    def penalty(critic, real, fake):
        alpha = draw((tf.shape(real)[0], *[1] * (len(real.shape) - 1)))
        mixed = alpha * real + (1.0 - alpha) * fake
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            answer = critic(mixed)
        gradient = tape.gradient(answer, mixed)
        norm = tf.sqrt(tf.reduce_sum(gradient**2, axis=range(1, len(real.shape))) + epsilon)
        return 10.0 * tf.reduce_mean((norm - 1.0) ** 2)

    return penalty


def found(*args, **kwargs):
    return [finding.name for finding in checks.inspect(*args, verbose=False, **kwargs).findings]


# --- Sound pieces -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in recipes.RECIPES if name != "vae"])
def test_no_false_alarm_on_our_recipes(name):
    recipe = recipes.get(name)
    gan = recipe.build()
    gan.run_eagerly = True
    # A further, short batch for one of each kind, and for packs.
    rows = 16 if name in ("fast", "conditional_fast", "dcgan", "stacked_small") else 8
    x = data.gaussian_images(rows, seed=0).images
    x = np.repeat(x, 3, axis=-1) if recipe.stack == 3 else x
    before = [v.numpy() for v in gan.variables + gan.d_optimizer.variables]
    given = (x, np.arange(rows) % 10) if gan.conditional else x
    result = checks.inspect(gan.generator, gan.discriminator, gan, given, verbose=False)
    assert result.findings == []
    wanted = {
        "step", "shapes", "scale", "data_use", "learning", "separation", "opposition",
        "training_mode", "normalisation", "idle_layers", "linearity",
    }  # fmt: skip
    wanted |= ({"noise_rows"} if rows == 16 else set()) | (
        {"label_use"} if gan.conditional else set()
    )
    assert wanted == set(result.passed)
    after = [v.numpy() for v in gan.variables + gan.d_optimizer.variables]
    assert all(map(np.array_equal, before, after))


@pytest.mark.parametrize("graph", [False, True])
def test_a_sound_step_passes_and_leaves_no_trace(images, graph, capsys):
    g, d = generator(), discriminator(layers.Dropout(0.3))
    more = {"graph": True} if graph else {"penalty": gradient_penalty(tf.random.uniform)}
    step = tape_step(g, d, optimizer=keras.optimizers.Adam, **more)
    step(images)
    slots = [v for optimizer in optimizers_of(step) for v in optimizer.variables]
    assert len(slots) > 20
    variables = [*g.variables, *d.variables, *slots]
    before = [v.numpy() for v in variables]
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the reader's own
    result = checks.inspect(g, d, step, images, claimed_critic_steps=1)
    assert result.findings == []
    assert sorted([*result.passed, *result.skipped]) == sorted(checks.CHECKS)
    assert all(callable(getattr(checks, name)) for name in set(checks.CHECKS) - INSIDE)
    assert {"critic_steps", "noise_rows", "learning", "data_use"} <= set(result.passed)
    assert ({"mixing_weights", "flat_critic"} <= set(result.passed)) != graph
    assert all(np.array_equal(a, v.numpy()) for a, v in zip(before, variables, strict=True))
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    said = capsys.readouterr().out
    assert said.startswith("No findings.\nNothing found by: step, shapes")
    assert "Not run: label_planes (D is shown no planes of labels)" in " ".join(said.split())


def test_optimizers_made_during_the_inspection_are_as_new(images):
    g, d = generator(), discriminator()
    step = tape_step(g, d, optimizer=keras.optimizers.Adam)
    pair = optimizers_of(step)
    assert not any(optimizer.built for optimizer in pair)
    checks.inspect(g, d, step, images, verbose=False)
    for optimizer in pair:
        assert optimizer.built
        assert int(optimizer.iterations) == 0
        slots = [v for v in optimizer.variables if len(v.shape)]
        assert len(slots) > 4
        assert not any(np.any(v.numpy()) for v in slots)


def test_labels_the_other_way_round_are_no_fault(images):
    g, d = generator(), discriminator()
    assert found(g, d, tape_step(g, d, real_label=0.0, g_label=0.0), images) == []


def test_a_dataset_and_images_that_the_step_scales_itself(images):
    g, d = generator(), discriminator()
    step = tape_step(g, d)
    dataset = tf.data.Dataset.from_tensor_slices((images + 1.0) * 127.5).batch(16)
    assert found(g, d, lambda x: step(x / 127.5 - 1.0), dataset) == []


# --- Faults that inspect sees in a training step ------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "name", "words"),
    [
        ({"training": None}, "training_mode", "never called with training=True"),
        ({"g_label": 0.0}, "opposition", "G works for D"),
        ({"rows": 32}, "noise_rows", "24 images by 32"),
        ({"show_data": False}, "data_use", "never sees the data"),
        ({"penalty": gradient_penalty(tf.random.normal)}, "mixing_weights", "outside [0, 1]"),
        ({"penalty": gradient_penalty(tf.random.uniform, 0.0)}, "flat_critic", "under the root"),
    ],
)
def test_faults_of_the_step(images, fault, name, words):
    g, d = generator(), discriminator(layers.Dropout(0.2))
    result = checks.inspect(g, d, tape_step(g, d, **fault), images, verbose=False)
    assert {finding.name for finding in result.findings} == {name}
    assert all(words in finding.message for finding in result.findings)
    assert all(finding.step > 0 and not finding.passed for finding in result.findings)


def test_steps_of_the_critic_are_counted(images):
    gan = GAN(generator(), discriminator(), d_steps=3, seed=0)
    gan.compile(run_eagerly=True)
    result = checks.inspect(
        gan.generator, gan.discriminator, gan, images, claimed_critic_steps=4, verbose=False
    )
    (finding,) = result.findings
    assert finding.name == "critic_steps"
    assert "said to take 4 steps for one of G and takes 3" in finding.message


def frozen_pair(freeze, compiled=True):
    """The step of tutorials without a tape: compile D, freeze it, compile both in a row."""
    g, d = generator(), discriminator(activation="sigmoid")
    if compiled:
        d.compile("sgd", "binary_crossentropy")
    if freeze == "once":
        d.trainable = False
    both = keras.Sequential([keras.Input((LATENT,)), g, d])
    both.compile("sgd", "binary_crossentropy")

    def step(x):
        n = len(x)
        fake = g(np.random.standard_normal((n, LATENT)))  # noqa: NPY002
        if freeze == "around":
            d.trainable = True
        d.train_on_batch(np.concatenate([x, fake]), np.repeat([[1.0], [0.0]], n, axis=0))
        if freeze == "around":
            d.trainable = False
        both.train_on_batch(np.random.standard_normal((n, LATENT)), np.ones((n, 1)))  # noqa: NPY002

    return g, d, step


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
@pytest.mark.parametrize(
    ("freeze", "wanted"),
    [("around", []), ("once", ["learning"])],
)
def test_the_ways_to_freeze(images, freeze, wanted):
    assert found(*frozen_pair(freeze), images, steps=3) == wanted


def test_a_step_that_raises_is_a_finding(images):
    result = checks.inspect(*frozen_pair("once", compiled=False), images, verbose=False)
    (finding,) = result.findings
    assert finding.name == "step"
    assert "raises ValueError: You must call `compile()`" in finding.message
    assert result.skipped["learning"] == "the training step raises"
    g, d = generator(), discriminator()
    (finding,) = checks.inspect(g, d, lambda x: undefined, images, verbose=False).findings  # noqa: F821
    assert "NameError: name 'undefined' is not defined" in finding.message


def graph_step(g, d, show_data=True):
    """A step with tf.gradients, which there is in graphs only."""

    @tf.function
    def step(x):
        fake = g(tf.random.normal((tf.shape(x)[0], LATENT)), training=True)
        on_real, on_fake = d(x if show_data else fake, training=True), d(fake, training=True)
        d_loss = losses.minimax_discriminator(on_real, on_fake)
        for network, loss in ((d, d_loss), (g, losses.non_saturating_generator(on_fake))):
            weights = [v.value for v in network.trainable_variables]
            for weight, slope in zip(weights, tf.gradients(loss, weights), strict=True):
                weight.assign_sub(0.1 * slope)
        return d_loss

    return step


@pytest.mark.parametrize(
    ("show_data", "scaled", "wanted"),
    [(True, 127.5, []), (False, 1.0, ["data_use"])],
)
def test_a_step_that_runs_as_a_graph_only(images, show_data, scaled, wanted):
    g, d = generator(), discriminator()
    step = graph_step(g, d, show_data)
    result = checks.inspect(g, d, lambda x: step(x / scaled), scaled * images, verbose=False)
    assert [finding.name for finding in result.findings] == wanted
    assert {"step", "learning"} <= set(result.passed)
    for name in ("separation", "opposition", "noise_rows", "training_mode", "mixing_weights"):
        assert "graph" in result.skipped[name]


def test_a_model_that_trains_as_a_graph_only(images):
    class Graphs(GAN):
        def train_step(self, batch):
            tf.zeros(()).op  # noqa: B018 - eager tensors have none
            return super().train_step(batch)

    gan = Graphs(generator(), discriminator(), seed=0)
    gan.compile()
    result = checks.inspect(gan.generator, gan.discriminator, gan, images, verbose=False)
    assert result.findings == []
    assert {"step", "learning", "data_use"} <= set(result.passed)


@pytest.mark.parametrize("how", ["train_step", "train_on_batch", "starred"])
def test_images_and_labels_in_one_argument_or_in_two(how):
    gan = GAN(
        networks.mlp_generator(LATENT, (8, 8, 1), widths=(8,), num_classes=10),
        networks.mlp_discriminator((8, 8, 1), widths=(8,), num_classes=10),
        seed=0,
    )
    gan.compile()
    step = {
        "train_step": gan.train_step,
        "train_on_batch": gan.train_on_batch,
        "starred": lambda *batch: gan.train_step(batch),
    }[how]
    pair = tiny.images(16), np.arange(16) % 10
    if how == "starred":  # as in a loop over a dataset, whose labels are tensors
        pair = tf.data.Dataset.from_tensors(pair)
    result = checks.inspect(gan.generator, gan.discriminator, step, pair, verbose=False)
    assert result.findings == []
    assert {"step", "data_use", "label_use", "separation"} <= set(result.passed)


def test_weights_that_become_nan(images):
    g, d = generator(), discriminator()
    step = tape_step(g, d, penalty=lambda critic, x, fake: tf.sqrt(0.0 * tf.reduce_sum(critic(x))))
    result = checks.inspect(g, d, step, images, verbose=False)
    assert {f.name for f in result.findings} == {"learning"}
    assert "not finite any more" in result.findings[0].message
    assert np.isfinite(d.get_weights()[0]).all()


# --- Shapes and ranges --------------------------------------------------------------------------


def test_shapes(images):
    small, three = generator(side=7), generator(channels=3)
    assert "7 x 7 x 1, but the discriminator takes 8 x 8 x 1" in str(
        checks.shapes(small, discriminator())
    )
    assert "8 x 8 x 3" in checks.shapes(three, discriminator()).message
    colour = discriminator(shape=(8, 8, 3))
    assert "a data point is 8 x 8 x 1" in checks.shapes(three, colour, images).message
    # Planes of labels, and images that a step flattens.
    assert checks.shapes(generator(), discriminator(shape=(8, 8, 11)), images) is None
    flat = keras.Sequential([keras.Input((4,)), layers.Dense(64)])
    assert (
        checks.shapes(flat, keras.Sequential([keras.Input((64,)), layers.Dense(1)]), images) is None
    )
    result = checks.inspect(small, discriminator(), lambda x: discriminator()(small(x)), images,
                            verbose=False)  # fmt: skip
    assert [f.name for f in result.findings] == ["shapes"]


@pytest.mark.parametrize(
    ("activation", "low", "high", "message"),
    [
        ("tanh", -1, 1, None),
        ("tanh", -0.9, 0.95, None),
        ("tanh", 0, 255, "For bytes 0..255: x / 127.5 - 1"),
        ("tanh", 0, 1, "For data in [0, 1]: 2 * x - 1"),
        ("sigmoid", 0, 1, None),
        ("sigmoid", -1, 1, "can make lies in [0, 1]"),
        ("relu", -1, 1, "can make lies in [0, inf]"),
        ("relu", 0, 255, None),
        (None, 0, 255, None),
    ],
)
def test_scale(images, activation, low, high, message):
    network = generator(activation)
    before = network.get_weights()
    x = np.interp(images, (images.min(), images.max()), (low, high)).astype("float32")
    finding = checks.scale(network, x)
    assert (finding is None) if message is None else (message in finding.message)
    assert all(map(np.array_equal, before, network.get_weights()))


def test_reach_of_a_generator_that_bounds_its_own_state():
    assert checks.reach(networks.recurrent_generator(4, (4, 4, 1), width=3)) == (-1.0, 1.0)


def ring(endpoint):
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=endpoint)
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rng = np.random.default_rng(0)
    return centres[rng.integers(8, size=2000)] + 0.01 * rng.standard_normal((2000, 2))


def test_modes():
    assert checks.modes(ring(endpoint=False), 8) is None
    finding = checks.modes(ring(endpoint=True), 8)
    assert "said to have 8 modes and has 7" in finding.message
    assert finding.values == {"expected": 8, "found": 7}
    for seed in range(3):
        assert checks.modes(data.ring(1000, seed=seed), 8, seed=seed) is None
        assert checks.modes(data.grid(2000, seed=seed), 25, seed=seed) is None
    cloud = np.random.default_rng(0).standard_normal((500, 2))
    assert "no gap" in checks.modes(cloud, 8).message
    g = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    d = keras.Sequential([keras.Input((2,)), layers.Dense(8, "relu"), layers.Dense(1)])
    assert found(g, d, None, ring(endpoint=True).astype("float32"), expected_modes=8) == ["modes"]


# --- Labels -------------------------------------------------------------------------------------


def planes(labels, side=4, classes=3, axis=True):
    one_hot = np.eye(classes, dtype="float32")[labels]
    if axis:
        repeated = np.repeat(one_hot[:, None], side * side, axis=1)
    else:
        repeated = np.repeat(one_hot, side * side)
    return repeated.reshape(-1, side, side, classes)


def test_label_planes():
    labels = np.array([0, 2, 1, 2])
    assert checks.label_planes(planes(labels), labels) is None
    finding = checks.label_planes(planes(labels, axis=False), labels)
    assert "in 100 % of images" in finding.message
    rows = np.repeat(np.eye(4, dtype="float32"), 4).reshape(1, 4, 4, 4).transpose(0, 1, 3, 2)
    assert "bands over the rows" in checks.label_planes(rows).message
    wrong = checks.label_planes(planes(labels), [0, 1, 2, 2])
    assert "in 50 % of images of another class" in wrong.message


def test_label_planes_inside_a_step(images):
    g, d = generator(), discriminator(shape=(8, 8, 4))
    optimizer = keras.optimizers.Adam()  # one for both networks: that is found too

    def step(x, y):
        labelled = planes(np.asarray(y), side=8, axis=False)
        with tf.GradientTape() as tape:
            fake = g(tf.random.normal((len(x), LATENT)), training=True)
            answers = [d(tf.concat([image, labelled], -1), training=True) for image in (x, fake)]
            loss = losses.minimax_discriminator(*answers)
        variables = d.trainable_variables + g.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    assert found(g, d, step, (images, np.arange(32) % 3)) == ["separation", "label_planes"]


def test_label_use():
    gan = recipes.get("conditional_fast").build()
    x = data.gaussian_images(8, seed=0).images
    y = np.arange(8)
    assert checks.label_use(gan.discriminator, [x, y]) is None
    image, label = keras.Input((28, 28, 1)), keras.Input((), dtype="int32")
    # Keras 3.10 takes no input that leads nowhere.
    nothing = 0.0 * keras.ops.cast(label, "float32")[:, None]
    deaf = keras.Model([image, label], layers.Dense(1)(layers.Flatten()(image)) + nothing)
    assert "does not use them" in checks.label_use(deaf, [x, y]).message
    assert checks.label_use(deaf, [x, 0 * y]) is None  # one label says nothing


# --- The networks by themselves -----------------------------------------------------------------


def test_normalisation():
    assert checks.normalisation(generator()) is None
    for epsilon, wanted in ((0.01, None), (0.8, "deviation 0.75")):
        network = keras.Sequential(
            [
                keras.Input((4, 4, 2)),
                layers.BatchNormalization(
                    epsilon=epsilon, gamma_initializer="random_normal", beta_initializer="ones"
                ),
            ]
        )
        before = network.get_weights()
        finding = checks.normalisation(network)
        assert (finding is None) if wanted is None else (wanted in finding.message)
        assert all(map(np.array_equal, before, network.get_weights()))
    network.trainable = False  # it uses its moving statistics then
    assert checks.normalisation(network) is None


def test_idle_layers(images):
    twice = discriminator(layers.ReLU(), layers.LeakyReLU(name="useless"))
    assert "'useless'" in checks.idle_layers(twice, images).message
    assert checks.idle_layers(discriminator(layers.Dropout(0.5)), images) is None


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_linearity(images, activation):
    line = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1, activation=activation)]
    )
    assert "logistic regression" in checks.linearity(line, images).message
    assert checks.linearity(discriminator(activation=activation), images) is None
    assert checks.linearity(networks.logistic_discriminator((8, 8, 1)), images) is not None


# --- Losses -------------------------------------------------------------------------------------


def test_mixing_weights():
    rng = np.random.default_rng(0)
    assert checks.mixing_weights(rng.uniform(size=(64, 1, 1, 1))) is None
    finding = checks.mixing_weights(rng.standard_normal(4000))
    # P(z < 0 or z > 1) = 0.5 + 0.159
    assert finding.values["share"] == pytest.approx(0.659, abs=0.03)
    assert checks.mixing_weights([0.5, np.nan]) is not None


def test_flat_critic():
    assert checks.flat_critic(losses.gradient_penalty) is None
    assert checks.flat_critic(gradient_penalty(tf.random.uniform)) is None
    assert "Add 1e-12" in checks.flat_critic(gradient_penalty(tf.random.uniform, 0.0)).message
    constant = checks.flat_critic(lambda critic, real, fake: tf.constant(1.0))
    assert "no gradient" in constant.message


@pytest.mark.parametrize("name", losses.LOSSES)
def test_saturation(name):
    loss = losses.LOSSES[name]
    finding = checks.saturation(lambda fake: loss.generator(fake, tf.zeros_like(fake)))
    assert (finding is not None) == (name == "minimax")
    if finding is not None:
        # The slope is -D: sigmoid(-6) and 1/2.
        assert finding.values == pytest.approx({"poor": 1 / (1 + np.exp(6)), "even": 0.5})


def test_opposition_needs_all_three_signs():
    assert checks.opposition(1.0, [2.0, -0.5], [0.1, 0.1]) is not None
    assert checks.opposition(-1.0, [-2.0, 0.5], [-0.1, -0.1]) is not None
    assert checks.opposition(1.0, [2.0, 0.5], [-0.1, -0.1]) is None
    assert checks.opposition(1.0, [-2.0, 0.5], [-0.1, -0.1]) is None  # D overshoots
    assert checks.opposition(-1.0, [2.0, 0.5], [-0.1, -0.1]) is None  # D is fooled
    assert checks.opposition(1.0, [2.0], [0.1, -0.2, 0.3]) is None
    assert checks.opposition(1.0, [], [0.1]) is None


def test_rows_and_updates():
    assert checks.noise_rows([(32, 32), (24, 24)]) is None
    assert checks.noise_rows([(32, 64), (24, 48)]) is None
    assert checks.noise_rows([(256, 256), (96, 256)]).values == {"images": 96, "latents": 256}
    alone = [["discriminator"], ["generator"]]
    assert checks.separation(alone) is None
    assert checks.separation([["discriminator", "generator"]]).values == {"both": 1}
    assert checks.critic_steps(alone, 1) is None
    assert "takes 1" in checks.critic_steps(alone, 4).message


def test_learning():
    a, b = [np.zeros(3)], [np.ones(3)]
    assert checks.learning(a, b) is None
    assert "The critic does not learn" in checks.learning(a, a, "critic").message
    assert "not finite" in checks.learning(a, [np.array([0, np.nan, 1])]).message
    with pytest.raises(ValueError, match="other shapes"):
        checks.learning(a, [np.zeros(4)])
    with pytest.raises(ValueError, match="shorter"):
        checks.learning(a, [])


# --- Bad input ----------------------------------------------------------------------------------


def test_bad_input(images):
    g, d = generator(), discriminator()
    for wrong, error, words in [
        ((g, d, None, None), ValueError, "data"),
        ((g, d, None, images[:3]), ValueError, "at least eight rows"),
        ((g, d, None, images * np.nan), ValueError, "finite"),
        ((g, d, None, (images, np.zeros(3))), ValueError, "as many"),
        ((g, d, None, tf.data.Dataset.from_tensor_slices(images).take(0)), ValueError, "data"),
        ((g, lambda x: x, None, images), TypeError, "discriminator must be a Keras model"),
        ((g, d, 3, images), TypeError, "train_step must be a function"),
    ]:
        with pytest.raises(error, match=words):
            checks.inspect(*wrong)
    for name in ("steps", "batch_size", "expected_modes", "claimed_critic_steps", "seed"):
        with pytest.raises(ValueError, match=name):
            checks.inspect(g, d, None, images, **{name: -1})
        with pytest.raises(TypeError, match=name):
            checks.inspect(g, d, None, images, **{name: 2.5})
    with pytest.raises(ValueError, match="points"):
        checks.modes(np.zeros((5, 2)), 8)
    with pytest.raises(ValueError, match="planes"):
        checks.label_planes(np.zeros((3, 4)))
    with pytest.raises(TypeError, match="shapes are not known"):
        checks.shapes(keras.Model(), d)
    three, one = np.int64(3), np.uint8(1)
    found(
        g, d, None, images, batch_size=np.int32(8), steps=one, claimed_critic_steps=three, seed=one
    )
    assert checks.modes(ring(endpoint=False), np.int64(8)) is None


def test_without_a_step_the_networks_are_checked(images):
    result = checks.inspect(generator(), discriminator(), None, images, verbose=False)
    assert result.findings == []
    assert result.skipped["learning"] == "no training step was given"
    assert {"shapes", "scale", "normalisation", "idle_layers", "linearity"} == set(result.passed)
