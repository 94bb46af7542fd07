"""Module directories: reads what depmod wrote, and writes small ones for libkmod and pyalias to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from support.kmod_bin import Index
from support.normalise import normalise_alias, normalise_module

if TYPE_CHECKING:
    from pathlib import Path

AliasLines = Sequence[tuple[bytes, str]]

# kmod_load_resources fails as a whole when one of these is missing.
NEEDED_BY_LIBKMOD = ("modules.dep.bin", "modules.alias.bin", "modules.symbols.bin", "modules.builtin.bin")


def read_aliases(path: Path) -> list[tuple[bytes, str]]:
    """(pattern, module) of a text ``modules.alias``; a pattern may hold blanks, a module may not."""
    lines = []
    for line in path.read_bytes().split(b"\n"):
        if line.startswith(b"alias "):
            pattern, module = line[len(b"alias ") :].rsplit(b" ", 1)
            lines.append((pattern, module.decode("ascii")))
    return lines


def read_builtin_aliases(path: Path) -> list[tuple[bytes, str]]:
    """(pattern, module) of a ``modules.builtin.modinfo``: the records ``module.alias=pattern``."""
    lines = []
    for record in path.read_bytes().split(b"\0"):
        name, found, pattern = record.partition(b".alias=")
        if found and b"." not in name:
            lines.append((pattern, name.decode("ascii")))
    return lines


def read_module_names(path: Path) -> list[str]:
    """Names of the modules in ``modules.dep`` or ``modules.builtin``, in the order of the file."""
    paths = [line.split(":", 1)[0] for line in path.read_text("ascii").splitlines()]
    return [normalise_module(path.rsplit("/", 1)[-1]) for path in paths]


def read_symbols(path: Path) -> set[bytes]:
    """Keys of ``modules.symbols``."""
    lines = path.read_bytes().split(b"\n")
    return {line.split(b" ")[1] for line in lines if line.startswith(b"alias ")}


def alias_index(aliases: AliasLines, modules: Iterable[str]) -> Index:
    """The index ``modules.alias.bin``: a line's priority is its module's place among ``modules``."""
    priorities = {module: rank for rank, module in enumerate(dict.fromkeys(modules))}
    index = Index()
    for pattern, name in aliases:
        module = normalise_module(name)
        normal = normalise_alias(pattern)
        if normal is not None:
            index.insert(normal, module.encode(), priorities[module])
    return index


def builtin_alias_index(aliases: AliasLines) -> Index:
    """The index ``modules.builtin.alias.bin``: all priorities are 0 and names stand as they are."""
    index = Index()
    for pattern, name in aliases:
        normal = normalise_alias(pattern)
        if normal is not None:
            index.insert(normal, name.encode(), 0)
    return index


def write_module_directory(directory: Path, aliases: AliasLines, builtin_aliases: AliasLines = ()) -> Path:
    """A directory whose text files and indexes say the same, and whose other indexes are empty."""
    directory.mkdir()
    lines = [b"alias %s %s\n" % (pattern, module.encode()) for pattern, module in aliases]
    header = b"# Aliases extracted from modules themselves.\n"
    (directory / "modules.alias").write_bytes(header + b"".join(lines))
    write_indexes(directory, aliases, builtin_aliases)
    if builtin_aliases:
        records = [b"%s.alias=%s\0" % (module.encode(), pattern) for pattern, module in builtin_aliases]
        (directory / "modules.builtin.modinfo").write_bytes(b"".join(records))
    return directory


def write_indexes(directory: Path, aliases: AliasLines, builtin_aliases: AliasLines = ()) -> None:
    """The binary indexes that libkmod reads: only the two of aliases hold anything."""
    modules = [normalise_module(module) for _, module in aliases]
    write_other_indexes_empty(directory)
    (directory / "modules.alias.bin").write_bytes(alias_index(aliases, modules).to_bytes())
    (directory / "modules.builtin.alias.bin").write_bytes(builtin_alias_index(builtin_aliases).to_bytes())


def write_other_indexes_empty(directory: Path) -> None:
    """Empty indexes of names and symbols: libkmod then answers from aliases alone, as AliasIndex does."""
    for name in NEEDED_BY_LIBKMOD:
        if name != "modules.alias.bin":
            (directory / name).write_bytes(Index().to_bytes())
