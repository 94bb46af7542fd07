"""Columns of devices to ids, and memory that is shared with others."""

from __future__ import annotations

from pyalias._binding.core import ffi, lib, raise_error
from pyalias._records import NamedTuple
from pyalias.errors import ColumnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from typing_extensions import Buffer

    from pyalias._binding.images import Image, Numbers

ROWS_OFFSETS32: Final[int] = lib.PYA_ROWS_OFFSETS32
ROWS_OFFSETS64: Final[int] = lib.PYA_ROWS_OFFSETS64
ROWS_VIEWS: Final[int] = lib.PYA_ROWS_VIEWS

# Bytes of a text that stand for the rest.
_SAMPLE = 1 << 12

# Rows of a list are matched in parts that stay in the cache.
_LIST_ROWS = 4096
_LIST_BYTES = 64 * _LIST_ROWS


class SharedBuffer:
    """Zeroed memory that Arrow consumers may go on using after Python has let go of it."""

    def __init__(self, size: int) -> None:
        self._own(lib.pya_buffer_new(size), size)

    def _own(self, handle: Any, size: int) -> None:
        if handle == ffi.NULL:
            raise MemoryError(f"{size} bytes")
        self.handle = ffi.gc(handle, lib.pya_buffer_free, size)
        self.pointer = lib.pya_buffer_bytes(self.handle)
        self.size = size

    def resize(self, size: int) -> None:
        """Change the size while nobody else uses the memory; what is new is not zeroed."""
        resized = lib.pya_buffer_resize(self.handle, size)
        if resized == ffi.NULL:
            raise MemoryError(f"{size} bytes")
        ffi.gc(self.handle, None)  # the old place is gone
        self._own(resized, size)

    def view(self) -> memoryview:
        """The memory; it stays for as long as the view does."""
        # ffi.buffer keeps its cdata alive, and the cdata here is made to keep the handle alive.
        handle = self.handle
        owner = ffi.gc(ffi.cast("uint8_t *", self.pointer), lambda _: handle)
        return memoryview(ffi.buffer(owner, self.size))


class Column(NamedTuple):
    """Rows of an Arrow string array; ``owner`` keeps the addresses valid."""

    layout: int
    rows: int
    owner: object
    first: int = 0
    data: Any = None
    offsets: Any = None
    validity: Any = None
    buffers: Any = None
    buffer_sizes: Any = None
    buffer_count: int = 0


def text_bytes(text: Buffer) -> Any:
    """The bytes of a text, borrowed."""
    return ffi.from_buffer("uint8_t[]", text)


class IdsOfRun(NamedTuple):
    """Where the ids of a run of rows stand, or will."""

    ids: SharedBuffer
    first: int
    rows: int


def row_length(text: Any, separator: bytes) -> int | None:
    """The bytes, separator included, that each of a text's first rows has if they all seem to be alike."""
    end = row_end(text, min(len(text), _SAMPLE) - 1, separator)
    rows = lib.pya_count_rows(text, end, separator[0])
    return end // rows if end % rows == 0 else None


def row_end(text: Any, at: int, separator: bytes) -> int:
    """Where the row of a text that a byte belongs to ends, behind its separator."""
    end: int = lib.pya_row_end(text, len(text), at, separator[0])
    return end


class Search:
    """What one thread of a batch does: rows in, unsettled ids out.

    Ids are answer ids, but for refused rows, null rows and combinations of lines that have no stored
    answer: ``number`` and then ``settle`` turn these into ids too.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._scratch = image.take_scratch()
        self._error = ffi.new("pya_error *")
        lib.pya_combinations_clear(self._scratch)

    def match_column(self, column: Column, first: int, rows: int, ids: SharedBuffer) -> None:
        """Match rows of an Arrow column from one on, into their place among the ids."""
        given = column_struct(column._replace(first=column.first + first, rows=rows))
        self._match(given, ids_from(ids, first))

    def _match(self, column: Any, ids: Any) -> None:
        code = lib.pya_match_column(self._image.handle, self._scratch, column, ids, self._error)
        raise_error(code, self._error)

    def match_text(
        self, text: Any, start: int, end: int, separator: bytes, place: IdsOfRun | None = None
    ) -> IdsOfRun:
        """The ids of the rows that stand in a text from one byte to another.

        They stand at ``place`` if just as many rows are foreseen there; otherwise in memory of their own.
        """
        matched = ffi.new("pya_matched *")
        if place is not None:
            self._match_text(text + start, end - start, separator, *place, matched)
            if (matched.bytes, matched.rows) == (end - start, place.rows):
                return place
        # As many rows as there would be if all were as short as the first ones, and one block more.
        sample = min(end - start, _SAMPLE)
        sampled = lib.pya_count_rows(text + start, sample, separator[0])
        ids = SharedBuffer(4 * (sampled * (end - start) // max(sample, 1) + lib.PYA_TEXT_ROWS))
        rows = matched.rows
        if place is not None:
            ffi.memmove(ids.pointer, ids_from(place.ids, place.first), 4 * rows)
        start += matched.bytes
        while start < end:
            room = ids.size // 4 - rows
            self._match_text(text + start, end - start, separator, ids, rows, room, matched)
            rows += matched.rows
            start += matched.bytes
            if start < end:
                ids.resize(ids.size * 3 // 2 + 4 * lib.PYA_TEXT_ROWS)
        ids.resize(4 * rows)
        return IdsOfRun(ids, 0, rows)

    def _match_text(
        self, text: Any, size: int, separator: bytes, ids: SharedBuffer, first: int, room: int, matched: Any
    ) -> None:
        code = lib.pya_match_text(
            self._image.handle,
            self._scratch,
            text,
            size,
            separator[0],
            ids_from(ids, first),
            room,
            matched,
            self._error,
        )
        raise_error(code, self._error)

    def match_list(self, rows: Sequence[Any], first: int, count: int, ids: SharedBuffer) -> None:
        """Match rows of a list of ``str`` and ``bytes`` from one on, into their place among the ids.

        Raises:
            ColumnError: a row of another type, or a list that others make shorter meanwhile.
        """
        text = ffi.new("uint8_t[]", _LIST_BYTES)
        offsets = ffi.new("int64_t[]", _LIST_ROWS + 1)
        read = ffi.new("int64_t *")
        for start in range(first, first + count, _LIST_ROWS):
            # A slice holds its rows, whatever others do to the list while C reads it.
            part = list(rows[start : min(start + _LIST_ROWS, first + count)])
            address = ffi.cast("void *", id(part))
            done = 0
            while done < len(part):
                code = lib.read_rows(address, done, len(part) - done, text, len(text), offsets, read)
                if code == lib.ROWS_READ:
                    column = {
                        "rows_layout": ROWS_OFFSETS64,
                        "rows": read[0],
                        "data": text,
                        "offsets": offsets,
                    }
                    self._match(ffi.new("pya_column *", column), ids_from(ids, start + done))
                    done += read[0]
                elif code == lib.ROWS_TOO_LONG:
                    text = ffi.new("uint8_t[]", max(2 * len(text), 4 * len(part[done])))
                elif code == lib.ROWS_WRONG:
                    kind = type(part[done]).__name__
                    raise ColumnError(f"row {start + done}: expected str or bytes, found {kind}")
                else:
                    raise MemoryError
            if start + len(part) < min(start + _LIST_ROWS, first + count):
                raise ColumnError("the list became shorter while it was read")

    def match_pci_ids(self, columns: Sequence[memoryview], first: int, rows: int, ids: SharedBuffer) -> None:
        """Match rows of five uint32 columns from one on: vendor, device, subvendor, subdevice, class."""
        code = lib.pya_match_pci_ids(
            self._image.handle,
            self._scratch,
            *(ffi.from_buffer("uint32_t[]", column) + first for column in columns),
            rows,
            ids_from(ids, first),
            self._error,
        )
        raise_error(code, self._error)

    def number(self, ids: SharedBuffer, first: int, rows: int, numbers: Numbers) -> None:
        """Turn the combinations among the ids that this search gave into answer ids."""
        count = lib.pya_combination_count(self._scratch)
        if count == 0:
            return
        lines = ffi.new("uint32_t **")
        answers, order = ffi.new("uint32_t[]", count), ffi.new("uint32_t[]", count)
        met = lib.pya_ids_combinations(ids_from(ids, first), rows, ffi.new("uint8_t[]", count), order)
        for combination in ffi.unpack(order, met):
            length = lib.pya_combination_lines(self._scratch, combination, lines)
            answers[combination] = numbers.number(lines, length)
        lib.pya_ids_number(ids_from(ids, first), rows, answers)

    def finish(self) -> None:
        """Give the working memory back."""
        self._image.give_scratch(self._scratch)


def column_struct(column: Column) -> Any:
    """A column as C takes it; it borrows what the column does."""
    return ffi.new(
        "pya_column *",
        {
            "rows_layout": column.layout,
            "first": column.first,
            "rows": column.rows,
            "data": column.data or ffi.NULL,
            "offsets": column.offsets or ffi.NULL,
            "validity": column.validity or ffi.NULL,
            "buffers": column.buffers or ffi.NULL,
            "buffer_sizes": column.buffer_sizes or ffi.NULL,
            "buffer_count": column.buffer_count,
        },
    )


def ids_from(ids: SharedBuffer, first: int) -> Any:
    """Where the ids of rows from one on stand."""
    return ffi.cast("uint32_t *", ids.pointer) + first


class Settled(NamedTuple):
    """What settling found besides ids."""

    invalid: tuple[int, ...]
    validity: SharedBuffer | None
    nulls: int


def gather(
    values: SharedBuffer, indices: Any, size: int, first: int, rows: int, validity: Any
) -> SharedBuffer:
    """Ids of a dictionary column: ``values[index]`` for each row. Indices have ``size`` bytes.

    Raises:
        ColumnError: an index names no value.
    """
    ids = SharedBuffer(4 * rows)
    error = ffi.new("pya_error *")
    code = lib.pya_ids_gather(
        ffi.cast("uint32_t *", ids.pointer),
        ffi.cast("uint32_t *", values.pointer),
        values.size // 4,
        indices,
        size,
        first,
        rows,
        validity or ffi.NULL,
        error,
    )
    raise_error(code, error)
    return ids


def count_invalid(ids: SharedBuffer) -> int:
    """How many unsettled ids are those of refused rows."""
    count: int = lib.pya_ids_unsettled(ids_from(ids, 0), ids.size // 4).invalid
    return count


def settle(ids: SharedBuffer) -> Settled:
    """Make 0 of refused and null rows, in place, and tell which they are."""
    pointer, rows = ids_from(ids, 0), ids.size // 4
    unsettled = lib.pya_ids_unsettled(pointer, rows)
    if not (unsettled.invalid or unsettled.nulls):
        return Settled((), None, 0)
    invalid = ffi.new("uint64_t[]", unsettled.invalid)
    validity = None
    if unsettled.nulls:
        validity = SharedBuffer((rows + 7) // 8)
        ffi.memmove(validity.pointer, b"\xff" * validity.size, validity.size)
    lib.pya_ids_settle(pointer, rows, invalid, validity.pointer if validity else ffi.NULL)
    return Settled(tuple(ffi.unpack(invalid, unsettled.invalid)), validity, unsettled.nulls)


def null_ids(rows: int) -> SharedBuffer:
    """Unsettled ids that are all null."""
    ids = SharedBuffer(4 * rows)
    ffi.memmove(ids.pointer, lib.PYA_ID_NULL.to_bytes(4, "little") * rows, ids.size)
    return ids


def joined(parts: Sequence[SharedBuffer]) -> SharedBuffer:
    """The parts of a column as one."""
    if len(parts) == 1:
        return parts[0]
    whole = SharedBuffer(sum(part.size for part in parts))
    at = 0
    for part in parts:
        ffi.memmove(whole.pointer + at, part.pointer, part.size)
        at += part.size
    return whole


def joined_runs(runs: Sequence[IdsOfRun]) -> SharedBuffer:
    """The ids of runs that follow each other as one: without a copy where they stand so."""
    rows = sum(run.rows for run in runs)
    if runs and all(run.ids is runs[0].ids for run in runs) and runs[0].ids.size == 4 * rows:
        return runs[0].ids
    whole = SharedBuffer(4 * rows)
    at = 0
    for run in runs:
        ffi.memmove(ids_from(whole, at), ids_from(run.ids, run.first), 4 * run.rows)
        at += run.rows
    return whole


def shared_bytes(data: Buffer) -> SharedBuffer:
    """A copy of some bytes that Arrow consumers may share."""
    source = ffi.from_buffer(data)
    shared = SharedBuffer(len(source))
    ffi.memmove(shared.pointer, source, len(source))
    return shared


def count_ids(ids: SharedBuffer, counts: SharedBuffer) -> None:
    """Add to ``counts``, a uint64 for every id, how often each occurs."""
    rows = ids.size // 4
    lib.pya_ids_count(ffi.cast("uint32_t *", ids.pointer), rows, ffi.cast("uint64_t *", counts.pointer))
