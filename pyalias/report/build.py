"""A report from an inventory and an index: one scan, then questions to what it counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyalias import __version__
from pyalias.index_set import AliasIndexSet
from pyalias.inventory import DeviceNames
from pyalias.report.describe import Description, describe
from pyalias.report.model import Report
from pyalias.report.tables import ALL, WITHOUT_SYSTEM, Counted, Group, Tables
from pyalias.report.tally import Case, Tally
from pyalias.scan import scan
from pyalias.scan_kernels import scan_kernels
from pyalias.vfio import choose_many

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyalias.index import AliasIndex
    from pyalias.inventory import Reject
    from pyalias.scan import Batches
    from pyalias.vfio import Choice


def build_report(
    index: AliasIndex | AliasIndexSet,
    inventory: Batches,
    *,
    index_name: str,
    kernel_column: str = "kernel",
    host_column: str | None = None,
    names: DeviceNames | None = None,
    rejects: Sequence[Reject] = (),
    progress: Callable[[int], None] | None = None,
    created: datetime | None = None,
) -> Report:
    """Scan an inventory and report.

    Args:
        index: of the kernel; or a set of several.
        inventory: read once, to its end.
        index_name: what the report calls the index.
        kernel_column: of the inventory, where there are several kernels: on which one a device is.
        host_column: of the inventory; default: ``host``, where there is one.
        names: lists of names; default: the system's.
        rejects: where the inventory puts the rows that it cannot read; those there at the end are shown.
        progress: called with the number of devices so far.
        created: the time that the report bears; default: now.

    Raises:
        InventoryError: the inventory cannot be read, or lacks a column.
        ImageError: the part of a set that a kernel has is damaged.
        FileAccessError: reading failed.
        LimitError: of a partial device, as ``AliasIndex.lookup_partial``.
    """
    tally = Tally(inventory.columns, host_column)
    if isinstance(index, AliasIndexSet):
        summary = scan_kernels(index, inventory, tally, _write_nothing, progress, column=kernel_column)
        indexes: dict[str | None, AliasIndex] = {
            kernel: index[kernel] for kernel in summary.kernels or () if kernel in index
        }
    else:
        summary = scan(index, inventory, tally, _write_nothing, progress)
        indexes = {None: index}
    counted = _count(tally, indexes, index_name, names or DeviceNames())
    hosts = tally.hosts.count(lambda number: counted[number].groups)
    return Report(
        source=inventory.name,
        index_name=index_name,
        created=(created or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
        summary=summary,
        configurations=tally.hosts.different,
        rejects=tuple(rejects),
        **Tables(counted, hosts).all(summary),
    )


def _write_nothing(data: bytes) -> None:
    del data


# ---- what each case is counted in ----


def _count(
    tally: Tally, indexes: Mapping[str | None, AliasIndex], index_name: str, names: DeviceNames
) -> list[Counted]:
    variants = _variants(tally.cases, indexes)
    counted = []
    for number, (case, variant) in enumerate(zip(tally.cases, variants, strict=True)):
        kernel = index_name if case.kernel is None else case.kernel or "none named"
        description = describe(case.device, names)
        groups = _groups(case, kernel, description, variant)
        counted.append(Counted(kernel, case, description, variant, tally.devices_of(number), groups))
    return counted


def _variants(cases: Sequence[Case], indexes: Mapping[str | None, AliasIndex]) -> list[Choice | None]:
    """The VFIO driver of each case, where its alias asks for more than any device."""
    variants: list[Choice | None] = [None] * len(cases)
    for kernel, index in indexes.items():
        places = [
            place
            for place, case in enumerate(cases)
            if case.kernel == kernel and case.device.startswith("pci:") and not case.answer.error
        ]
        choices = choose_many(index, [cases[place].device for place in places])
        for place, choice in zip(places, choices, strict=True):
            variants[place] = None if choice is None or choice.generic else choice
    return variants


def _groups(case: Case, kernel: str, description: Description, variant: Choice | None) -> frozenset[Group]:
    groups = {ALL, Group("kernel", kernel), Group("class", description.device_class)}
    if not description.system:
        groups.add(WITHOUT_SYSTEM)
    if case.state == "unmatched":
        groups |= {group._replace(unmatched=True) for group in groups}
    groups |= {Group("module", module) for module in case.answer.modules}
    groups.add(Group(case.state, case.device))
    if variant is not None:
        groups.add(Group(f"variant {variant.module}", case.device))
    return frozenset(groups)
