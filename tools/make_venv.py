"""Makes .venv and installs the project there; quick when that is done already.

Run by the machine's own Python, so it uses the standard library alone.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "gantut-installed.json"
OLDEST, TOO_NEW = (3, 11), (3, 14)


def venv_python(venv: Path = VENV) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def has_gpu() -> bool:
    """Whether ``nvidia-smi`` lists a GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        said = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and "GPU " in said.stdout


def check_python(version: tuple[int, ...]) -> None:
    """Ends the program, saying why, if this Python is not one that the project supports."""
    if not OLDEST <= version[:2] < TOO_NEW:
        name = ".".join(map(str, version[:3]))
        sys.exit(
            f"Python 3.11, 3.12 or 3.13 is needed, this is {name} ({sys.executable}). "
            "With make, name another one: make PYTHON=python3.12 book"
        )


def wanted_stamp(extras: list[str]) -> dict[str, str]:
    """What the environment must have been made from to be up to date."""
    version = re.search(
        r'^__version__ = "(.+)"$', (ROOT / "gantut/__init__.py").read_text("utf-8"), re.MULTILINE
    )
    return {
        "pyproject": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        "version": version[1] if version else "",
        "extras": ",".join(extras),
        "root": str(ROOT),
    }


def is_current(wanted: dict[str, str]) -> bool:
    """Whether .venv has an interpreter that starts and was installed from ``wanted``."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(stamp == wanted) and starts()


def starts() -> bool:
    """Whether .venv's interpreter runs, is a supported one and has pip."""
    test = (
        "import sys, importlib.util as u; "
        f"sys.exit(not ({OLDEST} <= sys.version_info[:2] < {TOO_NEW} and u.find_spec('pip')))"
    )
    try:
        return subprocess.run([venv_python(), "-c", test], check=False).returncode == 0
    except OSError:
        return False


def main() -> None:
    """Makes the environment, or finds that it is there."""
    check_python(sys.version_info[:3])
    extras = ["book", "test", *(["gpu"] if has_gpu() else [])]
    wanted = wanted_stamp(extras)
    if is_current(wanted):
        return
    if not starts():
        print(f"Making {VENV}", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False)
        if made.returncode:
            sys.exit(
                f"{sys.executable} -m venv failed. On Debian and Ubuntu it needs one more package: "
                "apt install python3-venv"
            )
    print(f"Installing gantut[{','.join(extras)}] into {VENV}: some minutes", flush=True)
    STAMP.unlink(missing_ok=True)
    command = [str(venv_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run(
        [*command, "-e", f".[{','.join(extras)}]"], cwd=ROOT, check=False
    ).returncode
    if installed:
        sys.exit("pip could not install the project: its message stands above")
    STAMP.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
