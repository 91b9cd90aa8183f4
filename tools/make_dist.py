"""Builds the wheel, the source package and a zip of the built book into dist/ and checks them."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from project import BUILD, ROOT

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


def zip_book(html: Path, target: Path) -> None:
    """Packs the built book: unpacked, it opens by a double click on its index.html.

    The same pages give the same bytes, whenever they are packed.

    Args:
        html: The folder of the built pages.
        target: The zip file to write; its pages lie in a folder of the file's name.

    Raises:
        FileNotFoundError: The book is not built.
    """
    if not (html / "index.html").is_file():
        raise FileNotFoundError(f"{html / 'index.html'} is not there: run make book first")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(html.rglob("*")):
            if path.is_file() and path.name != ".buildinfo":
                inside = zipfile.ZipInfo(f"{target.stem}/{path.relative_to(html).as_posix()}")
                inside.compress_type = zipfile.ZIP_DEFLATED
                inside.external_attr = 0o644 << 16
                archive.writestr(inside, path.read_bytes())


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
    book = DIST / f"gantut-book-{__version__}.zip"
    try:
        zip_book(BUILD / "html", book)
    except FileNotFoundError as error:
        sys.exit(str(error))
    for path in (wheel, book):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
