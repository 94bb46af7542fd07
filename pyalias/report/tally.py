"""Which hosts have which devices, counted while a scan runs."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.errors import InventoryError
from pyalias.fleet.hosts import HostSets
from pyalias.index_set.answers import UNKNOWN_KERNEL
from pyalias.scan_rows import PARTIAL, RowAnswer

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from pyalias.inventory import Batch

DEFAULT_HOST_COLUMN = "host"


class Case(NamedTuple):
    """A distinct device on a kernel (``None``: there is only one), and what the scan found for it."""

    kernel: str | None
    device: str
    answer: RowAnswer

    @property
    def state(self) -> str:
        """The field of ``Summary`` that counts it."""
        answer = self.answer
        if answer.error == PARTIAL:
            return answer.state
        if answer.error:
            return "unknown" if answer.error == UNKNOWN_KERNEL else "invalid"
        return "matched" if answer.modules else "unmatched"


class Tally:
    """Takes the place of a scan's ``RowWriter``: it counts the rows instead of writing them.

    Rows without a host are counted as devices alone. Memory: some 300 bytes a distinct device, 150 a host,
    and, for each host whose devices are like no other's, 4 bytes a distinct device more.

    Raises:
        InventoryError: ``host_column`` is given and the inventory has no such column.
    """

    def __init__(self, columns: Sequence[str], host_column: str | None = None) -> None:
        if host_column is not None and host_column not in columns:
            found = ", ".join(columns) or "none"
            raise InventoryError(f"no column named {host_column!r} for the host; the others are: {found}")
        self._host_column = host_column or DEFAULT_HOST_COLUMN
        self._place = columns.index(self._host_column) if self._host_column in columns else None
        self.cases: list[Case] = []
        self._numbers: dict[Hashable, int] = {}
        self._devices: Counter[int] = Counter()
        self.hosts = HostSets()

    # ---- what scan() calls ----

    def header(self) -> str:
        """Nothing."""
        return ""

    def learn(self, device: str, answer: RowAnswer, key: Hashable = None) -> None:
        """Number a device; ``key`` is a pair of kernel and device where there are several kernels."""
        self._numbers[device if key is None else key] = len(self.cases)
        kernel = key[0] if isinstance(key, tuple) else None
        self.cases.append(Case(kernel, device, answer))

    def render(self, batch: Batch, keys: Sequence[Hashable] | None = None) -> str:
        """Count a batch; no text."""
        numbers = list(map(self._numbers.__getitem__, batch.devices if keys is None else keys))
        self._devices.update(numbers)
        hosts = self._hosts(batch)
        if hosts is not None:
            for host, rows in groupby(zip(hosts, numbers, strict=True), itemgetter(0)):
                if host:
                    self.hosts.add(host, {number for _, number in rows})
        return ""

    def _hosts(self, batch: Batch) -> Iterable[str] | None:
        if batch.cells is not None and self._place is not None:
            return map(itemgetter(self._place), batch.cells)
        if batch.records is not None:
            return (_text(record.get(self._host_column)) for record in batch.records)
        return None

    # ---- what was counted ----

    def devices_of(self, number: int) -> int:
        """How many rows have the case of that number."""
        return self._devices[number]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
