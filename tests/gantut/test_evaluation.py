"""`evaluate` says what the metrics say, notices what is wrong with samples, and is quick enough."""

import gc
import json
import weakref
from functools import partial

import keras
import numpy as np
import pytest
from scipy import ndimage

from gantut import judge, metrics
from gantut.data import ImageData, OwnImages, load_mnist, stacked_mnist
from gantut.evaluation import (
    Evaluation,
    evaluate,
    frechet_floor,
    label_agreement,
    quick_frechet,
    stacked_modes,
)


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """Draws of the bootstrap and batches of a judge, which take most of an evaluation's time."""
    error = partial(metrics.frechet_distance_error, repeats=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "frechet_distance_error", error)
        patch.setattr(judge, "train_judge", partial(judge.train_judge, steps=150))
        yield


@pytest.fixture(scope="module")
def mnist() -> ImageData:
    return load_mnist()


@pytest.fixture(scope="module")
def few(mnist) -> ImageData:
    return ImageData(
        mnist.x_train[:1000], mnist.y_train[:1000], mnist.x_test[:300], mnist.y_test[:300]
    )


@pytest.fixture(scope="module")
def fresh(mnist) -> np.ndarray:
    """Real digits that `few` does not hold.

    Not from the second half of the test set: other people wrote it than the first.
    """
    return mnist.x_train[30_000:30_250]


@pytest.fixture(scope="module")
def result(fresh, few) -> Evaluation:
    return evaluate(fresh, data=few)


def generator(latent_dim: int = 4) -> keras.Model:
    z = keras.Input((latent_dim,))
    x = keras.layers.Reshape((28, 28, 1))(keras.layers.Dense(784, activation="tanh")(z))
    return keras.Model(z, x)


class Replay:
    """Stands in for a GAN: hands out given images and remembers how it was asked."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.asked: list[tuple[int, int]] = []

    def sample(self, n: int, labels: object = None, seed: int | None = None) -> np.ndarray:
        self.asked.append((n, seed))
        return self.images[:n]


def test_values_are_those_of_the_metrics(result, fresh, few):
    features, probabilities = judge.outputs(fresh)
    real, real_probabilities = judge.outputs(few.x_test)
    rows = np.random.default_rng(0).permutation(1000)[:250]
    train = judge.features(few.x_train[rows])

    assert (result.samples, result.references) == (250, 300)
    assert result.frechet_distance == metrics.frechet_distance(features, real)
    assert result.frechet_error == metrics.frechet_distance_error(features, real, seed=0)
    assert result.frechet_floor == metrics.frechet_distance(train, real)
    assert result.frechet_ratio == result.frechet_distance / result.frechet_floor
    assert result.kernel_distance == metrics.kernel_distance(features, real)
    assert result.kernel_error == metrics.kernel_distance_and_error(features, real)[1]
    assert result.kernel_floor == metrics.kernel_distance(train, real)
    for suffix, fake in (("", features), ("_real", train)):
        expected = metrics.manifold_metrics(real, fake, 5)
        for name in ("precision", "recall", "density", "coverage"):
            assert getattr(result, name + suffix) == getattr(expected, name)
    for suffix, p in (("", probabilities), ("_real", real_probabilities)):
        assert getattr(result, "classifier_score" + suffix) == metrics.classifier_score(p)
        assert getattr(result, "class_shares" + suffix) == tuple(metrics.class_histogram(p))
        assert getattr(result, "confident" + suffix) == np.mean(p.max(axis=1) > 0.95)
    nearest = metrics.nearest_training_images(fresh, few.x_train).distances[:, 0]
    assert result.memorisation.median == np.median(nearest)


def test_real_digits_score_like_real_digits(result):
    assert 0.5 < result.frechet_ratio < 2
    assert result.precision == pytest.approx(result.precision_real, abs=0.06)
    assert result.coverage == pytest.approx(result.coverage_real, abs=0.06)
    assert result.memorisation.share_close < 0.05
    assert result.memorisation.median == pytest.approx(
        result.memorisation.reference_median, rel=0.1
    )


def test_copies_score_well_and_are_caught(few, result):
    copies = evaluate(few.x_train[:250], data=few)
    assert copies.frechet_ratio < 2
    assert copies.memorisation.share_close == 1
    assert copies.memorisation.median == 0


def test_dropped_classes_cost_recall_and_coverage(mnist, few):
    ones = evaluate(mnist.x_test[mnist.y_test == 1][:250], data=few)
    assert ones.class_shares[1] > 0.97
    assert ones.precision > 0.9
    assert ones.recall < 0.3
    assert ones.coverage < 0.3
    assert ones.classifier_score < 1.2
    assert ones.frechet_ratio > 20


def test_noise_is_far_from_everything(few, result):
    noise = np.random.default_rng(0).uniform(-1, 1, (250, 28, 28, 1)).astype(np.float32)
    found = evaluate(noise, data=few)
    assert found.frechet_ratio > 50
    assert found.kernel_distance - 10 * found.kernel_error > result.kernel_distance
    assert found.precision < 0.05
    assert found.density < 0.05


def test_generators_are_drawn_from_and_the_real_side_is_kept(fresh, few, result, monkeypatch):
    seen, outputs = [], judge.outputs
    monkeypatch.setattr(judge, "outputs", lambda x, *more: seen.append(len(x)) or outputs(x, *more))
    replay = Replay(fresh)
    assert evaluate(replay, n=250, data=few) == result
    assert quick_frechet(replay, n=200, data=few, seed=7) == quick_frechet(fresh[:200], data=few)
    assert replay.asked == [(250, 0), (200, 7)]
    assert seen == [250, 200, 200]


def test_a_plain_keras_generator_is_drawn_from(few):
    network = generator()
    first = quick_frechet(network, n=40, data=few, seed=1)
    assert quick_frechet(network, n=40, data=few, seed=1) == first
    assert quick_frechet(network, n=40, data=few, seed=2) != first


def test_quick_frechet_and_floor_agree_with_evaluate(fresh, few, result):
    for images in (fresh, keras.ops.convert_to_tensor(fresh)):
        assert quick_frechet(images, data=few) == result.frechet_distance
    assert frechet_floor(250, data=few) == result.frechet_floor


def test_the_second_judge_is_asked_by_name(fresh, few, result):
    real = judge.features(few.x_test, "second")
    distance = metrics.frechet_distance(judge.features(fresh, "second"), real)
    assert quick_frechet(fresh, data=few, judged_by="second") == distance
    train = judge.features(few.x_train[judge.order(len(few.x_train))[:250]], "second")
    floor = metrics.frechet_distance(train, real)
    assert frechet_floor(250, data=few, judged_by="second") == floor
    # The first one's real side is still its own.
    assert quick_frechet(fresh, data=few) == result.frechet_distance != distance
    for measure in (evaluate, quick_frechet):
        with pytest.raises(ValueError, match="unknown judge 'third'"):
            measure(fresh, data=few, judged_by="third")
    with pytest.raises(ValueError, match="unknown judge 'third'"):
        frechet_floor(250, data=few, judged_by="third")


def test_only_the_last_references_are_kept(few, fresh):
    alive = []
    for stop in (101, 102, 103):
        data = few._replace(x_test=few.x_test[:stop].copy(), y_test=few.y_test[:stop])
        alive.append(weakref.ref(data.x_test))
        quick_frechet(fresh[:50], data=data)
    del data
    gc.collect()
    assert [array() is not None for array in alive] == [False, True, True]


def test_to_dict_is_plain(result):
    values = result.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["frechet_ratio"] == result.frechet_ratio
    assert values["memorisation"]["share_close"] == result.memorisation.share_close
    assert len(values["class_shares"]) == 10
    missing = {name for name in Evaluation.__dataclass_fields__ if name not in values}
    assert not missing


def test_table(result):
    lines = str(result).splitlines()
    assert lines[0].split() == ["250", "samples", "real", "data"]
    cells = {line[:24].strip(): line[24:].split() for line in lines[1:]}
    assert cells["Frechet distance"][-1] == f"{result.frechet_floor:.4g}"
    assert cells["recall"] == [f"{result.recall:.3f}", f"{result.recall_real:.3f}"]
    assert cells["confident (> 0.95)"] == [
        f"{result.confident:.1%}",
        f"{result.confident_real:.1%}",
    ]
    smallest = min(result.class_shares)
    assert cells["smallest class"][:2] == [
        f"{result.class_shares.index(smallest)}:",
        f"{smallest:.1%}",
    ]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (np.zeros((9, 28, 28), np.float32), ValueError, "samples: wanted .*shape"),
        (np.zeros((9, 32, 32, 1), np.float32), ValueError, judge.DIGITS_ONLY),
        (np.zeros((9, 28, 28, 3), np.float32), ValueError, judge.DIGITS_ONLY),
        (np.zeros((9, 28, 28, 1)), ValueError, "float64"),
        (np.full((9, 28, 28, 1), np.nan, np.float32), ValueError, "NaN"),
        (np.full((9, 28, 28, 1), 2, np.float32), ValueError, r"\[-1, 1\]"),
        (np.zeros((5, 28, 28, 1), np.float32), ValueError, "at least 6 images"),
        (Replay(np.zeros((9, 8, 8, 1), np.float32)), ValueError, judge.DIGITS_ONLY),
        ("fast", TypeError, "samples"),
        (None, TypeError, "samples"),
    ],
)
def test_bad_samples(samples, error, message, few):
    with pytest.raises(error, match=message):
        evaluate(samples, data=few)


def test_bad_numbers(fresh, few):
    for function in (evaluate, quick_frechet):
        for name, value in (("n", 0), ("seed", -1)):
            with pytest.raises(ValueError, match=name):
                function(fresh, data=few, **{name: value})
        for name, value in (("n", 10.0), ("seed", None)):
            with pytest.raises(TypeError, match=name):
                function(fresh, data=few, **{name: value})
    for n in (1, len(few.x_train) + 1):
        with pytest.raises(ValueError, match="n must"):
            frechet_floor(n, data=few)


def test_integers_of_numpy_are_integers(fresh, few):
    replay = Replay(fresh)
    quick_frechet(replay, n=np.int64(50), seed=np.int32(3), data=few)
    assert [tuple(map(type, asked)) for asked in replay.asked] == [(int, int)]
    assert frechet_floor(np.int64(60), data=few) == frechet_floor(60, data=few)


def test_data_that_are_not_digits_are_refused(few, fresh):
    upside_down = few._replace(x_test=np.ascontiguousarray(few.x_test[:, ::-1]))
    wrong_size = few._replace(x_train=np.zeros((9, 32, 32, 1), np.float32))
    for data in (upside_down, wrong_size):
        for measure in (evaluate, quick_frechet):
            with pytest.raises(ValueError, match=f"data.*{judge.DIGITS_ONLY}"):
                measure(fresh, data=data)
    with pytest.raises(ValueError, match="labels"):
        evaluate(fresh, data=few._replace(y_test=few.y_test[:9]))
    for no_data in (few.x_test, (few.x_test, few.y_test), [few]):
        with pytest.raises(TypeError, match="data"):
            evaluate(fresh, data=no_data)


def test_stacked_digits_are_read_channel_by_channel():
    stacked, labels = stacked_mnist(300, split="test", seed=4)
    found, truth = stacked_modes(stacked), metrics.triples_of_digits(labels)
    # The judge is wrong on 0.6 % of the test digits, hence on 1.7 % of the triples; a wrong triple
    # takes a count from one place to another.
    assert np.abs(found.counts - truth.counts).sum() / 2 <= 0.03 * 300
    assert found.counts.sum() == 300
    one_mode = stacked_modes(np.repeat(stacked[:1], 5, axis=0))
    assert one_mode.counts[labels[0] @ [100, 10, 1]] == 5
    assert one_mode.kl == pytest.approx(np.log(1000), rel=1e-12)
    for other in (stacked[..., :1], stacked[:, :20]):
        with pytest.raises(ValueError, match=judge.DIGITS_ONLY):
            stacked_modes(other)


@pytest.mark.slow
def test_ten_thousand_samples_against_the_whole_of_mnist(mnist):
    found = evaluate(mnist.x_train[-10_000:])
    assert (found.samples, found.references) == (10_000, 10_000)
    # Everything on the real side is fixed; only rounding may move it.
    assert found.frechet_floor == pytest.approx(0.1304, rel=0.01)
    assert found.confident_real == pytest.approx(0.977, abs=0.002)
    assert found.coverage_real == pytest.approx(0.95, abs=0.01)
    assert found.class_shares_real == pytest.approx([0.1] * 10, abs=0.02)
    assert found.memorisation.share_close == 1


@pytest.mark.slow
def test_the_floor_is_as_high_for_a_judge_that_has_not_seen_its_images(mnist):
    """It is the test set's own difference that lifts it above two halves of the training images."""
    floor = frechet_floor(judged_by="second")
    assert floor == pytest.approx(0.3233, rel=0.01)
    images = mnist.x_train[judge.order(len(mnist.x_train))]
    unseen, seen = (judge.features(part, "second") for part in (images[:20_000], images[-10_000:]))
    halves = metrics.frechet_distance(unseen[:10_000], unseen[10_000:])
    assert halves < 0.7 * floor
    test = judge.features(mnist.x_test, "second")
    assert metrics.frechet_distance(seen, test) == pytest.approx(floor, rel=0.15)


# --- Other images than digits --------------------------------------------------------------------


def boxes(n, seed):
    """Light squares and flat boxes (n, 16, 16, 3) on dark grounds, and which they are."""
    rng = np.random.default_rng(seed)
    x = np.empty((n, 16, 16, 3), np.float32)
    y = np.arange(n) % 2
    for image, flat in zip(x, y, strict=True):
        image[:] = rng.uniform(-1, -0.3, 3)
        (i, j), size = rng.integers(0, 6, 2), rng.integers(6, 11)
        image[i : i + (3 if flat else size), j : j + size] = rng.uniform(0.2, 1, 3)
    return x, y


@pytest.fixture(scope="module")
def own() -> dict[str, OwnImages]:
    x, y = boxes(450, 0)
    return {"random": OwnImages(x), "labels": OwnImages(x, y)}


@pytest.fixture(scope="module")
def others():
    return boxes(200, 1)[0]


def corrupted(x, how, strength):
    if how == "blur":
        return ndimage.gaussian_filter(x, (0, strength, strength, 0))
    if how == "noise":
        noise = np.random.default_rng(2).normal(0, strength, x.shape)
        return np.clip(x + noise, -1, 1).astype(np.float32)
    if how == "copies of few":
        return np.resize(x[: round(1 / strength)], x.shape)
    return x[1::2] if strength == 2 else np.concatenate([x[1::2], x[::4]])  # a class that is rare


@pytest.mark.parametrize("judged_by", ["random", "labels"])
def test_images_of_ones_own_are_as_far_away_as_their_floor_and_copies_are_caught(
    own, others, judged_by
):
    found = evaluate(others, data=own[judged_by])
    parts = 2 if judged_by == "random" else 3
    assert found.references == 450 // parts
    assert found.samples == min(200, 450 // parts)
    assert 0.7 < found.frechet_ratio < 1.5
    assert abs(found.kernel_distance) < 3 * found.kernel_error
    assert found.coverage == pytest.approx(found.coverage_real, abs=0.06)
    assert found.memorisation.share_close < 0.06
    copies = evaluate(own[judged_by].images, data=own[judged_by])
    assert copies.samples == 450 // parts
    assert copies.memorisation.share_close == 1
    assert "suspiciously near" in str(found)
    assert f"features: {found.judged_by}" in str(found)


@pytest.mark.parametrize("judged_by", ["random", "labels"])
@pytest.mark.parametrize(
    ("how", "strengths"),
    [
        ("blur", (0.7, 1.5)),
        ("noise", (0.3, 0.6)),
        ("copies of few", (0.02, 0.2)),
        ("one class", (1, 2)),
    ],
)
def test_worse_images_are_farther_away(own, others, judged_by, how, strengths):
    real = quick_frechet(others, data=own[judged_by])
    distances = [
        quick_frechet(np.ascontiguousarray(corrupted(others, how, strength)), data=own[judged_by])
        for strength in strengths
    ]
    assert distances[0] < distances[1]
    assert distances[1] > 1.5 * real


def test_labels_tell_which_classes_there_are(own, others):
    flat = evaluate(others[1::2], data=own["labels"])
    assert flat.class_shares[1] > 0.9
    assert flat.class_shares_real[1] == pytest.approx(0.5, abs=0.15)
    y = np.arange(len(others)) % 2
    assert label_agreement(others, y, data=own["labels"]) > 0.9
    assert label_agreement(others, 1 - y, data=own["labels"]) < 0.1
    with pytest.raises(ValueError, match="wanted labels, got images alone"):
        label_agreement(others, y, data=own["random"])
    nothing = evaluate(others, data=own["random"])
    assert (nothing.classifier_score, nothing.confident, nothing.class_shares) == (None, None, ())
    assert "class" not in str(nothing)
    json.dumps(nothing.to_dict(), allow_nan=False)


def test_a_judge_of_own_images_is_the_same_each_time(own, others):
    again = OwnImages(own["labels"].images.copy(), own["labels"].labels)
    first, second = (quick_frechet(others, data=data) for data in (own["labels"], again))
    assert first == pytest.approx(second, rel=1e-3)


def test_few_images_of_ones_own(own, others):
    x, y = own["labels"].images[:20], own["labels"].labels[:20]
    found = evaluate(others[:20], data=OwnImages(x, y))
    assert (found.judged_by, found.samples, found.references) == ("random convolutions", 10, 10)
    with pytest.raises(ValueError, match="at least 12 images to measure by, got 11"):
        evaluate(others, data=OwnImages(x[:11]))
    with pytest.raises(ValueError, match="16 x 16 pixels"):
        evaluate(others[:, 1:], data=own["random"])
    with pytest.raises(ValueError, match="3 channel"):
        evaluate(others[..., :1], data=own["random"])


def test_a_judge_of_ones_own(own, others):
    def channels(images):
        return images.mean(axis=(1, 2)), None

    found = evaluate(others, data=own["labels"], judged_by=channels)
    floor, held_out = np.array_split(judge.order(450), 2)
    real = channels(own["labels"].images[held_out])[0]
    assert found.judged_by == "channels"
    assert found.frechet_distance == metrics.frechet_distance(channels(others)[0], real)
    train = channels(own["labels"].images[floor[:200]])[0]
    assert found.frechet_floor == metrics.frechet_distance(train, real)
    assert found.class_shares == ()
    with pytest.raises(TypeError, match="first, second for digits"):
        evaluate(np.zeros((6, 28, 28, 1), np.float32), judged_by=channels)
