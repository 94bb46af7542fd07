"""DuckDB: whole tables through Arrow streams, and a SQL function for single expressions.

The stream is the way for bulk: ``match(index, con.sql("..."))`` is a stream that a second connection
reads by the name of the Python variable. (A connection with an unread result refuses other work.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyalias.engines import match_batches
from pyalias.engines.libraries import load

if TYPE_CHECKING:
    from pyalias._arrow_stream import MatchedBatches
    from pyalias.index import AliasIndex
    from pyalias.index_set import AliasIndexSet

FUNCTION = "pyalias_modules"


def match(
    index: AliasIndex | AliasIndexSet, relation: Any, column: str = "modalias", **options: Any
) -> MatchedBatches:
    """The rows of a relation with the modules that claim each device; see ``match_batches``."""
    return match_batches(index, relation, column, **options)


def register(connection: Any, index: AliasIndex, name: str = FUNCTION) -> None:
    """Give a connection the SQL function ``pyalias_modules(modalias)``: an array of module names.

    NULL where the modalias is NULL or libkmod refuses it. DuckDB calls it with some 2,000 rows at a
    time, in one thread: convenient, and several times slower than ``match``. It needs pyarrow.

    Raises:
        MissingLibraryError: duckdb, pyarrow or numpy is not installed.
    """
    duckdb, pa = load("duckdb", "scan"), load("pyarrow", "arrow")
    load("numpy", "arrow")

    def modules(rows: Any) -> Any:
        answers = index.lookup_many(rows)
        refused = set(answers.invalid)
        names = [None if row in refused else answers[row] for row in range(len(answers))]
        return pa.array(names, pa.list_(pa.string()))

    connection.create_function(
        name,
        modules,
        [duckdb.sqltype("VARCHAR")],
        duckdb.sqltype("VARCHAR[]"),
        type="arrow",
        null_handling="special",
    )
