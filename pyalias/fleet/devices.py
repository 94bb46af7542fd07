"""The devices of a fleet: each distinct one once, with how many there are of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyalias.engines.files import DeviceFiles
    from pyalias.inventory import Inventory, Reject


class DeviceCounts:
    """How many devices there are of each modalias, partial devices apart.

    Memory grows with the distinct devices. ``blank`` counts rows without a device.
    """

    def __init__(self) -> None:
        self.known: Counter[str] = Counter()
        self.partial: Counter[str] = Counter()
        """Texts with ``*`` or ``?`` for what is unknown, as ``AliasIndex.lookup_partial`` takes them."""
        self.blank = 0

    @classmethod
    def of(cls, modaliases: Iterable[str]) -> DeviceCounts:
        """Of modaliases, all ids of which are known."""
        counts = cls()
        counts.known.update(modaliases)
        return counts

    def read(self, inventory: Inventory) -> None:
        """Add the devices of an inventory.

        Raises:
            InventoryError: it cannot be read.
            FileAccessError: the system failed to read.
        """
        for batch in inventory:
            for device, count in Counter(batch.devices).items():
                (self.partial if device in batch.partial else self.known)[device] += count
            self.blank += batch.blank

    def read_files(self, files: DeviceFiles, rejects: Callable[[Reject], object] | None = None) -> None:
        """Add the devices of files that DuckDB reads.

        ``rejects`` is called with the rows that cannot be read, of files that keep them.

        Raises:
            EngineError: DuckDB cannot read one.
            MissingLibraryError: duckdb is not installed.
        """
        from pyalias.engines.files import Part, connect, fetch, quoted  # noqa: PLC0415 an extra
        from pyalias.engines.rejects import rejects_of  # noqa: PLC0415

        part = Part(files.files)
        query = (
            f"SELECT CAST({quoted(files.column)} AS VARCHAR), count(*) "  # noqa: S608 names are quoted
            f"FROM ({files.query(part)}) GROUP BY 1"
        )
        connection = connect()
        for device, count in fetch(connection, query, ", ".join(files.files[:3])):
            if not device:
                self.blank += count
            else:
                (self.partial if "*" in device or "?" in device else self.known)[device] += count
        if rejects is not None and files.keep_rejects:
            for reject in rejects_of(connection, files, part):
                rejects(reject)

    @property
    def devices(self) -> int:
        """How many there are."""
        return self.known.total() + self.partial.total()
