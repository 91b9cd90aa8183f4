"""The command does what it is asked, and tells a mistake in one line before it costs anything."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
import tiny as made
from PIL import Image

import gantut
from gantut import callbacks, cli, data, evaluation, metrics, networks, plotting, recipes, runs
from gantut.clustered import ClusteredGAN
from gantut.sampling import sample


@pytest.fixture(scope="module")
def known(tiny):
    """The recipes of these tests, among the others, for the time of a block."""
    conditional = replace(
        tiny,
        name="tiny_conditional",
        conditional=True,
        generator=partial(networks.mlp_generator, 4, widths=(8,)),
        discriminator=partial(networks.mlp_discriminator, widths=(8,)),
    )

    @contextlib.contextmanager
    def known(**instead):
        with pytest.MonkeyPatch.context() as patch:
            for name, recipe in {"tiny": tiny, conditional.name: conditional, **instead}.items():
                patch.setitem(recipes.RECIPES, name, recipe)
            yield patch

    return known


@pytest.fixture(autouse=True)
def tiny_recipes(known):
    with known():
        yield


def save_images(path, n=48, side=6, channels=(), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, side, side, *channels), "u1")
    np.savez(path, images=pixels)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """48 images of 6 x 6 pixels."""
    return save_images(tmp_path_factory.mktemp("data") / "images.npz")


@pytest.fixture(scope="module")
def digits():
    """Thirty-two images of noise, in the place of MNIST."""
    x, y = made.images(32, 28), np.arange(32) % 10
    return data.ImageData(x, y, x, y)


@pytest.fixture(scope="module")
def finished(archive, known, tmp_path_factory):
    """A run that ended well."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    told = io.StringIO()
    with known(), contextlib.redirect_stdout(told):
        assert cli.main(train(folder, archive)) == 0
    assert "48 images of 6 x 6, grey" in told.getvalue()
    return folder


@pytest.fixture(scope="module")
def conditional(known, tmp_path_factory):
    """A conditional run of digits, without a step."""
    folder = tmp_path_factory.mktemp("runs") / "conditional"
    with known():
        recipes.get("tiny_conditional").build((28, 28, 1), 10).save(folder)
    record = {"recipe": "tiny_conditional", "image_shape": [28, 28, 1], "num_classes": 10}
    (folder / "run.json").write_text(json.dumps(record))
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
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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


@pytest.mark.slow
def test_a_process_of_its_own(tmp_path):
    """A mistake is one line, whatever TensorFlow prints."""
    arguments = ["train", "nonsense", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-m", "gantut", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gantut train: error: unknown recipe 'nonsense'; known are ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"gantut {gantut.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["trian"], "trian"),
        (["train", "tiny"], "--out"),
        (["train", "tiny", "--out", "x", "--steps", "0"], "--steps"),
        (["train", "tiny", "--out", "x", "--epochs", "2.5"], "--epochs"),
        (["train", "tiny", "--out", "x", "--seconds", "nan"], "--seconds"),
        (["train", "tiny", "--out", "x", "--seconds", "-3"], "--seconds"),
        (["train", "tiny", "--out", "x", "--seconds", "2", "--steps", "2"], "not allowed with"),
        (["train", "tiny", "--out", "x", "--seed", "-1"], "--seed"),
        (["train", "tiny", "--out", "x", "--size", "a"], "--size"),
        (["train", "tiny", "--out", "x", "--size", "8x0"], "--size"),
        (["train", "tiny", "--out", "x", "--size", "8x8x1"], "--size"),
        (["train", "tiny", "--out", "x", "--colour"], "--colour"),
        (["sample", "x", "--out", "x.jpg"], "x.jpg"),
        (["sample", "x", "--out", "x.png", "-n", "0"], "-n"),
        (["sample", "x", "--out", "x.png", "--labels", "a,b"], "--labels"),
        (["evaluate", "x", "-n", "many"], "-n"),
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


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AttributeError("ours"), 70),
        (ValueError("ours"), 70),
        (TypeError("ours"), 70),
        (MemoryError("Unable to allocate"), 2),
        (OSError(28, "No space left"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_a_fault_of_ours_shows_where_and_others_are_a_line(
    error, status, finished, tmp_path, monkeypatch, capsys
):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(plotting, "save_grid", fail)
    monkeypatch.setattr(np, "savez_compressed", fail)
    assert cli.main(["sample", str(finished), "--out", str(tmp_path / "x.npz")]) == status
    told = capsys.readouterr().err
    assert ("Traceback" in told) == (status == 70)
    assert told.splitlines()[-1].startswith("gantut sample: ")
    assert os.listdir(tmp_path) == []


def test_a_fault_in_a_training_is_ours(archive, tmp_path, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise ValueError("ours")

    monkeypatch.setattr(callbacks.HistoryWriter, "on_train_begin", fail)
    assert cli.main(train(tmp_path / "run", archive)) == 70
    assert "Traceback" in capsys.readouterr().err


def test_more_samples_than_memory_holds(finished, tmp_path, capsys):
    refused(capsys, ["sample", finished, "-n", 10**14, "--out", tmp_path / "x.npz"], "memory")


def test_names_that_standard_output_cannot_encode(finished, tmp_path, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    arguments = ["sample", str(finished), "-n", "2", "--out", str(tmp_path / "日本.npz")]
    assert cli.main(arguments) == 0
    out.flush()
    assert b"2 samples" in out.buffer.getvalue()


# --- new -----------------------------------------------------------------------------------------


def test_a_new_script_is_not_written_over_another(tmp_path, capsys):
    script = tmp_path / "mine.py"
    assert cli.main(["new", str(script), "--data", 'a "folder"\\of/ü']) == 0
    text = script.read_text("utf-8")
    assert 'DATA = "a \\"folder\\"\\\\of/ü"' in text
    assert 'gan.save("mine")' in text
    compile(text, script, "exec")
    refused(capsys, ["new", script], "mine.py", "exists")
    assert script.read_text("utf-8") == text


@pytest.mark.slow
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_new_script_runs_as_it_is(channels, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 20, 20, *channels), "u1")
    (tmp_path / "images").mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "images" / f"{i}.png")
    script = tmp_path / "my_gan.py"
    assert cli.main(["new", str(script)]) == 0
    text = script.read_text()
    script.write_text(text.replace("STEPS = 4_000", "STEPS = 16"))  # but for its length
    assert text.count("STEPS = 4_000") == 1
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "features: random convolutions" in done.stdout
    assert min(Image.open(tmp_path / "my_gan.png").size) > 8 * 64
    assert sorted(path.name for path in (tmp_path / "my_gan").iterdir()) == [
        "discriminator.keras",
        "generator.keras",
        "state.npz",
    ]


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
    assert record["length"] == {"steps": 24}
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


def test_own_images_are_measured_by_a_judge_of_their_own(finished, archive, capsys):
    measured = json.loads((finished / "metrics.json").read_text())
    assert measured["data"] == str(archive)
    assert measured["judged_by"] == "random convolutions"
    assert (measured["samples"], measured["references"]) == (24, 24)
    assert measured["class_shares"] == []
    # Real images are compared with their nearest other one, not with themselves.
    assert measured["memorisation"]["reference_median"] > 1
    (finished / "metrics.json").unlink()
    assert cli.main(["evaluate", str(finished)]) == 0
    assert json.loads((finished / "metrics.json").read_text()) == measured
    out = capsys.readouterr().out
    assert "nearest training image" in out
    assert "features: random convolutions" in out


def test_the_command_trains_as_the_function_does(finished, archive, tmp_path, tiny):
    recipes.train(tiny, data.load_images(archive)).gan.save(tmp_path)
    with np.load(finished / "state.npz") as one, np.load(tmp_path / "state.npz") as two:
        assert one.files == two.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_the_networks_are_built_for_the_data(archive, tmp_path, monkeypatch, capsys, tiny):
    asked = []

    def build(self, image_shape, num_classes, seed, mean_image):
        asked.append((image_shape, seed, mean_image))
        raise ValueError("enough")

    monkeypatch.setattr(type(tiny), "build", build)
    refused(capsys, train(tmp_path / "run", archive, "--seed", "3"), "enough")
    ((shape, seed, mean_image),) = asked
    assert (shape, seed) == ((6, 6, 1), 3)
    np.testing.assert_array_equal(mean_image, data.load_images(archive).mean(axis=0))


def test_a_run_is_replaced_only_when_asked(archive, tmp_path, capsys):
    folder = tmp_path / "run"
    (folder / "grids").mkdir(parents=True)
    (folder / "grids" / "step-999999.png").write_text("old")
    (folder / "run.json").write_text("{}")
    (folder / "notes.txt").write_text("mine")
    before = content(folder)
    refused(capsys, train(folder, archive), "holds a run already (run.json, grids)", "--overwrite")
    # Bad input loses nothing either.
    refused(capsys, train(folder, tmp_path / "no.npz", "--overwrite"), "no.npz")
    refused(capsys, train(folder, archive, "--overwrite", recipe="clustered_fast"), "256 groups")
    assert content(folder) == before
    arguments = ("--overwrite", "--size", "4", "--epochs", "2", "--samples", "0")
    assert cli.main(train(folder, archive, *arguments)) == 0
    after = content(folder)
    assert after["notes.txt"] == b"mine"
    assert "grids/step-999999.png" not in after
    assert not (folder / runs.folder.REPLACED).exists()
    assert "metrics.json" not in after
    # Own images are brought to size, and trained on in epochs.
    record = json.loads(after["run.json"])
    assert (record["image_shape"], record["steps"]) == ([4, 4, 1], 6)
    assert cli.main(["evaluate", str(folder), "-n", "20"]) == 0
    assert json.loads((folder / "metrics.json").read_text())["samples"] == 20


@pytest.mark.parametrize("method", ["on_train_begin", "on_train_batch_begin"])
@pytest.mark.parametrize("killed", [False, True])
def test_what_was_there_comes_back_where_no_step_is_taken(
    killed, method, finished, archive, tmp_path, monkeypatch
):
    folder = copy(finished, tmp_path)
    before = content(folder)

    def fail(*arguments, **options):
        raise RuntimeError("before the first step")

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.SampleGrid, method, fail)
        if killed:
            patch.setattr(runs.folder, "bring_back", lambda folder: None)
        assert cli.main(train(folder, archive, "--overwrite", "--seed", "1")) == 70
    if killed:
        assert {f"{runs.folder.REPLACED}/{name}" for name in before} <= set(content(folder))
        assert cli.main(train(folder, archive, "--seed", "1")) == 2  # nobody said --overwrite
        # Whoever comes next finds it.
        assert cli.main(train(folder, archive, "--resume")) == 0
    assert content(folder) == before


def copy(run, tmp_path):
    folder = tmp_path / "copy"
    for name, content_of in content(run).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content_of)
    return folder


def test_a_folder_that_cannot_be_written_is_noticed_before_the_data(tmp_path, monkeypatch, capsys):
    def never():
        pytest.fail("the data was loaded")

    monkeypatch.setattr(data, "load_mnist", never)
    (tmp_path / "file").write_text("")
    refused(capsys, ["train", "tiny", "--out", tmp_path / "file"], "cannot write in")
    refused(capsys, ["train", "tiny", "--out", tmp_path / "file" / "run"], "cannot write in")

    def denied(**arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(runs.folder.tempfile, "TemporaryFile", denied)
    refused(capsys, ["train", "tiny", "--out", tmp_path / "run"], "cannot write in", "denied")


def test_bad_data_is_refused(archive, digits, tmp_path, monkeypatch, capsys, tiny):
    monkeypatch.setattr(data, "load_mnist", lambda: digits)
    run = tmp_path / "run"
    half, nan, empty = (tmp_path / name for name in ("half.npz", "nan.npz", "empty"))
    half.write_bytes(archive.read_bytes()[:200])
    np.savez(nan, images=np.full((20, 6, 6), np.nan, np.float32))
    empty.mkdir()
    refused(capsys, train(run, "fashion"), "--data", "'fashion'")
    refused(capsys, train(run, half), "half.npz")
    refused(capsys, train(run, nan), "nan.npz", "NaN")
    refused(capsys, train(run, empty), "empty")
    refused(capsys, train(run, "mnist", "--size", "6"), "--size is for your own images")
    refused(capsys, train(run, archive, recipe="tiny_conditional"), "needs labels", "subfolders")
    refused(capsys, train(run, archive, "--seed", str(2**32)), "seed")
    refused(capsys, train(run, archive, "--devices", "3"), "devices=3")
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, image_shape=(28, 28, 1)))
    refused(capsys, train(run, archive), "(28, 28, 1)")
    coloured = save_images(tmp_path / "coloured.npz", channels=(3,))
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, stack=3))
    refused(capsys, train(run, coloured), "grey")
    assert content(run) == {}


def test_a_folder_of_classes_trains_a_conditional_recipe(tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 6, 6), "u1")
    for i, image in enumerate(pixels):
        place = tmp_path / "own" / ("cat", "dog", "dog")[i % 3] / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)
    Image.fromarray(pixels[0]).save(tmp_path / "own" / "owl.png")
    run, own = tmp_path / "run", tmp_path / "own"
    refused(capsys, train(run, own, recipe="tiny_conditional"), "has none")
    (own / "owl").mkdir()
    (own / "owl.png").rename(own / "owl" / "0.png")
    assert cli.main(train(run, own, "--samples", "6", recipe="tiny_conditional")) == 0
    said = capsys.readouterr()
    assert "25 images of 6 x 6, grey, in 3 classes (0 cat: 8, 1 dog: 16, 2 owl: 1)" in said.out
    # One line, without the place in our code.
    assert "gantut: 1 of 3 classes have fewer examples" in said.err
    assert ".py" not in said.err
    record = json.loads((run / "run.json").read_text())
    assert (record["num_classes"], record["classes"]) == (3, ["cat", "dog", "owl"])
    assert "not measured" in said.out
    out = tmp_path / "drawn.npz"
    assert cli.main(["sample", str(run), "-n", "3", "--labels", "2", "--out", str(out)]) == 0


def test_own_images_of_another_height_than_width(archive, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.main(train(run, archive, "--size", "5x7", "--samples", "9", "--steps", "1")) == 0
    assert "48 images of 5 x 7" in capsys.readouterr().out
    assert cli.main(["evaluate", str(run), "-n", "9"]) == 0


def test_few_images_take_a_smaller_batch_with_a_word(tmp_path, capsys):
    few = save_images(tmp_path / "few.npz", n=5)
    run = tmp_path / "run"
    assert cli.main(train(run, few, "--steps", "2", "--samples", "5")) == 0
    told = capsys.readouterr().err
    assert told.count("gantut: recipe 'tiny' trains on batches of 16 samples") == 1
    record = json.loads((run / "run.json").read_text())
    assert record["settings"]["batch_size"] == 4
    assert cli.main(train(run, few, "--steps", "2", "--samples", "5", "--resume")) == 0
    said = capsys.readouterr().out
    assert "the run is finished" in said
    assert "not measured: wanted 12 images and samples or more, got 5" in said


def test_only_gans_are_diagnosed(tmp_path, monkeypatch, capsys):
    vae = replace(recipes.get("vae"), batch_size=16)
    monkeypatch.setitem(recipes.RECIPES, "vae", vae)
    arguments = train(tmp_path / "run", save_images(tmp_path / "x.npz"), "--diagnose", recipe="vae")
    refused(capsys, arguments, "--diagnose reads GANs, and 'vae' trains none")
    assert content(tmp_path / "run") == {}


def test_a_recipe_with_groups_needs_no_labels(tmp_path, monkeypatch, capsys, tiny):
    generator = partial(networks.mlp_generator, 4, widths=(8,), draws_label=True)
    told = partial(networks.mlp_discriminator, widths=(8,))
    grouped = replace(tiny, generator=generator, discriminator=told, model=ClusteredGAN, clusters=3)
    monkeypatch.setitem(recipes.RECIPES, "tiny", grouped)
    run, archive, drawn = tmp_path / "run", save_images(tmp_path / "x.npz"), tmp_path / "drawn.npz"
    assert cli.main(train(run, archive, "--diagnose")) == 0
    assert cli.main(["sample", str(run), "-n", "5", "--out", str(drawn)]) == 0
    with np.load(drawn) as arrays:
        assert arrays.files == ["images"]
        assert arrays["images"].shape[0] == 5
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(grouped, clusters=49))
    capsys.readouterr()
    refused(capsys, train(tmp_path / "more", archive), "49 groups", "only 48")


# --- Going on ------------------------------------------------------------------------------------


def test_another_training_is_neither_finished_nor_gone_on_with(
    finished, archive, tmp_path, capsys, monkeypatch, tiny
):
    before = content(finished)

    def resume(*more, images=archive, recipe="tiny"):
        return train(finished, images, "--resume", *more, recipe=recipe)

    other = save_images(tmp_path / "other.npz", seed=1)
    more = save_images(tmp_path / "more.npz", n=60)
    coloured = save_images(tmp_path / "coloured.npz", channels=(3,))
    monkeypatch.setitem(recipes.RECIPES, "tiny2", replace(tiny, name="tiny2"))
    refused(capsys, resume(recipe="tiny2"), "recipe 'tiny' there, 'tiny2' here")
    refused(capsys, resume("--steps", "48", "--seed", "7"), "seed 0 there, 7", "{'steps': 48} here")
    refused(capsys, resume("--seconds", "3"), "length")
    refused(capsys, resume(images=other), "fingerprint")
    refused(capsys, resume(images=more), "images 48 there, 60 here")
    refused(capsys, resume(images=coloured), "image_shape")
    refused(capsys, resume("--size", "4"), "image_shape")
    for changed in ({"loss": "hinge"}, {"penalties": {"r1": 1.0}}, {"ema": None}):
        monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, **changed))
        refused(capsys, resume(), *(f"setting {name}" for name in changed))
    monkeypatch.setitem(recipes.RECIPES, "tiny", tiny)
    # Images that have moved are the same images, in whatever order they are stored.
    moved = tmp_path / "moved.npz"
    with np.load(archive) as arrays:
        np.savez(moved, images=np.asfortranarray(arrays["images"]))
    capsys.readouterr()
    assert cli.main(resume(images=moved)) == 0
    assert "is finished, at 24 steps" in capsys.readouterr().out
    assert content(finished) == before


def test_records_that_say_too_little_are_told(finished, archive, tmp_path, capsys):
    folder = copy(finished, tmp_path)
    sampling = ["sample", folder, "--out", tmp_path / "x.npz"]
    for text, word in (("{", "damaged"), ("[]", "damaged"), ("{}", "lacks recipe")):
        (folder / "run.json").write_text(text)
        refused(capsys, sampling, "run.json", word)
        refused(capsys, train(folder, archive, "--resume"), "run.json", word)
    (folder / "run.json").unlink()
    refused(capsys, sampling, "holds no run")


def test_checkpoints_that_cannot_be_read_are_told(finished, archive, tmp_path, capsys):
    folder = copy(finished, tmp_path)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "step-000012.npz").write_bytes(b"half")
    before = content(folder)
    assert cli.main(train(folder, archive, "--resume")) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("gantut train: error: --resume: no checkpoint can be read")
    assert content(folder) == before


def test_a_finished_run_that_was_not_measured_is_measured(finished, archive, tmp_path, capsys):
    folder = copy(finished, tmp_path)
    (folder / "metrics.json").unlink()
    assert cli.main(train(folder, archive, "--resume", "--samples", "0")) == 0
    assert not (folder / "metrics.json").exists()
    assert cli.main(train(folder, archive, "--resume")) == 0
    assert (folder / "metrics.json").read_bytes() == (finished / "metrics.json").read_bytes()


# --- Signals -------------------------------------------------------------------------------------


@pytest.fixture
def interrupts_raise():
    """Python's own handler, also where the tests run in the background and SIGINT is ignored."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("interrupts_raise")
def test_a_second_ctrl_c_drops_it(archive, tmp_path, tiny, monkeypatch, capsys):
    def twice(progress):
        if progress == 0.5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return 1.0

    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, schedule=twice))
    handler = signal.getsignal(signal.SIGINT)
    folder = tmp_path / "run"
    assert cli.main(train(folder, archive)) == 130
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (folder / "state.npz").exists()
    assert capsys.readouterr().err.endswith("gantut train: interrupted\n")
    refused(capsys, ["sample", folder, "--out", tmp_path / "x.npz"], "holds no run", "state.npz")


def test_a_thread_that_is_not_the_main_one_trains(archive, tmp_path, monkeypatch):
    """Python lets it listen to no signal."""

    def at_once(recipe, x, y, *, gan, **options):
        return recipes.Run(gan=gan, history={}, seconds=0.0, cpu_seconds=0.0, steps=24)

    monkeypatch.setattr(recipes, "train", at_once)
    folder = tmp_path / "run"
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(cli.main, train(folder, archive, "--samples", "0"))
    assert done.result() == 0
    assert json.loads((folder / "run.json").read_text())["interrupted"] is False


# --- What goes wrong in a training -----------------------------------------------------------


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


# --- sample --------------------------------------------------------------------------------------


def test_samples_as_arrays(finished, tmp_path, capsys):
    out = tmp_path / "x.npz"
    arguments = ["sample", str(finished), "-n", "7", "--out", str(out), "--seed", "5"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f"{out}: 7 samples of shape (6, 6, 1)\n"
    with np.load(out) as arrays:
        assert arrays.files == ["images"]
        images = arrays["images"]
    generator = keras.models.load_model(finished / "generator.keras")
    np.testing.assert_array_equal(images, sample(generator, 7, seed=5))
    np.testing.assert_array_equal(data.load_images(out), images)
    assert cli.main([*arguments, "--trust-keras-file"]) == 0
    np.testing.assert_array_equal(data.load_images(out), images)


def test_samples_as_a_picture(finished, tmp_path):
    def draw(name, *more):
        out = tmp_path / name
        assert cli.main(["sample", str(finished), "--out", str(out), *more]) == 0
        with Image.open(out) as picture:
            return picture.size, out.read_bytes()

    size, picture = draw("a.png")
    assert size == ((8 * 7 - 1) * 2,) * 2  # 64 samples
    assert draw("c.png", "--seed", "1")[1] != picture
    assert draw("d.png", "-n", "2")[0] == ((2 * 7 - 1) * 2, 6 * 2)


def test_samples_as_files(finished, tmp_path, capsys):
    folder, again = tmp_path / "samples", ["sample", finished, "-n", "7", "--out"]
    assert cli.main([*map(str, again), str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir())[-1] == "000006.png"
    drawn = sample(keras.models.load_model(finished / "generator.keras"), 7, seed=0)
    np.testing.assert_allclose(data.load_images(folder), drawn, atol=1 / 255)
    capsys.readouterr()
    refused(capsys, [*again, folder], "wanted a new or an empty folder")


def test_samples_of_classes(conditional, tmp_path, capsys):
    out = tmp_path / "x.npz"
    command = ["sample", str(conditional), "--out", str(out), "-n", "5"]
    generator = keras.models.load_model(conditional / "generator.keras")
    for given, labels in (("3", [3] * 5), ("0,1", [0, 1, 0, 1, 0])):
        assert cli.main([*command, "--labels", given]) == 0
        with np.load(out) as arrays:
            assert arrays["labels"].tolist() == labels
            images = arrays["images"]
        np.testing.assert_array_equal(images, sample(generator, 5, np.array(labels), seed=0))
    picture = tmp_path / "x.png"
    arguments = ["sample", str(conditional), "-n", "6", "--labels", "4,5,6", "--out", str(picture)]
    assert cli.main(arguments) == 0
    with Image.open(picture) as opened:
        assert opened.size == ((3 * 30 - 2) * 2, (2 * 30 - 2) * 2)
    capsys.readouterr()
    refused(capsys, [*command, "--labels", "10"], "labels must be in 0..9")


def test_samples_that_cannot_be_drawn(finished, tmp_path, capsys):
    out = tmp_path / "x.png"
    refused(capsys, ["sample", tmp_path / "no", "--out", out], "holds no run", "run.json")
    refused(capsys, ["sample", finished, "--out", out, "--labels", "1"], "takes no labels")
    (tmp_path / "file").write_text("")
    refused(capsys, ["sample", finished, "--out", tmp_path / "file" / "x.png"], "cannot write")
    folder = copy(finished, tmp_path)
    whole = (folder / "state.npz").read_bytes()
    (folder / "state.npz").write_bytes(whole[:-500])
    refused(capsys, ["sample", folder, "--out", out], "state.npz is damaged")
    (folder / "generator.keras").write_bytes(whole)
    trusting = ["sample", folder, "--out", out, "--trust-keras-file"]
    refused(capsys, trusting, "generator.keras", "cannot be read as a Keras model")
    (folder / "state.npz").write_bytes(whole)
    # What only others open is not looked at.
    assert cli.main(["sample", str(folder), "--out", str(tmp_path / "x.npz")]) == 0
    assert not out.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"image_shape": [6000, 6000, 1]},
        {"image_shape": [7, 6, 1]},
        {"image_shape": "6 6 1"},
        {"num_classes": 10**9},
        {"recipe": "tiny_conditional"},
        {"recipe": "nonsense"},
        {"recipe": ["tiny"]},
    ],
)
def test_a_record_asks_for_no_more_than_the_weights(changes, finished, tmp_path, capsys):
    folder = copy(finished, tmp_path)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, **changes}))
    refused(capsys, ["sample", folder, "--out", tmp_path / "x.npz"])


def test_networks_of_python_are_opened_where_the_file_is_trusted(tiny, tmp_path, capsys):
    tiny.build((6, 6, 1)).save(tmp_path / "run")
    command = ["sample", str(tmp_path / "run"), "-n", "2", "--out", str(tmp_path / "x.npz")]
    refused(capsys, command, "holds no run", "--trust-keras-file")
    assert cli.main([*command, "--trust-keras-file"]) == 0
    archive = zipfile.ZipFile(tmp_path / "run" / "generator.keras")
    members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b"LeakyReLU", b"TFSMLayer")
    with zipfile.ZipFile(tmp_path / "run" / "generator.keras", "w") as changed:
        for name, part in members.items():
            changed.writestr(name, part)
    refused(capsys, [*command, "--trust-keras-file"], "asks for 'TFSMLayer'")


# --- evaluate ------------------------------------------------------------------------------------


def test_digits_are_measured_by_the_judge(conditional, digits, monkeypatch, capsys):
    class Found:
        def __str__(self):
            return "as told"

        def to_dict(self):
            return {"frechet_ratio": 2.0}

    def evaluate(images, *, data, seed):
        assert (images.shape, data, seed) == ((60, 28, 28, 1), digits, 0)
        return Found()

    monkeypatch.setattr(data, "load_mnist", lambda: digits)
    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    assert cli.main(["evaluate", str(conditional), "-n", "60"]) == 0
    measured = json.loads((conditional / "metrics.json").read_text())
    assert (measured["data"], measured["samples"], measured["frechet_ratio"]) == ("mnist", 60, 2.0)
    assert measured["label_agreement"] * 60 == pytest.approx(
        round(measured["label_agreement"] * 60)
    )
    out = capsys.readouterr().out
    assert "as told" in out
    assert f"asked for: {measured['label_agreement']:.1%}" in out


def test_conditional_samples_of_own_classes_are_read(tmp_path, capsys):
    """A generator that asked for a class draws its images, and is read so."""
    x = np.where(np.arange(6)[:, None, None] < 3, 255, 0) * np.ones((80, 6, 6, 1))
    x[::2] = 255 - x[::2]
    noise = np.random.default_rng(0).integers(-30, 31, x.shape)
    archive = tmp_path / "own.npz"
    np.savez(archive, images=np.clip(x + noise, 0, 255).astype("u1"), labels=np.arange(80) % 2)
    inputs, latent_and_class = networks.parts.latent_and_label(2, 2)
    pixels = keras.layers.Dense(36, use_bias=False)
    g = keras.Model(inputs, keras.layers.Reshape((6, 6, 1))(pixels(latent_and_class)))
    picture = np.where(np.arange(36) < 18, 0.9, -0.9)
    pixels.set_weights([np.stack([0 * picture, 0 * picture, -picture, picture])])
    images = runs.load_data(str(archive), None)
    runs.measure(g, images, 80, 0, tmp_path)
    measured = json.loads((tmp_path / "metrics.json").read_text())
    assert measured["judged_by"].startswith("a classifier by your labels, 100% right")
    assert measured["label_agreement"] == 1
    assert measured["class_shares"] == pytest.approx([0.5, 0.5], abs=0.3)
    assert "asked for: 100.0%" in capsys.readouterr().out


def test_stacked_digits_are_counted_as_triples(digits, tmp_path, monkeypatch, capsys, tiny):
    monkeypatch.setattr(data, "load_mnist", lambda: digits)
    generator = replace(tiny, stack=3).build((28, 28, 1)).ema_generator
    runs.measure(generator, runs.load_data("mnist", None), 50, 0, tmp_path)
    measured = json.loads((tmp_path / "metrics.json").read_text())
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
    single = np.stack([stacked[..., c : c + 1] for c in range(3)], axis=1).reshape(60, 6, 6, 1)
    # No more of them than there are images for the floor.
    assert measured["samples"] == 24
    distances = metrics.nearest_training_images(single[:24], data.load_images(archive)).distances
    assert measured["memorisation"]["median"] == pytest.approx(np.median(distances[:, 0]))


def test_data_that_moved_or_changed_is_asked_for(finished, archive, tmp_path, capsys):
    folder = copy(finished, tmp_path)
    command = ["evaluate", folder, "-n", "20"]
    record = json.loads((folder / "run.json").read_text())
    gone = tmp_path / "gone.npz"
    (folder / "run.json").write_text(json.dumps({**record, "data": str(gone)}))
    refused(capsys, command, "gone.npz", "--data")
    for changed in ({"n": 40}, {"channels": (3,)}, {"seed": 1}):
        save_images(gone, **changed)
        refused(capsys, command, "other images", "--data")
    # The same ones, or others on purpose.
    for path in (archive, save_images(gone, seed=1)):
        assert cli.main([str(part) for part in (*command, "--data", path)]) == 0
        assert json.loads((folder / "metrics.json").read_text())["data"] == str(path)
    save_images(gone, side=5)
    refused(capsys, [*command, "--data", gone], "(6, 6, 1)", "(5, 5, 1)")
    # A record of before there was a fingerprint.
    (folder / "run.json").write_text(
        json.dumps({k: v for k, v in record.items() if k != "fingerprint"})
    )
    assert cli.main([str(part) for part in command]) == 0


def test_weights_that_make_no_images_are_told(finished, tmp_path, capsys):
    folder = copy(finished, tmp_path)
    with np.load(folder / "state.npz") as arrays:
        broken = {name: np.full_like(arrays[name], np.nan) if arrays[name].dtype == np.float32
                  else arrays[name] for name in arrays.files}  # fmt: skip
    np.savez(folder / "state.npz", **broken)
    refused(capsys, ["evaluate", folder, "-n", "20"], "samples")
    refused(capsys, ["sample", folder, "--out", tmp_path / "x.png"], "images")


def test_evaluate_refuses_what_is_no_run(tmp_path, capsys):
    refused(capsys, ["evaluate", tmp_path], "holds no run")
    assert list(tmp_path.iterdir()) == []
