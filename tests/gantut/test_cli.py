"""The command does what it is asked, and tells a mistake in one line before it costs anything."""

import contextlib
import io
import json
import signal
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

import gantut
from gantut import callbacks, cli, data, evaluation, metrics, networks, recipes
from gantut.sampling import sample


@pytest.fixture(scope="module")
def tiny_conditional(tiny):
    return replace(
        tiny,
        name="tiny_conditional",
        conditional=True,
        generator=lambda shape, k: networks.mlp_generator(4, shape, (8,), num_classes=k),
        discriminator=lambda shape, k: networks.mlp_discriminator(shape, (8,), num_classes=k),
    )


@pytest.fixture(scope="module")
def known(tiny, tiny_conditional):
    """The recipes of these tests, among the others, for the time of a block."""

    @contextlib.contextmanager
    def known(**instead):
        with pytest.MonkeyPatch.context() as patch:
            for name, recipe in {
                "tiny": tiny,
                "tiny_conditional": tiny_conditional,
                **instead,
            }.items():
                patch.setitem(recipes.RECIPES, name, recipe)
            yield patch

    return known


@pytest.fixture(autouse=True)
def tiny_recipes(known):
    with known():
        yield


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """48 images of 6 x 6 pixels."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (48, 6, 6), dtype=np.uint8)
    np.savez(path, images=pixels)
    return path


@pytest.fixture(scope="module")
def digits():
    """A hundred digits, in the place of MNIST."""
    whole = data.load_mnist()
    return data.ImageData(*(array[:100] for array in whole))


@pytest.fixture(scope="module")
def finished(archive, known, tmp_path_factory):
    """A run that ended well."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with known():
        assert cli.main(train(folder, archive)) == 0
    return folder


@pytest.fixture(scope="module")
def conditional(digits, known, tmp_path_factory):
    """A conditional run on digits, without evaluation."""
    folder = tmp_path_factory.mktemp("runs") / "conditional"
    with known() as patch:
        patch.setattr(data, "load_mnist", lambda: digits)
        status = cli.main(
            ["train", "tiny_conditional", "--out", str(folder), "--steps", "4", "--samples", "0"]
        )
    assert status == 0
    return folder


@pytest.fixture(scope="module")
def diverged(archive, known, tiny, tmp_path_factory):
    """A diagnosed run that did not end well, and what it wrote to standard error."""
    folder = tmp_path_factory.mktemp("runs") / "diverged"
    told = io.StringIO()
    wild = replace(tiny, schedule=lambda progress: 1e30)
    with known(tiny=wild), contextlib.redirect_stderr(told):
        status = cli.main(train(folder, archive, "--diagnose"))
    assert status == 1
    return folder, told.getvalue()


def train(folder, archive, *more, recipe="tiny"):
    return ["train", recipe, "--out", str(folder), "--data", str(archive), *more]


def content(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.name: path.read_bytes() for path in files}


def refused(capsys, arguments, *words):
    """Asserts status 2 and one line on standard error that holds the words."""
    assert cli.main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gantut")
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    return error


# --- What every command shares -------------------------------------------------------------------


def test_version_and_help_do_not_load_tensorflow():
    program = (
        "import sys; from gantut.cli import main; "
        "status = main([sys.argv[1]]); assert 'tensorflow' not in sys.modules; sys.exit(status)"
    )
    for option, words in (("--version", f"gantut {gantut.__version__}\n"), ("--help", "evaluate")):
        done = subprocess.run(
            [sys.executable, "-c", program, option], capture_output=True, text=True, check=True
        )
        assert words in done.stdout
        assert done.stderr == ""


def test_a_mistake_is_one_line_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gantut", "train", "nonsense", "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    names = ", ".join(name for name in recipes.RECIPES if not name.startswith("tiny"))
    assert done.stderr == (f"gantut train: error: unknown recipe 'nonsense'; known are {names}\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["trian"], "invalid choice: 'trian'"),
        (["train", "tiny"], "--out"),
        (["train", "tiny", "--out", "x", "--steps", "0"], "wanted an integer >= 1, got '0'"),
        (["train", "tiny", "--out", "x", "--epochs", "2.5"], "wanted an integer >= 1, got '2.5'"),
        (["train", "tiny", "--out", "x", "--seconds", "nan"], "seconds > 0, got 'nan'"),
        (["train", "tiny", "--out", "x", "--seconds", "-3"], "seconds > 0, got '-3'"),
        (["train", "tiny", "--out", "x", "--seconds", "2", "--steps", "2"], "not allowed with"),
        (["train", "tiny", "--out", "x", "--seed", "-1"], "wanted an integer >= 0, got '-1'"),
        (["train", "tiny", "--out", "x", "--size", "a"], "wanted an integer >= 1, got 'a'"),
        (["train", "tiny", "--out", "x", "--colour"], "unrecognized arguments: --colour"),
        (["sample", "x", "--out", "x.jpg"], "ending in .png or .npz, got 'x.jpg'"),
        (["sample", "x", "--out", "x.png", "-n", "0"], "wanted an integer >= 1, got '0'"),
        (["sample", "x", "--out", "x.png", "--labels", "a,b"], "like 3 or 0,1,2, got 'a,b'"),
        (["evaluate", "x", "-n", "many"], "wanted an integer >= 1, got 'many'"),
    ],
)
def test_wrong_arguments(arguments, words, capsys):
    refused(capsys, arguments, words)


def test_recipes_are_listed(capsys):
    assert cli.main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(recipes.RECIPES)
    for line, recipe in zip(lines, recipes.RECIPES.values(), strict=True):
        assert recipe.summary in line
        assert f"{recipe.gpu_steps if recipes.has_gpu() else recipe.steps:,} steps" in line


def test_data_that_cannot_be_had_is_told_in_full(tmp_path, monkeypatch, capsys):
    def unavailable():
        raise data.DataUnavailableError("MNIST is not to be had:\n- source one: gone\n- two: gone")

    monkeypatch.setattr(data, "load_mnist", unavailable)
    assert cli.main(["train", "tiny", "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "- source one: gone\n- two: gone" in error
    assert "Traceback" not in error


# --- train ---------------------------------------------------------------------------------------


def test_train_writes_a_run(finished, archive):
    assert sorted(path.name for path in finished.iterdir()) == [
        ".lock",
        "discriminator.keras",
        "generator.keras",
        "grids",
        "history.csv",
        "metrics.json",
        "run.json",
        "state.npz",
    ]
    assert sorted(path.name for path in (finished / "grids").iterdir()) == [
        f"step-{step:06d}.png" for step in range(0, 25, 2)
    ]
    record = json.loads((finished / "run.json").read_text())
    assert record["recipe"] == "tiny"
    assert record["command"] == f"gantut train tiny --out {finished} --data {archive}"
    assert (record["seed"], record["steps"], record["images"]) == (0, 24, 48)
    assert record["image_shape"] == [6, 6, 1]
    assert (record["interrupted"], record["diverged_at"]) == (False, None)
    assert 0 < record["seconds"] <= record["wall_seconds"]
    assert record["settings"]["batch_size"] == 16
    assert record["settings"]["loss"] == "non_saturating"
    assert set(record["environment"]) == {"versions", "python", "machine", "device"}
    header, *rows = (finished / "history.csv").read_text().splitlines()
    assert header == ",".join(callbacks.COLUMNS)
    assert rows[-1].startswith("24,")
    generator = keras.models.load_model(finished / "generator.keras")
    assert sample(generator, 3, seed=0).shape == (3, 6, 6, 1)


def test_own_images_are_measured_without_the_judge(finished, archive, capsys):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert set(metrics) == {"data", "samples", "seed", "memorisation", "left_out"}
    assert metrics["data"] == str(archive)
    assert "the judge reads MNIST's digits only" in metrics["left_out"]
    # Real images are compared with their nearest other one, not with themselves.
    assert metrics["memorisation"]["reference_median"] > 1
    (finished / "metrics.json").unlink()
    assert cli.main(["evaluate", str(finished)]) == 0
    assert json.loads((finished / "metrics.json").read_text()) == metrics
    out = capsys.readouterr().out
    assert "nearest training image" in out
    assert "left out" in out


def test_the_same_command_gives_the_same_weights(finished, archive, tmp_path):
    assert cli.main(train(tmp_path / "run", archive, "--samples", "0")) == 0
    for name in ("grids/step-000024.png", "grids/step-000000.png"):
        assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes()
    with np.load(finished / "state.npz") as one, np.load(tmp_path / "run" / "state.npz") as two:
        assert one.files == two.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_the_command_trains_as_the_function_does(archive, tmp_path, monkeypatch, tiny):
    def centred(build):
        def builder(shape, num_classes, mean_image=None):
            assert np.abs(mean_image).max() > 0
            return build(mean_image)

        return builder

    recipe = replace(
        tiny,
        centred=True,
        generator=centred(
            lambda mean: networks.mlp_generator(4, (6, 6, 1), widths=(8,), mean_image=mean)
        ),
        discriminator=centred(
            lambda mean: networks.mlp_discriminator((6, 6, 1), widths=(8,), mean_image=mean)
        ),
    )
    monkeypatch.setitem(recipes.RECIPES, "tiny", recipe)
    folder = tmp_path / "run"
    arguments = ("--steps", "6", "--seed", "2", "--samples", "0")
    assert cli.main(train(folder, archive, *arguments)) == 0
    gan = recipes.train(recipe, data.load_images(archive), steps=6, seed=2).gan
    with np.load(folder / "state.npz") as saved:
        for name, variable in gan.state().items():
            np.testing.assert_array_equal(saved[name], variable.numpy(), err_msg=name)


def test_a_run_is_replaced_only_when_asked(archive, tmp_path, capsys):
    folder = tmp_path / "run"
    (folder / "grids").mkdir(parents=True)
    (folder / "grids" / "step-999999.png").write_text("old")
    (folder / "run.json").write_text("{}")
    (folder / "notes.txt").write_text("mine")
    before = content(folder)
    refused(capsys, train(folder, archive), "holds a run already (run.json, grids)", "--overwrite")
    assert content(folder) == before
    # Bad input loses nothing either.
    refused(capsys, train(folder, tmp_path / "no.npz", "--overwrite"), "no.npz")
    refused(capsys, train(folder, archive, "--overwrite", recipe="dcgan"), "48")
    assert content(folder) == before
    assert cli.main(train(folder, archive, "--overwrite", "--steps", "5", "--samples", "0")) == 0
    after = content(folder)
    assert after["notes.txt"] == b"mine"
    assert json.loads(after["run.json"])["steps"] == 5
    assert "step-999999.png" not in after


def test_a_folder_that_cannot_be_written_is_noticed_before_the_data(tmp_path, monkeypatch, capsys):
    def never():
        pytest.fail("the data was loaded")

    monkeypatch.setattr(data, "load_mnist", never)
    (tmp_path / "file").write_text("")
    refused(capsys, ["train", "tiny", "--out", tmp_path / "file"], "wanted a folder, got the file")
    refused(capsys, ["train", "tiny", "--out", tmp_path / "file" / "run"], "cannot write in")

    def denied(**arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cli.tempfile, "TemporaryFile", denied)
    refused(capsys, ["train", "tiny", "--out", tmp_path / "run"], "cannot write in", "denied")


def test_bad_data_is_refused(archive, digits, tmp_path, monkeypatch, capsys, tiny):
    monkeypatch.setattr(data, "load_mnist", lambda: digits)
    run = tmp_path / "run"
    half, nan, empty = (tmp_path / name for name in ("half.npz", "nan.npz", "empty"))
    half.write_bytes(archive.read_bytes()[:200])
    np.savez(nan, images=np.full((20, 6, 6), np.nan, np.float32))
    empty.mkdir()
    refused(capsys, train(run, "fashion"), "wanted mnist, fashion_mnist", "got 'fashion'")
    refused(capsys, train(run, half), "half.npz")
    refused(capsys, train(run, nan), "nan.npz", "NaN")
    refused(capsys, train(run, empty), "empty")
    refused(capsys, train(run, "mnist", "--size", "6"), "--size is for your own images")
    refused(capsys, train(run, archive, recipe="tiny_conditional"), "needs labels")
    refused(capsys, train(run, archive, recipe="fast"), "batches of 64", "only 48")
    refused(capsys, train(run, archive, "--seed", str(2**32)), "seed must be an integer")
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, image_shape=(28, 28, 1)))
    refused(capsys, train(run, archive), "made for images of shape (28, 28, 1)")
    assert content(run) == {}


def test_own_images_are_brought_to_size_and_trained_on_in_epochs(archive, tmp_path):
    folder = tmp_path / "run"
    assert cli.main(train(folder, archive, "--size", "4", "--epochs", "2")) == 0
    record = json.loads((folder / "run.json").read_text())
    assert record["image_shape"] == [4, 4, 1]
    assert record["steps"] == 6
    assert cli.main(["evaluate", str(folder), "-n", "20"]) == 0
    assert json.loads((folder / "metrics.json").read_text())["samples"] == 20


def interrupting(tiny, times):
    """A schedule that presses Ctrl-C half way through."""

    def schedule(progress):
        if progress == 0.5:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return 1.0

    return replace(tiny, schedule=schedule)


def test_ctrl_c_saves_what_there_is(archive, tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setitem(recipes.RECIPES, "tiny", interrupting(tiny, 1))
    handler = signal.getsignal(signal.SIGINT)
    folder = tmp_path / "run"
    assert cli.main(train(folder, archive)) == 130
    assert signal.getsignal(signal.SIGINT) is handler
    record = json.loads((folder / "run.json").read_text())
    assert record["interrupted"] is True
    assert record["steps"] == 14  # the execution that was under way ends
    assert not (folder / "metrics.json").exists()
    assert (folder / "grids" / "step-000014.png").exists()
    assert "interrupted after 14 steps" in capsys.readouterr().err
    assert cli.main(["sample", str(folder), "-n", "4", "--out", str(tmp_path / "x.png")]) == 0


@pytest.fixture
def interrupts_raise():
    """Python's own handler, also where the tests run in the background and SIGINT is ignored."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("interrupts_raise")
def test_a_second_ctrl_c_drops_it(archive, tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setitem(recipes.RECIPES, "tiny", interrupting(tiny, 2))
    handler = signal.getsignal(signal.SIGINT)
    assert cli.main(train(tmp_path / "run", archive)) == 130
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (tmp_path / "run" / "run.json").exists()
    assert capsys.readouterr().err.endswith("gantut train: interrupted\n")


def test_divergence_is_told_and_good_weights_are_saved(diverged):
    folder, told = diverged
    at = json.loads((folder / "run.json").read_text())["diverged_at"]
    assert f"a loss was not finite at step {at}" in told
    generator = keras.models.load_model(folder / "generator.keras")
    assert all(np.isfinite(weight).all() for weight in generator.get_weights())
    assert not (folder / "metrics.json").exists()
    # The row of the history that shows it is written before the weights are put back.
    last = (folder / "history.csv").read_text().splitlines()[-1]
    assert last.startswith(f"{at},")
    assert "nan" in last or "inf" in last


def test_findings_are_told_as_they_come_and_written(diverged):
    folder, told = diverged
    at = json.loads((folder / "run.json").read_text())["diverged_at"]
    report = (folder / "diagnosis.txt").read_text().splitlines()
    finding = next(line for line in report if "the weights of step 0 are put back" in line)
    assert finding.startswith(f"- step {at}: A loss is not a finite number")
    assert finding.removeprefix("- ") in told.splitlines()


def test_only_gans_are_diagnosed(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "load_mnist", lambda: digits)
    arguments = ["train", "vae", "--out", tmp_path / "run", "--diagnose"]
    refused(capsys, arguments, "--diagnose reads GANs, and 'vae' trains none")
    assert content(tmp_path / "run") == {}


# --- sample --------------------------------------------------------------------------------------


def test_samples_as_arrays(finished, tmp_path, capsys):
    out = tmp_path / "x.npz"
    assert cli.main(["sample", str(finished), "-n", "7", "--out", str(out), "--seed", "5"]) == 0
    assert capsys.readouterr().out == f"{out}: 7 samples of shape (6, 6, 1)\n"
    with np.load(out) as archive:
        assert archive.files == ["images"]
        images = archive["images"]
    generator = keras.models.load_model(finished / "generator.keras")
    np.testing.assert_array_equal(images, sample(generator, 7, seed=5))
    np.testing.assert_array_equal(data.load_images(out), images)


def test_samples_as_a_picture(finished, tmp_path):
    def draw(name, *more):
        out = tmp_path / name
        assert cli.main(["sample", str(finished), "--out", str(out), *more]) == 0
        with Image.open(out) as picture:
            return picture.size, out.read_bytes()

    size, picture = draw("a.png")
    assert size == ((8 * 7 - 1) * 2,) * 2  # 64 samples
    assert draw("b.png")[1] == picture
    assert draw("c.png", "--seed", "1")[1] != picture
    assert draw("d.png", "-n", "2")[0] == ((2 * 7 - 1) * 2, 6 * 2)


def test_samples_of_classes(conditional, tmp_path, capsys):
    out = tmp_path / "x.npz"
    command = ["sample", str(conditional), "--out", str(out), "-n", "5"]
    for given, labels in (("3", [3] * 5), ("0,1", [0, 1, 0, 1, 0])):
        assert cli.main([*command, "--labels", given]) == 0
        with np.load(out) as archive:
            assert archive["labels"].tolist() == labels
            images = archive["images"]
        generator = keras.models.load_model(conditional / "generator.keras")
        np.testing.assert_array_equal(images, sample(generator, 5, np.array(labels), seed=0))
    picture = tmp_path / "x.png"
    assert (
        cli.main(
            ["sample", str(conditional), "-n", "6", "--labels", "4,5,6", "--out", str(picture)]
        )
        == 0
    )
    with Image.open(picture) as opened:
        assert opened.size == ((3 * 30 - 2) * 2, (2 * 30 - 2) * 2)
    capsys.readouterr()
    refused(capsys, [*command, "--labels", "10"], "labels must be in 0..9, got 10..10")


def test_samples_that_cannot_be_drawn(finished, tmp_path, capsys):
    out = tmp_path / "x.png"
    refused(capsys, ["sample", tmp_path / "no", "--out", out], "holds no run", "generator.keras")
    refused(capsys, ["sample", finished, "--out", out, "--labels", "1"], "takes no labels")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "generator.keras").write_bytes(
        (finished / "generator.keras").read_bytes()[:500]
    )
    refused(capsys, ["sample", tmp_path / "bad", "--out", out], "cannot be read as a Keras model")
    (tmp_path / "file").write_text("")
    refused(capsys, ["sample", finished, "--out", tmp_path / "file" / "x.png"], "cannot write")
    assert not out.exists()


# --- evaluate ------------------------------------------------------------------------------------


def test_digits_are_measured_by_the_judge(conditional, capsys):
    assert cli.main(["evaluate", str(conditional), "-n", "60"]) == 0
    metrics = json.loads((conditional / "metrics.json").read_text())
    assert (metrics["data"], metrics["samples"]) == ("mnist", 60)
    assert metrics["frechet_ratio"] == metrics["frechet_distance"] / metrics["frechet_floor"]
    assert len(metrics["class_shares"]) == 10
    assert metrics["label_agreement"] * 60 == pytest.approx(round(metrics["label_agreement"] * 60))
    out = capsys.readouterr().out
    assert "times the floor" in out
    assert f"asked for: {metrics['label_agreement']:.1%}" in out


def test_stacked_digits_are_counted_as_triples(digits, tmp_path, monkeypatch, capsys, tiny):
    monkeypatch.setattr(data, "load_mnist", lambda: digits)
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, stack=3))
    folder = tmp_path / "run"
    assert cli.main(["train", "tiny", "--out", str(folder), "--steps", "4", "--samples", "50"]) == 0
    measured = json.loads((folder / "metrics.json").read_text())
    generator = keras.models.load_model(folder / "generator.keras")
    found = evaluation.stacked_modes(sample(generator, 50, seed=0))
    assert (measured["modes"], measured["kl"]) == (found.modes, pytest.approx(found.kl))
    assert f"{found.modes} of 1,000 triples" in capsys.readouterr().out


def test_stacked_images_are_trained_on_for_a_time_and_measured_one_by_one(
    archive, tmp_path, monkeypatch, tiny
):
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, stack=3))
    folder = tmp_path / "run"
    assert cli.main(train(folder, archive, "--samples", "20", "--seconds", "0.001")) == 0
    # One execution runs, of two steps.
    assert json.loads((folder / "run.json").read_text())["steps"] == 2
    measured = json.loads((folder / "metrics.json").read_text())
    generator = keras.models.load_model(folder / "generator.keras")
    stacked = sample(generator, 20, seed=0)
    single = np.concatenate([stacked[..., c : c + 1] for c in range(3)])
    distances = metrics.nearest_training_images(single, data.load_images(archive)).distances
    expected = np.median(distances[:, 0])
    assert measured["memorisation"]["median"] == pytest.approx(expected)


def test_evaluate_refuses_what_is_no_run(tmp_path, capsys):
    refused(capsys, ["evaluate", tmp_path], "holds no run", "generator.keras")
    assert list(tmp_path.iterdir()) == []
