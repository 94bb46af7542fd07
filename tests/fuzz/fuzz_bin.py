"""Builds ``fuzz_bin.c`` under the sanitizers and runs it: on small indexes, then on the bundled kernels'."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CORE = ("kmodbin", "kmodbin_search", "glob", "vector", "error")
BUNDLED = ("modules.builtin.bin", "modules.builtin.alias.bin", "modules.alias.bin")


def build(target: Path) -> None:
    """The harness and the part of the core that it needs."""
    sources = [str(ROOT / "csrc" / f"{name}.c") for name in CORE]
    flags = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    subprocess.run(
        [
            os.environ.get("CC", "cc"),
            *flags,
            "-fno-sanitize-recover=all",
            f"-I{ROOT / 'csrc'}",
            str(HERE / "fuzz_bin.c"),
            *sources,
            "-o",
            str(target),
        ],
        check=True,
    )


def write_small(directory: Path) -> list[Path]:
    """Indexes of up to some hundred entries that share stems and branch at wildcards, in both layouts."""
    from pyalias.kmod.binwriter import LAYOUTS, write_index

    random = Random(1)  # noqa: S311 - repeatable, not secret
    paths = []
    for number, size in enumerate((1, 2, 5, 12, 40, 150)):
        entries = []
        for _ in range(size):
            tail = "".join(random.choices("abc*?[-]x", k=random.randint(0, 9)))
            entries.append(
                (f"{random.choice(('pci:v', 'a', ''))}{tail}".encode(), random.randrange(4), b"mod")
            )
        for layout in LAYOUTS:
            paths.append(directory / f"small-{number}-{layout}.bin")
            paths[-1].write_bytes(write_index(entries, layout))
    return paths


def main() -> int:
    """Most runs go to small files, where damage hits something that a search comes by."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        build(directory / "fuzz_bin")
        archive = ROOT / "tests" / "data" / "kernels" / "6.12.117-cloud-amd64.tar.xz"
        with tarfile.open(archive) as kernel:
            kernel.extractall(directory, filter="data")
        # A fiftieth of the runs for files that take much longer.
        large = max(options.runs // 50, 1)
        parts = ((options.runs - large, write_small(directory)), (large, [directory / n for n in BUNDLED]))
        for runs, paths in parts:
            command = [str(directory / "fuzz_bin"), str(runs), str(options.seed), *map(str, paths)]
            code = subprocess.run(command, check=False).returncode
            if code != 0:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
