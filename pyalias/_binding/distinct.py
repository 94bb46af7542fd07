"""Rows that are alike: numbered by what they hold."""

from __future__ import annotations

from pyalias._binding.columns import SharedBuffer, column_struct, ids_from
from pyalias._binding.core import ffi, lib, raise_error, text_of
from pyalias._records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from typing_extensions import Buffer

    from pyalias._binding.columns import Column

ID_INVALID: Final[int] = lib.PYA_ID_INVALID
ID_NULL: Final[int] = lib.PYA_ID_NULL


class IdColumn(NamedTuple):
    """Whole numbers, some unknown; all are where ``values`` is ``None``. ``owner`` keeps addresses valid."""

    values: Any = None
    size: int = 4
    signed: bool = False
    bits: int = 32
    first: int = 0
    validity: Any = None
    """Arrow's bitmap, or ``None``."""
    known: Any = None
    """A byte a row that is not 0 where the number is known, or ``None``."""
    owner: object = None


class Distinct:
    """Rows numbered by what they hold, in order of first appearance."""

    def __init__(self) -> None:
        self._handle = ffi.gc(lib.pya_distinct_new(), lib.pya_distinct_free)
        if self._handle == ffi.NULL:
            raise MemoryError
        self._error = ffi.new("pya_error *")

    def number_ids(self, columns: Sequence[IdColumn], rows: int) -> SharedBuffer:
        """The numbers of rows of ids; in each, a bit for every known column, then the ids.

        Raises:
            ColumnError: a number with more bits than its column may have.
        """
        given = ffi.new("pya_id_column[]", len(columns))
        for place, column in enumerate(columns):
            given[place] = {
                "values": column.values if column.values is not None else ffi.NULL,
                "value_size": column.size,
                "is_signed": column.signed,
                "bits": column.bits,
                "first": column.first,
                "validity": column.validity if column.validity is not None else ffi.NULL,
                "known": column.known if column.known is not None else ffi.NULL,
            }
        numbers = SharedBuffer(4 * rows)
        code = lib.pya_distinct_ids(
            self._handle, given, len(columns), rows, ids_from(numbers, 0), self._error
        )
        raise_error(code, self._error)
        return numbers

    def number_column(self, column: Column) -> SharedBuffer:
        """The numbers of rows of text; null rows get that of ``null_ids``.

        Raises:
            ColumnError: a row that lies outside the column's data.
        """
        given = column_struct(column)
        numbers = SharedBuffer(4 * column.rows)
        raise_error(
            lib.pya_distinct_column(self._handle, given, ids_from(numbers, 0), self._error), self._error
        )
        return numbers

    def rows(self, first: int = 0) -> list[bytes]:
        """What the rows with each number, from one on, hold."""
        count = lib.pya_distinct_count(self._handle)
        return [text_of(lib.pya_distinct_row(self._handle, number)) for number in range(first, count)]


def renumber(ids: SharedBuffer, new_ids: Sequence[int]) -> None:
    """Put the new id in place of each number; null rows stay null."""
    lib.pya_ids_renumber(ids_from(ids, 0), ids.size // 4, ffi.new("uint32_t[]", new_ids))


def number_address(buffer: Buffer) -> Any:
    """The bytes of a buffer, borrowed."""
    return ffi.from_buffer("uint8_t[]", buffer)
