"""gantut._files: files appear whole or not at all, and archives from elsewhere cost no memory."""

import io
import json
import os
import platform
import stat

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gantut
from gantut._files import DEFLATED, Npz, atomic_write, environment, remove_leftovers, write_json


def test_writes_beside_the_target_then_moves(tmp_path):
    target = tmp_path / "new" / "folder" / "x.tar.gz"
    with atomic_write(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".tar.gz")
        assert temporary != target
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["x.tar.gz"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "x.txt"
    target.write_text("old")

    def fail():
        with atomic_write(target) as temporary:
            temporary.write_text("half of the new")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]
    with atomic_write(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupt():
        with atomic_write(tmp_path / "x.txt") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert os.listdir(tmp_path) == []


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    for name in ("run.json", "step-000001.npz", "x"):
        with atomic_write(tmp_path / name) as temporary:
            temporary.write_text("whole")
            left = temporary.name.replace("-", "-0", 1)  # as another process would
            (tmp_path / left).write_text("half")
    (tmp_path / ".lock").write_text("mine")
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "run.json", "step-000001.npz", "x"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_files_have_the_usual_mode(tmp_path, umask):
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "x") as temporary:
            temporary.write_text("x")
        (tmp_path / "plain").write_text("x")
        mode, plain = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("x", "plain"))
        assert os.umask(umask) == umask  # and the process' own mask is as it was
    finally:
        os.umask(before)
    assert mode == plain == 0o666 & ~umask


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path / "file" / "x.json", tmp_path / "file" / "deep" / "x.json"):
        with pytest.raises(OSError, match=r"cannot write 'x\.json' in '.*file") as caught:
            write_json(target, {})
        assert caught.value.errno
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="the administrator may write anywhere"
)
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=r"cannot write 'x\.json' in"):
        write_json(tmp_path / "x.json", {})


def test_write_json(tmp_path):
    write_json(tmp_path / "x.json", {"b": 1, "a": [0.5, None]})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")
    assert json.loads(text) == {"a": [0.5, None], "b": 1}
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "x.json", {"b": object()})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [0.5, None], "b": 1}


def test_environment():
    import keras
    import tensorflow as tf

    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["versions"] == {
        "gantut": gantut.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "tensorflow": tf.__version__,
    }
    assert found["python"] == platform.python_version()
    assert found["machine"] == f"{platform.machine()}, {os.cpu_count()} cores"
    assert (found["device"] == "CPU") == (not tf.config.list_physical_devices("GPU"))


# --- Archives ------------------------------------------------------------------------------------


def archive(arrays, compress):
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **arrays)
    return file.getvalue()


ARRAYS = {
    "images": np.arange(24, dtype="u1").reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.ones((3, 2), ">i8")),
    "words": np.array(["a", "bc"]),
    "none": np.zeros((0, 3), "f4"),
}


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_are_read_as_they_were_written(compress):
    with Npz(io.BytesIO(archive(ARRAYS, compress))) as read:
        assert read.files == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert read.header(name) == (array.shape, array.dtype)
            np.testing.assert_array_equal(read[name], array)
        with pytest.raises(ValueError, match="no array 'x'"):
            read["x"]


WHOLE = [archive(ARRAYS, compress) for compress in (False, True)]
# A flipped byte, a cut, a piece left out or doubled, a number that means too much, a longer shape.
CHANGES = st.lists(
    st.tuples(st.integers(0, 6), st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


def changed(data, changes):
    for kind, place, value in changes:
        at = int(place * len(data))
        to = at + value % 40
        if kind == 0:
            data = data[:at] + bytes([value]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at]
        elif kind == 2:
            data = data[:at] + data[to:]
        elif kind == 3:
            data = data[:to] + data[at:]
        elif kind == 4:
            number = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)[value % 5]
            data = data[:at] + number.to_bytes(4, "little") + data[at + 4 :]
        else:
            data = data.replace(b"'shape': (", b"'shape': (" + b"9" * (value % 25), kind - 4)
    return data


@settings(max_examples=300, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(whole=st.sampled_from(WHOLE), changes=CHANGES)
def test_a_damaged_archive_is_a_value_error_and_no_larger_than_it_can_be(whole, changes):
    data = changed(whole, changes)
    try:
        with Npz(io.BytesIO(data)) as read:
            size = sum(read[name].nbytes for name in read.files)
    except ValueError:
        return
    assert size <= DEFLATED * len(data)


def test_arrays_of_objects_are_not_opened():
    with Npz(io.BytesIO(archive({"x": np.array([{}], object), "y": np.ones(2)}, False))) as read:
        assert read["y"].shape == (2,)
        with pytest.raises(ValueError, match="Object arrays"):
            read["x"]
