"""The sources of libkmod's whole lookup that are no alias index, and the rule which keys they answer.

Without configuration libkmod asks module names, symbols, *aliases*, builtin names, *builtin aliases*; the
first that has anything answers. The tables record such whole lookups; ``AliasIndex`` is two of the five.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.module_tree import read_module_names, read_symbols
from support.normalise import normalise_alias

if TYPE_CHECKING:
    from pathlib import Path

    from support.oracle import Oracle


class OtherSources:
    """Module names, builtin names and symbols of one module directory."""

    def __init__(self, directory: Path, oracle: Oracle) -> None:
        self._modules = {name.encode() for name in read_module_names(directory / "modules.dep")}
        self._builtin = {name.encode() for name in read_module_names(directory / "modules.builtin")}
        self._symbols = read_symbols(directory / "modules.symbols")
        self._oracle = oracle

    def file_that_answers(self, modalias: bytes) -> str | None:
        """The text file of the source that answers instead of the aliases; None for nearly every key."""
        key = normalise_alias(modalias)
        if key is None:
            return None
        if b":" not in key and key in self._modules:
            return "modules.dep"
        if key.startswith(b"symbol:") and key in self._symbols:
            return "modules.symbols"
        if key in self._builtin and not self._oracle.aliases_alone(modalias):
            return "modules.builtin"
        return None
