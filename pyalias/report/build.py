"""A report from an inventory and an index: one scan, then questions to what it counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias import __version__
from pyalias.index_set import AliasIndexSet
from pyalias.inventory import DeviceNames
from pyalias.report.describe import Description, describe
from pyalias.report.model import (
    STATES,
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
from pyalias.scan_kernels import scan_kernels
from pyalias.vfio import choose_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyalias.index import AliasIndex
    from pyalias.inventory import Inventory, Reject
    from pyalias.scan import Summary
    from pyalias.vfio import Choice


class _Group(NamedTuple):
    """Devices that are counted together; ``unmatched``: only those of them that no module claims."""

    kind: str
    name: str = ""
    unmatched: bool = False


_ALL = _Group("all")
_WITHOUT_SYSTEM = _Group("without system")


class _Counted(NamedTuple):
    """A case with its description, its VFIO driver, its counts, and the groups that it is counted in."""

    kernel: str
    case: Case
    description: Description
    variant: Choice | None
    devices: int
    groups: frozenset[_Group]


def build_report(
    index: AliasIndex | AliasIndexSet,
    inventory: Inventory,
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
    hosts = tally.hosts_with([case.groups for case in counted])
    return Report(
        source=inventory.name,
        index_name=index_name,
        created=(created or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
        summary=summary,
        configurations=tally.configurations,
        rejects=tuple(rejects),
        **_Tables(counted, hosts).all(summary),
    )


def _write_nothing(data: bytes) -> None:
    del data


# ---- what each case is counted in ----


def _count(
    tally: Tally, indexes: Mapping[str | None, AliasIndex], index_name: str, names: DeviceNames
) -> list[_Counted]:
    variants = _variants(tally.cases, indexes)
    counted = []
    for number, (case, variant) in enumerate(zip(tally.cases, variants, strict=True)):
        kernel = index_name if case.kernel is None else case.kernel or "none named"
        description = describe(case.device, names)
        groups = _groups(case, kernel, description, variant)
        counted.append(_Counted(kernel, case, description, variant, tally.devices_of(number), groups))
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


def _groups(case: Case, kernel: str, description: Description, variant: Choice | None) -> frozenset[_Group]:
    groups = {_ALL, _Group("kernel", kernel), _Group("class", description.device_class)}
    if not description.system:
        groups.add(_WITHOUT_SYSTEM)
    if case.state == "unmatched":
        groups |= {group._replace(unmatched=True) for group in groups}
    groups |= {_Group("module", module) for module in case.answer.modules}
    groups.add(_Group(case.state, case.device))
    if variant is not None:
        groups.add(_Group(f"variant {variant.module}", case.device))
    return frozenset(groups)


# ---- tables ----


class _Tables:
    """The tables of a report, from what was counted; ``hosts`` tells how many there are in each group."""

    def __init__(self, counted: Sequence[_Counted], hosts: Counter[_Group]) -> None:
        self._counted = counted
        self._hosts = hosts
        self._devices: Counter[tuple[_Group, str]] = Counter()
        for case in counted:
            for group in case.groups:
                self._devices[group, case.case.state] += case.devices

    def all(self, summary: Summary) -> dict[str, Any]:
        """By the names of the fields of ``Report``."""
        return {
            "totals": self._counts(_ALL),
            "totals_without_system": self._counts(_WITHOUT_SYSTEM),
            "kernels": self._coverage("kernel"),
            "classes": self._coverage("class"),
            "unmatched": self._rows("unmatched"),
            "partial": self._rows("certain", "possible", "none"),
            "invalid": self._rows("invalid"),
            "modules": self._modules(summary.modules),
            "variants": self._variants(),
        }

    def _counts(self, group: _Group) -> Counts:
        states = {state: self._devices[group, state] for state in STATES}
        unmatched = self._hosts[group._replace(unmatched=True)]
        return Counts(self._hosts[group], unmatched, sum(states.values()), **states)

    def _coverage(self, kind: str) -> Table[Coverage]:
        groups = {group for group, _ in self._devices if group.kind == kind and not group.unmatched}
        rows = [Coverage(group.name, self._counts(group)) for group in groups]
        return first_rows(sorted(rows, key=lambda row: (-row.counts.devices, row.name)))

    def _rows(self, *states: str) -> Table[DeviceRow]:
        """A row for each device and state, whatever the kernels."""
        found: dict[tuple[str, str], list[_Counted]] = defaultdict(list)
        for case in self._counted:
            if case.case.state in states:
                found[case.case.state, case.case.device].append(case)
        rows = []
        for (state, device), cases in found.items():
            row = DeviceRow(
                device,
                *cases[0].description,
                state,
                _kernels(cases),
                _distinct(case.case.answer.modules for case in cases),
                _distinct(case.case.answer.possible for case in cases),
                self._hosts[_Group(state, device)],
                sum(case.devices for case in cases),
            )
            rows.append(row)
        return first_rows(sorted(rows, key=_rank))

    def _modules(self, devices: Mapping[str, int]) -> Table[ModuleRow]:
        """In the order of the summary."""
        found = {(module, case.case.device) for case in self._counted for module in case.case.answer.modules}
        distinct = Counter(module for module, _ in found)
        return first_rows(
            [
                ModuleRow(module, self._hosts[_Group("module", module)], count, distinct[module])
                for module, count in devices.items()
            ]
        )

    def _variants(self) -> Table[VariantRow]:
        found: dict[tuple[str, str], list[_Counted]] = defaultdict(list)
        for case in self._counted:
            if case.variant is not None:
                found[case.variant.module, case.case.device].append(case)
        rows = []
        for (module, device), cases in found.items():
            choice = cases[0].variant
            assert choice is not None
            row = VariantRow(
                module,
                choice.alias.pattern,
                choice.ambiguous,
                device,
                cases[0].description.name,
                _kernels(cases),
                self._hosts[_Group(f"variant {module}", device)],
                sum(case.devices for case in cases),
            )
            rows.append(row)
        return first_rows(sorted(rows, key=_rank))


def _kernels(cases: Iterable[_Counted]) -> tuple[str, ...]:
    return tuple(sorted({case.kernel for case in cases}))


def _distinct(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(names)))


def _rank(row: DeviceRow | VariantRow) -> tuple[int, int, str]:
    return -row.hosts, -row.devices, row.modalias
