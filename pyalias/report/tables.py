"""The tables of a report, made of what was counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.report.model import (
    LONGEST_TABLE,
    STATES,
    Counts,
    Coverage,
    DeviceRow,
    ModuleRow,
    Table,
    VariantRow,
    first_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyalias.report.describe import Description
    from pyalias.report.tally import Case
    from pyalias.scan import Summary
    from pyalias.vfio import Choice


class Group(NamedTuple):
    """Devices that are counted together; ``unmatched``: only those of them that no module claims."""

    kind: str
    name: str = ""
    unmatched: bool = False


ALL = Group("all")
WITHOUT_SYSTEM = Group("without system")


class Counted(NamedTuple):
    """A case with its description, its VFIO driver, its counts, and the groups that it is counted in."""

    kernel: str
    case: Case
    description: Description
    variant: Choice | None
    devices: int
    groups: frozenset[Group]


class Tables:
    """The tables of a report, from what was counted; ``hosts`` tells how many there are in each group."""

    def __init__(self, counted: Sequence[Counted], hosts: Counter[Group]) -> None:
        self._counted = counted
        self._hosts = hosts
        self._devices: Counter[tuple[Group, str]] = Counter()
        for case in counted:
            for group in case.groups:
                self._devices[group, case.case.state] += case.devices

    def all(self, summary: Summary) -> dict[str, Any]:
        """By the names of the fields of ``Report``."""
        return {
            "totals": self._counts(ALL),
            "totals_without_system": self._counts(WITHOUT_SYSTEM),
            "kernels": self._coverage("kernel"),
            "classes": self._coverage("class"),
            "unmatched": self._rows("unmatched"),
            "partial": self._rows("certain", "possible", "none"),
            "invalid": self._rows("invalid"),
            "modules": self._modules(summary.modules),
            "variants": self._variants(),
        }

    def _counts(self, group: Group) -> Counts:
        states = {state: self._devices[group, state] for state in STATES}
        unmatched = self._hosts[group._replace(unmatched=True)]
        return Counts(self._hosts[group], unmatched, sum(states.values()), **states)

    def _coverage(self, kind: str) -> Table[Coverage]:
        groups = {group for group, _ in self._devices if group.kind == kind and not group.unmatched}
        rows = [Coverage(group.name, self._counts(group)) for group in groups]
        return first_rows(sorted(rows, key=lambda row: (-row.counts.devices, row.name)))

    def _rows(self, *states: str) -> Table[DeviceRow]:
        """A row for each device and state, whatever the kernels."""
        found: dict[tuple[str, str], list[Counted]] = defaultdict(list)
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
                self._hosts[Group(state, device)],
                sum(case.devices for case in cases),
            )
            rows.append(row)
        return _first_devices(sorted(rows, key=_rank))

    def _modules(self, devices: Mapping[str, int]) -> Table[ModuleRow]:
        """In the order of the summary."""
        found = {(module, case.case.device) for case in self._counted for module in case.case.answer.modules}
        distinct = Counter(module for module, _ in found)
        return first_rows(
            [
                ModuleRow(module, self._hosts[Group("module", module)], count, distinct[module])
                for module, count in devices.items()
            ]
        )

    def _variants(self) -> Table[VariantRow]:
        found: dict[tuple[str, str], list[Counted]] = defaultdict(list)
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
                self._hosts[Group(f"variant {module}", device)],
                sum(case.devices for case in cases),
            )
            rows.append(row)
        return first_rows(sorted(rows, key=_rank))


def _first_devices(ranked: list[DeviceRow]) -> Table[DeviceRow]:
    """As many as a table has; system devices are at most the half where there are enough others.

    They are on most hosts, and would leave no place for what is looked for.
    """
    others = [row for row in ranked if not row.system]
    room = max(LONGEST_TABLE - len(others), LONGEST_TABLE // 2)
    kept = [row for row in ranked if row.system][:room]
    kept += others[: LONGEST_TABLE - len(kept)]
    return Table(tuple(sorted(kept, key=_rank)), len(ranked))


def _kernels(cases: Iterable[Counted]) -> tuple[str, ...]:
    return tuple(sorted({case.kernel for case in cases}))


def _distinct(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(names)))


def _rank(row: DeviceRow | VariantRow) -> tuple[int, int, str]:
    return -row.hosts, -row.devices, row.modalias
