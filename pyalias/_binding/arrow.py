"""Arrow's C structs: read, made, and handed over."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias._binding.columns import ROWS_OFFSETS32, ROWS_VIEWS, Column, SharedBuffer, shared_bytes
from pyalias._binding.core import address_of, ffi, lib
from pyalias._binding.distinct import IdColumn
from pyalias.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer


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


def arrow_ids(array: Any, size: int, *, signed: bool) -> IdColumn:
    """The numbers of an Arrow integer array."""
    if array.length == 0:
        return IdColumn(owner=array)
    return IdColumn(
        ffi.cast("uint8_t *", array.buffers[1]),
        size,
        signed,
        first=array.offset,
        validity=ffi.cast("uint8_t *", array.buffers[0]) if array.null_count else None,
        owner=array,
    )


def arrow_indices(array: Any) -> tuple[Any, Any]:
    """The indices and the validity bitmap (or ``None``) of a dictionary array."""
    return array.buffers[1], ffi.cast("uint8_t *", array.buffers[0]) if array.null_count else None


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

    return ExportedArray(*_capsule_parts(schema), *_capsule_parts(array))


# ---- batches with further columns ----


def _is_schema(struct: Any) -> bool:
    return ffi.typeof(struct) is ffi.typeof("struct ArrowSchema *")


def _heap_copy(struct: Any) -> Any:
    copy = lib.new_schema() if _is_schema(struct) else lib.new_array()
    if copy == ffi.NULL:
        raise MemoryError
    copy[0] = struct[0]
    return copy


def _capsule_parts(struct: Any) -> tuple[int, int]:
    """The address of a struct on the heap, and that of the capsule destructor that frees it."""
    destructor = "release_schema_capsule" if _is_schema(struct) else "release_array_capsule"
    return address_of(struct), address_of(ffi.addressof(lib, destructor))


def lend(struct: Any) -> tuple[int, int]:
    """The parts of a capsule whose struct only looks at what this struct's owner keeps."""
    copy = _heap_copy(struct)
    copy.release = ffi.addressof(lib, "release_lent_schema" if _is_schema(struct) else "release_lent_array")
    return _capsule_parts(copy)


def hand_over(struct: Any) -> tuple[int, int]:
    """The parts of a capsule that the struct moves into."""
    copy = _heap_copy(struct)
    struct.release = ffi.NULL
    return _capsule_parts(copy)


def move(struct: Any, address: int) -> None:
    """Move a struct to an address, as the Arrow C data interface has it."""
    ffi.cast(ffi.typeof(struct), address)[0] = struct[0]
    struct.release = ffi.NULL


def end_stream_at(address: int) -> None:
    """Write the array that ends a stream to an address: a released one."""
    ffi.cast("struct ArrowArray *", address).release = ffi.NULL


def take(kind: str, address: int) -> Any:
    """The struct at an address, moved from there; released when Python lets go of it."""
    given = arrow_struct(kind, address)
    struct = ffi.gc(ffi.new(f"struct {kind} *"), _release)
    struct[0] = given[0]
    given.release = ffi.NULL
    return struct


def schema_name(schema: Any) -> str:
    """The name of a column."""
    return ffi.string(schema.name).decode("utf-8", "surrogateescape") if schema.name != ffi.NULL else ""


# Schemas that went out borrow their format and name for good.
_lasting: dict[bytes, Any] = {}


def _lasting_text(text: str) -> Any:
    key = text.encode("utf-8", "surrogateescape")
    return _lasting.setdefault(key, ffi.new("char[]", key))


def column_schema(text_format: str, name: str) -> Any:
    """The schema of a flat column, to be moved."""
    schema = ffi.gc(ffi.new("struct ArrowSchema *"), _release)
    lib.pya_arrow_schema(_lasting_text(text_format), _lasting_text(name), schema)
    return schema


def named(schema: Any, name: str) -> Any:
    """A schema that this module made, under another name."""
    schema.name = _lasting_text(name)
    return schema


def widen(batch: Any, added: Sequence[Any]) -> Any:
    """A record batch, or its schema, with further columns; all are moved into it."""
    schema = _is_schema(batch)
    wider = ffi.gc(ffi.new(ffi.typeof(batch)), _release)
    moved = ffi.new("struct ArrowSchema[]" if schema else "struct ArrowArray[]", len(added))
    for place, struct in enumerate(added):
        moved[place] = struct[0]
        struct.release = ffi.NULL
    widen_struct = lib.pya_arrow_widen_schema if schema else lib.pya_arrow_widen
    if widen_struct(batch, moved, len(added), wider) != lib.PYA_OK:
        for place in range(len(added)):
            _release(ffi.addressof(moved, place))
        raise MemoryError
    return wider


def views_array(
    ids: SharedBuffer,
    table: Buffer,
    text: SharedBuffer,
    validity: SharedBuffer | None,
    nulls: int,
    null_rows: int | None = None,
) -> Any:
    """The utf8_view array of rows that take the views ``table[id]`` into one text, or of nulls alone."""
    rows = ids.size // 4 if null_rows is None else null_rows
    views = SharedBuffer(16 * rows)
    if null_rows is None:
        lib.pya_ids_views(
            ffi.cast("uint32_t *", ids.pointer), rows, ffi.from_buffer("uint8_t[]", table), views.pointer
        )
    array = ffi.gc(ffi.new("struct ArrowArray *"), _release)
    size = shared_bytes(text.size.to_bytes(8, sys.byteorder))
    bits = validity.handle if validity else ffi.NULL
    if lib.pya_arrow_views(views.handle, rows, bits, nulls, text.handle, size.handle, array) != lib.PYA_OK:
        raise MemoryError
    return array


def numbers_array(numbers: SharedBuffer, validity: SharedBuffer | None, nulls: int) -> Any:
    """The array of rows of 4-byte numbers."""
    array = ffi.gc(ffi.new("struct ArrowArray *"), _release)
    bits = validity.handle if validity else ffi.NULL
    if lib.pya_arrow_numbers(numbers.handle, numbers.size // 4, bits, nulls, array) != lib.PYA_OK:
        raise MemoryError
    return array


def bits_array(ids: SharedBuffer, table: Buffer, validity: SharedBuffer | None, nulls: int) -> Any:
    """The array of rows of truth values, by a table with a byte for every id."""
    rows = ids.size // 4
    bits = SharedBuffer((rows + 7) // 8)
    flags = ffi.from_buffer("uint8_t[]", table)
    lib.pya_ids_bits(ffi.cast("uint32_t *", ids.pointer), rows, flags, bits.pointer)
    array = ffi.gc(ffi.new("struct ArrowArray *"), _release)
    valid_bits = validity.handle if validity else ffi.NULL
    if lib.pya_arrow_numbers(bits.handle, rows, valid_bits, nulls, array) != lib.PYA_OK:
        raise MemoryError
    return array


def empty_batch(rows: int) -> Any:
    """A record batch without columns."""
    array = ffi.gc(ffi.new("struct ArrowArray *"), _release)
    if lib.pya_arrow_batch(rows, array) != lib.PYA_OK:
        raise MemoryError
    return array


def python_stream(producer: object) -> tuple[int, int]:
    """An ``ArrowArrayStream`` that asks an object for its batches, and its capsule's destructor.

    The object's ``fill_schema`` and ``fill_next`` take an address to move a struct to, and return 0
    or the bytes of a message.
    """
    stream = lib.new_python_stream(ffi.cast("void *", id(producer)))
    if stream == ffi.NULL:
        raise MemoryError
    return address_of(stream), address_of(ffi.addressof(lib, "release_stream_capsule"))


def arrow_row(array: Any, layout: int, row: int) -> bytes:
    """The bytes of one row, not null, of an Arrow string array."""
    at = array.offset + row
    if layout == ROWS_VIEWS:
        view = ffi.cast("int32_t *", array.buffers[1]) + 4 * at
        length = view[0]
        if length <= 12:
            return bytes(ffi.buffer(ffi.cast("char *", view + 1), length))
        return bytes(ffi.buffer(ffi.cast("char *", array.buffers[2 + view[2]]) + view[3], length))
    kind = "int32_t *" if layout == ROWS_OFFSETS32 else "int64_t *"
    start, end = ffi.unpack(ffi.cast(kind, array.buffers[1]) + at, 2)
    return bytes(ffi.buffer(ffi.cast("char *", array.buffers[2]) + start, end - start))


def arrow_index(array: Any, kind: str, row: int) -> int:
    """One index, not null, of a dictionary array."""
    pointer = ffi.cast(f"{kind} *", array.buffers[1])
    index: int = pointer[array.offset + row]
    return index
