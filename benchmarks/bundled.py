"""The bundled kernel and device lists that the benchmarks read (their provenance: tests/data/README.md)."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
KERNEL = "6.12.117-amd64"

Answer = tuple[str, ...]


def unpack_kernel(root: Path) -> Path:
    """Lay the kernel's index files out under ``root`` as ``modprobe -d`` expects; return their directory."""
    directory = root / "lib" / "modules" / KERNEL
    directory.mkdir(parents=True)
    with tarfile.open(DATA / "kernels" / f"{KERNEL}.tar.xz") as archive:
        archive.extractall(directory, filter="data")
    return directory


def read_answers(name: str) -> dict[str, Answer]:
    """Read a table of libkmod's recorded answers, without the strings that libkmod refuses ("E22")."""
    answers = {}
    with lzma.open(DATA / name, "rt", encoding="utf-8") as lines:
        for line in lines:
            device, _, modules = line.rstrip("\n").partition("\t")
            if modules != "E22":
                answers[device] = tuple(modules.split(",")) if modules else ()
    return answers
