"""Answers of several kernels over one table: an id stands for the same modules whichever kernel gave it."""

from __future__ import annotations

import threading
from array import array
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from pyalias import _binding
from pyalias._binding import ID_INVALID, SharedBuffer
from pyalias.answers import Answers, NamesTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyalias.answers import Names


UNKNOWN_KERNEL = "UNKNOWN_KERNEL"
"""The error of a row whose kernel is not in the set that was asked."""


class KernelCounts(NamedTuple):
    """What there was of one kernel: ``devices`` are the sum of the others.

    ``unknown`` are all of its devices where the set has no such kernel: neither claimed nor unclaimed.
    ``partial`` are those of which a scan knows not all ids. Rows without a device are not counted.
    """

    devices: int = 0
    matched: int = 0
    unmatched: int = 0
    invalid: int = 0
    unknown: int = 0
    partial: int = 0

    def plus(self, other: KernelCounts) -> KernelCounts:
        """Both together."""
        return KernelCounts(*map(sum, zip(self, other, strict=True)))


class SharedAnswers(NamesTable):
    """The answers of all kernels of a set, numbered as they are met; safe to use from many threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._numbers: dict[Names, int] = {(): 0}
        # What the ids of a kernel's own table are here: ID_INVALID where nobody has asked for them yet.
        self._ids_of: WeakKeyDictionary[NamesTable, SharedBuffer] = WeakKeyDictionary()

    def number(self, names: Names) -> int:
        """The id of an answer."""
        with self._lock:
            return self._number(names)

    def _number(self, names: Names) -> int:
        number = self._numbers.get(names)
        if number is None:
            number = len(self.known)
            self.known.append(names)
            self._numbers[names] = number
        return number

    def translated(self, ids: SharedBuffer, table: NamesTable) -> SharedBuffer:
        """The ids here for ids of a kernel's table."""
        found = self._gathered(ids, table)
        if _binding.count_invalid(found):
            counts = SharedBuffer(8 * len(table))
            _binding.count_ids(ids, counts)
            self._learn([answer for answer, count in enumerate(counts.view().cast("Q")) if count], table)
            found = self._gathered(ids, table)
        return found

    def _gathered(self, ids: SharedBuffer, table: NamesTable) -> SharedBuffer:
        with self._lock:
            known = self._ids_of.get(table)
            if known is None or known.size < 4 * len(table):
                known = self._ids_of[table] = _longer(known, len(table))
        return _binding.gather(known, ids.pointer, 4, 0, ids.size // 4, None)

    def _learn(self, ids: Iterable[int], table: NamesTable) -> None:
        with self._lock:
            numbers = self._ids_of[table].view().cast("I")
            for answer in ids:
                numbers[answer] = self._number(table.names(answer))


def _longer(known: SharedBuffer | None, count: int) -> SharedBuffer:
    """A copy with room for what is not known yet. Others may go on reading the old one."""
    ids = array("I", [ID_INVALID]) * (count + count // 8)
    if known is not None:
        old = known.view().cast("I")
        ids[: len(old)] = array("I", old)
    return _binding.shared_bytes(ids)


class SetAnswers(Answers):
    """The answers of a batch of devices of several kernels, one a row, as ``Answers``.

    Ids are those of the set: equal ids are equal modules, whichever kernels they are of. A row whose kernel
    the set lacks has no answer, as a null row: ``answers[i] is None``, and ``unknown`` lists it.
    """

    def __init__(
        self,
        ids: SharedBuffer,
        table: NamesTable,
        settled: _binding.Settled,
        unknown: tuple[int, ...],
        kernels: Mapping[str, KernelCounts],
    ) -> None:
        super().__init__(ids, table, settled.invalid, settled.validity, settled.nulls)
        self.unknown: tuple[int, ...] = unknown
        """The rows, ascending, of a device whose kernel is not in the set, or is null."""
        self.kernels: dict[str, KernelCounts] = dict(kernels)
        """What there was of each kernel, by its name; ``""`` where a row names none."""
