"""Three-valued answers as an Arrow record batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyalias import _arrow
from pyalias._arrow_stream import Reader, Texts
from pyalias._binding import arrow as structs

if TYPE_CHECKING:
    from pyalias._binding import SharedBuffer
    from pyalias.answers import Names
    from pyalias.partial.answers import PartialAnswer

_COLUMNS = {"state": "vu", "certain": "vu", "possible": "vu", "partial": "b"}


class Export:
    """Ids over a table, handed out once: the rows that are valid, or all, and how many are not."""

    def __init__(
        self,
        ids: SharedBuffer,
        validity: SharedBuffer | None,
        nulls: int,
        table: tuple[PartialAnswer, ...],
    ) -> None:
        self._valid = validity, nulls
        self._ids = ids
        self._table = table
        self._reader: Reader | None = None
        self.failure: BaseException | None = None

    def array_capsules(self) -> tuple[object, object]:
        """The two capsules of ``__arrow_c_array__``."""
        return (
            _arrow.new_capsule(*structs.hand_over(self.schema()), _arrow.SCHEMA_NAME),
            _arrow.new_capsule(*structs.hand_over(self._batch()), _arrow.ARRAY_NAME),
        )

    def stream_capsule(self) -> object:
        """The capsule of ``__arrow_c_stream__``."""
        return _arrow.new_capsule(*structs.python_stream(Reader(self)), _arrow.STREAM_NAME)

    def schema(self) -> Any:
        """The schema of the batch, a new one each time."""
        columns = [structs.column_schema(kind, name) for name, kind in _COLUMNS.items()]
        return structs.widen(structs.column_schema("+s", ""), columns)

    def next(self, reader: Reader) -> Any:
        """The batch, then ``None``."""
        if self._reader is not None:
            return None
        self._reader = reader
        return self._batch()

    def _batch(self) -> Any:
        states = Texts(answer.state.encode() for answer in self._table)
        certain = Texts(_joined(answer.certain) for answer in self._table)
        possible = Texts(_joined(answer.possible) for answer in self._table)
        columns = [texts.array(self._ids, *self._valid) for texts in (states, certain, possible)]
        flags = bytes(answer.partial for answer in self._table)
        columns.append(structs.bits_array(self._ids, flags, *self._valid))
        return structs.widen(structs.empty_batch(self._ids.size // 4), columns)


def _joined(names: Names) -> bytes:
    return " ".join(names).encode("utf-8", "surrogateescape")
