"""PCI columns against the speed at which this machine reads the same bytes: every variant, one thread.

    python benchmarks/pci_limit.py                      shares of the read speed, 10,000,000 rows (540 MB)
    python benchmarks/pci_limit.py --rows 1000000       smaller, quicker
    python benchmarks/pci_limit.py --check              instructions a row; fails above the budgets below

Three columns, as a fleet has them (2,000 devices, the most common ones far more often than the rest, a fifth
unknown to the kernel), of all known devices alike, and of random ids. All answers are proved equal before
any clock starts: of all variants, of text and of numbers, and of lookups one by one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from bundled import unpack_kernel
from workloads import of_pci

import pyalias
from pyalias import _binding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator

HERE = Path(__file__).resolve().parent
CSRC = HERE.parent / "csrc"

# Instructions a row of text, at most; whoever raises one says why.
BUDGETS = {"portable": 250, "ssse3": 134, "avx2": 80, "avx512": 32, "avx512-gather": 21}
NUMBER_BUDGETS = {"portable": 84, "ssse3": 84, "avx2": 64, "avx512": 25, "avx512-gather": 13}
CHECK_ROWS = 1_024  # a step takes microseconds


def main() -> int:
    options = read_options()
    with TemporaryDirectory() as directory:
        root = Path(directory)
        program = build(root)
        image = root / "kernel.pyalias"
        pyalias.AliasIndex.from_modules(unpack_kernel(root)).save(image)
        rows = CHECK_ROWS if options.check else options.rows
        failed = False
        for name, column in columns(rows):
            path = root / "column"
            path.write_bytes(column)
            print(f"{name}, {rows:,} rows", flush=True)
            if options.check:
                failed |= not check(program, image, path)
            else:
                measure(program, image, path, options.rounds)
    return 1 if failed else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="rows of a column (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="count instructions instead of time")
    return parser.parse_args()


def build(root: Path) -> Path:
    """Compile the program as the extension is compiled; only the read limit knows this machine."""
    strict = ["cc", "-std=gnu11", "-O3", "-Wall", "-Wextra", "-Werror"]
    limit, program = root / "read_limit.o", root / "pci_limit"
    subprocess.run([*strict, "-march=native", "-c", HERE / "read_limit.c", "-o", limit], check=True)
    sources = [HERE / "pci_limit.c", *sorted(CSRC.glob("*.c"))]
    subprocess.run([*strict, f"-I{CSRC}", "-o", program, *sources, limit], check=True)
    return program


def columns(rows: int) -> list[tuple[str, bytes]]:
    """The three columns, the same in every run; random ids repeat after a million rows."""
    random = np.random.default_rng(1)
    known, unknown = sorted(of_pci(answered=True)), sorted(of_pci(answered=False))
    fleet = [known[i] for i in random.permutation(len(known))[:1600]]
    fleet += [unknown[i] for i in random.permutation(len(unknown))[:400]]
    weights = 1 / np.arange(1, 2001)
    draws = random.choice(2000, rows, p=weights / weights.sum())
    anything = random_devices(random, min(rows, 1_000_000))
    return [
        ("fleet", lay_out([fleet[i] for i in random.permutation(2000)], draws)),
        ("uniform", lay_out(known, random.integers(0, len(known), rows))),
        ("random", lay_out(anything, np.arange(rows) % len(anything))),
    ]


def random_devices(random: Generator, count: int) -> list[str]:
    ids = random.integers(0, 1 << 16, (count, 4)).tolist()
    classes = random.integers(0, 1 << 8, (count, 3)).tolist()
    return [
        f"pci:v{v:08X}d{d:08X}sv{sv:08X}sd{sd:08X}bc{base:02X}sc{sub:02X}i{interface:02X}"
        for (v, d, sv, sd), (base, sub, interface) in zip(ids, classes, strict=True)
    ]


def lay_out(devices: Sequence[str], draws: np.ndarray) -> bytes:
    lines = np.array([f"{device}\n".encode() for device in devices], dtype="S54")
    return lines[draws].tobytes()


def measure(program: Path, image: Path, column: Path, rounds: int) -> None:
    """Print a row for each variant: nanoseconds, and the share of the same round's read."""
    for what, (figures, shares) in shares_of_reading(program, image, column, rounds).items():
        print(
            f"  {what:24} {median(figures):6.2f} ns ({min(figures):.2f} to {max(figures):.2f}),"
            f" {median(shares):5.1f} % of the limit ({min(shares):.1f} to {max(shares):.1f})"
        )


def shares_of_reading(
    program: Path, image: Path, column: Path, rounds: int
) -> dict[str, tuple[list[float], list[float]]]:
    """By form and variant: nanoseconds a row, and the share of the same round's read, in percent."""
    output = subprocess.run(
        [program, image, column, "rounds", str(rounds)], check=True, capture_output=True, timeout=600
    )
    times: dict[str, list[float]] = defaultdict(list)
    for line in output.stdout.decode().splitlines():
        what, figure = line.split()
        times[what].append(float(figure))
    return {
        what: (
            figures,
            [100 * read / figure for read, figure in zip(limit_of(what, times), figures, strict=True)],
        )
        for what, figures in times.items()
    }


def limit_of(what: str, times: dict[str, list[float]]) -> list[float]:
    return times["read20write4" if what.startswith("numbers") else "read"]


def check(program: Path, image: Path, column: Path) -> bool:
    """Count the instructions of each variant that this CPU runs; whether all keep to their budgets."""
    good = True
    for variant, what, figure in instructions(program, image, column):
        budget = (BUDGETS if what == "text" else NUMBER_BUDGETS)[variant]
        within = figure <= budget
        good &= within
        verdict = "" if within else ": TOO MANY"
        print(f"  {variant:14} {what:8} {figure:>6} of {budget} instructions a row{verdict}", flush=True)
    return good


def instructions(program: Path, image: Path, column: Path) -> Iterator[tuple[str, str, float]]:
    """Variant, form (text or numbers) and instructions a row, counted by single steps."""
    for variant in _binding.variants():
        output = subprocess.run(
            [program, image, column, "steps", variant], check=True, capture_output=True, timeout=600
        )
        for line in output.stdout.decode().splitlines():
            what, figure = line.split()
            yield variant, what, float(figure)


if __name__ == "__main__":
    sys.exit(main())
