"""What a report says, as plain data: the page only shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyalias.inventory import Reject
    from pyalias.scan import Summary

LONGEST_TABLE = 1000
"""Rows of a table; what stands behind them is counted, and keeps the page below 2 MB."""

Row = TypeVar("Row")


class Table(NamedTuple, Generic[Row]):
    """The first rows of a ranking, and how many there are without this limit."""

    rows: tuple[Row, ...]
    total: int

    @property
    def left_out(self) -> int:
        """How many rows are not here."""
        return self.total - len(self.rows)


def first_rows(ranked: Sequence[Row]) -> Table[Row]:
    """As many as a table has."""
    return Table(tuple(ranked[:LONGEST_TABLE]), len(ranked))


STATES = {
    "matched": "claimed",
    "certain": "partial, claimed for certain",
    "possible": "partial, may be claimed",
    "none": "partial, unclaimed for certain",
    "unknown": "kernel unknown",
    "invalid": "invalid",
    "unmatched": "unclaimed",
}
"""The fields of ``Summary`` of which each device counts for exactly one, and what a page calls them."""


class Counts(NamedTuple):
    """Devices by what was found, in the words of ``Summary``, and the hosts that have them.

    ``hosts_unmatched`` have at least one device that no module claims. Each host counts once, however many
    of its devices are meant and wherever its rows stand.
    """

    hosts: int
    hosts_unmatched: int
    devices: int
    matched: int
    unmatched: int
    invalid: int
    certain: int
    possible: int
    none: int
    unknown: int

    @property
    def partial(self) -> int:
        """Devices of which not all ids are known."""
        return self.certain + self.possible + self.none

    @property
    def parts(self) -> list[tuple[str, str, int]]:
        """The states that devices are in: name, words, and how many."""
        return [
            (state, words, getattr(self, state)) for state, words in STATES.items() if getattr(self, state)
        ]


class Coverage(NamedTuple):
    """The devices of one kernel or one class."""

    name: str
    counts: Counts


class DeviceRow(NamedTuple):
    """A distinct device that is in a state of ``STATES`` on some kernels.

    ``system`` tells bridges and what else a kernel seldom has a module for. ``modules`` claim it (partial
    devices: for certain), ``possible`` ones claim it for some of its unknown ids.
    """

    modalias: str
    name: str
    device_class: str
    system: bool
    state: str
    kernels: tuple[str, ...]
    modules: tuple[str, ...]
    possible: tuple[str, ...]
    hosts: int
    devices: int


class ModuleRow(NamedTuple):
    """A module, and the devices that it claims: ``distinct`` of them differ."""

    module: str
    hosts: int
    devices: int
    distinct: int


class VariantRow(NamedTuple):
    """A device that has a VFIO driver of its own on some kernels.

    ``ambiguous``: another module's alias is as specific.
    """

    module: str
    pattern: str
    ambiguous: bool
    modalias: str
    name: str
    kernels: tuple[str, ...]
    hosts: int
    devices: int


class Report(NamedTuple):
    """A whole report.

    ``summary`` is the scan's own. ``totals`` counts the same devices, ``totals_without_system`` those that
    are no bridges or system devices. ``configurations`` counts hosts whose devices differ. ``rejects`` are
    the first rows that could not be read.
    """

    source: str
    index_name: str
    created: str
    version: str
    summary: Summary
    totals: Counts
    totals_without_system: Counts
    configurations: int
    kernels: Table[Coverage]
    classes: Table[Coverage]
    unmatched: Table[DeviceRow]
    partial: Table[DeviceRow]
    invalid: Table[DeviceRow]
    modules: Table[ModuleRow]
    variants: Table[VariantRow]
    rejects: tuple[Reject, ...]
