"""Which kernel module claims which device: modules.alias, compiled, with libkmod's exact answers."""

from pyalias.aliases import Alias
from pyalias.answers import Answers
from pyalias.errors import (
    AliasFileError,
    ColumnError,
    FileAccessError,
    ImageError,
    InvalidModaliasError,
    InventoryError,
    LimitError,
    MissingLibraryError,
    PackageError,
    PyaliasError,
    SwitchError,
)
from pyalias.index import AliasIndex

__version__ = "0.1.0"

__all__ = [
    "Alias",
    "AliasFileError",
    "AliasIndex",
    "Answers",
    "ColumnError",
    "FileAccessError",
    "ImageError",
    "InvalidModaliasError",
    "InventoryError",
    "LimitError",
    "MissingLibraryError",
    "PackageError",
    "PyaliasError",
    "SwitchError",
]
