"""One module as libkmod sees it: its file, options, commands and dependencies."""

from __future__ import annotations

import errno
import os
from functools import cached_property

from pyalias import kernels
from pyalias._records import NamedTuple
from pyalias.errors import FileAccessError, InvalidModaliasError
from pyalias.kmod.lookup import Found, found_together, module_name_of_key
from pyalias.kmod.text import to_bytes, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyalias.kmod.lookup import Tables


class SoftModules(NamedTuple):
    """The soft dependencies of a module: what to load before it, and after it."""

    pre: tuple[Module, ...]
    post: tuple[Module, ...]


class Module:
    """A module, loaded or not, existing or not: made by ``Kmod.modules`` and ``Kmod.module``.

    It answers from the files that its ``Kmod`` had read when it was made, also after a ``reload``.
    Modules are equal when their names and the aliases that led to them are.
    """

    def __init__(self, tables: Tables, found: Found) -> None:
        self._tables = tables
        self._found = found
        self.name = found.name
        """With ``_`` for ``-``; what an ``alias`` line of modprobe.d calls a module stands as it is."""
        self.alias = found.alias
        """The alias that led to it: the pattern of a configuration's line, or the key, normalised."""

    @classmethod
    def of_name(cls, tables: Tables, name: str | bytes) -> Module:
        """As ``Kmod.module``."""
        key = to_bytes(name)
        if b"\0" in key:
            raise InvalidModaliasError(f"{key!r}: no module's name holds a NUL", name)
        return cls(tables, Found(to_text(module_name_of_key(key))))

    def __repr__(self) -> str:
        return f"<Module {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Module) and (self.name, self.alias) == (other.name, other.alias)

    def __hash__(self) -> int:
        return hash((self.name, self.alias))

    # ---- the kernel's files ----

    @cached_property
    def _dependency_paths(self) -> tuple[str | None, tuple[str, ...]]:
        """Its own path and those on its line of modules.dep (``kmod_module_parse_depline``)."""
        line = self._tables.indexes.dependency_line(to_bytes(self.name))
        if line is None or ":" not in line:
            return None, ()
        path, _, dependencies = line.partition(":")
        directory = self._tables.directory
        words = dependencies.replace("\t", " ").split(" ")
        # A path that is absolute already stands for itself.
        joined = tuple(os.path.join(directory, word) for word in words if word)
        return os.path.join(directory, path), joined

    @property
    def path(self) -> str | None:
        """The module's file by modules.dep, absolute; ``None`` for others, built-in ones among them."""
        return self._dependency_paths[0]

    @property
    def builtin(self) -> bool:
        """Whether it is built into the kernel."""
        if self._found.builtin is not None:
            return self._found.builtin
        return self._tables.indexes.is_builtin(to_bytes(self.name))

    @property
    def dependencies(self) -> tuple[Module, ...]:
        """What must be loaded before it, in the order of loading (kmod: ``kmod_module_get_dependencies``).

        All that modules.dep lists, which is complete: dependencies of dependencies included. libkmod
        says none at all where one of the files is missing; see ``dependencies_with_files``.
        """
        _, paths = self._dependency_paths
        return tuple(self._of_path(path) for path in reversed(paths))

    @property
    def dependencies_with_files(self) -> tuple[Module, ...]:
        """The same, but none at all where the file of one does not exist, as in libkmod and modprobe."""
        _, paths = self._dependency_paths
        return self.dependencies if all(map(os.path.exists, paths)) else ()

    def _of_path(self, path: str) -> Module:
        name = to_text(module_name_of_key(to_bytes(path.rpartition("/")[2])))
        return Module(self._tables, Found(name, builtin=False))

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its patterns in the kernel's index of aliases; the first call reads all of the index."""
        return tuple(self._tables.patterns.get(self.name, ()))

    @property
    def info(self) -> tuple[tuple[str, str], ...]:
        """Key and value of what ``modinfo`` shows, in the order of the file; of built-in modules too.

        Raises:
            FileAccessError: it has no file, or that is missing or cannot be read.
            PackageError: the file is no module, or a damaged one.
            MissingLibraryError: the extra ``packages`` is needed and not installed.
        """
        from pyalias.kmod.modinfo import builtin_modinfo, read_modinfo  # noqa: PLC0415 few need them

        if self.path is not None:
            return tuple(read_modinfo(self.path))
        where = f"{self._tables.directory}/modules.builtin.modinfo"
        if not self.builtin:
            raise FileAccessError(errno.ENOENT, f"no module {self.name} stands in modules.dep", where)
        text = kernels.read_file(where, "expected it beside modules.builtin (kernels from 5.2 on)")
        return tuple(builtin_modinfo(text, self.name))

    # ---- the configuration ----

    @property
    def blacklisted(self) -> bool:
        """Whether a ``blacklist`` line or the kernel's command line names it, letter by letter."""
        return self.name in self._tables.blacklist

    @property
    def options(self) -> str:
        """Options for it and for the alias that led to it, joined by blanks."""
        return self._tables.options(self.name, self.alias)

    @property
    def install_command(self) -> str | None:
        """The command of the first ``install`` line that matches its name."""
        own = self._found.install_command
        return self._tables.install.first(to_bytes(self.name)) if own is None else own

    @property
    def remove_command(self) -> str | None:
        """The command of the first ``remove`` line that matches its name."""
        own = self._found.remove_command
        return self._tables.remove.first(to_bytes(self.name)) if own is None else own

    @property
    def soft_dependencies(self) -> SoftModules:
        """What the first ``softdep`` line that matches its name stands for, each name looked up."""
        line = self._tables.softdeps.first(to_bytes(self.name))
        if line is None:
            return SoftModules((), ())
        return SoftModules(self._together(line.pre), self._together(line.post))

    @property
    def weak_dependencies(self) -> tuple[Module, ...]:
        """What the first ``weakdep`` line that matches its name stands for, each name looked up."""
        line = self._tables.weakdeps.first(to_bytes(self.name))
        return () if line is None else self._together(line.weak)

    def _together(self, names: tuple[str, ...]) -> tuple[Module, ...]:
        return tuple(Module(self._tables, found) for found in found_together(self._tables, names))
