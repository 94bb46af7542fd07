"""Arrow columns in and out by the PyCapsule protocol, without an Arrow library.

https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
"""

from __future__ import annotations

import ctypes
from array import array as python_array
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from pyalias import _binding
from pyalias.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyalias._batch import Batch
    from pyalias._binding import Distinct, IdColumn, SharedBuffer
    from pyalias.answers import Names

_LAYOUTS = {
    "u": _binding.ROWS_OFFSETS32,
    "z": _binding.ROWS_OFFSETS32,
    "U": _binding.ROWS_OFFSETS64,
    "Z": _binding.ROWS_OFFSETS64,
    "vu": _binding.ROWS_VIEWS,
    "vz": _binding.ROWS_VIEWS,
}
_INDEX_SIZES = {"c": 1, "C": 1, "s": 2, "S": 2, "i": 4, "I": 4, "l": 8, "L": 8}

capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype = ctypes.c_void_p
capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

# A capsule keeps the pointer to its name, so the names must live as long as this module.
SCHEMA_NAME = b"arrow_schema"
ARRAY_NAME = b"arrow_array"
STREAM_NAME = b"arrow_array_stream"


def is_arrow(column: object) -> bool:
    """Whether an object hands out Arrow data."""
    return hasattr(column, "__arrow_c_array__") or hasattr(column, "__arrow_c_stream__")


def match_arrow(batch: Batch, column: Any) -> SharedBuffer:
    """The unsettled ids of an Arrow column: one array, or a stream of chunks.

    Raises:
        ColumnError: the column holds no strings, or its parts contradict each other.
    """
    # A stream first: who offers both may have several chunks, which are no one array (nanoarrow.Array).
    if hasattr(column, "__arrow_c_stream__"):
        return _match_stream(batch, column.__arrow_c_stream__())
    # The capsules own the structs and release them when they go.
    schema_capsule, array_capsule = column.__arrow_c_array__()
    schema = _binding.arrow_struct("ArrowSchema", capsule_pointer(schema_capsule, SCHEMA_NAME))
    array = _binding.arrow_struct("ArrowArray", capsule_pointer(array_capsule, ARRAY_NAME))
    return _match_array(batch, schema, array)


def number_arrow(distinct: Distinct, column: Any) -> SharedBuffer:
    """The numbers of the rows of an Arrow string column, by what they hold.

    Raises:
        ColumnError: as ``match_arrow``.
    """
    parts = [_number_array(distinct, schema, array) for schema, array, _ in _arrays(column)]
    return _binding.joined(parts) if parts else _binding.null_ids(0)


def _number_array(distinct: Distinct, schema: Any, array: Any) -> SharedBuffer:
    layout = layout_of(schema)
    if layout is None:
        return _binding.null_ids(array.length)
    if not schema.dictionary:
        return distinct.number_column(_binding.arrow_column(array, layout))
    size = _index_size(schema)
    values = distinct.number_column(_binding.arrow_column(array.dictionary, layout))
    indices, validity = _binding.arrow_indices(array)
    return _binding.gather(values, indices, size, array.offset, array.length, validity)


def arrow_id_columns(column: Any) -> list[tuple[int, IdColumn]]:
    """The chunks of an Arrow column of whole numbers, each with its rows.

    Raises:
        ColumnError: it is of another type.
    """
    chunks = []
    for schema, array, owner in _arrays(column):
        kind = _binding.arrow_format(schema)
        if kind == "n":
            chunks.append((array.length, _binding.IdColumn()))
        elif schema.dictionary or kind not in _INDEX_SIZES:
            raise ColumnError(f"expected an Arrow column of whole numbers, found one of type {kind!r}")
        else:
            ids = _binding.arrow_ids(array, _INDEX_SIZES[kind], signed=kind.islower())
            chunks.append((array.length, ids._replace(owner=owner)))
    return chunks


def _arrays(column: Any) -> Iterator[tuple[Any, Any, object]]:
    """The schema and the array of each chunk, and what must be kept while the array is used."""
    if hasattr(column, "__arrow_c_stream__"):
        capsule = column.__arrow_c_stream__()
        stream = _binding.arrow_struct("ArrowArrayStream", capsule_pointer(capsule, STREAM_NAME))
        schema = _binding.arrow_stream_schema(stream)
        while (array := _binding.arrow_stream_next(stream)) is not None:
            yield schema, array, array
        return
    # The capsules own the structs and release them when they go.
    capsules = column.__arrow_c_array__()
    schema = _binding.arrow_struct("ArrowSchema", capsule_pointer(capsules[0], SCHEMA_NAME))
    array = _binding.arrow_struct("ArrowArray", capsule_pointer(capsules[1], ARRAY_NAME))
    yield schema, array, capsules


def _match_stream(batch: Batch, capsule: object) -> SharedBuffer:
    stream = _binding.arrow_struct("ArrowArrayStream", capsule_pointer(capsule, STREAM_NAME))
    schema = _binding.arrow_stream_schema(stream)
    layout_of(schema)
    parts = []
    while (array := _binding.arrow_stream_next(stream)) is not None:
        parts.append(_match_array(batch, schema, array))
    return _binding.joined(parts) if parts else _binding.null_ids(0)


def layout_of(schema: Any) -> int | None:
    """How the strings of a column lie; ``None`` for a column of Arrow's null type."""
    text = schema.dictionary or schema
    kind = _binding.arrow_format(text)
    if kind == "n":
        return None
    if kind in _LAYOUTS:
        return _LAYOUTS[kind]
    what = "a table: pass one of its columns" if kind.startswith("+s") else f"of Arrow type {kind!r}"
    raise ColumnError(f"expected a column of strings (utf8, large_utf8, utf8_view), found one {what}")


def _match_array(batch: Batch, schema: Any, array: Any) -> SharedBuffer:
    layout = layout_of(schema)
    if layout is None:
        return _binding.null_ids(array.length)
    if not schema.dictionary:
        return batch.match(_binding.arrow_column(array, layout))
    size = _index_size(schema)
    values = batch.match(_binding.arrow_column(array.dictionary, layout))
    indices, validity = _binding.arrow_indices(array)
    return batch.gather(values, indices, size, array.offset, array.length, validity)


def _index_size(schema: Any) -> int:
    kind = _binding.arrow_format(schema)
    if kind not in _INDEX_SIZES:
        raise ColumnError(f"dictionary indices of Arrow type {kind!r}: expected an integer type")
    return _INDEX_SIZES[kind]


# Every batch of an index exports the same table until a new answer turns up.
@lru_cache(maxsize=4)
def _names_table(table: tuple[Names, ...]) -> _binding.NamesTable:
    texts = [name.encode("utf-8", "surrogateescape") for names in table for name in names]
    return _binding.NamesTable(
        _binding.shared_bytes(_offsets(map(len, table))),
        len(table),
        _binding.shared_bytes(_offsets(map(len, texts))),
        len(texts),
        _binding.shared_bytes(b"".join(texts)),
    )


def _offsets(lengths: Any) -> python_array[int]:
    return python_array("i", accumulate(lengths, initial=0))


def new_capsule(address: int, destructor: int, name: bytes) -> object:
    """A capsule around a struct on the heap; the name must last."""
    return _new_capsule(address, name, destructor)


def export_answers(
    ids: SharedBuffer, validity: SharedBuffer | None, nulls: int, table: tuple[Names, ...]
) -> tuple[object, object]:
    """The two capsules of ``__arrow_c_array__`` for settled ids over a table."""
    exported = _binding.export_arrow(ids, validity, nulls, _names_table(table))
    return (
        _new_capsule(exported.schema, SCHEMA_NAME, exported.schema_destructor),
        _new_capsule(exported.array, ARRAY_NAME, exported.array_destructor),
    )
