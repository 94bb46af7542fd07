"""Arrow record batches in; the same batches, with columns of answers behind theirs, out.

By the PyCapsule protocol on both sides, without an Arrow library. Columns that come in go out as they
are: nothing of them is copied.
"""

from __future__ import annotations

import errno
import sys
import threading
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from pyalias import _arrow, _binding
from pyalias._binding import SharedBuffer
from pyalias._binding import arrow as structs
from pyalias.errors import ColumnError, InvalidModaliasError, LimitError
from pyalias.index_set.answers import UNKNOWN_KERNEL, KernelCounts, SetAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pyalias.answers import Answers, Names, NamesTable

    LookUpRows = Callable[..., Answers]
    """Answers for a column of devices or, of a set of kernels, for one of devices and one of kernels."""

_VIEW_SIZE = 16
_VIEW_INLINE = 12
# Shorter names than this are never too long for libkmod: name and module must fit into 4,096 bytes.
_SURELY_SHORT = 2048
_C_TYPES = {
    "c": "int8_t", "C": "uint8_t", "s": "int16_t", "S": "uint16_t",
    "i": "int32_t", "I": "uint32_t", "l": "int64_t", "L": "uint64_t",
}  # fmt: skip


class LentColumn:
    """One column of a batch, for somebody who is done with it before the batch goes."""

    def __init__(self, schema: Any, array: Any) -> None:
        self._schema = schema
        self._array = array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """The two capsules of the protocol."""
        del requested_schema
        return (
            _arrow.new_capsule(*structs.lend(self._schema), _arrow.SCHEMA_NAME),
            _arrow.new_capsule(*structs.lend(self._array), _arrow.ARRAY_NAME),
        )

    def row(self, row: int) -> bytes:
        """The bytes of a row that is not null."""
        schema, array = self._schema, self._array
        if schema.dictionary:
            row = structs.arrow_index(array, _C_TYPES[structs.arrow_format(schema)], row)
            schema, array = schema.dictionary, array.dictionary
        layout = _arrow.layout_of(schema)
        return b"" if layout is None else structs.arrow_row(array, layout, row)


# ---- where batches come from ----


class _Source(Protocol):
    def new_schema(self) -> Any:
        """The schema of all batches, a new one each time."""

    def next(self) -> Any:
        """The next batch, or ``None``."""


class _Stream:
    def __init__(self, table: Any) -> None:
        self._capsule = table.__arrow_c_stream__()
        pointer = _arrow.capsule_pointer(self._capsule, _arrow.STREAM_NAME)
        self._stream = structs.arrow_struct("ArrowArrayStream", pointer)

    def new_schema(self) -> Any:
        return structs.arrow_stream_schema(self._stream)

    def next(self) -> Any:
        return structs.arrow_stream_next(self._stream)


class _Batches:
    """Objects that are a batch each."""

    def __init__(self, batches: Iterator[Any]) -> None:
        self._rest = batches
        self._first = self._pull()
        if self._first is None:
            raise ColumnError("no batches: an empty iterable has no columns; pass a table or a stream")
        self._described = self._first
        self._shape = _shape(self.new_schema())
        self._number = 0

    def _pull(self) -> Any:
        batch = next(self._rest, None)
        if batch is not None and not hasattr(batch, "__arrow_c_array__"):
            kind = type(batch).__name__
            raise ColumnError(f"expected Arrow record batches (__arrow_c_array__), found {kind}")
        return batch

    def new_schema(self) -> Any:
        batch = self._described
        capsule = (
            batch.__arrow_c_schema__()
            if hasattr(batch, "__arrow_c_schema__")
            else batch.__arrow_c_array__()[0]
        )
        return _taken("ArrowSchema", capsule, _arrow.SCHEMA_NAME)

    def next(self) -> Any:
        batch, self._first = self._first or self._pull(), None
        if batch is None:
            return None
        schema, array = batch.__arrow_c_array__()
        shape = _shape(_taken("ArrowSchema", schema, _arrow.SCHEMA_NAME))
        if shape != self._shape:
            raise ColumnError(
                f"batch {self._number}: its columns {shape} are not those before: {self._shape}"
            )
        self._number += 1
        return _taken("ArrowArray", array, _arrow.ARRAY_NAME)


def _taken(kind: str, capsule: object, name: bytes) -> Any:
    return structs.take(kind, _arrow.capsule_pointer(capsule, name))


def _shape(schema: Any) -> list[tuple[str, str]]:
    columns = (schema.children[place] for place in range(schema.n_children))
    return [(structs.schema_name(column), structs.arrow_format(column)) for column in columns]


def open_source(batches: Any) -> _Source:
    """A table, stream or reader; or one record batch; or an iterable of them.

    Raises:
        ColumnError: something else.
    """
    if hasattr(batches, "__arrow_c_stream__"):
        return _Stream(batches)
    if hasattr(batches, "__arrow_c_array__"):
        return _Batches(iter([batches]))
    try:
        rest = iter(batches)
    except TypeError as error:
        kind = type(batches).__name__
        raise ColumnError(
            f"expected Arrow data (a table, a stream, an iterable of record batches), found {kind}"
        ) from error
    return _Batches(rest)


# ---- columns of answers ----


class Texts:
    """Texts by id as Arrow string views: what is known stays, what is new is put behind it."""

    def __init__(self, texts: Iterable[bytes] = ()) -> None:
        self._views = bytearray()
        self._text = bytearray()
        self._add(texts)

    def _add(self, texts: Iterable[bytes]) -> None:
        for text in texts:
            size = len(text).to_bytes(4, sys.byteorder)
            if len(text) <= _VIEW_INLINE:
                self._views += size + text.ljust(_VIEW_INLINE, b"\0")
            else:
                at = len(self._text).to_bytes(4, sys.byteorder)
                self._views += size + text[:4] + b"\0\0\0\0" + at
                self._text += text
        self._shared = bytes(self._views), _binding.shared_bytes(self._text)

    def array(
        self, ids: SharedBuffer, validity: SharedBuffer | None, nulls: int, rows: int | None = None
    ) -> Any:
        """The column of the texts that ids stand for; of ``rows`` nulls, where there are no ids."""
        # Should another thread put texts behind these meanwhile, either pair has those that ids ask for.
        views, text = self._shared
        return structs.views_array(ids, views, text, validity, nulls, rows)


class _NameTexts(Texts):
    """The texts of an answer table, whichever of its ids there are by now."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def extend(self, table: NamesTable) -> Texts:
        """Itself, with the texts of all ids that the table has by now."""
        with self._lock:
            known = len(self._views) // _VIEW_SIZE
            if known < len(table):
                new = (table.names(answer) for answer in range(known, len(table)))
                self._add(" ".join(names).encode("utf-8", "surrogateescape") for names in new)
        return self


# Engines call with a few thousand rows at a time, and a kernel has a few thousand answers: their texts are
# made once for a table.
_name_texts: WeakKeyDictionary[NamesTable, _NameTexts] = WeakKeyDictionary()


_ERRORS = Texts([b"", b"EINVAL", b"ENAMETOOLONG", UNKNOWN_KERNEL.encode()])
_ERROR_IDS = {errno.EINVAL: 1, errno.ENAMETOOLONG: 2}
_UNKNOWN_KERNEL_ID = 3


class AnswerColumns:
    """Makes the columns of answers for one batch after another, and counts.

    ``kinds`` maps the names of new columns to what they hold: ``text`` (the module names, with blanks
    between them, utf8_view), ``list`` (dictionary<uint32, list<utf8>>), ``id`` (the answer's number in
    this index, uint32), ``error`` (``EINVAL`` or ``ENAMETOOLONG`` where libkmod refuses the row,
    ``UNKNOWN_KERNEL`` where a set of kernels lacks the row's, else null).

    ``lookup_many`` and ``lookup`` take what the columns hold that ``arrays`` is given: devices, or devices
    and their kernels.
    """

    def __init__(self, lookup_many: LookUpRows, lookup: Callable[..., Names], kinds: dict[str, str]) -> None:
        self._lookup_many = lookup_many
        self._lookup = lookup
        self._kinds = kinds
        self._table: NamesTable | None = None
        self._counts = SharedBuffer(0)
        self._folded: dict[Names, int] = {}
        self.rows = self.nulls = self.invalid = self.unknown = 0
        self.kernels: dict[str, KernelCounts] = {}
        """What there was of each kernel of a set."""

    def schemas(self, columns: int = 1) -> list[Any]:
        """The schemas of the new columns, where so many are looked up."""
        formats = {"text": "vu", "error": "vu", "id": "I"}
        return [
            structs.named(_list_column(self._lookup_many(*[[]] * columns))[0], name)
            if kind == "list"
            else structs.column_schema(formats[kind], name)
            for name, kind in self._kinds.items()
        ]

    def arrays(self, *given: LentColumn) -> list[Any]:
        """The arrays of the new columns for one batch of devices (and kernels)."""
        answers = self._lookup_many(*given)
        ids, validity, table = answers.columns()
        self._renew(table)
        self._count(answers, ids)
        makers: dict[str, Callable[[], Any]] = {
            "text": lambda: _texts_of(table).extend(table).array(ids, validity, answers.null_count),
            "list": lambda: _list_column(answers)[1],
            "id": lambda: structs.numbers_array(ids, validity, answers.null_count),
            "error": lambda: self._error_array(answers, given),
        }
        return [makers[kind]() for kind in self._kinds.values()]

    def table(self) -> tuple[Names, ...]:
        """The module names of every id given so far, in order of id."""
        return () if self._table is None else self._table.table(len(self._table))

    def totals(self) -> dict[Names, int]:
        """How many rows have each answer; refused and null rows are not among them."""
        self._fold()
        totals = dict(self._folded)
        totals[()] = totals.get((), 0) - self.nulls - self.invalid
        return totals

    def _renew(self, table: NamesTable) -> None:
        """Ids belong to a table; hostile input, of very many answers, makes an index start another."""
        if table is not self._table:
            if self._table is not None and "id" in self._kinds.values():
                raise LimitError("more than a million distinct answers: the ids have started anew")
            self._fold()
            self._table, self._counts = table, SharedBuffer(0)

    def _count(self, answers: Answers, ids: SharedBuffer) -> None:
        self.rows += len(answers)
        self.nulls += answers.null_count
        self.invalid += len(answers.invalid)
        if isinstance(answers, SetAnswers):
            self.unknown += len(answers.unknown)
            for kernel, found in answers.kernels.items():
                self.kernels[kernel] = self.kernels.get(kernel, KernelCounts()).plus(found)
        known = len(self._table or ())
        if self._counts.size < 8 * known:
            counts = SharedBuffer(8 * known)
            counts.view()[: self._counts.size] = self._counts.view()
            self._counts = counts
        _binding.count_ids(ids, self._counts)

    def _fold(self) -> None:
        if self._table is None:
            return
        for answer, count in enumerate(self._counts.view().cast("Q")):
            if count:
                names = self._table.names(answer)
                self._folded[names] = self._folded.get(names, 0) + count
        self._counts = SharedBuffer(self._counts.size)

    def _error_array(self, answers: Answers, given: Sequence[LentColumn]) -> Any:
        rows = len(answers)
        bits = SharedBuffer((rows + 7) // 8)
        errors = {row: self._refusal(given, row) for row in answers.invalid}
        if isinstance(answers, SetAnswers):
            errors |= dict.fromkeys(answers.unknown, _UNKNOWN_KERNEL_ID)
        if not errors:
            return _ERRORS.array(SharedBuffer(0), bits, rows, rows)
        ids = SharedBuffer(4 * rows)
        numbers, valid = ids.view().cast("I"), bits.view()
        for row, error in errors.items():
            numbers[row] = error
            valid[row // 8] |= 1 << row % 8
        return _ERRORS.array(ids, bits, rows - len(errors))

    def _refusal(self, given: Sequence[LentColumn], row: int) -> int:
        """Which of libkmod's two errors it is, only the single lookup tells."""
        device, *kernel = (column.row(row) for column in given)
        if len(device) < _SURELY_SHORT:
            return _ERROR_IDS[errno.EINVAL]
        try:
            self._lookup(device, *kernel)
        except InvalidModaliasError as error:
            return _ERROR_IDS[error.errno]
        return 0


def _texts_of(table: NamesTable) -> _NameTexts:
    texts = _name_texts.get(table)
    return texts if texts is not None else _name_texts.setdefault(table, _NameTexts())


class TextColumn:
    """The module names of some answers as one utf8_view array, handed out once by the protocol."""

    def __init__(self, answers: Answers) -> None:
        ids, validity, table = answers.columns()
        self._array = _texts_of(table).extend(table).array(ids, validity, answers.null_count)

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """The two capsules of the protocol."""
        del requested_schema
        return (
            _arrow.new_capsule(*structs.hand_over(structs.column_schema("vu", "")), _arrow.SCHEMA_NAME),
            _arrow.new_capsule(*structs.hand_over(self._array), _arrow.ARRAY_NAME),
        )


def _list_column(answers: Answers) -> tuple[Any, Any]:
    schema, array = answers.__arrow_c_array__()
    return (
        _taken("ArrowSchema", schema, _arrow.SCHEMA_NAME),
        _taken("ArrowArray", array, _arrow.ARRAY_NAME),
    )


# ---- the stream ----


class _Producer(Protocol):
    failure: BaseException | None

    def schema(self) -> Any:
        """The schema of what comes out, a new one each time."""

    def next(self, reader: Reader) -> Any:
        """The next batch, or ``None``."""


class MatchedBatches:
    """The batches of a source, each with columns of answers behind its own; handed out once.

    An Arrow stream by the PyCapsule protocol: give it to whatever takes one. ``failure`` is what went
    wrong in Python while a consumer asked for a batch; the consumer only sees its text.
    """

    def __init__(
        self, source: _Source, given: Sequence[str], columns: AnswerColumns, names: Sequence[str]
    ) -> None:
        """``given`` are the names of the columns to look up."""
        self._source = source
        self.answers = columns
        self._progress: Callable[[int], None] | None = None
        self.failure: BaseException | None = None
        self._reader: Reader | None = None
        self._schema = source.new_schema()
        self._places = [_find_column(self._schema, column, names) for column in given]
        for place in self._places:
            _arrow.layout_of(self._schema.children[place])

    def tell(self, progress: Callable[[int], None] | None) -> None:
        """Call a function with the number of rows so far after each batch."""
        self._progress = progress

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The capsule of the protocol."""
        del requested_schema
        return _arrow.new_capsule(*structs.python_stream(Reader(self)), _arrow.STREAM_NAME)

    def schema(self) -> Any:
        """The schema of what comes out, a new one each time."""
        return structs.widen(self._source.new_schema(), self.answers.schemas(len(self._places)))

    def next(self, reader: Reader) -> Any:
        """The next batch, or ``None``, for the one reader that came first.

        Raises:
            ColumnError: another reader, which would get what the first one leaves.
        """
        self._reader = self._reader or reader
        if self._reader is not reader:
            raise ColumnError("these batches can be read once: make a table of them to read them again")
        batch = self._source.next()
        if batch is None:
            return None
        given = [LentColumn(self._schema.children[place], batch.children[place]) for place in self._places]
        wider = structs.widen(batch, self.answers.arrays(*given))
        if self._progress:
            self._progress(self.answers.rows)
        return wider


class Reader:
    """What one Arrow stream asks, from C (``structs.python_stream``)."""

    def __init__(self, batches: _Producer) -> None:
        self._batches = batches

    def fill_schema(self, address: int) -> int | bytes:
        return self._answer(lambda: structs.move(self._batches.schema(), address))

    def fill_next(self, address: int) -> int | bytes:
        return self._answer(lambda: self._next(address))

    def _next(self, address: int) -> None:
        batch = self._batches.next(self)
        if batch is None:
            structs.end_stream_at(address)
        else:
            structs.move(batch, address)

    def _answer(self, fill: Callable[[], None]) -> int | bytes:
        try:
            fill()
        except BaseException as error:  # noqa: BLE001 C cannot pass it on: who drives the consumer raises it
            self._batches.failure = error
            return (str(error) or type(error).__name__).encode(errors="replace")
        return 0


def _find_column(schema: Any, column: str, added: Sequence[str]) -> int:
    if not structs.arrow_format(schema).startswith("+s"):
        raise ColumnError("expected record batches, found a single column: use lookup_many() for it")
    names = [name for name, _ in _shape(schema)]
    if names.count(column) != 1:
        problem = "several columns" if column in names else "no column"
        raise ColumnError(f"{problem} named {column!r}; the columns are: {', '.join(names) or 'none'}")
    twice = sorted(set(added) & set(names))
    if twice:
        raise ColumnError(
            f"the input has columns that the output writes itself, rename them: {', '.join(twice)}"
        )
    return names.index(column)
