"""Matching inside the engines that people already run, all through one function on Arrow batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyalias._arrow_stream import AnswerColumns, MatchedBatches, open_source
from pyalias.errors import LimitError
from pyalias.index_set import AliasIndexSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyalias.answers import Answers, Names
    from pyalias.index import AliasIndex

KINDS = ("text", "list", "id", "error")
DEFAULT_COLUMNS = {"modules": "text", "error": "error"}


def match_batches(
    index: AliasIndex | AliasIndexSet,
    batches: Any,
    column: str = "modalias",
    *,
    kernel: str | None = None,
    kernel_column: str | None = None,
    add: dict[str, str] | None = None,
    threads: int | None = 1,
) -> MatchedBatches:
    """Add the modules that claim each device to Arrow record batches, as a stream.

    Args:
        index: the aliases to match against, of one kernel or of several.
        batches: anything with ``__arrow_c_stream__`` (tables, readers, DuckDB relations, data frames),
            a record batch, or an iterable of record batches. Read batch by batch, as asked for.
        column: the name of the column of modaliases.
        kernel: which of several kernels all devices are on.
        kernel_column: or the name of the column that says which kernel each device is on.
        add: the names of the new columns and what each holds: ``text``, the module names with blanks
            between them (utf8_view); ``list``, the names (dictionary<uint32, list<utf8>>); ``id``, the
            row of ``Answers.table`` (uint32); ``error``, ``EINVAL`` or ``ENAMETOOLONG`` where libkmod
            refuses the name, ``UNKNOWN_KERNEL`` where the set lacks the row's kernel (its modules are null),
            else null. By default ``modules`` as text, and ``error``.
        threads: as for ``AliasIndex.lookup_many``.

    Returns a stream (``__arrow_c_stream__``) that can be read once. No Arrow library is needed.

    Raises:
        ColumnError: no Arrow data, or no such column, or a new column that the input has already.
        LimitError: a set of kernels without one of ``kernel`` and ``kernel_column``; or these without a set.
        UnknownKernelError: the set has no ``kernel``.
    """
    kinds = DEFAULT_COLUMNS if add is None else dict(add)
    if unknown := sorted(set(kinds.values()) - set(KINDS)):
        raise LimitError(f"no kind of column: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    look_up_many, look_up, given = _lookups(index, column, kernel, kernel_column, threads)
    columns = AnswerColumns(look_up_many, look_up, kinds)
    return MatchedBatches(open_source(batches), given, columns, tuple(kinds))


def _lookups(
    index: AliasIndex | AliasIndexSet,
    column: str,
    kernel: str | None,
    kernel_column: str | None,
    threads: int | None,
) -> tuple[Callable[..., Answers], Callable[..., Names], tuple[str, ...]]:
    """How rows are looked up, how one is, and in which columns they are."""
    if not isinstance(index, AliasIndexSet):
        if kernel is not None or kernel_column is not None:
            raise LimitError("these aliases are of one kernel: leave out kernel and kernel_column")
        return lambda rows: index.lookup_many(rows, threads=threads), index.lookup, (column,)
    if kernel_column is not None and kernel is None:
        return (
            lambda rows, kernels: index.lookup_many(rows, kernels, threads=threads),
            lambda device, name: index.lookup(name.decode("utf-8", "surrogateescape"), device),
            (column, kernel_column),
        )
    if kernel is None or kernel_column is not None:
        raise LimitError(f"the aliases of {len(index)} kernels: name one as kernel, or a kernel_column")
    return lambda rows: index.lookup_many(rows, kernel, threads=threads), index[kernel].lookup, (column,)
