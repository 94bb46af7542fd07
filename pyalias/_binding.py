"""The one module that touches the compiled core: C handles in, plain Python objects out.

Everything cffi returns is ``Any`` and typed from here on. Calls into C release the GIL; an opened
image is immutable and each call takes a scratch of its own from a pool, so any number of threads
may look up at once.
"""

from __future__ import annotations

import errno
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pyalias._native import ffi, lib
from pyalias.errors import (
    AliasFileError,
    ColumnError,
    ImageError,
    InvalidModaliasError,
    LimitError,
    PyaliasError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Buffer

ORDER_PRIORITY: Final[int] = lib.PYA_ORDER_PRIORITY
ORDER_VISIT: Final[int] = lib.PYA_ORDER_VISIT
ROWS_OFFSETS32: Final[int] = lib.PYA_ROWS_OFFSETS32
ROWS_OFFSETS64: Final[int] = lib.PYA_ROWS_OFFSETS64
ROWS_VIEWS: Final[int] = lib.PYA_ROWS_VIEWS

# Bound once: attribute access on cffi's lib costs as much as a short lookup.
_lookup = lib.pya_lookup
_glob_match = lib.pya_glob_match
_number_last = lib.pya_answers_number_last
_SEVERAL: Final[int] = lib.PYA_SEVERAL

# Rows of a list are matched in parts that stay in the cache.
_LIST_ROWS = 4096
_LIST_BYTES = 64 * _LIST_ROWS


class Counts(NamedTuple):
    """What an image holds."""

    sources: int
    aliases: int
    patterns: int
    modules: int
    answers: int


class Line(NamedTuple):
    """An alias line as the image keeps it; ``number`` is 0 where it has none."""

    pattern: bytes
    module: bytes
    source: bytes
    number: int


class Source(NamedTuple):
    """What one source is compiled from: alias text, or aliases taken apart."""

    name: bytes
    order: int
    text: bytes | None = None
    """A ``modules.alias`` text, or ``None`` where ``aliases`` are given."""
    aliases: Sequence[tuple[bytes, bytes]] = ()
    numbers: Sequence[int] | None = None


def _raise(code: int, error: Any, file: str | None = None) -> None:
    """Turn a code of the core into the exception that it stands for."""
    if code == lib.PYA_OK:
        return
    message = ffi.string(error.message).decode()
    if code == lib.PYA_ENOMEM:
        raise MemoryError(message)
    if code == lib.PYA_EIMAGE:
        raise ImageError(f"{message} (byte {error.position})", file)
    if code == lib.PYA_ETEXT:
        raise AliasFileError(message, file, error.position)
    if code == lib.PYA_ELIMIT:
        raise LimitError(message)
    raise ColumnError(message)


def _refusal(code: int, key: bytes) -> InvalidModaliasError:
    shown = key if len(key) <= 80 else key[:77] + b"..."
    if code == lib.PYA_ETOOLONG:
        return InvalidModaliasError(
            f"{shown!r}: {len(key)} bytes are too long for libkmod (-ENAMETOOLONG): "
            "name and module must fit into 4096 bytes",
            key,
            errno.ENAMETOOLONG,
        )
    return InvalidModaliasError(
        f"{shown!r}: libkmod refuses it (-EINVAL): brackets must come in pairs, and no name holds a NUL", key
    )


def glob_matches(pattern: bytes, text: bytes) -> bool:
    """Whether ``fnmatch(pattern, text, 0)`` in the C locale; O(pattern x text) at worst."""
    return bool(_glob_match(pattern, len(pattern), text, len(text)))


def compile_image(sources: Sequence[Source]) -> Buffer:
    """Compile sources, the first to answer first, to the bytes of an image.

    Raises:
        AliasFileError: a line is no alias; the message names source and line.
        LimitError: the image would exceed 4 GiB.
    """
    builder = ffi.gc(lib.pya_builder_new(), lib.pya_builder_free)
    if builder == ffi.NULL:
        raise MemoryError
    error = ffi.new("pya_error *")
    borrowed = []  # the builder points into these until it has compiled
    for source in sources:
        if lib.pya_builder_source(builder, source.name, len(source.name), source.order) != lib.PYA_OK:
            raise MemoryError
        name = source.name.decode("utf-8", "surrogateescape") or None
        if source.text is not None:
            text = ffi.from_buffer("uint8_t[]", source.text)
            borrowed.append(text)
            _raise(lib.pya_builder_text(builder, text, len(text), error), error, name)
        else:
            blob = ffi.from_buffer("uint8_t[]", b"".join(part for alias in source.aliases for part in alias))
            lengths = ffi.new("uint32_t[]", [len(part) for alias in source.aliases for part in alias])
            numbers = ffi.NULL if source.numbers is None else ffi.new("uint32_t[]", source.numbers)
            borrowed.append(blob)
            code = lib.pya_builder_aliases(
                builder, blob, len(blob), lengths, numbers, len(source.aliases), error
            )
            _raise(code, error, name)
    image = ffi.new("uint8_t **")
    size = ffi.new("size_t *")
    _raise(lib.pya_builder_compile(builder, image, size, error), error)
    owner = ffi.gc(image[0], lib.pya_bytes_free, size[0])
    found: Buffer = ffi.buffer(owner, size[0])
    return found


def variants() -> tuple[str, ...]:
    """How columns of PCI devices can be matched on this CPU, from the portable way to the fastest."""
    return tuple(ffi.string(lib.pya_variant_name(n)).decode() for n in range(lib.pya_variant_count()))


def chosen_variant() -> int:
    """The number of the variant that ``PYALIAS_CPU`` names; without it the fastest.

    Raises:
        PyaliasError: this CPU has no such variant.
    """
    known, wanted = variants(), os.environ.get("PYALIAS_CPU")
    if not wanted:
        return len(known) - 1
    if wanted not in known:
        raise PyaliasError(
            f"the environment variable PYALIAS_CPU is {wanted!r}: expected one of {', '.join(known)}, "
            "which this CPU runs, or none for the fastest"
        )
    return known.index(wanted)


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


def row_end(text: Any, at: int, separator: bytes) -> int:
    """Where the row of a text that a byte belongs to ends, behind its separator."""
    end: int = lib.pya_row_end(text, len(text), at, separator[0])
    return end


class Image:
    """An opened image over borrowed bytes, and the lookups of single keys in it.

    Raises:
        ImageError: the bytes are no intact image of this version.
    """

    def __init__(self, data: Buffer, file: str | None = None) -> None:
        self._data = ffi.from_buffer("uint8_t[]", data)
        if isinstance(data, memoryview):
            # Garbage collection may clear a memoryview while cffi still uses it, and crash (CPython 3.11).
            # Held from outside for as long as the image lives, it is never garbage together with it.
            weakref.finalize(self, id, data).atexit = False
        opened = ffi.new("pya_image **")
        error = ffi.new("pya_error *")
        _raise(lib.pya_image_open(self._data, len(self._data), opened, error), error, file)
        self.handle = ffi.gc(opened[0], lib.pya_image_free)
        self._scratches: list[Any] = []
        self._variant = chosen_variant()
        counts = lib.pya_image_counts(self.handle)
        self.counts = Counts(counts.sources, counts.lines, counts.patterns, counts.modules, counts.answers)
        self.size = len(self._data)

    def has_pci_table(self, bus: int) -> bool:
        """Whether columns of pci (0), vfio_pci (1) or usb (2) devices are matched by a variant."""
        return bool(lib.pya_image_has_pci_table(self.handle, bus))

    def view(self) -> memoryview:
        """The bytes of the image."""
        return memoryview(ffi.buffer(self._data))

    def take_scratch(self) -> Any:
        """Working memory for one call at a time; give it back."""
        try:
            return self._scratches.pop()
        except IndexError:
            scratch = ffi.gc(lib.pya_scratch_new(self.handle, self._variant), lib.pya_scratch_free)
            if scratch == ffi.NULL:
                raise MemoryError from None
            return scratch

    def give_scratch(self, scratch: Any) -> None:
        """Take working memory back."""
        self._scratches.append(scratch)

    # ---- one key ----

    def lookup(self, key: bytes, numbers: Numbers) -> int:
        """The id of the answer (0: nothing).

        Raises:
            InvalidModaliasError: libkmod refuses the key.
        """
        scratches = self._scratches
        scratch = scratches.pop() if scratches else self.take_scratch()
        answer: int = _lookup(self.handle, scratch, key, len(key))
        if answer == _SEVERAL:
            answer = numbers.number_last(scratch)
        scratches.append(scratch)
        if answer >= 0:
            return answer
        if answer == lib.PYA_ENOMEM:
            raise MemoryError
        raise _refusal(answer, key)

    def match_lines(self, key: bytes) -> tuple[int, ...]:
        """The ids of the matching lines in answer order, repeats as libkmod gives them.

        Raises:
            InvalidModaliasError: libkmod refuses the key.
        """
        scratch = self.take_scratch()
        lines = ffi.new("uint32_t **")
        count = lib.pya_match_lines(self.handle, scratch, key, len(key), lines)
        found = tuple(ffi.unpack(lines[0], count)) if count > 0 else ()
        self._scratches.append(scratch)
        if count == lib.PYA_ENOMEM:
            raise MemoryError
        if count < 0:
            raise _refusal(count, key)
        return found

    # ---- what ids mean ----

    def line(self, line: int) -> Line:
        """One alias line."""
        room = ffi.new("uint8_t[]", lib.PYA_PATTERN_ROOM)
        found = lib.pya_image_line(self.handle, line, room)
        return Line(_text(found.pattern), _text(found.module), _text(found.source), found.number)

    def line_module(self, line: int) -> int:
        """The module id of a line."""
        module: int = lib.pya_image_line_module(self.handle, line)
        return module

    def lines_with_prefix(self, prefix: bytes) -> tuple[int, ...]:
        """The lines whose pattern starts with a text; ``-`` and ``_`` are one."""
        lines = ffi.new("uint32_t[]", self.counts.aliases)
        count = lib.pya_lines_with_prefix(self.handle, prefix, len(prefix), lines)
        return tuple(ffi.unpack(lines, count)) if count else ()

    def module(self, module: int) -> bytes:
        """The name of a module."""
        return _text(lib.pya_image_module(self.handle, module))


class Numbers:
    """The ids of answers: those stored in an image, then those that lines were found to make."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._stored = image.counts.answers
        self._handle: Any = None  # made when the first answer comes that may not be stored
        self._modules = ffi.new("uint32_t[]", 16)
        # The C side wants one thread at a time, and calls into it release the GIL.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._stored if self._handle is None else int(lib.pya_answers_count(self._handle))

    def number(self, lines: Any, count: int) -> int:
        """The id of the answer that some lines make; ``lines`` points to their address."""
        with self._lock:
            answer: int = lib.pya_answers_number(self._handle or self._make(), lines[0], count)
        if answer < 0:
            raise MemoryError
        return answer

    def number_last(self, scratch: Any) -> int:
        """The id of the answer of the lines that a lookup found, or the code of an error."""
        with self._lock:
            answer: int = _number_last(self._handle or self._make(), scratch)
        return answer

    def _make(self) -> Any:
        handle = ffi.gc(lib.pya_answers_new(self._image.handle), lib.pya_answers_free)
        if handle == ffi.NULL:
            raise MemoryError
        self._handle = handle
        return handle

    def modules(self, answer: int) -> list[int]:
        """The module ids of an answer."""
        with self._lock:
            if answer < self._stored:
                fetch, handle = lib.pya_image_answer, self._image.handle
            else:
                fetch, handle = lib.pya_answers_modules, self._handle
            room = len(self._modules)
            count = fetch(handle, answer, self._modules, room)
            if count > room:
                self._modules = ffi.new("uint32_t[]", count)
                fetch(handle, answer, self._modules, count)
            found: list[int] = ffi.unpack(self._modules, count)
        return found


def _text(text: Any) -> bytes:
    found: bytes = ffi.unpack(ffi.cast("char *", text.bytes), text.length) if text.length else b""
    return found


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
        given = ffi.new(
            "pya_column *",
            {
                "rows_layout": column.layout,
                "first": column.first + first,
                "rows": rows,
                "data": column.data or ffi.NULL,
                "offsets": column.offsets or ffi.NULL,
                "validity": column.validity or ffi.NULL,
                "buffers": column.buffers or ffi.NULL,
                "buffer_sizes": column.buffer_sizes or ffi.NULL,
                "buffer_count": column.buffer_count,
            },
        )
        self._match(given, _ids_from(ids, first))

    def _match(self, column: Any, ids: Any) -> None:
        code = lib.pya_match_column(self._image.handle, self._scratch, column, ids, self._error)
        _raise(code, self._error)

    def match_text(self, text: Any, start: int, end: int, separator: bytes) -> SharedBuffer:
        """The ids of the rows that stand in a text from one byte to another."""
        matched = ffi.new("pya_matched *")
        rows = 0
        # As many rows as there would be if all were as short as the first ones, and one block more.
        sample = min(end - start, 1 << 12)
        sampled = lib.pya_count_rows(text + start, sample, separator[0])
        ids = SharedBuffer(4 * (sampled * (end - start) // max(sample, 1) + lib.PYA_TEXT_ROWS))
        while start < end:
            code = lib.pya_match_text(
                self._image.handle,
                self._scratch,
                text + start,
                end - start,
                separator[0],
                _ids_from(ids, rows),
                ids.size // 4 - rows,
                matched,
                self._error,
            )
            _raise(code, self._error)
            rows += matched.rows
            start += matched.bytes
            if start < end:
                ids.resize(ids.size * 3 // 2 + 4 * lib.PYA_TEXT_ROWS)
        ids.resize(4 * rows)
        return ids

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
                    self._match(ffi.new("pya_column *", column), _ids_from(ids, start + done))
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
            _ids_from(ids, first),
            self._error,
        )
        _raise(code, self._error)

    def number(self, ids: SharedBuffer, first: int, rows: int, numbers: Numbers) -> None:
        """Turn the combinations among the ids that this search gave into answer ids."""
        count = lib.pya_combination_count(self._scratch)
        if count == 0:
            return
        lines = ffi.new("uint32_t **")
        answers, order = ffi.new("uint32_t[]", count), ffi.new("uint32_t[]", count)
        met = lib.pya_ids_combinations(_ids_from(ids, first), rows, ffi.new("uint8_t[]", count), order)
        for combination in ffi.unpack(order, met):
            length = lib.pya_combination_lines(self._scratch, combination, lines)
            answers[combination] = numbers.number(lines, length)
        lib.pya_ids_number(_ids_from(ids, first), rows, answers)

    def finish(self) -> None:
        """Give the working memory back."""
        self._image.give_scratch(self._scratch)


def _ids_from(ids: SharedBuffer, first: int) -> Any:
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
    _raise(code, error)
    return ids


def settle(ids: SharedBuffer) -> Settled:
    """Make 0 of refused and null rows, in place, and tell which they are."""
    pointer, rows = _ids_from(ids, 0), ids.size // 4
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


# ---- Arrow structs ----


def arrow_struct(kind: str, address: int) -> Any:
    """The ``ArrowSchema``, ``ArrowArray`` or ``ArrowArrayStream`` at an address."""
    return ffi.cast(f"struct {kind} *", address)


def arrow_format(schema: Any) -> str:
    """The format string of a schema."""
    text: str = ffi.string(schema.format).decode()
    return text


def arrow_stream_schema(stream: Any) -> Any:
    """The schema of a stream; released when Python lets go of it."""
    schema = ffi.gc(ffi.new("struct ArrowSchema *"), _release)
    _check_stream(stream, stream.get_schema(stream, schema))
    return schema


def arrow_stream_next(stream: Any) -> Any:
    """The next array of a stream, released when Python lets go of it; ``None`` at the end."""
    array = ffi.gc(ffi.new("struct ArrowArray *"), _release)
    _check_stream(stream, stream.get_next(stream, array))
    return array if array.release != ffi.NULL else None


def _release(struct: Any) -> None:
    if struct.release != ffi.NULL:
        struct.release(struct)


def _check_stream(stream: Any, code: int) -> None:
    if code != 0:
        reason = stream.get_last_error(stream)
        text = ffi.string(reason).decode(errors="replace") if reason != ffi.NULL else f"error {code}"
        raise ColumnError(f"the Arrow stream failed: {text}")


def arrow_column(array: Any, layout: int) -> Column:
    """The rows of an Arrow string array."""
    # validity, offsets or views, data; a view array has any number of data buffers, then their sizes
    validity, offsets = array.buffers[0], array.buffers[1]
    common = {"rows": array.length, "owner": array, "first": array.offset, "offsets": offsets}
    common["validity"] = ffi.cast("uint8_t *", validity) if array.null_count else None
    if array.length == 0:
        # Producers may leave out the buffers of an empty array.
        return Column(ROWS_OFFSETS32, 0, array)
    if layout != ROWS_VIEWS:
        return Column(layout, data=ffi.cast("uint8_t *", array.buffers[2]), **common)
    count = array.n_buffers - 3
    return Column(
        layout,
        buffers=ffi.cast("uint8_t **", array.buffers + 2),
        buffer_sizes=ffi.cast("int64_t *", array.buffers[2 + count]),
        buffer_count=count,
        **common,
    )


def arrow_indices(array: Any) -> tuple[Any, Any]:
    """The indices and the validity bitmap (or ``None``) of a dictionary array."""
    return array.buffers[1], ffi.cast("uint8_t *", array.buffers[0]) if array.null_count else None


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


def shared_bytes(data: Buffer) -> SharedBuffer:
    """A copy of some bytes that Arrow consumers may share."""
    source = ffi.from_buffer(data)
    shared = SharedBuffer(len(source))
    ffi.memmove(shared.pointer, source, len(source))
    return shared


class ExportedArray(NamedTuple):
    """Addresses of two structs on the heap and of the capsule destructors that free them."""

    schema: int
    schema_destructor: int
    array: int
    array_destructor: int


class NamesTable(NamedTuple):
    """A table of answers as Arrow keeps lists of text."""

    list_offsets: SharedBuffer
    lists: int
    text_offsets: SharedBuffer
    texts: int
    text: SharedBuffer


def export_arrow(
    ids: SharedBuffer, validity: SharedBuffer | None, nulls: int, table: NamesTable
) -> ExportedArray:
    """Settled ids over a table as a ``dictionary<uint32, list<utf8>>``."""
    schema, array = lib.new_schema(), lib.new_array()
    given = ffi.new(
        "pya_answer_table *",
        {
            "list_offsets": table.list_offsets.handle,
            "lists": table.lists,
            "text_offsets": table.text_offsets.handle,
            "texts": table.texts,
            "text": table.text.handle,
        },
    )
    bits = validity.handle if validity else ffi.NULL
    if not (schema and array):
        raise MemoryError
    if lib.pya_arrow_answers(ids.handle, ids.size // 4, bits, nulls, given, schema, array) != lib.PYA_OK:
        raise MemoryError

    def address(pointer: Any) -> int:
        return int(ffi.cast("uintptr_t", pointer))

    return ExportedArray(
        address(schema),
        address(ffi.addressof(lib, "release_schema_capsule")),
        address(array),
        address(ffi.addressof(lib, "release_array_capsule")),
    )


# ---- depmod's binary indexes (pyalias.kmod.binindex) ----


class BinValue(NamedTuple):
    """A value of a binary index and its priority: the smallest comes first."""

    priority: int
    value: bytes


class BinFile:
    """The bytes of one ``modules.*.bin``, borrowed; each call checks what it reads.

    Raises:
        ImageError: the header is none of depmod's; later, from each method: damage, and where.
    """

    def __init__(self, data: Buffer, file: str | None = None) -> None:
        self._data = ffi.from_buffer("uint8_t[]", data)
        self._file = file
        error = ffi.new("pya_error *")
        _raise(lib.pya_bin_check(self._data, len(self._data), error), error, file)

    def search(self, key: bytes) -> bytes | None:
        """The first value of exactly this key."""
        value = ffi.new("pya_bin_value *")
        error = ffi.new("pya_error *")
        found = lib.pya_bin_search(self._data, len(self._data), key, len(key), value, error)
        if found < 0:
            _raise(found, error, self._file)
        return _text(value.text) if found else None

    def search_wild(self, key: bytes) -> list[BinValue]:
        """The values of all patterns that match the key, in libkmod's order, repeats kept."""
        values = ffi.new("pya_bin_value **")
        error = ffi.new("pya_error *")
        count = lib.pya_bin_search_wild(self._data, len(self._data), key, len(key), values, error)
        if count < 0:
            _raise(count, error, self._file)
        if not count:
            return []
        owner = ffi.gc(values[0], lib.pya_bin_values_free)
        return [BinValue(owner[i].priority, _text(owner[i].text)) for i in range(count)]

    def items(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Key, priority and value of all entries, in depmod's order."""
        walk = ffi.gc(lib.pya_bin_walk_new(self._data, len(self._data)), lib.pya_bin_walk_free)
        if walk == ffi.NULL:
            raise MemoryError
        key, value, error = ffi.new("pya_text *"), ffi.new("pya_bin_value *"), ffi.new("pya_error *")
        while (code := lib.pya_bin_walk_next(walk, key, value, error)) > 0:
            yield _text(key[0]), value.priority, _text(value.text)
        _raise(code, error, self._file)
