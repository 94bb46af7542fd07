"""A report from an inventory and an index: one scan, then questions to what it counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pyalias import __version__
from pyalias.inventory import DeviceNames
from pyalias.report.describe import Description, describe
from pyalias.report.model import (
    Counts,
    Coverage,
    DeviceRow,
    ModuleRow,
    Report,
    Table,
    VariantRow,
    first_rows,
)
from pyalias.report.tally import Case, Tally
from pyalias.scan import scan
from pyalias.vfio import choose_many

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from pyalias.index import AliasIndex
    from pyalias.inventory import Inventory, Reject


class _Group(NamedTuple):
    """Devices that are counted together; ``unmatched``: only those of them that no module claims."""

    kind: str
    name: str = ""
    unmatched: bool = False


_ALL = _Group("all")
_WITHOUT_SYSTEM = _Group("without system")


class _Counted(NamedTuple):
    """A case with its description, its counts, and the groups that it is counted in."""

    number: int
    case: Case
    description: Description
    devices: int
    groups: tuple[_Group, ...]


def build_report(
    index: AliasIndex,
    inventory: Inventory,
    *,
    index_name: str,
    host_column: str | None = None,
    names: DeviceNames | None = None,
    rejects: Sequence[Reject] = (),
    progress: Callable[[int], None] | None = None,
    created: datetime | None = None,
) -> Report:
    """Scan an inventory and report.

    Args:
        index: of the kernel.
        inventory: read once, to its end.
        index_name: what the report calls the index.
        host_column: of the inventory; default: ``host``, where there is one.
        names: lists of names; default: the system's.
        rejects: where the inventory puts the rows that it cannot read; those there at the end are shown.
        progress: called with the number of devices so far.
        created: the time that the report bears; default: now.

    Raises:
        InventoryError: the inventory cannot be read, or lacks the column.
        FileAccessError: reading failed.
    """
    tally = Tally(inventory.columns, host_column)
    summary = scan(index, inventory, tally, _write_nothing, progress)
    names = names or DeviceNames()
    counted = [_counted(tally, number, index_name, names) for number in range(len(tally.cases))]
    hosts = tally.hosts_with([(*case.groups, case.number) for case in counted])
    found = Counter[tuple[_Group, str]]()
    for case in counted:
        for group in case.groups:
            found[group, case.case.found] += case.devices

    def counts(group: _Group) -> Counts:
        fates = {fate: found[group, fate] for fate in ("matched", "unmatched", "invalid", "partial")}
        return Counts(hosts[group], hosts[group._replace(unmatched=True)], sum(fates.values()), **fates)

    def coverage(kind: str) -> Table[Coverage]:
        groups = {group for group, _ in found if group.kind == kind and not group.unmatched}
        rows = [Coverage(group.name, counts(group)) for group in groups]
        return first_rows(sorted(rows, key=lambda row: (-row.counts.devices, row.name)))

    def rows_of(fate: str) -> Table[DeviceRow]:
        rows = [_device_row(case, hosts[case.number]) for case in counted if case.case.found == fate]
        return first_rows(sorted(rows, key=_rank))

    return Report(
        source=inventory.name,
        index_name=index_name,
        created=(created or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
        summary=summary,
        totals=counts(_ALL),
        totals_without_system=counts(_WITHOUT_SYSTEM),
        configurations=tally.configurations,
        kernels=coverage("kernel"),
        classes=coverage("class"),
        unmatched=rows_of("unmatched"),
        partial=rows_of("partial"),
        invalid=rows_of("invalid"),
        modules=_modules(counted, hosts, summary.modules),
        variants=_variants(index, counted, hosts),
        rejects=tuple(rejects),
    )


def _write_nothing(data: bytes) -> None:
    del data


def _counted(tally: Tally, number: int, kernel: str, names: DeviceNames) -> _Counted:
    case = tally.cases[number]
    description = describe(case.device, names)
    groups = [_ALL, _Group("kernel", kernel), _Group("class", description.device_class)]
    if not description.system:
        groups.append(_WITHOUT_SYSTEM)
    if case.found == "unmatched":
        groups += [group._replace(unmatched=True) for group in groups]
    groups += [_Group("module", module) for module in set(case.modules)]
    return _Counted(number, case, description, tally.devices_of(number), tuple(groups))


def _device_row(counted: _Counted, hosts: int) -> DeviceRow:
    return DeviceRow(counted.case.device, *counted.description, "", hosts, counted.devices)


def _rank(row: DeviceRow) -> tuple[int, int, str]:
    return -row.hosts, -row.devices, row.modalias


def _modules(
    counted: Iterable[_Counted], hosts: Counter[Hashable], devices: dict[str, int]
) -> Table[ModuleRow]:
    """In the order of the summary."""
    distinct = Counter(module for case in counted for module in set(case.case.modules))
    return first_rows(
        [
            ModuleRow(module, hosts[_Group("module", module)], count, distinct[module])
            for module, count in devices.items()
        ]
    )


def _variants(index: AliasIndex, counted: Sequence[_Counted], hosts: Counter[Hashable]) -> Table[VariantRow]:
    """Devices for which a ``vfio_pci:`` alias asks for more than any device."""
    whole = [case for case in counted if case.case.device.startswith("pci:") and not case.case.error]
    choices = choose_many(index, [case.case.device for case in whole])
    rows = [
        VariantRow(
            choice.module, choice.alias.pattern, _device_row(case, hosts[case.number]), choice.ambiguous
        )
        for case, choice in zip(whole, choices, strict=True)
        if choice is not None and not choice.generic
    ]
    return first_rows(sorted(rows, key=lambda row: _rank(row.device)))
