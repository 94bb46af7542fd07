"""The same input gives the same bytes: on every machine, in every run, in whatever order Python hashes.

``python tests/test_golden_image.py`` writes the digests anew, after a change of format or compiler.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # when run as a program

import pytest
from support.tables import DATA, RELEASES

from pyalias import AliasIndex

GOLDEN = DATA / "golden_images.json"


def digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


@pytest.mark.parametrize("release", RELEASES)
def test_image_of_a_kernel_is_the_recorded_one(release: str, indexes: dict[str, AliasIndex]):
    recorded = json.loads(GOLDEN.read_text("ascii"))
    assert digest(indexes[release].to_bytes()) == recorded[release]


def test_another_process_writes_the_same(indexes: dict[str, AliasIndex], kernel_dirs: dict[str, Path]):
    release = "6.12.117-cloud-amd64"
    program = "import pyalias, sys; pyalias.AliasIndex.from_modules(sys.argv[1]).save(sys.argv[2])"
    for seed in ("0", "1"):
        path = kernel_dirs[release].parent / f"seed-{seed}.pyalias"
        subprocess.run(
            [sys.executable, "-c", program, kernel_dirs[release], path],
            env={"PYTHONHASHSEED": seed},
            check=True,
        )
        assert path.read_bytes() == indexes[release].to_bytes()


def test_order_of_lines_is_part_of_the_input():
    """Of lines of different modules only: order is priority."""
    one, other = (AliasIndex.compile(lines) for lines in ([("a", "x"), ("a", "y")], [("a", "y"), ("a", "x")]))
    assert one.to_bytes() != other.to_bytes()
    assert (one.lookup("a"), other.lookup("a")) == (("x", "y"), ("y", "x"))


def write() -> None:
    digests = {}
    with tempfile.TemporaryDirectory() as directory:
        for release in RELEASES:
            with tarfile.open(DATA / "kernels" / f"{release}.tar.xz") as archive:
                archive.extractall(Path(directory) / release)  # noqa: S202 the project's own archive
            index = AliasIndex.from_modules(Path(directory) / release)
            digests[release] = digest(index.to_bytes())
    GOLDEN.write_text(json.dumps(digests, indent=2) + "\n", "ascii")


if __name__ == "__main__":
    write()
