"""Matching inside the engines that people already run, all through one function on Arrow batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyalias._arrow_stream import AnswerColumns, MatchedBatches, open_source
from pyalias.errors import LimitError

if TYPE_CHECKING:
    from pyalias.index import AliasIndex

KINDS = ("text", "list", "id", "error")
DEFAULT_COLUMNS = {"modules": "text", "error": "error"}


def match_batches(
    index: AliasIndex,
    batches: Any,
    column: str = "modalias",
    *,
    add: dict[str, str] | None = None,
    threads: int | None = 1,
) -> MatchedBatches:
    """Add the modules that claim each device to Arrow record batches, as a stream.

    Args:
        index: the aliases to match against.
        batches: anything with ``__arrow_c_stream__`` (tables, readers, DuckDB relations, data frames),
            a record batch, or an iterable of record batches. Read batch by batch, as asked for.
        column: the name of the column of modaliases.
        add: the names of the new columns and what each holds: ``text``, the module names with blanks
            between them (utf8_view); ``list``, the names (dictionary<uint32, list<utf8>>); ``id``, the
            row of ``Answers.table`` (uint32); ``error``, ``EINVAL`` or ``ENAMETOOLONG`` where libkmod
            refuses the name, else null. By default ``modules`` as text, and ``error``.
        threads: as for ``AliasIndex.lookup_many``.

    Returns a stream (``__arrow_c_stream__``) that can be read once. No Arrow library is needed.

    Raises:
        ColumnError: no Arrow data, or no such column, or a new column that the input has already.
    """
    kinds = DEFAULT_COLUMNS if add is None else dict(add)
    if unknown := sorted(set(kinds.values()) - set(KINDS)):
        raise LimitError(f"no kind of column: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    columns = AnswerColumns(lambda rows: index.lookup_many(rows, threads=threads), index.lookup, kinds)
    return MatchedBatches(open_source(batches), column, columns, tuple(kinds))
