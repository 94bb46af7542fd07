"""A context and its first lookup: ``pyalias.Kmod`` beside libkmod in C, CPU time, files in the page cache.

``python benchmarks/kmod_open.py MODULE_DIRECTORY``; needs cc and libkmod's header (Debian: libkmod-dev).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from pyalias import Kmod

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
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        answer = Kmod(directory).lookup(ALIAS)
        times.append((time.process_time_ns() - start) / 1000)
        answers.add(answer)
    return times, answers


def main(directory: str) -> None:
    """Answers first, then turns side by side."""
    with tempfile.TemporaryDirectory() as scratch:
        program = f"{scratch}/kmod_open"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-O2", str(source), "-o", program, "-lkmod"], check=True)
        if libkmod_rounds(program, directory)[1] != pyalias_rounds(directory)[1]:
            sys.exit("the answers differ: no clock was started")
        for _ in range(TURNS):
            theirs, ours = median(libkmod_rounds(program, directory)[0]), median(pyalias_rounds(directory)[0])
            print(f"libkmod {theirs:.0f} us   pyalias {ours:.0f} us   ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
