"""modprobe.d: which files count, in which order, and what their lines say (kmod: ``libkmod-config.c``)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pyalias.errors import FileAccessError
from pyalias.kmod.commandline import parse_command_line
from pyalias.kmod.text import to_text
from pyalias.names import normalise_alias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

DEFAULT_DIRECTORIES = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)
"""kmod's ``default_config_paths``, the most important first."""

MODULE_FILES = ("modules.softdep", "modules.weakdep")
"""Files of a kernel's module directory that are read as configuration."""

_SUFFIX = ".conf"
_BLANKS = b" \t"

# An escaped byte, a backslash at the very end, the end of a line, or a run of other bytes.
_PIECES = re.compile(rb"\\(.)|\\\Z|(\n)|([^\\\n]+)", re.DOTALL)


class ConfigurationFile(NamedTuple):
    """A file that takes part, under the name that decides its place in the order."""

    name: str
    path: Path


class Setting(NamedTuple):
    """What a line says about a module: its options, or a command."""

    module: str
    """The name on the line, with ``_`` for ``-``; commands may have wildcards in it."""
    value: str


class AliasLine(NamedTuple):
    """One ``alias`` line."""

    pattern: str
    module: str


class SoftDependencies(NamedTuple):
    """One ``softdep`` line: what to load before and after ``module``, which may have wildcards."""

    module: str
    pre: tuple[str, ...]
    post: tuple[str, ...]


class WeakDependencies(NamedTuple):
    """One ``weakdep`` line."""

    module: str
    weak: tuple[str, ...]


@dataclass(frozen=True)
class Configuration:
    """All that modprobe.d, ``modules.softdep``, ``modules.weakdep`` and the kernel command line say.

    Each in the order of files and lines; the command line comes last. ``warnings`` are the lines and
    files that kmod complains about and passes over.
    """

    aliases: tuple[AliasLine, ...] = ()
    blacklist: tuple[str, ...] = ()
    options: tuple[Setting, ...] = ()
    install: tuple[Setting, ...] = ()
    remove: tuple[Setting, ...] = ()
    softdeps: tuple[SoftDependencies, ...] = ()
    weakdeps: tuple[WeakDependencies, ...] = ()
    files: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


def read_configuration(
    files: Sequence[ConfigurationFile],
    command_line: bytes = b"",
    warnings: Sequence[str] = (),
    module_texts: Mapping[str, bytes] = MappingProxyType({}),
) -> Configuration:
    """Read files in the order given, then a kernel command line; ``warnings`` go before its own.

    ``module_texts`` stand for files of a module directory that there is none of: a package's.

    A file that cannot be read is passed over with a warning, as in kmod: an ordinary user may ask
    about a system whose administrator keeps one file from him.
    """
    lines = _Lines(warnings=list(warnings))
    read = []
    for file in files:
        try:
            data = module_texts[file.name] if file.name in module_texts else file.path.read_bytes()
        except OSError as error:
            if file.name not in MODULE_FILES:
                lines.warnings.append(f"{file.path}: {error.strerror}: not read")
            continue
        read.append(file.path)
        lines.add_file(os.fspath(file.path), data)
    lines.add_command_line(command_line)
    return lines.configuration(read)


def find_files(
    paths: Iterable[str | os.PathLike[str]], module_directory: Path, *, may_be_absent: bool = False
) -> tuple[list[ConfigurationFile], list[str]]:
    """The files of configuration paths in the order in which they are read, and warnings.

    Of directories all ``*.conf`` that do not start with a dot; of two files with one name the one
    whose path was named first. They are read in the byte order of their names, whatever directory
    they are in, and ``modules.softdep`` and ``modules.weakdep`` of the module directory take part
    in that order (kmod: ``conf_files_list``, ``conf_files_insert_sorted``).

    Raises:
        FileAccessError: a path is missing or a directory cannot be listed, unless ``may_be_absent``.
    """
    found = {name: module_directory / name for name in MODULE_FILES}
    warnings: list[str] = []
    for path in map(Path, paths):
        try:
            names = _conf_names(path, warnings) if path.is_dir() else [_single(path)]
        except OSError as error:
            if may_be_absent:
                continue
            advice = "expected a modprobe.d directory or a file in its form"
            raise FileAccessError.from_oserror(error, path, advice) from error
        for name in names:
            found.setdefault(name, path / name if path.is_dir() else path)
    files = [ConfigurationFile(name, path) for name, path in found.items()]
    return sorted(files, key=lambda file: os.fsencode(file.name)), warnings


def _single(path: Path) -> str:
    path.stat()
    return path.name


def _conf_names(directory: Path, warnings: list[str]) -> list[str]:
    names = []
    for entry in os.scandir(directory):
        if entry.name.startswith(".") or not entry.name.endswith(_SUFFIX):
            continue
        if entry.is_dir():
            warnings.append(f"{entry.path}: directories inside directories are not read")
        else:
            names.append(entry.name)
    return names


def logical_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    r"""Lines with the number (from 1) of the last physical line of each (kmod: ``freadline_wrapped``).

    ``\`` before the end of a line joins the next one; before any other byte it vanishes, and so it
    does at the end of the file (where kmod up to 30 puts a byte 0xff instead).
    """
    number = 1
    line = bytearray()
    for piece in _PIECES.finditer(data):
        escaped, end, plain = piece.groups()
        if end is not None:
            yield number, bytes(line).partition(b"\0")[0]
            line.clear()
            number += 1
        elif escaped == b"\n":
            number += 1
        else:
            line += escaped or plain or b""
    if line:
        yield number, bytes(line).partition(b"\0")[0]


def _word(text: bytes) -> tuple[bytes, bytes]:
    """The first word, and what follows the one blank behind it (``strtok_r``)."""
    text = text.lstrip(_BLANKS)
    end = next((at for at, byte in enumerate(text) if byte in _BLANKS), len(text))
    return text[:end], text[end + 1 :]


def _name(word: bytes) -> str | None:
    """A name with ``_`` for ``-``; ``None`` where it is missing or has stray brackets (``underscores``)."""
    normal = normalise_alias(word) if word else None
    return None if normal is None else to_text(normal)


_WHITE = b" \t\n\v\f\r"  # isspace() in the C locale


def _dependency_words(text: bytes) -> list[str]:
    """The words of a ``softdep`` line behind its module.

    A single blank before the first word becomes part of it, so that in ``softdep m  pre: x`` (two
    blanks) x is no dependency: kmod's ``kmod_config_add_softdep`` moves on only at a second blank.
    """
    words = text.split()
    if text[:1] and text[0] in _WHITE and text[1:2] and text[1] not in _WHITE:
        words[0] = text[:1] + words[0]
    return [to_text(word) for word in words]


def _options(module: str, text: bytes) -> Setting:
    return Setting(module, to_text(text.replace(b"\t", b" ")))


@dataclass
class _Lines:
    """Collects what lines say."""

    aliases: list[AliasLine] = field(default_factory=list)
    blacklist: list[str] = field(default_factory=list)
    options: list[Setting] = field(default_factory=list)
    install: list[Setting] = field(default_factory=list)
    remove: list[Setting] = field(default_factory=list)
    softdeps: list[SoftDependencies] = field(default_factory=list)
    weakdeps: list[WeakDependencies] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def configuration(self, files: Sequence[Path]) -> Configuration:
        """What has been collected."""
        collected = {name: tuple(value) for name, value in vars(self).items()}
        return Configuration(**collected, files=tuple(files))

    def add_file(self, path: str, data: bytes) -> None:
        """All lines of a file; a bad line is passed over with a warning."""
        for number, line in logical_lines(data):
            if line.startswith(b"#"):
                continue
            command, rest = _word(line)
            if command and not self._add(command, rest):
                shown = command[:60].decode("utf-8", "backslashreplace")
                self.warnings.append(f"{path} line {number}: ignoring bad line starting with {shown!r}")

    def add_command_line(self, text: bytes) -> None:
        """The kernel's command line."""
        arguments = parse_command_line(text)
        self.blacklist.extend(map(to_text, arguments.blacklist))
        self.options.extend(_options(to_text(name), value) for name, value in arguments.options)

    def _add(self, command: bytes, rest: bytes) -> bool:
        """One line; false where kmod complains about it."""
        add = self._COMMANDS.get(command)
        word, rest = _word(rest)
        name = _name(word)
        return add is not None and name is not None and add(self, name, rest)

    def _add_alias(self, pattern: str, rest: bytes) -> bool:
        module = _name(_word(rest)[0])
        if module is None:
            return False
        self.aliases.append(AliasLine(pattern, module))
        return True

    def _add_blacklist(self, module: str, _: bytes) -> bool:
        self.blacklist.append(module)
        return True

    def _add_options(self, module: str, rest: bytes) -> bool:
        if rest:
            self.options.append(_options(module, rest))
        return bool(rest)

    def _add_install(self, module: str, rest: bytes) -> bool:
        if rest:
            self.install.append(Setting(module, to_text(rest)))
        return bool(rest)

    def _add_remove(self, module: str, rest: bytes) -> bool:
        if rest:
            self.remove.append(Setting(module, to_text(rest)))
        return bool(rest)

    def _add_softdep(self, module: str, rest: bytes) -> bool:
        if not rest:
            return False
        kinds: dict[str, list[str]] = {"pre:": [], "post:": []}
        current: list[str] = []  # words before the first pre: or post: go nowhere
        for word in _dependency_words(rest):
            if word in kinds:
                current = kinds[word]
            else:
                current.append(word)
        self.softdeps.append(SoftDependencies(module, tuple(kinds["pre:"]), tuple(kinds["post:"])))
        return True

    def _add_weakdep(self, module: str, rest: bytes) -> bool:
        if rest:
            self.weakdeps.append(WeakDependencies(module, tuple(_dependency_words(rest))))
        return bool(rest)

    _COMMANDS: ClassVar[dict[bytes, Callable[[_Lines, str, bytes], bool]]] = {
        b"alias": _add_alias,
        b"blacklist": _add_blacklist,
        b"options": _add_options,
        b"install": _add_install,
        b"remove": _add_remove,
        b"softdep": _add_softdep,
        b"weakdep": _add_weakdep,
    }
