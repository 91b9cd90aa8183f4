"""Builds the wheel and the source package into dist/ and checks what is in them."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from project import ROOT

from gantut import __version__

DIST = ROOT / "dist"


def tag_problem(tag: str, version: str) -> str | None:
    """Why a release must not be made from ``tag``, or None; "" is no tag."""
    if tag and tag != f"v{version}":
        return f"the tag is {tag}, the version in gantut/__init__.py is {version}"
    return None


def wheel_problems(wheel: Path, package: Path, results: Path) -> list[str]:
    """What the wheel lacks of ``package`` and of ``results``, and what it has and should not."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {f"{package.name}/results/{path.name}" for path in results.iterdir()}
    problems = [f"{wheel.name} lacks {name}" for name in sorted(wanted - inside)]
    return problems + [f"{wheel.name} has {name}" for name in sorted(inside - wanted)]


def main() -> None:
    """Builds into an empty dist/."""
    on_tag = os.environ.get("GITHUB_REF_TYPE") == "tag"
    tag = os.environ.get("GITHUB_REF_NAME", "") if on_tag else ""
    if problem := tag_problem(tag, __version__):
        sys.exit(problem)
    shutil.rmtree(DIST, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT)]
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)
    (wheel,) = DIST.glob("*.whl")
    if problems := wheel_problems(wheel, ROOT / "gantut", ROOT / "benchmarks" / "results"):
        sys.exit("\n".join(problems))
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
