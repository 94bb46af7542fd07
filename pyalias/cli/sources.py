"""Whatever holds a kernel's aliases, for commands that take it by name."""

from __future__ import annotations

from pathlib import Path

from pyalias.index import AliasIndex
from pyalias.kmod.binindex import is_bin_index
from pyalias.packages import is_package

_INDEX_MAGIC = b"pyalias\x1a"


def compile_source(source: str, release: str | None = None) -> AliasIndex:
    """Compile a module directory, a package, a ``modules.alias`` or a ``.bin``."""
    path = Path(source)
    if path.is_dir() or is_package(path):
        return AliasIndex.from_modules(path, release=release)
    return AliasIndex.from_bin_file(path) if is_bin_index(path) else AliasIndex.from_alias_file(path)


def read_source(source: str, release: str | None = None) -> AliasIndex:
    """Open an index file, or compile one of the others."""
    return AliasIndex.open(source) if _is_index(Path(source)) else compile_source(source, release)


def _is_index(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_INDEX_MAGIC)) == _INDEX_MAGIC
