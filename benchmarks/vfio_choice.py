"""What VFIO choices for a column cost beside a plain lookup of it: both in turn, in one process.

Run as ``python benchmarks/vfio_choice.py``. CPU time, since a machine is rarely idle; one ratio a round.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bundled import unpack_kernel
from workloads import workload

from pyalias import AliasIndex, vfio

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15


def main() -> None:
    """Print the median ratio and its spread for devices that have a module, and for those that have none."""
    with TemporaryDirectory() as directory:
        index = AliasIndex.from_modules(unpack_kernel(Path(directory)))
    for name in ("pci hits", "pci misses"):
        pairs = measure(index, name, ROUNDS)
        ratios = sorted(choose / plain for plain, choose in pairs)
        plain, choose = (1e3 * statistics.median(times) for times in zip(*pairs, strict=True))
        print(
            f"{name}: lookup {plain:.1f} ms, choose {choose:.1f} ms, "
            f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


def measure(index: AliasIndex, name: str, rounds: int) -> list[tuple[float, float]]:
    """Seconds of a plain lookup of a column and of its choices, a pair a round."""
    work = workload(name)
    choices = vfio.choose_many(index, work.column)
    for row, device in zip(choices[:1000], work.rows[:1000], strict=True):
        assert row == vfio.choose(index, device), device
    return [
        (cpu_time(index.lookup_many, work.column), cpu_time(vfio.choose_many, index, work.column))
        for _ in range(rounds)
    ]


def cpu_time(call: Callable[..., object], *arguments: object) -> float:
    """Seconds of CPU that a call takes."""
    start = time.process_time()
    call(*arguments)
    return time.process_time() - start


if __name__ == "__main__":
    main()
