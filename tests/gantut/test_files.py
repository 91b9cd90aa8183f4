"""gantut._files: files appear whole or not at all."""

import json
import os
import platform
import stat

import numpy as np
import pytest

import gantut
from gantut._files import atomic_write, environment, write_json


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
