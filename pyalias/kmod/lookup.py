"""libkmod's order of sources: which modules an alias or a name stands for."""

from __future__ import annotations

import errno
from functools import cached_property

from pyalias._records import NamedTuple
from pyalias.errors import InvalidModaliasError
from pyalias.kmod.patterns import PatternLines, T
from pyalias.kmod.text import normalised, to_bytes, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyalias.kmod.configuration import Configuration, SoftDependencies, WeakDependencies
    from pyalias.kmod.indexes import Indexes

_PATH_MAX = 4096


class Found(NamedTuple):
    """One entry of an answer."""

    name: str
    alias: str | None = None
    """The alias that led to it: a configuration's pattern, or the key; ``None`` for plain names."""
    builtin: bool | None = None
    """``None``: to be looked up."""
    install_command: str | None = None
    """Of the ``install`` line that gave this entry: it counts even where the name on it is another."""
    remove_command: str | None = None


class Tables:
    """A configuration and indexes, read together and never changed."""

    def __init__(self, directory: str, configuration: Configuration, indexes: Indexes) -> None:
        self.directory = directory
        self.configuration = configuration
        self.indexes = indexes
        self._aliases = PatternLines((line[0], line) for line in configuration.alias_lines())
        self._commands = _command_names(configuration)

    def names(self, name: str | bytes) -> tuple[str, ...]:
        """The names of ``find``."""
        return tuple(found.name for found in self.find(name))

    def find(self, name: str | bytes) -> list[Found]:
        """All entries of the first source that has any (kmod: ``__kmod_module_new_from_lookup``).

        Raises:
            InvalidModaliasError: libkmod's -EINVAL or -ENAMETOOLONG.
        """
        key = normalised(name)
        lines = self._aliases.all(key)
        found = [Found(to_text(module), to_text(pattern)) for pattern, module in lines]
        found = found or self._from_indexes(key)
        for entry in found:
            _check_length(entry, name)
        return found

    def _from_indexes(self, key: bytes) -> list[Found]:
        indexes = self.indexes
        text = to_text(key)
        if b":" not in key and indexes.dependency_line(key) is not None:
            return [_named(key)]
        if key.startswith(b"symbol:") and (modules := indexes.symbol_modules(key)):
            return [Found(module, text) for module in modules]
        if command := self._commands.get(text):
            return [command]
        if modules := indexes.alias_modules(key):
            return [Found(module, text) for module in modules]
        if indexes.is_builtin(key):
            return [_named(key, builtin=True)]
        return [Found(module, text, builtin=True) for module in indexes.builtin_alias_modules(key)]

    @cached_property
    def install(self) -> PatternLines[str]:
        """The commands of ``install`` lines."""
        return _by_module((line.module, line.value) for line in self.configuration.install)

    @cached_property
    def remove(self) -> PatternLines[str]:
        """The commands of ``remove`` lines."""
        return _by_module((line.module, line.value) for line in self.configuration.remove)

    @cached_property
    def softdeps(self) -> PatternLines[SoftDependencies]:
        """The ``softdep`` lines."""
        return _by_module((line.module, line) for line in self.configuration.softdeps)

    @cached_property
    def weakdeps(self) -> PatternLines[WeakDependencies]:
        """The ``weakdep`` lines."""
        return _by_module((line.module, line) for line in self.configuration.weakdeps)

    @cached_property
    def blacklist(self) -> frozenset[str]:
        """The names on ``blacklist`` lines."""
        return frozenset(self.configuration.blacklist)

    @cached_property
    def patterns(self) -> dict[str, list[str]]:
        """The kernel's aliases of each module."""
        return self.indexes.patterns()

    def options(self, name: str, alias: str | None) -> str:
        """All options for a module or for the alias that led to it (``kmod_module_get_options``)."""
        lines = self.configuration.options
        return " ".join(line.value for line in lines if line.module in (name, alias) and line.value)


def _by_module(lines: Iterable[tuple[str, T]]) -> PatternLines[T]:
    return PatternLines((to_bytes(module), line) for module, line in lines)


def found_together(tables: Tables, names: Sequence[str]) -> Iterator[Found]:
    """What several names stand for, one after the other; those that libkmod refuses are passed over."""
    for name in names:
        try:
            yield from tables.find(name)
        except InvalidModaliasError:
            continue


def _command_names(configuration: Configuration) -> dict[str, Found]:
    """The names on ``install`` and ``remove`` lines, of each the first (``..._from_commands``)."""
    names: dict[str, Found] = {}
    for name, command in configuration.install:
        names.setdefault(name, _named(to_bytes(name))._replace(install_command=command))
    for name, command in configuration.remove:
        names.setdefault(name, _named(to_bytes(name))._replace(remove_command=command))
    return names


def _named(key: bytes, *, builtin: bool | None = None) -> Found:
    """``kmod_module_new_from_name``: the first dot ends the name."""
    return Found(to_text(module_name_of_key(key)), None, builtin)


def module_name_of_key(key: bytes) -> bytes:
    """``modname_normalize``; unlike a path's, a name may hold slashes."""
    return key.partition(b".")[0].replace(b"-", b"_")


def _check_length(found: Found, name: str | bytes) -> None:
    """``kmod_module_new_from_alias`` joins name and alias in a buffer of PATH_MAX."""
    if found.alias is None:
        return
    length = len(to_bytes(found.name)) + len(to_bytes(found.alias)) + 2
    if length > _PATH_MAX:
        key = to_bytes(name)
        raise InvalidModaliasError(
            f"{key[:77] + b'...'!r}: {len(key)} bytes are too long for libkmod (-ENAMETOOLONG): "
            f"name and module must fit into {_PATH_MAX} bytes",
            name,
            errno.ENAMETOOLONG,
        )
