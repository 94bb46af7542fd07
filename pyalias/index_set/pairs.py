"""Columns of devices and kernels: each distinct pair of them is looked up once.

A fleet repeats some thousand devices on some kernels millions of times. So rows are numbered by what they
hold, and only pairs that were not met before are looked up, those of a kernel together.
"""

from __future__ import annotations

import mmap
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from pyalias import _binding
from pyalias._binding import ID_INVALID, ID_NULL, Column, Distinct, IdColumn, SharedBuffer
from pyalias._memo import encoded
from pyalias.errors import ColumnError
from pyalias.index_set.answers import KernelCounts, SetAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyalias.index import AliasIndex
    from pyalias.index_set.answers import SharedAnswers

_ROOM = 1 << 20
_MATCHED, _UNMATCHED, _INVALID, _UNKNOWN, _NO_DEVICE, _KINDS = range(6)


class Pairs:
    """The pairs of device and kernel met so far, and what each was found to be; for one thread at a time."""

    def __init__(self, kernels: Mapping[str, AliasIndex], table: SharedAnswers) -> None:
        self._kernels = kernels
        self.table = table
        self._device_rows, self._kernel_rows, self._pair_rows = Distinct(), Distinct(), Distinct()
        self._devices: list[bytes] = []
        self._names: list[str] = []
        # By pair: the id of its answer; what it counts as; and, for settling, which rows have no such kernel.
        self._ids, self._counted, self._unknown = _Column(), _Column(), _Column()

    @property
    def is_full(self) -> bool:
        """Whether there are so many that they should be forgotten."""
        return len(self._ids) > _ROOM

    def answers(self, devices: Any, kernels: Any, threads: int | None) -> SetAnswers:
        """The answers for two columns.

        Raises:
            ColumnError: a column of another kind, or two of different lengths.
        """
        device_numbers = _numbered(self._device_rows, devices, nulls=False)
        kernel_numbers = _numbered(self._kernel_rows, kernels, nulls=True)
        rows = device_numbers.size // 4
        if kernel_numbers.size != device_numbers.size:
            kernel_rows = kernel_numbers.size // 4
            raise ColumnError(f"expected a kernel a device, found {rows} devices and {kernel_rows} kernels")
        columns = [IdColumn(device_numbers.pointer), IdColumn(kernel_numbers.pointer)]
        numbers = self._pair_rows.number_ids(columns, rows)
        self._learn(threads)
        ids = self._ids.of(numbers)
        settled = _binding.settle(ids)
        unknown = _binding.settle(self._unknown.of(numbers)).invalid if self._unknown.is_used else ()
        return SetAnswers(ids, self.table, settled, unknown, self._counts(numbers))

    def _learn(self, threads: int | None) -> None:
        """Look up the pairs that are new."""
        self._devices += self._device_rows.rows(len(self._devices))
        self._names += [
            row.decode("utf-8", "surrogateescape") for row in self._kernel_rows.rows(len(self._names))
        ]
        first = len(self._ids)
        new = [memoryview(row).cast("I") for row in self._pair_rows.rows(first)]
        found: list[tuple[int, int]] = [(ID_NULL, _NO_DEVICE)] * len(new)
        places: dict[int, list[int]] = {}
        for place, (_, device, kernel) in enumerate(new):
            if device != ID_NULL:
                places.setdefault(kernel, []).append(place)
        for kernel, some in places.items():
            answers = self._look_up(kernel, [self._devices[new[place][1]] for place in some], threads)
            for place, answer in zip(some, answers, strict=True):
                found[place] = answer
        self._ids.extend(answer for answer, _ in found)
        # The first of all kinds are those of rows that name no kernel.
        self._counted.extend(
            (0 if row[2] == ID_NULL else row[2] + 1) * _KINDS + kind
            for row, (_, kind) in zip(new, found, strict=True)
        )
        self._unknown.extend(ID_INVALID if kind == _UNKNOWN else 0 for _, kind in found)

    def _look_up(self, kernel: int, devices: list[bytes], threads: int | None) -> Sequence[tuple[int, int]]:
        name = "" if kernel == ID_NULL else self._names[kernel]
        if name not in self._kernels:
            return [(ID_NULL, _UNKNOWN)] * len(devices)
        answers = self._kernels[name].lookup_many(devices, threads=threads)
        _, _, table = answers.columns()
        numbers = {answer: self.table.number(table.names(answer)) for answer in set(answers.ids)}
        found = [(numbers[answer], _MATCHED if numbers[answer] else _UNMATCHED) for answer in answers.ids]
        for row in answers.invalid:
            found[row] = (ID_INVALID, _INVALID)
        return found

    def _counts(self, numbers: SharedBuffer) -> dict[str, KernelCounts]:
        counts = SharedBuffer(8 * _KINDS * (len(self._names) + 1))
        _binding.count_ids(self._counted.of(numbers), counts)
        view = counts.view().cast("Q")
        found: dict[str, KernelCounts] = {}
        for kernel, name in enumerate(["", *self._names]):
            kinds = view[_KINDS * kernel : _KINDS * (kernel + 1)][:_NO_DEVICE].tolist()
            if any(kinds):
                # A row may name a kernel of no name, which is to name none.
                found[name] = found.get(name, KernelCounts()).plus(KernelCounts(sum(kinds), *kinds))
        return found


class _Column:
    """A number for each pair, behind those of the pairs before."""

    def __init__(self) -> None:
        self._buffer = SharedBuffer(0)
        self._length = 0
        self.is_used = False
        """Whether any of the numbers is another than 0."""

    def __len__(self) -> int:
        return self._length

    def extend(self, numbers: Any) -> None:
        new = array("I", numbers)
        end = self._length + len(new)
        if 4 * end > self._buffer.size:
            self._buffer.resize(4 * (end + end // 2))
        self._buffer.view().cast("I")[self._length : end] = new
        self._length = end
        self.is_used = self.is_used or any(new)

    def of(self, pairs: SharedBuffer) -> SharedBuffer:
        """The numbers of the pairs of some rows."""
        return _binding.gather(self._buffer, pairs.pointer, 4, 0, pairs.size // 4, None)


def _numbered(distinct: Distinct, column: Any, *, nulls: bool) -> SharedBuffer:
    """The numbers of the rows of a column, as ``AliasIndex.lookup_many`` takes one.

    Raises:
        ColumnError: another kind of input; the message names the first bad row.
    """
    if hasattr(column, "__arrow_c_array__") or hasattr(column, "__arrow_c_stream__"):
        from pyalias._arrow import number_arrow  # noqa: PLC0415 needs ctypes

        return number_arrow(distinct, column)
    rows = _lines(column)
    texts = [_text(row, number, nulls=nulls) for number, row in enumerate(rows)]
    data = b"".join(texts)
    offsets = array("q", accumulate(map(len, texts), initial=0))
    address: Callable[[Any], Any] = _binding.number_address
    validity = None
    if nulls and None in rows:
        bits = bytearray((len(rows) + 7) // 8)
        for number, row in enumerate(rows):
            bits[number // 8] |= (row is not None) << number % 8
        validity = address(bits)
    given = Column(
        _binding.ROWS_OFFSETS64,
        len(texts),
        (data, offsets),
        data=address(data),
        offsets=address(offsets),
        validity=validity,
    )
    return distinct.number_column(given)


def _text(row: Any, number: int, *, nulls: bool) -> bytes:
    if row is None and nulls:
        return b""
    try:
        return encoded(row)
    except TypeError as error:
        kind = type(row).__name__
        raise ColumnError(f"row {number}: expected str or bytes, found {kind}") from error
    except UnicodeEncodeError:
        # A lone surrogate is no byte: as in other lists the row is refused, which any row with a NUL is.
        return str(row).encode("utf-8", "surrogatepass") + b"\0"


def _lines(column: Any) -> Sequence[Any]:
    if isinstance(column, bytes | bytearray | memoryview | mmap.mmap):
        rows = bytes(column).split(b"\n")
        return rows if rows[-1] else rows[:-1]
    try:
        return column if isinstance(column, list | tuple) else list(column)
    except TypeError as error:
        kind = type(column).__name__
        raise ColumnError(f"expected many strings (a list, an Arrow column), found {kind}") from error
