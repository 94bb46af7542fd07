"""PySpark: a function for ``DataFrame.mapInArrow``.

``df.mapInArrow(map_in_arrow("6.12.pyalias"), schema(df))`` adds ``modules`` and ``error``. The index
travels as the path of a compiled file, which every worker maps, or as bytes within the task.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pyalias.engines import match_batches
from pyalias.engines.libraries import load
from pyalias.index import AliasIndex
from pyalias.index_set import AliasIndexSet, open_aliases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def map_in_arrow(
    index: AliasIndex | AliasIndexSet | str | os.PathLike[str], column: str = "modalias", **options: Any
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """The function for ``mapInArrow``: batches in, the same with ``modules`` and ``error`` out.

    ``options`` are those of ``match_batches``: ``kernel`` or ``kernel_column``, ``threads``.
    """
    given = index if isinstance(index, AliasIndex | AliasIndexSet) else os.fspath(index)

    def match(batches: Iterator[Any]) -> Iterator[Any]:
        pa = load("pyarrow", "spark")
        opened = open_once(given) if isinstance(given, str) else given
        for batch in batches:
            reader = pa.RecordBatchReader.from_stream(match_batches(opened, batch, column, **options))
            # Spark's Java side knows no string views.
            table = reader.read_all()
            names = ("modules", "error")
            for name in names:
                place = table.schema.get_field_index(name)
                table = table.set_column(place, name, table.column(name).cast(pa.string()))
            yield from table.to_batches()

    return match


def schema(frame: Any) -> Any:
    """The schema of what ``mapInArrow`` gives for a frame."""
    types = load("pyspark.sql.types", "spark")
    columns = [types.StructField(name, types.StringType()) for name in ("modules", "error")]
    return types.StructType([*frame.schema.fields, *columns])


@lru_cache(maxsize=4)
def open_once(path: str) -> AliasIndex | AliasIndexSet:
    """The index, or the set of indexes, of a file, mapped once in a process."""
    return open_aliases(path)
