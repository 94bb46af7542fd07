"""A context and its first lookup: ``pyalias.Kmod`` beside libkmod in C, CPU time, files in the page cache.

``python benchmarks/kmod_open.py MODULE_DIRECTORY``; needs cc and libkmod.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from contenders import DisagreementError
from native import LIBKMOD

from pyalias import Kmod

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIAS = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
ROUNDS = 300
TURNS = 5


def libkmod_rounds(program: str, directory: str) -> tuple[list[float], set[tuple[str, ...]]]:
    """Microseconds of each round, and the answers."""
    output = subprocess.run(
        [program, directory, ALIAS, str(ROUNDS)], capture_output=True, check=True, text=True
    ).stdout
    rows = [line.split() for line in output.splitlines()]
    return [float(row[0]) for row in rows], {tuple(row[1:]) for row in rows}


def pyalias_rounds(directory: str) -> tuple[list[float], set[tuple[str, ...]]]:
    """The same from pyalias."""
    times, answers = [], set()
    gc.collect()
    gc.disable()  # as in timeit: how long it takes depends on what else the process holds
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        answer = Kmod(directory).lookup(ALIAS)
        times.append((time.process_time_ns() - start) / 1000)
        answers.add(answer)
    gc.enable()
    return times, answers


def turns(scratch: Path, directory: str) -> Iterator[tuple[float, float]]:
    """Median microseconds of libkmod and of pyalias, turn by turn, once their answers are equal."""
    program = f"{scratch}/kmod_open"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-O2", str(source), "-o", program, f"-l:{LIBKMOD}"], check=True)
    if libkmod_rounds(program, directory)[1] != pyalias_rounds(directory)[1]:
        raise DisagreementError(f"{ALIAS}: libkmod and pyalias differ")
    for _ in range(TURNS):
        yield median(libkmod_rounds(program, directory)[0]), median(pyalias_rounds(directory)[0])


def main(directory: str) -> None:
    """Answers first, then turns side by side."""
    with tempfile.TemporaryDirectory() as scratch:
        for theirs, ours in turns(Path(scratch), directory):
            print(f"libkmod {theirs:.0f} us   pyalias {ours:.0f} us   ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
