"""What is shipped works: a source distribution, a wheel from it alone, a fresh environment, a lookup there.

Needs no network: the build runs in this environment, and the one dependency is copied from it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pyalias

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
NOT_SOURCES = (
    "*.so",
    "*.pyc",
    "__pycache__",
    ".venv",
    ".git",
    "build",
    "dist",
    "*.egg-info",
    ".*_cache",
    ".hypothesis",
)


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; -O0 since nothing here is about speed."""
    environment = os.environ | {"PYALIAS_CFLAGS": "-O0"}
    done = subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, target: Path) -> Path:
    """One call of the build backend, as pip and build make it."""
    target.mkdir()
    program = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(target)!r}))"
    run(sys.executable, "-c", program, cwd=source)
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, base / "source", ignore=shutil.ignore_patterns(*NOT_SOURCES))
    return build("sdist", base / "source", base / "built")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(base)  # noqa: S202 built a moment ago
    (source,) = base.iterdir()
    return build("wheel", source, base / "built")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, cffi, and nothing else."""
    base = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", base / "venv", cwd=base)
    (site,) = (base / "venv" / "lib").glob("python*/site-packages")
    installed = Path(sysconfig.get_path("platlib"))
    for part in [*installed.glob("_cffi_backend*"), *installed.glob("cffi*"), *installed.glob("pycparser*")]:
        (shutil.copytree if part.is_dir() else shutil.copy)(part, site / part.name)
    python = base / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=base)
    return python


def in_environment(python: Path, arguments: Sequence[str | Path]) -> str:
    """From an empty directory, so that nothing of the source tree is found."""
    empty = python.parent.parent / "empty"
    empty.mkdir(exist_ok=True)
    return run(python, *arguments, cwd=empty)


def test_sdist_has_all_that_tests_and_builds_need(sdist: Path):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = [path for folder in ("csrc", "pyalias") for path in (ROOT / folder).rglob("*")]
    wanted = {str(path.relative_to(ROOT)) for path in sources if path.suffix in (".py", ".pyi", ".c", ".h")}
    wanted |= {"Makefile", "README.md", "LICENSE", "CHANGELOG.md", "docs/format.md", "tests/test_index.py"}
    assert wanted - names == set()
    assert {name for name in names if name.endswith((".so", ".pyc", ".o")) or ".venv" in name} == set()


def test_wheel_holds_the_package_and_nothing_else(wheel: Path):
    assert wheel.name.startswith(f"pyalias_kmod-{pyalias.__version__}-cp311-abi3-")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pyalias").rglob("*.py")}
    modules |= {str(path.relative_to(ROOT)) for path in (ROOT / "pyalias" / "report" / "page").iterdir()}
    assert modules - names == set()
    assert {"pyalias/py.typed", "pyalias/_native.pyi", "pyalias/_native.abi3.so"} <= names
    assert {name.partition("/")[0] for name in names} == {
        "pyalias",
        f"pyalias_kmod-{pyalias.__version__}.dist-info",
    }
    assert [name for name in names if name.endswith((".c", ".h"))] == []


def test_import_and_lookup_in_a_fresh_environment(environment: Path, kernel_dirs: dict[str, Path]):
    program = """
import sys, pyalias
index = pyalias.AliasIndex.from_modules(sys.argv[1])
print(pyalias.__version__, *index.lookup("auxiliary:i915.mei-gsc"))
answers = index.lookup_many(["auxiliary:i915.mei-gsc", "x"])
print(list(answers), len(answers.__arrow_c_array__()))
"""
    modules = kernel_dirs["6.12.117-amd64"]
    lines = in_environment(environment, ["-c", program, modules]).splitlines()
    assert lines == [f"{pyalias.__version__} mei_gsc mei_gsc", "[('mei_gsc', 'mei_gsc'), ()] 2"]


def test_command_in_a_fresh_environment(environment: Path, kernel_dirs: dict[str, Path], tmp_path: Path):
    command = environment.parent / "pyalias"
    modules = kernel_dirs["6.12.117-amd64"]
    assert run(command, "lookup", "--modules", modules, "cxl:t3", cwd=tmp_path) == "cxl_port\n"
    assert run(command, "--version", cwd=tmp_path) == f"pyalias {pyalias.__version__}\n"
