"""Files that DuckDB reads, as an inventory's batches: for what counts rows in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyalias.engines.files import Part, connect, count_rows, fetch_many, text_column
from pyalias.errors import InventoryError
from pyalias.inventory.lists import BATCH_ROWS, Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyalias.engines.files import DeviceFiles

_NAMES_SHOWN = 3


class FileBatches:
    """The rows of some files, read once; of their other columns only those that are asked for.

    As ``Inventory`` it has ``name``, ``format``, ``columns`` and ``rejected``. There are no rejects: a row
    that DuckDB cannot read is an error. One whose device is null is blank. With ``partial``, ``*`` and ``?``
    in a device stand for what is unknown.

    Raises:
        InventoryError: the files have no such column.
        EngineError: while iterating: DuckDB cannot read a file.
    """

    rejected = 0

    def __init__(self, files: DeviceFiles, columns: Sequence[str], *, partial: bool = False) -> None:
        more = f" and {len(files.files) - _NAMES_SHOWN} more" if len(files.files) > _NAMES_SHOWN else ""
        self.name = ", ".join(files.files[:_NAMES_SHOWN]) + more
        for column in columns:
            if column not in files.columns or column == files.column:
                names = ", ".join(name for name in files.columns if name != files.column) or "none"
                raise InventoryError(f"{self.name}: no column named {column!r}; the others are: {names}")
        self.format = files.format
        self.columns = tuple(columns)
        self.partial = partial
        self._files = files
        self._read = 0

    def __iter__(self) -> Iterator[Batch]:
        files = self._files
        columns = ", ".join(text_column(files, name) for name in (files.column, *self.columns))
        query = f"SELECT {columns} FROM ({files.query(Part(files.files))})"  # noqa: S608 names are quoted
        for rows in fetch_many(connect(), query, self.name, BATCH_ROWS):
            known = [row for row in rows if row[0] is not None]
            devices = [row[0] for row in known]
            cells = [[cell or "" for cell in row[1:]] for row in known] if self.columns else None
            self._read += len(rows)
            yield Batch(devices, len(rows) - len(known), cells, partial=self._partial(devices))

    def fraction(self) -> float | None:
        """How much has been read, from 0 to 1; ``None`` where only reading tells how many rows there are."""
        total = count_rows(self._files)
        return self._read / total if total else None

    def _partial(self, devices: list[str]) -> frozenset[str]:
        if not self.partial:
            return frozenset()
        return frozenset(device for device in devices if "*" in device or "?" in device)
