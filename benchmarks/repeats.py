"""What rows that repeat cost and what rows that do not: the table of rows answered before (csrc/repeats.c).

    python benchmarks/repeats.py
    python benchmarks/repeats.py --rounds 5 --workload usb

Two columns a bus: devices drawn from at most 5,000 distinct ones, and a column in which no row comes
twice. Nanoseconds of CPU time a row, minimum / median of the rounds, each asked of an index that is new.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import tables
from bundled import unpack_kernel
from rounds import Spread, cpu_time
from workloads import SOURCES, workload

import pyalias

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 400_000
DIGITS = "0123456789ABCDEF"


def distinct_rows(name: str) -> list[str]:
    """Real devices, then devices that differ from real ones in a digit or two: no row twice."""
    draw = random.Random(name)  # noqa: S311 - to be repeated, not to be secret
    real = sorted(SOURCES[name]())
    rows = dict.fromkeys(real)
    while len(rows) < ROWS:
        row = list(draw.choice(real))
        # Zeros stay: those that lead a number make another kind of device of it.
        places = [place for place, byte in enumerate(row) if byte in DIGITS[1:]] or [len(row) - 1]
        for place in draw.choices(places, k=3):
            row[place] = draw.choice(DIGITS)
        rows["".join(row)] = None
    shuffled = list(rows)
    draw.shuffle(shuffled)
    return shuffled


def column(rows: Sequence[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def whole(image: bytes, text: bytes) -> float:
    """A column asked of an index that is new."""
    index = pyalias.AliasIndex.from_bytes(image)
    return cpu_time(lambda: index.lookup_many(text)) / ROWS


def measure(image: bytes, name: str, rounds: int) -> list[str]:
    """One line of the table."""
    rows = workload(name).rows[:ROWS]
    texts = column(rows), column(distinct_rows(name))
    figures = [[whole(image, text) for text in texts] for _ in range(rounds)]
    spreads = [Spread.of(found) for found in zip(*figures, strict=True)]
    return [name, str(len(set(rows))), *(f"{spread.minimum:.0f} / {spread.median:.0f}" for spread in spreads)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--workload", action="append", choices=list(SOURCES), help="may be repeated")
    options = parser.parse_args()
    with TemporaryDirectory() as directory:
        image = pyalias.AliasIndex.from_modules(unpack_kernel(Path(directory))).to_bytes()
    lines = [measure(image, name, options.rounds) for name in options.workload or SOURCES]
    print(tables.table(["bus", "distinct", "rows repeat", "no row twice"], lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
