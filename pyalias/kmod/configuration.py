"""modprobe.d: which files count, in which order, and what their lines say (kmod: ``libkmod-config.c``)."""

from __future__ import annotations

import os
import re
from functools import cache, cached_property
from types import MappingProxyType

from pyalias._records import NamedTuple
from pyalias.errors import FileAccessError
from pyalias.kmod.commandline import parse_command_line
from pyalias.kmod.stamps import stamp, stamp_of
from pyalias.kmod.text import to_text
from pyalias.names import normalise_alias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pyalias.kmod.stamps import Stamp

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
_COMMANDS = (b"alias", b"blacklist", b"options", b"install", b"remove", b"softdep", b"weakdep")
_ROOM = 1 << 16  # more than configuration files have: one read, and one that says so

# A line's first word, its second, and what follows the one blank behind that. Only a # in the very
# first column makes a comment.
_LINE = re.compile(rb"^(?!#)[ \t]*([^ \t\n]+)(?:[ \t]+([^ \t\n]+)(?:[ \t]([^\n]*))?)?", re.MULTILINE)
_WORD = re.compile(rb"[ \t]*([^ \t]+)")
# An escaped byte, a backslash at the very end, the end of a line, or a run of other bytes.
_PIECES = re.compile(rb"\\(.)|\\\Z|(\n)|([^\\\n]+)", re.DOTALL)


class ConfigurationFile(NamedTuple):
    """A file that takes part, under the name that decides its place in the order."""

    name: str
    path: str


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


Lines = list[tuple[bytes, bytes]]
"""Lines of one command: the name on each, normalised, and what stands behind it."""


class Configuration:
    """All that modprobe.d, ``modules.softdep``, ``modules.weakdep`` and the kernel command line say.

    Each in the order of files and lines; the command line comes last. Immutable: the files are read when
    it is made, and taken apart when something is asked that they may speak of.
    """

    def __init__(self, texts: Sequence[_Text], command_line: bytes, warnings: Sequence[str]) -> None:
        self._texts = texts
        self._whole = b"\n".join([text.data for text in texts])
        self._command_line = command_line
        self._warnings = warnings

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read."""
        return tuple(text.path for text in self._texts if text.is_read)

    @property
    def stamps(self) -> dict[str, Stamp]:
        """The stamp of each file when it was read."""
        return {text.path: text.stamp for text in self._texts}

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What kmod complains about and passes over: bad lines, directories, unreadable files."""
        return (*self._warnings, *(warning for text in self._texts for warning in text.warnings))

    def alias_lines(self) -> Lines:
        """The ``alias`` lines as bytes, for matching."""
        return self._lines(b"alias")

    @cached_property
    def aliases(self) -> tuple[AliasLine, ...]:
        """The ``alias`` lines."""
        return tuple(AliasLine(to_text(name), to_text(module)) for name, module in self.alias_lines())

    @cached_property
    def blacklist(self) -> tuple[str, ...]:
        """The names on ``blacklist`` lines, and those of ``modprobe.blacklist=``."""
        return tuple(to_text(name) for name, _ in self._lines(b"blacklist"))

    @cached_property
    def options(self) -> tuple[Setting, ...]:
        """The ``options`` lines, and the options of the kernel's command line."""
        return self._settings(b"options")

    @cached_property
    def install(self) -> tuple[Setting, ...]:
        """The ``install`` lines."""
        return self._settings(b"install")

    @cached_property
    def remove(self) -> tuple[Setting, ...]:
        """The ``remove`` lines."""
        return self._settings(b"remove")

    @cached_property
    def softdeps(self) -> tuple[SoftDependencies, ...]:
        """The ``softdep`` lines."""
        return tuple(_soft_dependencies(to_text(name), rest) for name, rest in self._lines(b"softdep"))

    @cached_property
    def weakdeps(self) -> tuple[WeakDependencies, ...]:
        """The ``weakdep`` lines."""
        lines = self._lines(b"weakdep")
        return tuple(WeakDependencies(to_text(name), tuple(_dependency_words(rest))) for name, rest in lines)

    def _settings(self, command: bytes) -> tuple[Setting, ...]:
        return tuple(Setting(to_text(name), to_text(value)) for name, value in self._lines(command))

    def _lines(self, command: bytes) -> Lines:
        lines: Lines = []
        if _may_say(self._whole, command):
            for text in self._texts:
                if _may_say(text.data, command):
                    lines += text.lines[command]
        if command in (b"blacklist", b"options"):
            lines += self._arguments[command]
        return lines

    @cached_property
    def _arguments(self) -> dict[bytes, Lines]:
        """What the kernel's command line says."""
        arguments = parse_command_line(self._command_line)
        return {
            b"blacklist": [(name, b"") for name in arguments.blacklist],
            b"options": [(name, value.replace(b"\t", b" ")) for name, value in arguments.options],
        }


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
    texts = [
        _Text(path, stamp(path), module_texts[name]) if name in module_texts else _read(name, path)
        for name, path in files
    ]
    return Configuration(texts, command_line, warnings)


def _read(name: str, path: str) -> _Text:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a file object costs more than the reading
        try:
            # The stamp first: what changes while it is read shows up as changed afterwards.
            seen = stamp_of(os.fstat(descriptor))
            parts = []
            while part := os.read(descriptor, _ROOM):
                parts.append(part)
        finally:
            os.close(descriptor)
    except OSError as error:
        complaints = [] if name in MODULE_FILES else [f"{path}: {error.strerror}: not read"]
        return _Text(path, stamp(path), b"", complaints)
    return _Text(path, seen, b"".join(parts))


def find_files(
    paths: Iterable[str | os.PathLike[str]], module_directory: str, *, may_be_absent: bool = False
) -> tuple[list[ConfigurationFile], list[str]]:
    """The files of configuration paths in the order in which they are read, and warnings.

    Of directories all ``*.conf`` that do not start with a dot; of two files with one name the one
    whose path was named first. They are read in the byte order of their names, whatever directory
    they are in, and ``modules.softdep`` and ``modules.weakdep`` of the module directory take part
    in that order (kmod: ``conf_files_list``, ``conf_files_insert_sorted``).

    Raises:
        FileAccessError: a path is missing or a directory cannot be listed, unless ``may_be_absent``.
    """
    found = {name: os.path.join(module_directory, name) for name in MODULE_FILES}
    warnings: list[str] = []
    for named in paths:
        path = os.fspath(named)
        try:
            for name, file in _files_of(path, warnings):
                found.setdefault(name, file)
        except OSError as error:
            if not may_be_absent:
                advice = "expected a modprobe.d directory or a file in its form"
                raise FileAccessError.from_oserror(error, path, advice) from error
    files = [ConfigurationFile(name, path) for name, path in found.items()]
    return sorted(files, key=_byte_order), warnings


def _byte_order(file: ConfigurationFile) -> bytes:
    return os.fsencode(file.name)


def _files_of(path: str, warnings: list[str]) -> Iterator[tuple[str, str]]:
    """Name and path of a single file, or of those in a directory."""
    try:
        entries = os.scandir(path)
    except NotADirectoryError:
        yield os.path.basename(path), path
        return
    with entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.endswith(_SUFFIX):
                continue
            if entry.is_dir():
                warnings.append(f"{entry.path}: directories inside directories are not read")
            else:
                yield entry.name, entry.path


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


def _soft_dependencies(module: str, text: bytes) -> SoftDependencies:
    kinds: dict[str, list[str]] = {"pre:": [], "post:": []}
    current: list[str] = []  # words before the first pre: or post: go nowhere
    for word in _dependency_words(text):
        if word in kinds:
            current = kinds[word]
        else:
            current.append(word)
    return SoftDependencies(module, tuple(kinds["pre:"]), tuple(kinds["post:"]))


class _Text:
    """The text of one file. What lines it has is found out when one is wanted that it may hold."""

    def __init__(self, path: str, seen: Stamp, data: bytes, complaints: Sequence[str] | None = None) -> None:
        self.path = path
        self.stamp = seen
        self.is_read = complaints is None
        self.data = data
        self._complaints = complaints or ()

    @property
    def lines(self) -> Mapping[bytes, Lines]:
        """By command, the good lines."""
        return self._parsed[0]

    @property
    def warnings(self) -> Sequence[str]:
        """That it was not read, or its bad lines."""
        return self._complaints or self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[dict[bytes, Lines], list[str]]:
        lines: dict[bytes, Lines] = {command: [] for command in _COMMANDS}
        data = self.data
        numbers: Sequence[int] = ()
        if b"\\" in data or b"\0" in data:
            logical = list(logical_lines(data))
            numbers = [number for number, _ in logical]
            data = b"\n".join(line for _, line in logical)
        good = [_add(lines, *words) for words in _LINE.findall(data)]
        return lines, [] if all(good) else list(_complaints(self.path, data, numbers, good))


def _may_say(data: bytes, command: bytes) -> bool:
    """Whether there may be a line of a command; of most files it is known without taking them apart."""
    if b"\\" in data:
        return True  # in the midst of the command, maybe
    named = command + b" " in data or command + b"\t" in data
    return named and _starts(command).search(data) is not None


@cache
def _starts(command: bytes) -> re.Pattern[bytes]:
    """A line that begins with a command."""
    return re.compile(rb"^[ \t]*" + command + rb"[ \t]", re.MULTILINE)


def _complaints(path: str, data: bytes, numbers: Sequence[int], good: Sequence[bool]) -> Iterator[str]:
    for is_good, line in zip(good, _LINE.finditer(data), strict=True):
        if not is_good:
            place = data.count(b"\n", 0, line.start())
            number = numbers[place] if numbers else place + 1
            shown = line[1][:60].decode("utf-8", "backslashreplace")
            yield f"{path} line {number}: ignoring bad line starting with {shown!r}"


def _add(lines: dict[bytes, Lines], command: bytes, name: bytes, rest: bytes) -> bool:
    """One line; false where kmod complains about it (``kmod_config_parse``)."""
    known = lines.get(command)
    normal = normalise_alias(name)
    if known is None or not name or normal is None:
        return False
    if command == b"alias":
        word = _WORD.match(rest)
        module = normalise_alias(word[1]) if word else None
        if module is None:
            return False
        rest = module
    elif command == b"options":
        rest = rest.replace(b"\t", b" ")
    if not rest and command != b"blacklist":
        return False
    known.append((normal, rest))
    return True
