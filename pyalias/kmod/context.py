"""libkmod's context: a kernel's modules and a configuration, and the whole lookup in them."""

from __future__ import annotations

import os
from enum import Enum

from pyalias import kernels
from pyalias._records import NamedTuple
from pyalias.kmod import configuration as modprobe_d
from pyalias.kmod.commandline import LONGEST
from pyalias.kmod.indexes import BIN_NAMES, BinIndexes, open_bin_indexes, open_indexes
from pyalias.kmod.lookup import Tables
from pyalias.kmod.module import Module
from pyalias.kmod.show_depends import Action, show_depends
from pyalias.kmod.stamps import stamps
from pyalias.kmod.text import to_bytes
from pyalias.kmod.textindexes import TEXT_NAMES, TextIndexes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pyalias.index import AliasIndex
    from pyalias.kmod.configuration import Configuration
    from pyalias.kmod.indexes import Indexes, Prefer
    from pyalias.kmod.stamps import Stamp

_COMMAND_LINE = "/proc/cmdline"


class Validity(Enum):
    """What ``Kmod.validate`` found, named as libkmod's ``kmod_validate_resources`` does."""

    OK = "ok"
    MUST_RELOAD = "must reload"
    """Files of the module directory have changed."""
    MUST_RECREATE = "must recreate"
    """The configuration has changed."""


class _Loaded(NamedTuple):
    """All that was read at one time."""

    tables: Tables
    module_stamps: dict[str, Stamp]
    configuration_stamps: dict[str, Stamp]


class Kmod:
    """A module directory and a configuration: libkmod's ``kmod_new`` and ``kmod_load_resources``.

    Answers are those of the newest kmod in the C locale (``?`` takes one byte); docs/kmod.md says
    where older ones differ. Nothing is loaded into a kernel, and no libkmod is needed. Safe to use
    from many threads: all files are opened at once, and ``reload`` replaces all of it in one step.

    Args:
        modules_dir: such as ``/lib/modules/6.12.0-amd64``; ``None``: that of ``release``. A kernel
            that is not installed will do as well: a ``.deb`` or ``.rpm``, a tar, an initramfs image,
            or a directory of ``.ko`` files that depmod never saw (``pyalias.packages``); the paths
            of its modules are then those inside it.
        config: ``None``: the default modprobe.d directories; a path, or paths of directories and
            files, replace them (``modprobe -C``); ``[]``: none. ``modules.softdep`` and
            ``modules.weakdep`` of the module directory count in any case, as in kmod.
        root: of another system's tree: goes before the module directory, the default configuration
            directories and ``/proc/cmdline``.
        release: of the kernel, by default the running one's; together with ``modules_dir`` only
            where that is a package or archive, which may hold several.
        cmdline: the kernel's command line; ``None``: that in ``/proc/cmdline``, where there is one.
        prefer: ``"bin"``: depmod's ``.bin`` indexes where there are any, as libkmod, which reads
            nothing else; ``"text"``: the text files.

    Raises:
        FileAccessError: a directory or file that was named is missing or cannot be read.
        ImageError: a ``.bin`` index is damaged (also from lookups that come by the damage).
        AliasFileError: a text file is damaged (from the first lookup that needs it).
        PackageError, MissingLibraryError: a package is damaged, or needs the extra ``packages``.
    """

    def __init__(
        self,
        modules_dir: str | os.PathLike[str] | None = None,
        config: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        release: str | None = None,
        cmdline: str | bytes | None = None,
        prefer: Prefer = "bin",
    ) -> None:
        if release is not None and modules_dir is None:
            modules_dir = f"/lib/modules/{release}"
        elif release is not None and os.path.isdir(modules_dir or ""):
            raise ValueError("expected modules_dir or release, found both: the directory names the kernel")
        self._release = release
        self._directory = os.path.abspath(kernels.modules_directory(modules_dir, root))
        self._root = root
        self._default_config = config is None
        if config is None:
            self._config_paths = [_under(root, path) for path in modprobe_d.DEFAULT_DIRECTORIES]
        elif isinstance(config, str | os.PathLike):
            self._config_paths = [os.fspath(config)]
        else:
            self._config_paths = [os.fspath(path) for path in config]
        self._cmdline = None if cmdline is None else to_bytes(cmdline)
        self._prefer: Prefer = prefer
        self._loaded = self._load()

    @property
    def directory(self) -> Path:
        """The module directory, absolute; symbolic links in it stay as they are."""
        from pathlib import Path  # noqa: PLC0415 lookups need none, and it takes long to import

        return Path(self._directory)

    # ---- files ----

    def reload(self) -> None:
        """Read all files again. Lookups under way end with the old ones, later ones see the new.

        Raises:
            As the constructor; the old files then go on answering.
        """
        self._loaded = self._load()

    def validate(self) -> Validity:
        """Whether the files have changed since they were read (kmod: ``kmod_validate_resources``).

        By modification time to the nanosecond, size and inode of every file and directory that
        counts; libkmod looks at the times of indexes and configuration directories alone.
        """
        loaded = self._loaded
        if stamps(loaded.configuration_stamps) != loaded.configuration_stamps:
            return Validity.MUST_RECREATE
        if stamps(loaded.module_stamps) != loaded.module_stamps:
            return Validity.MUST_RELOAD
        return Validity.OK

    def _load(self) -> _Loaded:
        directory = self._directory
        texts: Mapping[str, bytes] = {}
        indexes: Indexes | None = open_bin_indexes(directory) if self._prefer == "bin" else None
        if isinstance(indexes, BinIndexes):
            module_stamps = indexes.stamps  # nothing else counts
        else:
            indexes, texts, module_stamps = self._open_others()
        # Stamps of directories before they are listed: what changes meanwhile shows up as changed afterwards.
        directory_stamps = stamps(self._config_paths)
        files, warnings = modprobe_d.find_files(
            self._config_paths, directory, may_be_absent=self._default_config
        )
        configuration = modprobe_d.read_configuration(files, self._command_line(), warnings, texts)
        configuration_stamps = directory_stamps | configuration.stamps
        return _Loaded(Tables(directory, configuration, indexes), module_stamps, configuration_stamps)

    def _open_others(self) -> tuple[Indexes, Mapping[str, bytes], dict[str, Stamp]]:
        """Text files, packages, and directories that depmod has not, or not wholly, seen."""
        directory = self._directory
        names = [f"{directory}/{name}" for name in (*BIN_NAMES, *TEXT_NAMES)]
        module_stamps = stamps(names if os.path.isdir(directory) else [directory])
        seen = any(module_stamps.get(f"{directory}/{name}") for name in kernels.DEPMOD_FILES)
        texts = {} if seen else kernels.undepmodded_texts(directory, self._release)
        indexes = TextIndexes(texts) if texts else open_indexes(directory, self._prefer)
        return indexes, texts, module_stamps

    def _command_line(self) -> bytes:
        if self._cmdline is not None:
            return self._cmdline
        try:
            descriptor = os.open(_under(self._root, _COMMAND_LINE), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(descriptor, LONGEST)
            finally:
                os.close(descriptor)
        except OSError:
            return b""  # kmod goes on without, and so do systems that are no Linux

    # ---- answers ----

    @property
    def configuration(self) -> Configuration:
        """What modprobe.d and the kernel's command line say, with warnings about bad lines."""
        return self._loaded.tables.configuration

    def lookup(self, name: str | bytes) -> tuple[str, ...]:
        """What ``modprobe -R`` prints: the names of the modules for an alias or name, repeats kept.

        From the first of libkmod's sources that has any (``__kmod_module_new_from_lookup``):
        ``alias`` lines of the configuration, module names, symbols (``symbol:NAME``), names on
        ``install`` and ``remove`` lines, modules.alias, built-in names, built-in aliases. ``()``
        where none has. The blacklist does not count here; see ``Module.blacklisted``.

        Raises:
            InvalidModaliasError: where libkmod gives -EINVAL (stray brackets) or -ENAMETOOLONG.
            ImageError, AliasFileError: damaged files.
        """
        return self._loaded.tables.names(name)

    def modules(self, name: str | bytes) -> tuple[Module, ...]:
        """The same as ``lookup``, as objects.

        Raises:
            As ``lookup``.
        """
        tables = self._loaded.tables
        return tuple(Module(tables, found) for found in tables.find(name))

    def module(self, name: str | bytes) -> Module:
        """The module of a name, which need not exist (kmod: ``kmod_module_new_from_name``).

        ``-`` becomes ``_``, and the first dot ends the name: ``snd-hda-intel.ko`` is
        ``snd_hda_intel``.

        Raises:
            InvalidModaliasError: a name that holds a NUL.
        """
        return Module.of_name(self._loaded.tables, name)

    def all_modules(self) -> tuple[Module, ...]:
        """Every module that modules.dep lists, by name; built-in ones are not among them.

        Raises:
            ImageError, AliasFileError: a damaged file.
        """
        tables = self._loaded.tables
        return tuple(Module.of_name(tables, name) for name in sorted(tables.indexes.module_names()))

    def alias_index(self) -> AliasIndex:
        """The aliases of the configuration, the modules and the built-in modules as one index.

        It answers modaliases as ``lookup`` does, and partial devices too; it knows no names and symbols.

        Raises:
            As ``AliasIndex.from_modules``.
        """
        from pyalias import _binding  # noqa: PLC0415 lookups need none of it
        from pyalias.index import AliasIndex  # noqa: PLC0415

        lines = list(self.configuration.alias_lines())
        own = [_binding.Source(b"modprobe.d", _binding.ORDER_VISIT, aliases=lines)] if lines else []
        sources = kernels.read_sources(self._directory, self._release)
        return AliasIndex(_binding.Image(_binding.compile_image([*own, *sources])))

    def show_depends(
        self, name: str | bytes, *, use_blacklist: bool = False, ignore_install: bool = False
    ) -> tuple[Action, ...] | None:
        """What ``modprobe --show-depends`` prints, an action a line; ``None`` where nothing is found.

        Dependencies come first. As in modprobe a module with a dependency whose file is missing is
        shown without any dependency.

        Args:
            name: an alias or a name.
            use_blacklist: ``-b``: pass over blacklisted modules even when they are named; those
                found through an alias are passed over in any case.
            ignore_install: ``-i``: take no notice of the ``install`` line of the module itself.

        Raises:
            As ``lookup``.
        """
        found = self.modules(name)
        if not found:
            return None
        return tuple(show_depends(found, use_blacklist=use_blacklist, ignore_install=ignore_install))

    def __repr__(self) -> str:
        return f"<Kmod of {self._directory}>"


def _under(root: str | os.PathLike[str] | None, path: str) -> str:
    return path if root is None else f"{os.fspath(root)}/{path.lstrip('/')}"
