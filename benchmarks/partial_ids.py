"""What three-valued answers cost for a column of devices of which some ids are unknown.

    python benchmarks/partial_ids.py
    python benchmarks/partial_ids.py --rows 1000000 --rounds 3

Real PCI devices, drawn as a fleet repeats them. Of each distinct one some ids are left out, as inventories
do: a sixth has no subsystem and no interface, a sixth no subsystem, a third no class, a sixth no interface,
and a sixth is known as a whole. Million rows a second of CPU time: the first column that a new index is
asked for, with all that is answered once, then median (minimum to maximum) of the rounds. Before any clock
starts the ways of asking must agree, and known devices must have their plain lookup's answer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from bundled import unpack_kernel
from rounds import Spread, cpu_time
from workloads import workload

import pyalias
from pyalias.pci import PciDevice

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("vendor", "device", "subvendor", "subdevice", "base_class", "subclass", "interface")
# By the device's number modulo 6: which of NAMES are unknown.
UNKNOWN = ((2, 3, 6), (2, 3), (4, 5, 6), (4, 5, 6), (6,), ())


def fields(text: str) -> list[int]:
    device = PciDevice.from_modalias(text)
    ids = [device.vendor, device.device, device.subvendor, device.subdevice]
    return [*ids, *device.class_code.to_bytes(3, "big")]


class Columns:
    """The same rows as seven columns of ids, and as one of texts."""

    def __init__(self, rows: int) -> None:
        self.devices = sorted({*workload("pci hits").devices, *workload("pci misses").devices})
        numbers = np.array([fields(text) for text in self.devices], np.uint32)
        unknown = np.zeros(numbers.shape, bool)
        for kind, places in enumerate(UNKNOWN):
            for place in places:
                unknown[kind::6, place] = True
        self.texts = [
            pyalias.PartialDevice.pci(
                **{name: None if u else int(n) for name, n, u in zip(NAMES, ids, mask, strict=True)}
            ).text
            for ids, mask in zip(numbers, unknown, strict=True)
        ]
        self.picks = np.random.default_rng(20261124).zipf(1.3, rows) % len(self.devices)
        self.ids = {
            name: pa.array(numbers[self.picks, place], mask=unknown[self.picks, place])
            for place, name in enumerate(NAMES)
        }
        self.column = pa.array(self.texts).take(pa.array(self.picks))

    def check(self, index: pyalias.AliasIndex) -> None:
        """Raise where the two ways, or a known device and its plain lookup, disagree."""
        by_ids = index.lookup_ids(**self.ids, partial=True)
        by_text = index.lookup_many(self.column, partial=True)
        assert by_ids.counts() == by_text.counts()
        for row, pick in enumerate(self.picks[:20_000].tolist()):
            assert by_ids[row] == by_text[row]
            if pick % 6 == 5:
                assert by_ids[row].certain == index.lookup(self.devices[pick])


def rate(rows: int, call: Callable[[], Any]) -> float:
    return rows / cpu_time(call) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    columns = Columns(options.rows)
    with TemporaryDirectory() as directory:
        image = pyalias.AliasIndex.from_modules(unpack_kernel(Path(directory))).to_bytes()
    columns.check(pyalias.AliasIndex.from_bytes(image))
    print(f"{options.rows:,} rows, {len(set(columns.picks.tolist())):,} distinct devices")
    for name in ("ids", "text"):
        index = pyalias.AliasIndex.from_bytes(image)

        def ask(name: str = name, index: pyalias.AliasIndex = index) -> object:
            if name == "ids":
                return index.lookup_ids(**columns.ids, partial=True)
            return index.lookup_many(columns.column, partial=True)

        first = rate(options.rows, ask)
        found = Spread.of([rate(options.rows, ask) for _ in range(options.rounds)])
        print(
            f"{name}: first {first:.1f} M rows/s, then {found.median:.1f} "
            f"({found.minimum:.1f} to {found.maximum:.1f})"
        )


if __name__ == "__main__":
    main()
