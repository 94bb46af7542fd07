"""The scan of several kernels' devices: which kernel a device is on, a column says.

Each kernel's devices are answered and counted by themselves. A device whose kernel is not in the set has
an error and no modules, and is counted apart: nothing is known of what claims it.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from pyalias.errors import InventoryError
from pyalias.index_set import KernelCounts
from pyalias.index_set.answers import UNKNOWN_KERNEL
from pyalias.scan import DeviceAnswers, Summary, scan_with
from pyalias.scan_rows import RowAnswer, cell_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from pyalias.index_set import AliasIndexSet
    from pyalias.inventory import Batch
    from pyalias.scan import Batches
    from pyalias.scan_rows import RowWriter

_ADDED = ("matched", "unmatched", "invalid", "partial", "certain", "possible", "none")


def scan_kernels(
    kernels: AliasIndexSet,
    inventory: Batches,
    rows: RowWriter,
    write: Callable[[bytes], object],
    progress: Callable[[int], None] | None = None,
    *,
    column: str,
) -> Summary:
    """As ``scan``, each device on the kernel that a column of the inventory, or a key of its record, names.

    Raises:
        InventoryError: no such column; and as ``scan``.
        ImageError: the part of the set's file of a kernel that devices are on is damaged.
        FileAccessError, LimitError: as ``scan``.
    """
    if inventory.format != "jsonl" and column not in inventory.columns:
        names = ", ".join(inventory.columns) or "none"
        raise InventoryError(f"{inventory.name}: no column named {column!r}; the other columns are: {names}")
    return scan_with(
        _KernelAnswers(kernels, rows, inventory.columns, column), inventory, rows, write, progress
    )


class _KernelAnswers:
    """The answers of each kernel; of those that the set lacks, how many devices they have."""

    def __init__(self, kernels: AliasIndexSet, rows: RowWriter, columns: Sequence[str], column: str) -> None:
        self._kernels = kernels
        self._rows = rows
        self._column = column
        self._place = columns.index(column) if column in columns else -1
        self._answers: dict[str, DeviceAnswers] = {}
        self._unknown: Counter[str] = Counter()
        self._unknown_keys: set[tuple[str, str]] = set()
        self.devices = 0

    def take(self, batch: Batch) -> Sequence[Hashable]:
        """Answer a batch, the devices of each kernel together."""
        names = self._names(batch)
        devices_on: dict[str, list[str]] = {}
        for name, device in zip(names, batch.devices, strict=True):
            devices_on.setdefault(name, []).append(device)
        for name, devices in devices_on.items():
            if name in self._kernels:
                if name not in self._answers:
                    self._answers[name] = DeviceAnswers(self._kernels[name], self._rows, name)
                self._answers[name].count(devices, batch.partial)
            else:
                self._count_unknown(name, devices)
        self.devices += len(batch.devices)
        return list(zip(names, batch.devices, strict=True))

    def _names(self, batch: Batch) -> list[str]:
        if batch.cells is not None:
            return [row[self._place] for row in batch.cells]
        return [cell_text(record.get(self._column)) for record in batch.records or [{}] * len(batch.devices)]

    def _count_unknown(self, name: str, devices: list[str]) -> None:
        self._unknown[name] += len(devices)
        for device in devices:
            if (name, device) not in self._unknown_keys:
                self._unknown_keys.add((name, device))
                self._rows.learn(device, RowAnswer((), UNKNOWN_KERNEL), (name, device))

    def summary(self, blank: int, rejected: int, seconds: float) -> Summary:
        """All in numbers, and those of each kernel."""
        found = {name: answers.summary(0, 0, 0.0) for name, answers in self._answers.items()}
        modules: Counter[str] = Counter()
        for some in found.values():
            modules.update(some.modules)
        counts = {
            name: KernelCounts(some.devices, some.matched, some.unmatched, some.invalid, partial=some.partial)
            for name, some in found.items()
        }
        counts |= {name: KernelCounts(devices, unknown=devices) for name, devices in self._unknown.items()}
        distinct = {device for _, device in self._unknown_keys}.union(
            *map(attrgetter("distinct"), self._answers.values())
        )
        return Summary(
            devices=self.devices,
            distinct=len(distinct),
            blank=blank,
            modules=dict(sorted(modules.items(), key=lambda item: (-item[1], item[0]))),
            seconds=seconds,
            rejected=rejected,
            unknown=self._unknown.total(),
            kernels=dict(sorted(counts.items())),
            **{name: sum(getattr(some, name) for some in found.values()) for name in _ADDED},
        )
