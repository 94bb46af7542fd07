"""The alias index: which modules claim a device, with libkmod's answers."""

from __future__ import annotations

import mmap
import os

from pyalias import _binding, kernels
from pyalias._batch import Batch, thread_count
from pyalias._binding import Counts, Image, Source
from pyalias._memo import Memo, encoded, key_of
from pyalias.aliases import Alias
from pyalias.answers import Answers
from pyalias.errors import (
    AliasFileError,
    ColumnError,
    FileAccessError,
    ImageError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Literal, Self, overload

    from typing_extensions import Buffer

    from pyalias._binding import SharedBuffer
    from pyalias.answers import Names
    from pyalias.partial.answers import PartialAnswer, PartialAnswers
    from pyalias.partial.device import PartialDevice
    from pyalias.partial.lookup import PartialLookup, Solvers


class AliasIndex:
    """The aliases of one kernel, compiled: made by ``from_modules`` and its siblings, or ``open``.

    Immutable, and safe to use from many threads. Answers are those of libkmod's search in
    ``modules.alias.bin`` and, where that has nothing, ``modules.builtin.alias.bin``, in the C
    locale (``?`` takes one byte). The rest of ``modprobe -R`` (names of modules, modprobe.d, ...)
    is not part of an alias index.

    Text goes in and out as UTF-8 with surrogateescape, so any byte survives.
    """

    def __init__(self, image: Image, path: str | None = None) -> None:
        self._path = path
        self._memo = Memo(image)
        self._lookup = self._memo.make_lookup()
        self._solvers: Solvers | None = None
        if type(self).lookup is AliasIndex.lookup:
            # A Python frame around it would cost as much as a remembered answer.
            self.lookup = self._lookup  # type: ignore[method-assign]

    # ---- made from aliases ----

    @classmethod
    def from_modules(
        cls,
        directory: str | os.PathLike[str] | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        release: str | None = None,
    ) -> Self:
        """Compile a kernel's module directory: ``modules.alias``, then ``modules.builtin.modinfo``.

        A kernel that is not installed will do as well: a ``.deb`` or ``.rpm`` package, a tar, an
        initramfs image, or a directory of ``.ko`` files that depmod never saw. Then the lines are
        those that depmod would write (``pyalias.packages``).

        Args:
            directory: such as ``/lib/modules/6.12.0-amd64``, or one of the others; ``None`` is the
                running kernel's.
            root: of another system's tree; it goes before the directory.
            release: of the kernel, where a package or archive holds several.

        Raises:
            FileAccessError: the directory or file is missing or cannot be read.
            AliasFileError: a text file is damaged; the message says where.
            PackageError: a package is damaged, or holds no modules, or those of several kernels.
            MissingLibraryError: a package needs the extra ``packages``, which is not installed.
        """
        return cls._compile(kernels.read_sources(kernels.modules_directory(directory, root), release))

    @classmethod
    def from_alias_file(cls, path: str | os.PathLike[str]) -> Self:
        """Compile one text in the form of ``modules.alias``.

        Lines are ``alias PATTERN MODULE``, split at the last blank (patterns may hold blanks);
        blank lines, comments and other modprobe commands are passed over.

        Raises:
            FileAccessError: the file is missing or cannot be read.
            AliasFileError: an ``alias`` line without a module, or a text without any alias in it.
        """
        text = kernels.read_file(path, "expected a modules.alias text")
        index = cls._compile([kernels.alias_text_source(_name_of(path), text)])
        if not index.counts.aliases:
            _refuse_other_text(text, os.fspath(path))
        return index

    @classmethod
    def from_bin_file(cls, path: str | os.PathLike[str]) -> Self:
        """Compile one of depmod's binary indexes: ``modules.alias.bin`` or its kin for built-in modules.

        Such an index holds normalised patterns and no line numbers; its answers are the text's.

        Raises:
            FileAccessError: the file is missing or cannot be read.
            ImageError: it is no index of depmod's, or damaged; the message says at which byte.
            AliasFileError: it holds no aliases, but names or dependencies.
        """
        data = kernels.read_file(path, "expected an index that depmod wrote")
        return cls._compile([kernels.bin_alias_source(_name_of(path), data)])

    @classmethod
    def compile(cls, aliases: Iterable[Alias | tuple[str | bytes, str | bytes]]) -> Self:
        """Compile ``(pattern, module)`` pairs or ``Alias`` records, in order of priority.

        As in a ``modules.alias``, all lines of a module answer where its first one stands.

        Raises:
            AliasFileError: a pair that cannot be an alias (an empty module, a NUL).
        """
        pairs: list[tuple[bytes, bytes]] = []
        numbers: list[int] = []
        for number, alias in enumerate(aliases, 1):
            try:
                pattern, module, *rest = alias
                pairs.append((encoded(pattern), encoded(module)))
            except (TypeError, ValueError, UnicodeEncodeError) as error:
                raise AliasFileError(
                    f"alias {number}: expected (pattern, module), found {alias!r}"
                ) from error
            numbers.append(int(rest[1] or 0) if len(rest) > 1 else 0)
        return cls._compile([Source(b"", _binding.ORDER_PRIORITY, aliases=pairs, numbers=numbers)])

    @classmethod
    def _compile(cls, sources: list[Source]) -> Self:
        return cls(Image(_binding.compile_image(sources)))

    # ---- saved and opened ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the compiled index to a file, atomically: all of it, or nothing.

        Raises:
            FileAccessError: the file cannot be written; what stood there before still does.
        """
        from pyalias.atomic_file import AtomicFile  # noqa: PLC0415 what only reads needs none

        with AtomicFile(path) as file:
            file.write(self._image.view())

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Map a saved index into memory, shared with every process that does.

        The whole file is read once, to check it. Replace such a file by ``save`` (which renames),
        never in place: like any mapped file it must not shrink under its readers.

        Raises:
            FileAccessError: the file is missing or cannot be read.
            ImageError: it is no intact index of this version.
        """
        try:
            with open(path, "rb") as file:
                if not os.fstat(file.fileno()).st_size:
                    raise ImageError("an empty file is no compiled index", os.fspath(path))
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise FileAccessError.from_oserror(error, path, "expected a compiled index") from error
        return cls(Image(data, os.fspath(path)), os.path.join(os.getcwd(), path))

    @classmethod
    def from_bytes(cls, data: Buffer) -> Self:
        """Open an index that lies in memory; the buffer is borrowed and must not change.

        Raises:
            ImageError: it is no intact index of this version.
        """
        return cls(Image(data))

    def to_bytes(self) -> bytes:
        """The compiled index as ``save`` writes it."""
        return bytes(self._image.view())

    def __reduce__(self) -> tuple[Any, tuple[str | bytes]]:
        # An opened file is mapped again, by path: a cluster's workers share it, they don't copy it.
        if self._path is not None:
            return type(self).open, (self._path,)
        return type(self).from_bytes, (self.to_bytes(),)

    def close(self) -> None:
        """Let go of the memory or mapping, once lookups under way have ended. May be called twice."""
        self._memo.close()
        self._solvers = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _image(self) -> Image:
        return self._memo.image

    @property
    def counts(self) -> Counts:
        """How many sources, aliases, distinct patterns, modules and stored answers there are."""
        return self._image.counts

    @property
    def size(self) -> int:
        """Bytes of the compiled index."""
        return self._image.size

    def __repr__(self) -> str:
        if self._memo.is_closed:
            return "<AliasIndex, closed>"
        return f"<AliasIndex of {self.counts.aliases} aliases, {self.counts.modules} modules>"

    # ---- asked ----

    def lookup(self, modalias: str | bytes, /) -> Names:
        """The names of the modules that claim a device, as libkmod's index search returns them.

        In libkmod's order (that of ``modules.dep``), one for each matching alias line, so a module
        with two matching patterns stands twice. ``()`` when nothing matches. Recent answers are
        remembered.

        Raises:
            InvalidModaliasError: where libkmod gives -EINVAL (stray brackets) or -ENAMETOOLONG.
        """
        return self._lookup(modalias)

    def match(self, modalias: str | bytes) -> tuple[Alias, ...]:
        """The alias lines that match a device, in the order of ``lookup``: each with file and line.

        Raises:
            InvalidModaliasError: as ``lookup``.
        """
        image = self._image
        return tuple(_alias(image, line) for line in image.match_lines(key_of(modalias)))

    def aliases(self, prefix: str = "") -> tuple[Alias, ...]:
        """The alias lines whose pattern starts with a text, such as ``vfio_pci:``, of all sources.

        In the order of answers within a source; ``-`` and ``_`` in the text are one, as for libkmod.
        Linear in the lines: some 0.3 ms for those of a kernel.
        """
        image = self._image
        return tuple(_alias(image, line) for line in image.lines_with_prefix(encoded(prefix)))

    def lookup_partial(self, device: PartialDevice | str | bytes) -> PartialAnswer:
        """Which modules claim a device of which fields are unknown: for certain, perhaps, or none.

        Exactly: ``certain`` are those that ``lookup`` gives for all devices that it may be, ``possible``
        those that it gives for some. A device known as a whole gets ``lookup``'s answer.

        Args:
            device: a ``PartialDevice``, or its text: a device string with ``*`` for an unknown field, or
                ``?`` for an unknown digit, of the buses pci, vfio_pci, usb and hid.

        Raises:
            InvalidModaliasError: neither that nor a device string that libkmod takes.
            LimitError: patterns that no kernel has, made so that it takes too much work.
        """
        return self._partial().one(device)

    def _partial(self) -> PartialLookup:
        from pyalias.partial.lookup import PartialLookup, Solvers  # noqa: PLC0415 lookups do not need it

        image = self._image
        if self._solvers is None:
            self._solvers = Solvers(image)
        return PartialLookup(self, self._solvers)

    if TYPE_CHECKING:

        @overload
        def lookup_many(
            self, modaliases: Any, *, threads: int | None = 1, partial: Literal[False] = False
        ) -> Answers: ...
        @overload
        def lookup_many(
            self, modaliases: Any, *, threads: int | None = 1, partial: Literal[True]
        ) -> PartialAnswers: ...

    def lookup_many(
        self, modaliases: Any, *, threads: int | None = 1, partial: bool = False
    ) -> Answers | PartialAnswers:
        """Look up a whole column of devices.

        Args:
            modaliases: a list or other iterable of ``str`` or ``bytes``; or text as ``bytes`` (also
                ``bytearray``, ``memoryview``, ``mmap``) with one modalias a line; or an Arrow
                string column, by the PyCapsule protocol: utf8, large_utf8, utf8_view or a
                dictionary of them, an array or a stream of chunks, nulls kept.
            threads: how many may match at once, each a run of rows; ``None``: one a core. Answers
                and their ids are the same whatever the number.
            partial: rows may be partial devices, as of ``lookup_partial``, and answers are three-valued.
                Each distinct device is answered once, by one thread. (Without it ``*`` is a byte, as for
                libkmod.)

        Rows that libkmod would refuse do not raise: they are listed in ``Answers.invalid``.

        Raises:
            ColumnError: another kind of input; the message names the first bad row.
            LimitError: with ``partial``, as of ``lookup_partial``.
        """
        if isinstance(modaliases, str):
            raise ColumnError("expected many device strings, found one str: use lookup() for it")
        if partial:
            return self._partial().texts(modaliases)
        if hasattr(modaliases, "__arrow_c_array__") or hasattr(modaliases, "__arrow_c_stream__"):
            from pyalias._arrow import match_arrow  # noqa: PLC0415 needs ctypes, which lookups do not

            return self._batch(threads, lambda batch: match_arrow(batch, modaliases))
        if isinstance(modaliases, bytes | bytearray | memoryview | mmap.mmap):
            return self._batch(threads, lambda batch: batch.match_text(_text(modaliases)))
        rows = _list_of(modaliases)
        return self._batch(threads, lambda batch: batch.match_list(rows))

    if TYPE_CHECKING:

        @overload
        def lookup_ids(
            self,
            *,
            vendor: Buffer,
            device: Buffer,
            subvendor: Buffer,
            subdevice: Buffer,
            class_code: Buffer,
            threads: int | None = 1,
            partial: Literal[False] = False,
        ) -> Answers: ...
        @overload
        def lookup_ids(
            self,
            *,
            vendor: Any = None,
            device: Any = None,
            subvendor: Any = None,
            subdevice: Any = None,
            class_code: Any = None,
            base_class: Any = None,
            subclass: Any = None,
            interface: Any = None,
            known: Mapping[str, Any] | None = None,
            threads: int | None = 1,
            partial: Literal[True],
        ) -> PartialAnswers: ...

    def lookup_ids(
        self,
        *,
        vendor: Any = None,
        device: Any = None,
        subvendor: Any = None,
        subdevice: Any = None,
        class_code: Any = None,
        base_class: Any = None,
        subclass: Any = None,
        interface: Any = None,
        known: Mapping[str, Any] | None = None,
        threads: int | None = 1,
        partial: bool = False,
    ) -> Answers | PartialAnswers:
        """Look up PCI devices by their numbers: five uint32 columns of equal length.

        Columns are buffers of 4-byte unsigned numbers (``array("I")``, numpy uint32); the class has
        24 bits. The answers, and their ids, are those of the strings that the kernel prints for
        such devices (``drivers/pci/pci-sysfs.c``, ``modalias_show``). ``threads`` as in ``lookup_many``.

        With ``partial`` ids may be unknown, and answers are three-valued, as those of ``lookup_partial``.
        A column then is ``None`` or left out (all unknown), a list with ``None`` in it, a buffer of
        whole numbers of any size, or an Arrow column of them, whose nulls are unknown; ``known`` has
        masks for columns by name (true: known). In place of ``class_code`` its bytes may be given, as
        ``base_class``, ``subclass`` and ``interface``. Rows that are alike are answered once, by one
        thread: linear in the rows, and some tens of microseconds for each distinct one.

        Raises:
            ColumnError: a column of another type or length, or a class beyond 24 bits.
            LimitError: with ``partial``, as of ``lookup_partial``.
        """
        columns = {
            "vendor": vendor,
            "device": device,
            "subvendor": subvendor,
            "subdevice": subdevice,
            "class_code": class_code,
        }
        parts = {"base_class": base_class, "subclass": subclass, "interface": interface}
        if partial:
            return self._partial().pci_ids(columns | parts, known)
        unknown = [name for name, column in columns.items() if column is None]
        if unknown or known or any(column is not None for column in parts.values()):
            raise ColumnError(
                f"{', '.join(unknown) or 'known'}: expected a column of uint32, found unknown ids: "
                "pass partial=True for three-valued answers"
            )
        views = [_number_column(name, column) for name, column in columns.items()]
        lengths = [len(view) for view in views]
        if len(set(lengths)) > 1:
            raise ColumnError(f"expected five columns of one length, found lengths {lengths}")
        return self._batch(threads, lambda batch: batch.match_pci_ids(views, lengths[0]))

    def lookup_usb_ids(self, *, known: Mapping[str, Any] | None = None, **columns: Any) -> PartialAnswers:
        """Look up usb devices by their numbers, of which any may be unknown; answers are three-valued.

        Columns are named as the fields of ``PartialDevice.usb`` (``vendor``, ``product``,
        ``interface_class``, ...), in the forms that ``lookup_ids`` takes with ``partial``; what is left out
        is unknown. Linear in the rows, and some tens of microseconds for each distinct one.

        Raises:
            ColumnError: a column of another name, type or length, or a number that is too large.
            LimitError: as of ``lookup_partial``.
        """
        return self._partial().usb_ids(columns, known)

    def _batch(self, threads: int | None, match: Callable[[Batch], SharedBuffer]) -> Answers:
        image, memo = self._image, self._memo
        answers = memo.answers
        ids = match(Batch(image, answers.numbers, thread_count(threads)))
        settled = _binding.settle(ids)
        found = Answers(ids, answers, settled.invalid, settled.validity, settled.nulls)
        if memo.has_many_answers:
            memo.renew()
        return found


def _alias(image: Image, line: int) -> Alias:
    pattern, module, source, number = image.line(line)
    return Alias(
        pattern.decode("utf-8", "surrogateescape"),
        module.decode("utf-8", "surrogateescape"),
        source.decode("utf-8", "surrogateescape") or None,
        number or None,
    )


def _refuse_other_text(text: bytes, path: str) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith(b"#"):
            shown = line[:60].decode("utf-8", "backslashreplace")
            raise AliasFileError(
                f'expected "alias PATTERN MODULE" lines, found {shown!r} and no alias', path, number
            )


def _name_of(path: str | os.PathLike[str]) -> str:
    return os.path.basename(os.fspath(path).rstrip("/"))


def _text(text: Any) -> Any:
    try:
        return _binding.text_bytes(text)
    except (BufferError, TypeError, ValueError) as error:
        raise ColumnError(f"expected contiguous bytes with one modalias a line: {error}") from error


def _list_of(modaliases: Any) -> Sequence[Any]:
    if type(modaliases) in {list, tuple}:
        return modaliases  # type: ignore[no-any-return]
    try:
        return list(modaliases)
    except TypeError as error:
        kind = type(modaliases).__name__
        raise ColumnError(
            f"expected device strings (a list, lines of bytes, an Arrow column), found {kind}"
        ) from error


def _number_column(name: str, column: Any) -> memoryview:
    try:
        if isinstance(column, list | tuple):
            from array import array  # noqa: PLC0415 most columns are buffers already

            column = array("I", column)
        view = memoryview(column)
    except (TypeError, ValueError, OverflowError) as error:
        raise ColumnError(f"{name}: expected a column of uint32: {error}") from error
    if (
        view.itemsize != 4
        or view.format.lstrip("@=<") not in {"I", "L"}
        or not view.c_contiguous
        or view.ndim != 1
    ):
        raise ColumnError(f"{name}: expected a contiguous column of uint32, found format {view.format!r}")
    return view
