"""Columns of ids, some of them unknown, brought into one form for the C core."""

from __future__ import annotations

from array import array
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from pyalias import _binding
from pyalias._binding import IdColumn
from pyalias.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyalias._binding import Distinct, SharedBuffer

_SIZES = {"b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "l": 8, "L": 8, "q": 8, "Q": 8}
_MASKS = {"?", "b", "B"}

Chunks = list[tuple[int, IdColumn]]
"""A column as chunks, each with how many rows it has."""


def number_id_rows(
    distinct: Distinct, columns: Mapping[str, Any], bits: Mapping[str, int], known: Mapping[str, Any]
) -> SharedBuffer:
    """The numbers of the rows of some columns, by what they hold.

    Args:
        distinct: where they are numbered.
        columns: by name: ``None``, a list, a buffer or an Arrow column.
        bits: of each column's numbers.
        known: masks, by the name of their columns.

    Raises:
        ColumnError: a column of another type or length, or a number that is too large.
    """
    for name in known:
        if columns.get(name) is None:
            raise ColumnError(f"known: there is no column {name!r} that the mask could be of")
    chunks = {
        name: _chunks(name, column, known.get(name)) for name, column in columns.items() if column is not None
    }
    lengths = {name: sum(rows for rows, _ in parts) for name, parts in chunks.items()}
    if not lengths:
        raise ColumnError("expected at least one column of ids, found None for all")
    if len(set(lengths.values())) > 1:
        raise ColumnError(f"expected columns of one length, found {lengths}")
    rows = next(iter(lengths.values()))
    parts, done = [], 0
    for count, some in _aligned([chunks.get(name, [(rows, IdColumn())]) for name in columns], rows):
        given = [column._replace(bits=bits[name]) for name, column in zip(columns, some, strict=True)]
        try:
            parts.append(distinct.number_ids(given, count))
        except ColumnError as error:
            raise ColumnError(f"{error} (columns {', '.join(columns)}; rows from {done} on)") from error
        done += count
    return _binding.joined(parts) if parts else _binding.null_ids(0)


def _chunks(name: str, column: Any, known: Any) -> Chunks:
    try:
        if hasattr(column, "__arrow_c_array__") or hasattr(column, "__arrow_c_stream__"):
            from pyalias._arrow import arrow_id_columns  # noqa: PLC0415 needs ctypes

            chunks = arrow_id_columns(column)
        elif isinstance(column, list | tuple):
            chunks = _list_chunks(column)
        else:
            chunks = _buffer_chunks(column)
        return chunks if known is None else _masked(chunks, known)
    except ColumnError as error:
        raise ColumnError(f"{name}: {error}") from error
    except (TypeError, ValueError, OverflowError, BufferError) as error:
        raise ColumnError(f"{name}: expected a column of whole numbers: {error}") from error


def _list_chunks(column: Sequence[int | None]) -> Chunks:
    values = array("Q", [0 if value is None else value for value in column])
    known = bytes(value is not None for value in column)
    address = _binding.number_address
    return [(len(values), IdColumn(address(values), 8, known=address(known), owner=(values, known)))]


def _buffer_chunks(column: Any) -> Chunks:
    view = memoryview(column)
    kind = view.format.lstrip("@=<")
    if kind not in _SIZES or view.ndim != 1 or not view.c_contiguous:
        raise ColumnError(f"expected a contiguous column of whole numbers, found format {view.format!r}")
    values = _binding.number_address(view)
    return [(len(view), IdColumn(values, view.itemsize, kind.islower(), owner=view))]


def _masked(chunks: Chunks, known: Any) -> Chunks:
    view = memoryview(bytes(map(bool, known)) if isinstance(known, list | tuple) else known)
    rows = sum(count for count, _ in chunks)
    if view.format not in _MASKS or view.ndim != 1 or not view.c_contiguous or len(view) != rows:
        raise ColumnError(f"known: expected {rows} booleans or bytes, found {len(view)} of {view.format!r}")
    if any(column.known is not None for _, column in chunks):
        raise ColumnError("known: a list says what is unknown by None, and takes no mask")
    mask, masked, done = _binding.number_address(view), [], 0
    for count, column in chunks:
        masked.append((count, column._replace(known=mask + done, owner=(column.owner, mask))))
        done += count
    return masked


def _aligned(columns: Sequence[Chunks], rows: int) -> Iterator[tuple[int, list[IdColumn]]]:
    """Runs of rows that lie in one chunk of each column, with how many they are."""
    cuts = sorted({0, rows}.union(*(accumulate(count for count, _ in chunks) for chunks in columns)))
    for start, end in pairwise(cuts):
        yield end - start, [_part(chunks, start) for chunks in columns]


def _part(chunks: Chunks, start: int) -> IdColumn:
    """The chunk in which a row lies, from that row on."""
    for count, column in chunks:
        if start < count:
            known = None if column.known is None else column.known + start
            return column._replace(first=column.first + start, known=known)
        start -= count
    raise IndexError(start)
