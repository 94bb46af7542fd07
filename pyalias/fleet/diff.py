"""What changes for a fleet's devices and hosts when it moves from one kernel to another."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from pyalias.errors import InventoryError
from pyalias.fleet.alias_diff import AliasDiff, KernelAliases, diff_kernels, normalised
from pyalias.fleet.generic import is_generic
from pyalias.fleet.hosts import HostSets
from pyalias.scan_rows import cell_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyalias.engines.files import DeviceFiles
    from pyalias.index import AliasIndex
    from pyalias.inventory import Batch
    from pyalias.scan import Batches

HOST_COLUMN = "host"

Kind = Literal["lost", "generic", "changed", "gained", "unchanged", "unclaimed", "invalid", "partial"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CHANGES: tuple[Kind, ...] = KINDS[:4]
"""The kinds of devices for which something changes."""

Reason = Literal[
    "module renamed",
    "module gone",
    "alias moved",
    "alias dropped",
    "alias hidden",
    "module new",
    "alias added",
    "alias shown",
]
"""What became of a module that claimed a device, or where one comes from that claims it now.

``module renamed``: it is gone, and ``to`` has more than half of its patterns. ``module gone``: the new kernel
has no alias of it. ``alias moved``: the pattern that matched is there, and is ``to``'s. ``alias dropped``: no
pattern of the module matches any more. ``alias hidden``: the pattern is there, but libkmod does not come to
it: it asks the aliases of built-in modules only where those of ``modules.alias`` have nothing. ``module
new``, ``alias added`` and ``alias shown`` are the same the other way round, of modules that are no ``to``.
"""

_ROWS = 65536


class Cause(NamedTuple):
    """Why a device's modules differ: what became of ``module``; ``to`` is the one that took its place."""

    reason: Reason
    module: str
    to: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.module}" + (f" -> {self.to}" if self.to else "")


class Count(NamedTuple):
    """Distinct devices, devices (rows), and the hosts that have at least one of them."""

    distinct: int
    devices: int
    hosts: int


class DeviceChange(NamedTuple):
    """A distinct device for which something changes; modules as ``AliasIndex.lookup`` gives them."""

    device: str
    kind: Kind
    old_modules: tuple[str, ...]
    new_modules: tuple[str, ...]
    causes: tuple[Cause, ...]
    devices: int
    hosts: int


class CauseCount(NamedTuple):
    """How much of a kind of change has a cause."""

    kind: Kind
    cause: Cause
    distinct: int
    devices: int
    hosts: int


class FleetDiff(NamedTuple):
    """What changes for a fleet.

    A device has several causes where it loses or gets several modules, and counts for each.
    """

    kinds: dict[Kind, Count]
    """Of every kind of ``KINDS``."""
    changes: tuple[DeviceChange, ...]
    """The kinds of ``CHANGES``: by most hosts, then by most devices, then by text."""
    causes: tuple[CauseCount, ...]
    """By most hosts, then by most devices."""
    total: Count
    affected: Count
    """Of the kinds of ``CHANGES``."""
    blank: int
    rejected: int
    aliases: AliasDiff


def diff_fleet(
    old: AliasIndex,
    new: AliasIndex,
    inventories: Iterable[Batches | DeviceFiles],
    host_column: str | None = None,
) -> FleetDiff:
    """What changes for the devices of some inventories when they move from one kernel to another.

    A device is

    * ``invalid`` where libkmod refuses its text, ``partial`` where not all its ids are known: nothing more is
      said of these;
    * ``lost`` where some module of the old kernel claims it and none of the new, ``gained`` the other way
      round, ``unclaimed`` where none claims it in either;
    * ``unchanged`` where the same modules claim it, in whatever order;
    * ``generic`` where on the new kernel only generic patterns match it (``is_generic``), and on the old one
      another did; ``changed`` in all other cases.

    Each distinct device is looked up once on each kernel. Memory: some hundred bytes a distinct device and
    150 a host; hosts are counted exactly, wherever their rows stand.

    Args:
        old: the kernel that the fleet runs.
        new: the one that it will run.
        inventories: each read once.
        host_column: the column or key of the host, by default ``host`` where there is one. Rows without a
            host count as devices only.

    Raises:
        InventoryError: an inventory cannot be read, or has no column of that name.
        EngineError, MissingLibraryError: DuckDB cannot read a file, or is not there.
        FileAccessError: the system failed to read.
    """
    differ = Differ(old, new)
    for inventory in inventories:
        differ.read(inventory, host_column)
    return differ.result()


class Differ:
    """Compares device after device, and counts."""

    def __init__(self, old: AliasIndex, new: AliasIndex) -> None:
        self._old, self._new = old, new
        self._old_aliases, self._new_aliases = KernelAliases(old), KernelAliases(new)
        self._diff = diff_kernels(self._old_aliases, self._new_aliases)
        self._heirs = {renamed.old: renamed.new for renamed in self._diff.renamed}
        # The first numbers stand for the kinds as such: of most devices no host needs to know more.
        self._numbers: dict[str, int] = {}
        self._changes: list[DeviceChange] = []
        self._kind_of: list[Kind] = list(KINDS)
        self._distinct: Counter[Kind] = Counter()
        self._rows: Counter[int] = Counter()
        self._hosts = HostSets()
        self._blank = self._rejected = 0

    def read(self, source: Batches | DeviceFiles, host_column: str | None = None) -> None:
        """Add the devices of an inventory; errors as ``diff_fleet``."""
        from pyalias.engines.files import DeviceFiles  # noqa: PLC0415 DuckDB's part, which few need

        if isinstance(source, DeviceFiles):
            self._read_files(source, host_column)
        else:
            self._read_inventory(source, host_column)

    def _read_inventory(self, inventory: Batches, host_column: str | None) -> None:
        wanted = HOST_COLUMN if host_column is None else host_column
        place = inventory.columns.index(wanted) if wanted in inventory.columns else None
        if host_column is not None and place is None:
            raise _no_column(inventory.name, host_column, inventory.columns)
        for batch in inventory:
            self.add(batch.devices, _hosts(batch, wanted, place), batch.partial)
            self._blank += batch.blank
        self._rejected += inventory.rejected

    def _read_files(self, files: DeviceFiles, host_column: str | None) -> None:
        from pyalias.engines.files import Part, connect, fetch_many, text_column  # noqa: PLC0415 an extra

        wanted = HOST_COLUMN if host_column is None else host_column
        if host_column is not None and wanted not in files.columns:
            raise _no_column(files.files[0], host_column, files.columns)
        host = text_column(files, wanted) if wanted in files.columns else "NULL"
        query = (
            f"SELECT {host}, {text_column(files, files.column)} "  # noqa: S608 names are quoted
            f"FROM ({files.query(Part(files.files))})"
        )
        for rows in fetch_many(connect(), query, ", ".join(files.files[:3]), _ROWS):
            known = [(host, device) for host, device in rows if device]
            self._blank += len(rows) - len(known)
            self.add([device for _, device in known], [host or "" for host, _ in known])

    def add(
        self,
        devices: Sequence[str],
        hosts: Sequence[str] | None = None,
        partial: frozenset[str] = frozenset(),
    ) -> None:
        """Add some rows: devices, the host of each (``""``: none), and which of the devices are partial."""
        counts = Counter(devices)
        self._learn([device for device in counts if device not in self._numbers], partial)
        numbers = self._numbers
        for device, count in counts.items():
            self._rows[numbers[device]] += count
        if hosts is None:
            return
        found: dict[str, set[int]] = {}
        for host, device in set(zip(hosts, devices, strict=True)):
            found.setdefault(host, set()).add(numbers[device])
        found.pop("", None)
        for host, some in found.items():
            self._hosts.add(host, some)

    def _learn(self, devices: list[str], partial: frozenset[str]) -> None:
        known = [device for device in devices if device not in partial]
        self._put("partial", [device for device in devices if device in partial])
        old, new = self._old.lookup_many(known), self._new.lookup_many(known)
        invalid = {*old.invalid, *new.invalid}
        for row, device in enumerate(known):
            before, after = old.table[old.ids[row]], new.table[new.ids[row]]
            if row in invalid:
                self._put("invalid", [device])
            elif set(before) == set(after):
                self._put("unchanged" if before else "unclaimed", [device])
            else:
                self._compare(device, before, after)

    def _put(self, kind: Kind, devices: list[str]) -> None:
        self._distinct[kind] += len(devices)
        for device in devices:
            self._numbers[device] = KINDS.index(kind)

    def _compare(self, device: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        old = {(normalised(alias.pattern), alias.module) for alias in self._old.match(device)}
        new = {(normalised(alias.pattern), alias.module) for alias in self._new.match(device)}
        kind: Kind = "changed"
        if not (before and after):
            kind = "lost" if before else "gained"
        elif all(is_generic(pattern) for pattern, _ in new) and not all(
            is_generic(pattern) for pattern, _ in old
        ):
            kind = "generic"
        causes = list(self._reasons_to_go(old, new))
        heirs = {cause.to for cause in causes}
        causes += [cause for cause in self._reasons_to_come(old, new) if cause.module not in heirs]
        self._numbers[device] = len(self._kind_of)
        self._kind_of.append(kind)
        self._distinct[kind] += 1
        self._changes.append(DeviceChange(device, kind, before, after, tuple(causes), 0, 0))

    def _reasons_to_go(self, old: set[tuple[str, str]], new: set[tuple[str, str]]) -> Iterable[Cause]:
        """What became of the modules that no longer claim a device."""
        before, after = ({module for _, module in lines} for lines in (old, new))
        patterns = self._new_aliases.by_pattern
        for module in sorted(before - after):
            owners = [patterns.get(pattern, set()) for pattern, other in old if other == module]
            heirs = sorted(set().union(*owners) & after - before)
            if self._heirs.get(module) in after:
                yield Cause("module renamed", module, self._heirs[module])
            elif module not in self._new_aliases.by_module:
                yield Cause("module gone", module)
            elif any(module in owner for owner in owners):
                yield Cause("alias hidden", module)
            elif heirs:
                yield Cause("alias moved", module, heirs[0])
            else:
                yield Cause("alias dropped", module)

    def _reasons_to_come(self, old: set[tuple[str, str]], new: set[tuple[str, str]]) -> Iterable[Cause]:
        """Where the modules come from that claim a device now."""
        patterns = self._old_aliases.by_pattern
        for module in sorted({module for _, module in new} - {module for _, module in old}):
            own = [pattern for pattern, other in new if other == module]
            if any(module in patterns.get(pattern, ()) for pattern in own):
                yield Cause("alias shown", module)
            elif module not in self._old_aliases.by_module:
                yield Cause("module new", module)
            else:
                yield Cause("alias added", module)

    # ---- what was counted ----

    def result(self) -> FleetDiff:
        """All in numbers."""
        hosts = self._hosts.count(self._groups)
        rows: Counter[Any] = Counter()
        distinct: Counter[Any] = Counter()
        for number, kind in enumerate(self._kind_of):
            for group in self._groups(number):
                rows[group] += self._rows[number]
                distinct[group] += number >= len(KINDS)
            if number < len(KINDS) and kind not in CHANGES:
                distinct[kind] = self._distinct[kind]

        def count(group: object) -> Count:
            return Count(distinct[group], rows[group], hosts[group])

        changes = [
            change._replace(devices=self._rows[number], hosts=hosts[number])
            for number, change in enumerate(self._changes, len(KINDS))
        ]
        changes.sort(key=lambda change: (-change.hosts, -change.devices, change.device))
        causes = [CauseCount(kind, cause, *count((kind, cause))) for kind, cause in self._causes()]
        causes.sort(key=lambda some: (-some.hosts, -some.devices, some.kind, some.cause))
        return FleetDiff(
            kinds={kind: count(kind) for kind in KINDS},
            changes=tuple(changes),
            causes=tuple(causes),
            total=Count(self._distinct.total(), self._rows.total(), len(self._hosts)),
            affected=count("affected"),
            blank=self._blank,
            rejected=self._rejected,
            aliases=self._diff,
        )

    def _groups(self, number: int) -> list[Any]:
        """All that a device of a number is counted under."""
        kind = self._kind_of[number]
        if number < len(KINDS):
            return [kind]
        causes = [(kind, cause) for cause in self._changes[number - len(KINDS)].causes]
        return [kind, number, "affected", *causes]

    def _causes(self) -> Iterable[tuple[Kind, Cause]]:
        return {(change.kind, cause): None for change in self._changes for cause in change.causes}


def _no_column(name: str, column: str, columns: Sequence[str]) -> InventoryError:
    return InventoryError(
        f"{name}: no column named {column!r} for the host; its columns are: {', '.join(columns) or 'none'}"
    )


def _hosts(batch: Batch, column: str, place: int | None) -> list[str] | None:
    if batch.cells is not None and place is not None:
        return [row[place] for row in batch.cells]
    if batch.records is not None:
        return [cell_text(record.get(column)) for record in batch.records]
    return None
