"""Polars: importing this module gives expressions, series and frames the namespace ``pyalias``.

``pl.col("modalias").pyalias.modules(index)`` works in eager, lazy and streaming queries. Strings go in
as Polars keeps them (string views), and out the same way: neither is copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyalias._arrow_stream import TextColumn
from pyalias.engines import match_batches
from pyalias.engines.libraries import load

if TYPE_CHECKING:
    from pyalias.index import AliasIndex

pl = load("polars", "polars")


class _Column:
    """One series as a batch of one column."""

    def __init__(self, series: Any) -> None:
        self._frame = series.to_frame("modalias")

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def _text(index: AliasIndex, series: Any) -> Any:
    # An array and not a stream of one: the streaming engine calls with a few thousand rows.
    return pl.Series(series.name, TextColumn(index.lookup_many(series)))


def _names(index: AliasIndex, series: Any) -> Any:
    """Lists, each distinct answer made once and then gathered: exactly as long as they must be."""
    matched = match_batches(index, _Column(series), add={"id": "id"})
    ids = pl.DataFrame(matched)["id"]
    table = [list(names) for names in matched.answers.table()]
    return pl.Series(series.name, table, dtype=pl.List(pl.String)).gather(ids)


def _refused(index: AliasIndex, series: Any) -> Any:
    matched = match_batches(index, _Column(series), add={"error": "error"})
    return pl.DataFrame(matched)["error"].alias(series.name)


@pl.api.register_expr_namespace("pyalias")
class Expression:
    """What ``pl.col(...).pyalias`` offers."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression

    def modules(self, index: AliasIndex) -> Any:
        """The module names of each device, with blanks between them; null where the device is."""
        return self._map(lambda series: _text(index, series), pl.String)

    def module_list(self, index: AliasIndex) -> Any:
        """The module names of each device as a list; null where the device is."""
        return self._map(lambda series: _names(index, series), pl.List(pl.String))

    def error(self, index: AliasIndex) -> Any:
        """``EINVAL`` or ``ENAMETOOLONG`` where libkmod refuses the name, else null."""
        return self._map(lambda series: _refused(index, series), pl.String)

    def _map(self, function: Any, dtype: Any) -> Any:
        # Elementwise: the streaming engine hands over one morsel after the other.
        return self._expression.map_batches(function, return_dtype=dtype, is_elementwise=True)


@pl.api.register_series_namespace("pyalias")
class Series:
    """What ``series.pyalias`` offers."""

    def __init__(self, series: Any) -> None:
        self._series = series

    def modules(self, index: AliasIndex) -> Any:
        """As for expressions."""
        return _text(index, self._series)

    def module_list(self, index: AliasIndex) -> Any:
        """As for expressions."""
        return _names(index, self._series)


@pl.api.register_dataframe_namespace("pyalias")
class DataFrame:
    """What ``frame.pyalias`` offers."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def match(self, index: AliasIndex, column: str = "modalias") -> Any:
        """The frame with the columns ``modules`` and ``error``; see ``match_batches``."""
        return pl.DataFrame(match_batches(index, self._frame, column))


@pl.api.register_lazyframe_namespace("pyalias")
class LazyFrame:
    """What ``lazy_frame.pyalias`` offers."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def match(self, index: AliasIndex, column: str = "modalias") -> Any:
        """The frame with the columns ``modules`` and ``error``."""
        device = pl.col(column).pyalias
        return self._frame.with_columns(modules=device.modules(index), error=device.error(index))
