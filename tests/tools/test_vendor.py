"""What the pages load comes from npm once, and from node_modules from then on."""

import json
import subprocess

import pytest
import vendor

LOCK = {"packages": {"": {"name": "x"}, "node_modules/a": {"version": "1.0.0", "integrity": "h"}}}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with a lock that names one package."""
    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    monkeypatch.setattr(vendor, "LOCK", tmp_path / "package-lock.json")
    monkeypatch.setattr(vendor, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(vendor, "STATIC", tmp_path / "_build/static")
    monkeypatch.setattr(vendor, "COPIES", (("a/s.js", "x/s.js"), ("a/fonts", "x/fonts")))
    vendor.LOCK.write_text(json.dumps(LOCK))
    return tmp_path


def npm_installs(arguments, folder, lock=LOCK):
    """What npm would do with LOCK."""
    assert arguments[0] == "ci"
    assert "--ignore-scripts" in arguments
    package = folder / "node_modules/a"
    (package / "fonts").mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "s.js", "fonts/f.woff"):
        (package / name).write_text("{}")
    (folder / "node_modules/.package-lock.json").write_text(json.dumps(lock))
    return subprocess.CompletedProcess(arguments, 0, "", "")


def no_npm(arguments, folder):
    raise AssertionError("npm was called")


def test_the_lock_names_hashes_and_no_host():
    text = vendor.LOCK.read_text("utf-8")
    assert "://" not in text
    entries = {k: v for k, v in json.loads(text)["packages"].items() if k}
    assert {"node_modules/mathjax", "node_modules/@tensorflow/tfjs-core"} <= set(entries)
    for folder, entry in entries.items():
        assert entry["integrity"].startswith("sha512-"), folder
        assert "resolved" not in entry, folder
    settings = (vendor.ROOT / ".npmrc").read_text("utf-8")
    assert "omit-lockfile-registry-resolved=true" in settings
    assert "://" not in settings


def test_the_lock_is_of_package_json():
    wanted = json.loads((vendor.ROOT / "package.json").read_text("utf-8"))
    root = json.loads(vendor.LOCK.read_text("utf-8"))["packages"][""]
    for kind in ("dependencies", "devDependencies"):
        assert root[kind] == wanted[kind]
    # Only what a page loads is copied; axe-core is for the tests.
    assert {source.split("/es5")[0].split("/dist")[0] for source, _ in vendor.COPIES} == {
        "mathjax",
        "@tensorflow/tfjs-backend-cpu",
        "@tensorflow/tfjs-core",
        "mathjax/LICENSE",
    }
    assert list(wanted["devDependencies"]) == ["axe-core"]


def test_npm_is_asked_once(clone, monkeypatch):
    assert not vendor.is_installed()
    monkeypatch.setattr(vendor, "run_npm", npm_installs)
    vendor.install()
    monkeypatch.setattr(vendor, "run_npm", no_npm)
    vendor.install()
    (vendor.STATIC / "old").mkdir(parents=True)
    vendor.copy()
    files = [path for path in vendor.STATIC.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(vendor.STATIC).as_posix() for path in files) == [
        "x/fonts/f.woff",
        "x/s.js",
    ]
    # An installation of another version or one that broke off is not taken for the lock's.
    for field in ("version", "integrity"):
        other = json.loads(json.dumps(LOCK))
        other["packages"]["node_modules/a"][field] = "other"
        npm_installs(["ci", "--ignore-scripts"], clone, other)
        assert not vendor.is_installed()
    npm_installs(["ci", "--ignore-scripts"], clone)
    assert vendor.is_installed()
    (clone / "node_modules/.package-lock.json").unlink()
    assert not vendor.is_installed()


def test_no_network_is_said_with_the_way_out(clone, monkeypatch):
    def offline(arguments, folder):
        return subprocess.CompletedProcess(arguments, 1, "", "npm error code ENOTFOUND")

    monkeypatch.setattr(vendor, "run_npm", offline)
    with pytest.raises(SystemExit, match=r"(?s)ENOTFOUND.*once with a network.*node_modules"):
        vendor.install()

    def missing(arguments, folder):
        raise FileNotFoundError("no npm on the PATH")

    monkeypatch.setattr(vendor, "run_npm", missing)
    with pytest.raises(SystemExit, match="no npm on the PATH"):
        vendor.install()


def test_a_lock_that_npm_did_not_follow_is_noticed(clone, monkeypatch):
    monkeypatch.setattr(
        vendor, "run_npm", lambda a, f: subprocess.CompletedProcess(a, 0, "", "warned")
    )
    with pytest.raises(SystemExit, match="is not what package-lock"):
        vendor.install()


def test_a_lock_is_written_without_the_addresses_of_sponsors():
    lock = {"packages": {"a": {"version": "1", "funding": {"url": "https://a.org"}}, "": {}}}
    assert vendor.without_hosts(lock) == {"packages": {"a": {"version": "1"}, "": {}}}
