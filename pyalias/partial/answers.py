"""Three-valued answers, one and many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

from pyalias import _binding

if TYPE_CHECKING:
    from pyalias._binding import SharedBuffer
    from pyalias.answers import Names

State = Literal["certain", "possible", "none"]


class PartialAnswer(NamedTuple):
    """What is known of the modules of a device of which some fields are unknown.

    ``state`` is ``certain`` where some module claims the device whatever the unknown fields are (perhaps
    not the same one: then ``certain`` is empty), ``possible`` where one does for some of their values, and
    ``none`` where none does for any.
    """

    state: State
    certain: Names = ()
    """The modules that are in ``lookup``'s answer for all values of the unknown fields."""
    possible: Names = ()
    """Those that are in it for some values and not for all."""
    partial: bool = True
    """Whether a field was unknown. If not, ``certain`` is ``lookup``'s answer with its repeats; otherwise
    each module stands once, in the order of libkmod's answers."""


NOTHING = PartialAnswer("none")


def known_answer(names: Names) -> PartialAnswer:
    """The answer for a device of which all is known."""
    return PartialAnswer("certain" if names else "none", names, (), partial=False)


class PartialCounts(NamedTuple):
    """Rows by state, those of devices that were known as a whole (``known_...``) apart from the others.

    ``null`` rows and ``invalid`` ones, which no device has, are in none of the other numbers. So the sum of
    all is the number of rows, and no partial device counts as covered or as uncovered unawares.
    """

    known_certain: int
    known_none: int
    certain: int
    possible: int
    none: int
    null: int
    invalid: int


class PartialAnswers(Sequence["PartialAnswer | None"]):
    """The three-valued answers of a batch, one a row; ``None`` for null rows and for those in ``invalid``.

    ``ids`` and ``table`` are the same without Python objects a row: ``table[ids[row]]``.
    """

    def __init__(
        self,
        ids: SharedBuffer,
        table: tuple[PartialAnswer, ...],
        invalid: tuple[int, ...] = (),
        validity: SharedBuffer | None = None,
        nulls: int = 0,
    ) -> None:
        self._buffer = ids
        self._validity = validity
        self._valid_bits = validity.view() if validity else None
        self._refused = frozenset(invalid)
        self.null_count = nulls
        self.ids: memoryview = ids.view().cast("I")
        """One number a row, uint32, of an answer in ``table``; 0 for rows without an answer."""
        self.table: tuple[PartialAnswer, ...] = table
        """The distinct answers; the first is that of a partial device that nothing can match."""
        self.invalid: tuple[int, ...] = invalid
        """The rows, ascending, that are neither a device string that libkmod takes nor a partial one."""

    def counts(self) -> PartialCounts:
        """How many rows there are of each state. Linear in the rows, at the speed of memory."""
        counts = _binding.SharedBuffer(8 * len(self.table))
        _binding.count_ids(self._buffer, counts)
        rows = counts.view().cast("Q").tolist()
        rows[0] -= self.null_count + len(self.invalid)
        sums = {(state, partial): 0 for state in ("certain", "possible", "none") for partial in (True, False)}
        for answer, count in zip(self.table, rows, strict=True):
            sums[answer.state, answer.partial] += count
        return PartialCounts(
            known_certain=sums["certain", False],
            known_none=sums["none", False],
            certain=sums["certain", True],
            possible=sums["possible", True],
            none=sums["none", True],
            null=self.null_count,
            invalid=len(self.invalid),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> PartialAnswer | None: ...
    @overload
    def __getitem__(self, row: slice) -> list[PartialAnswer | None]: ...
    def __getitem__(self, row: int | slice) -> PartialAnswer | list[PartialAnswer | None] | None:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        if row in self._refused:
            return None
        if self._valid_bits is not None and not self._valid_bits[row // 8] >> row % 8 & 1:
            return None
        return self.table[self.ids[row]]

    def __iter__(self) -> Iterator[PartialAnswer | None]:
        if self._valid_bits is None and not self._refused:
            return map(self.table.__getitem__, self.ids)
        return map(self.__getitem__, range(len(self)))

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Export as a record batch by the Arrow PyCapsule protocol; no Arrow library is needed.

        Its columns are ``state``, ``certain`` and ``possible`` (utf8_view, names with blanks between) and
        ``partial`` (bool), all null for rows without an answer.
        """
        del requested_schema  # "best effort" in the protocol: there is one form
        from pyalias.partial.export import Export  # noqa: PLC0415 needs ctypes

        return Export(self._buffer, *self._answered_rows(), self.table).array_capsules()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The same record batch as a stream, for who takes tables."""
        del requested_schema
        from pyalias.partial.export import Export  # noqa: PLC0415 needs ctypes

        return Export(self._buffer, *self._answered_rows(), self.table).stream_capsule()

    def _answered_rows(self) -> tuple[SharedBuffer | None, int]:
        """A bitmap of the rows that have an answer, where not all have, and how many have none."""
        if not self.invalid:
            return self._validity, self.null_count
        bits = _binding.SharedBuffer((len(self) + 7) // 8)
        valid = bits.view()
        valid[:] = b"\xff" * len(valid) if self._valid_bits is None else self._valid_bits
        for row in self.invalid:
            valid[row // 8] &= ~(1 << row % 8)
        return bits, self.null_count + len(self.invalid)

    def __repr__(self) -> str:
        return f"<PartialAnswers of {len(self)} devices>"
