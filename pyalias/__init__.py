"""Which kernel module claims which device: modules.alias, compiled, with libkmod's exact answers."""

from __future__ import annotations

from pyalias.aliases import Alias
from pyalias.answers import Answers
from pyalias.errors import (
    AliasFileError,
    ColumnError,
    EngineError,
    FileAccessError,
    ImageError,
    InvalidModaliasError,
    InventoryError,
    LimitError,
    MissingLibraryError,
    PackageError,
    PciIdError,
    PyaliasError,
    SwitchError,
    UnknownKernelError,
)
from pyalias.index import AliasIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyalias.index_set import AliasIndexSet, KernelCounts, SetAnswers
    from pyalias.kmod import Kmod
    from pyalias.partial import PartialAnswer, PartialAnswers, PartialCounts, PartialDevice

__version__ = "0.1.0"

__all__ = [
    "Alias",
    "AliasFileError",
    "AliasIndex",
    "AliasIndexSet",
    "Answers",
    "ColumnError",
    "EngineError",
    "FileAccessError",
    "ImageError",
    "InvalidModaliasError",
    "InventoryError",
    "KernelCounts",
    "Kmod",
    "LimitError",
    "MissingLibraryError",
    "PackageError",
    "PartialAnswer",
    "PartialAnswers",
    "PartialCounts",
    "PartialDevice",
    "PciIdError",
    "PyaliasError",
    "SetAnswers",
    "SwitchError",
    "UnknownKernelError",
]


def __getattr__(name: str) -> Any:
    """Load the larger parts when they are first asked for: a lookup in an index needs none of them."""
    from importlib import import_module  # noqa: PLC0415 it is what must not be loaded yet

    if name == "Kmod":
        from pyalias.kmod import Kmod  # noqa: PLC0415 it is what must not be loaded yet

        return Kmod
    if name in {"AliasIndexSet", "KernelCounts", "SetAnswers"}:
        return getattr(import_module("pyalias.index_set"), name)
    if name in {"PartialAnswer", "PartialAnswers", "PartialCounts", "PartialDevice"}:
        return getattr(import_module("pyalias.partial"), name)
    if name in {"engines", "pci", "vfio"}:
        return import_module(f"pyalias.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
