"""A report on what changes between two kernels, with or without a fleet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pyalias import __version__
from pyalias.fleet import CauseCount, Count, FleetDiff, ModuleDiff, RenamedModule
from pyalias.inventory import DeviceNames
from pyalias.report.describe import describe
from pyalias.report.model import Table, first_rows

if TYPE_CHECKING:
    from pyalias.fleet import AliasDiff, DeviceChange


class ChangeRow(NamedTuple):
    """A distinct device for which something changes: a ``DeviceChange`` and what people call the device.

    Its modules are without their repeats.
    """

    modalias: str
    name: str
    device_class: str
    kind: str
    old_modules: tuple[str, ...]
    new_modules: tuple[str, ...]
    causes: tuple[str, ...]
    hosts: int
    devices: int


class FleetPart(NamedTuple):
    """What of a ``FleetDiff`` is about the fleet; its tables may be shorter."""

    source: str
    kinds: dict[str, Count]
    total: Count
    affected: Count
    changes: Table[ChangeRow]
    causes: Table[CauseCount]
    blank: int
    rejected: int


class DiffReport(NamedTuple):
    """A whole report on two kernels; ``fleet`` is there where there was an inventory."""

    old: str
    new: str
    created: str
    version: str
    fleet: FleetPart | None
    modules: Table[ModuleDiff]
    renamed: Table[RenamedModule]
    moved: int
    old_aliases: int
    new_aliases: int


def report_diff(
    found: FleetDiff | AliasDiff,
    *,
    old: str,
    new: str,
    source: str = "",
    names: DeviceNames | None = None,
    created: datetime | None = None,
) -> DiffReport:
    """Report on what ``diff_fleet`` or ``diff_aliases`` found.

    Args:
        found: the numbers, which the report takes as they are.
        old: what the report calls the one kernel.
        new: and the other.
        source: and the inventory.
        names: lists of names of devices; default: the system's.
        created: the time that the report bears; default: now.

    Raises:
        FileAccessError: a list of names cannot be read.
    """
    if isinstance(found, FleetDiff):
        aliases, fleet = found.aliases, _fleet_part(found, source, names or DeviceNames())
    else:
        aliases, fleet = found, None
    return DiffReport(
        old=old,
        new=new,
        created=(created or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
        fleet=fleet,
        modules=first_rows(aliases.modules),
        renamed=first_rows(aliases.renamed),
        moved=len(aliases.moved),
        old_aliases=aliases.old_aliases,
        new_aliases=aliases.new_aliases,
    )


def _fleet_part(found: FleetDiff, source: str, names: DeviceNames) -> FleetPart:
    return FleetPart(
        source=source,
        kinds={str(kind): count for kind, count in found.kinds.items()},
        total=found.total,
        affected=found.affected,
        # Only those rows are described that have a place.
        changes=Table(
            tuple(_row(change, names) for change in first_rows(found.changes).rows), len(found.changes)
        ),
        causes=first_rows(found.causes),
        blank=found.blank,
        rejected=found.rejected,
    )


def _row(change: DeviceChange, names: DeviceNames) -> ChangeRow:
    description = describe(change.device, names)
    return ChangeRow(
        change.device,
        description.name,
        description.device_class,
        change.kind,
        tuple(dict.fromkeys(change.old_modules)),
        tuple(dict.fromkeys(change.new_modules)),
        tuple(map(str, change.causes)),
        change.hosts,
        change.devices,
    )
