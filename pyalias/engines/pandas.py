"""pandas: importing this module gives series and frames the accessor ``pyalias``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyalias.engines import match_batches
from pyalias.engines.libraries import load

if TYPE_CHECKING:
    from pyalias.index import AliasIndex

pd = load("pandas", "pandas")


@pd.api.extensions.register_series_accessor("pyalias")
class Series:
    """What ``series.pyalias`` offers."""

    def __init__(self, series: Any) -> None:
        self._series = series

    def modules(self, index: AliasIndex) -> Any:
        """The module names of each device, with blanks between them; missing where the device is."""
        matched = match_batches(index, self._series.to_frame("modalias"), add={"modules": "text"})
        found = pd.DataFrame.from_arrow(matched)["modules"]
        return found.set_axis(self._series.index).rename(self._series.name)


@pd.api.extensions.register_dataframe_accessor("pyalias")
class DataFrame:
    """What ``frame.pyalias`` offers."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def match(self, index: AliasIndex, column: str = "modalias") -> Any:
        """The frame with the columns ``modules`` and ``error``; see ``match_batches``."""
        matched = match_batches(index, self._frame[[column]], column)
        found = pd.DataFrame.from_arrow(matched)[["modules", "error"]]
        return self._frame.join(found.set_axis(self._frame.index))
