"""SQLite: the SQL function ``pyalias_modules(modalias)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyalias.errors import InvalidModaliasError

if TYPE_CHECKING:
    import sqlite3

    from pyalias.index import AliasIndex

FUNCTION = "pyalias_modules"


def register(connection: sqlite3.Connection, index: AliasIndex, name: str = FUNCTION) -> None:
    """Give a connection the function: the module names with blanks between them, '' where none claims.

    NULL where the modalias is NULL or libkmod refuses it. One call a row, some 2 million a second.
    """

    def modules(modalias: str | bytes | None) -> str | None:
        if modalias is None:
            return None
        try:
            return " ".join(index.lookup(modalias))
        except InvalidModaliasError:
            return None

    connection.create_function(name, 1, modules, deterministic=True)
