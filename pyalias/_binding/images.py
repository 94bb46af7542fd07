"""Images: compiled, opened, and asked for one key."""

from __future__ import annotations

import os
from _thread import allocate_lock

from pyalias._binding.core import ffi, lib, raise_error, refusal, text_of
from pyalias._records import NamedTuple
from pyalias.errors import PyaliasError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from typing_extensions import Buffer

ORDER_PRIORITY: Final[int] = lib.PYA_ORDER_PRIORITY
ORDER_VISIT: Final[int] = lib.PYA_ORDER_VISIT

# Bound once: attribute access on cffi's lib costs as much as a short lookup.
_lookup = lib.pya_lookup
_glob_match = lib.pya_glob_match
_number_last = lib.pya_answers_number_last
_SEVERAL: Final[int] = lib.PYA_SEVERAL

LONGEST_REMEMBERED: Final[int] = lib.LONGEST_REMEMBERED


class Counts(NamedTuple):
    """What an image holds."""

    sources: int
    aliases: int
    patterns: int
    modules: int
    answers: int


class Line(NamedTuple):
    """An alias line as the image keeps it; ``number`` is 0 where it has none."""

    pattern: bytes
    module: bytes
    source: bytes
    number: int


class Source(NamedTuple):
    """What one source is compiled from: alias text, or aliases taken apart."""

    name: bytes
    order: int
    text: bytes | None = None
    """A ``modules.alias`` text, or ``None`` where ``aliases`` are given."""
    aliases: Sequence[tuple[bytes, bytes]] = ()
    numbers: Sequence[int] | None = None


def glob_matches(pattern: bytes, text: bytes) -> bool:
    """Whether ``fnmatch(pattern, text, 0)`` in the C locale; O(pattern x text) at worst."""
    return bool(_glob_match(pattern, len(pattern), text, len(text)))


def bracket_end(pattern: bytes, at: int, byte: int) -> int:
    """Where a bracket whose inside starts at a place ends, if it takes the byte; else 0."""
    end: int = lib.pya_bracket_end(pattern, len(pattern), at, byte)
    return end


def compile_image(sources: Sequence[Source]) -> Buffer:
    """Compile sources, the first to answer first, to the bytes of an image.

    Raises:
        AliasFileError: a line is no alias; the message names source and line.
        LimitError: the image would exceed 4 GiB.
    """
    builder = ffi.gc(lib.pya_builder_new(), lib.pya_builder_free)
    if builder == ffi.NULL:
        raise MemoryError
    error = ffi.new("pya_error *")
    borrowed = []  # the builder points into these until it has compiled
    for source in sources:
        if lib.pya_builder_source(builder, source.name, len(source.name), source.order) != lib.PYA_OK:
            raise MemoryError
        name = source.name.decode("utf-8", "surrogateescape") or None
        if source.text is not None:
            text = ffi.from_buffer("uint8_t[]", source.text)
            borrowed.append(text)
            raise_error(lib.pya_builder_text(builder, text, len(text), error), error, name)
        else:
            blob = ffi.from_buffer("uint8_t[]", b"".join(part for alias in source.aliases for part in alias))
            lengths = ffi.new("uint32_t[]", [len(part) for alias in source.aliases for part in alias])
            numbers = ffi.NULL if source.numbers is None else ffi.new("uint32_t[]", source.numbers)
            borrowed.append(blob)
            code = lib.pya_builder_aliases(
                builder, blob, len(blob), lengths, numbers, len(source.aliases), error
            )
            raise_error(code, error, name)
    image = ffi.new("uint8_t **")
    size = ffi.new("size_t *")
    raise_error(lib.pya_builder_compile(builder, image, size, error), error)
    owner = ffi.gc(image[0], lib.pya_bytes_free, size[0])
    found: Buffer = ffi.buffer(owner, size[0])
    return found


def variants() -> tuple[str, ...]:
    """How columns of PCI devices can be matched on this CPU, from the portable way to the fastest."""
    return tuple(ffi.string(lib.pya_variant_name(n)).decode() for n in range(lib.pya_variant_count()))


def chosen_variant() -> int:
    """The number of the variant that ``PYALIAS_CPU`` names; without it the fastest.

    Raises:
        PyaliasError: this CPU has no such variant.
    """
    wanted = os.environ.get("PYALIAS_CPU")
    if not wanted:
        return int(lib.pya_variant_count()) - 1
    known = variants()
    if wanted not in known:
        raise PyaliasError(
            f"the environment variable PYALIAS_CPU is {wanted!r}: expected one of {', '.join(known)}, "
            "which this CPU runs, or none for the fastest"
        )
    return known.index(wanted)


class Image:
    """An opened image over borrowed bytes, and the lookups of single keys in it.

    Raises:
        ImageError: the bytes are no intact image of this version.
    """

    def __init__(self, data: Buffer, file: str | None = None) -> None:
        self._data = ffi.from_buffer("uint8_t[]", data)
        if isinstance(data, memoryview):
            # Garbage collection may clear a memoryview while cffi still uses it, and crash (CPython 3.11).
            # Held from outside for as long as the image lives, it is never garbage together with it.
            import weakref  # noqa: PLC0415 it takes a while, and few images lie in a memoryview

            weakref.finalize(self, id, data).atexit = False
        opened = ffi.new("pya_image **")
        error = ffi.new("pya_error *")
        raise_error(lib.pya_image_open(self._data, len(self._data), opened, error), error, file)
        self.handle = ffi.gc(opened[0], lib.pya_image_free)
        self._scratches: list[Any] = []
        self._variant = chosen_variant()
        counts = lib.pya_image_counts(self.handle)
        self.counts = Counts(counts.sources, counts.lines, counts.patterns, counts.modules, counts.answers)
        self.size = len(self._data)

    def has_pci_table(self, bus: int) -> bool:
        """Whether columns of pci (0), vfio_pci (1) or usb (2) devices are matched by a variant."""
        return bool(lib.pya_image_has_pci_table(self.handle, bus))

    def view(self) -> memoryview:
        """The bytes of the image."""
        return memoryview(ffi.buffer(self._data))

    def take_scratch(self) -> Any:
        """Working memory for one call at a time; give it back."""
        try:
            return self._scratches.pop()
        except IndexError:
            scratch = ffi.gc(lib.pya_scratch_new(self.handle, self._variant), lib.pya_scratch_free)
            if scratch == ffi.NULL:
                raise MemoryError from None
            return scratch

    def give_scratch(self, scratch: Any) -> None:
        """Take working memory back."""
        self._scratches.append(scratch)

    # ---- one key ----

    def lookup(self, key: bytes, numbers: Numbers) -> int:
        """The id of the answer (0: nothing).

        Raises:
            InvalidModaliasError: libkmod refuses the key.
        """
        scratches = self._scratches
        scratch = scratches.pop() if scratches else self.take_scratch()
        answer: int = _lookup(self.handle, scratch, key, len(key))
        if answer == _SEVERAL:
            answer = numbers.number_last(scratch)
        scratches.append(scratch)
        if answer >= 0:
            return answer
        if answer == lib.PYA_ENOMEM:
            raise MemoryError
        raise refusal(answer, key)

    def match_lines(self, key: bytes) -> tuple[int, ...]:
        """The ids of the matching lines in answer order, repeats as libkmod gives them.

        Raises:
            InvalidModaliasError: libkmod refuses the key.
        """
        scratch = self.take_scratch()
        lines = ffi.new("uint32_t **")
        count = lib.pya_match_lines(self.handle, scratch, key, len(key), lines)
        found = tuple(ffi.unpack(lines[0], count)) if count > 0 else ()
        self._scratches.append(scratch)
        if count == lib.PYA_ENOMEM:
            raise MemoryError
        if count < 0:
            raise refusal(count, key)
        return found

    # ---- what ids mean ----

    def line(self, line: int) -> Line:
        """One alias line."""
        room = ffi.new("uint8_t[]", lib.PYA_PATTERN_ROOM)
        found = lib.pya_image_line(self.handle, line, room)
        return Line(text_of(found.pattern), text_of(found.module), text_of(found.source), found.number)

    def line_module(self, line: int) -> int:
        """The module id of a line."""
        module: int = lib.pya_image_line_module(self.handle, line)
        return module

    def lines_with_prefix(self, prefix: bytes) -> tuple[int, ...]:
        """The lines whose pattern starts with a text; ``-`` and ``_`` are one."""
        lines = ffi.new("uint32_t[]", self.counts.aliases)
        count = lib.pya_lines_with_prefix(self.handle, prefix, len(prefix), lines)
        return tuple(ffi.unpack(lines, count)) if count else ()

    def lines_possible(self, start: bytes) -> tuple[int, ...]:
        """The lines whose pattern may match a key that starts so, by the text before its first wildcard."""
        lines = ffi.new("uint32_t[]", self.counts.aliases)
        count = lib.pya_lines_possible(self.handle, start, len(start), lines)
        return tuple(ffi.unpack(lines, count)) if count else ()

    def line_normalised(self, line: int) -> bytes:
        """The pattern of a line that is not refused, as libkmod normalises it."""
        room = ffi.new("uint8_t[]", lib.PYA_PATTERN_ROOM)
        return bytes(ffi.buffer(room, lib.pya_line_normalised(self.handle, line, room)))

    def line_source(self, line: int) -> int:
        """The number of the source that a line is of."""
        source: int = lib.pya_image_line_source(self.handle, line)
        return source

    def module(self, module: int) -> bytes:
        """The name of a module."""
        return text_of(lib.pya_image_module(self.handle, module))


class SingleLookups:
    """Makes the function that looks one string up without a Python frame (csrc/python/module.c).

    What the function goes by is shared with it, so that neither holds the other.
    """

    def __init__(self, image: Image, known: list[tuple[str, ...] | None]) -> None:
        scratch = image.take_scratch()
        self._owners: tuple[Any, ...] = (image, scratch)
        addresses = [int(ffi.cast("uintptr_t", pointer)) for pointer in (image.handle, scratch)]
        self._shared: list[Any] = [known, [None] * image.counts.modules, *addresses]

    def function(
        self,
        remembered: dict[str | bytes, tuple[str, ...]],
        missing: Callable[[str | bytes], tuple[str, ...]],
        room: int,
    ) -> Callable[[str | bytes], tuple[str, ...]]:
        """The function: fills ``remembered`` up to ``room``, and passes on what it cannot answer."""
        state: list[Any] = [remembered, self._shared, missing, room]
        if not lib.append_lookup(ffi.cast("void *", id(state))):
            raise MemoryError
        found: Callable[[str | bytes], tuple[str, ...]] = state.pop()
        return found

    def use_answers(self, known: list[tuple[str, ...] | None]) -> None:
        """Go on with another list of known answers."""
        self._shared[lib.SHARED_NAMES] = known

    def close(self) -> None:
        """Pass everything on from now on, and let go of the image."""
        self._shared[lib.SHARED_IMAGE] = 0
        self._owners = ()


class Numbers:
    """The ids of answers: those stored in an image, then those that lines were found to make."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._stored = image.counts.answers
        self._handle: Any = None  # made when the first answer comes that may not be stored
        self._modules = ffi.new("uint32_t[]", 16)
        # The C side wants one thread at a time, and calls into it release the GIL.
        self._lock = allocate_lock()

    def __len__(self) -> int:
        return self._stored if self._handle is None else int(lib.pya_answers_count(self._handle))

    def number(self, lines: Any, count: int) -> int:
        """The id of the answer that some lines make; ``lines`` points to their address."""
        with self._lock:
            answer: int = lib.pya_answers_number(self._handle or self._make(), lines[0], count)
        if answer < 0:
            raise MemoryError
        return answer

    def number_last(self, scratch: Any) -> int:
        """The id of the answer of the lines that a lookup found, or the code of an error."""
        with self._lock:
            answer: int = _number_last(self._handle or self._make(), scratch)
        return answer

    def _make(self) -> Any:
        handle = ffi.gc(lib.pya_answers_new(self._image.handle), lib.pya_answers_free)
        if handle == ffi.NULL:
            raise MemoryError
        self._handle = handle
        return handle

    def modules(self, answer: int) -> list[int]:
        """The module ids of an answer."""
        with self._lock:
            if answer < self._stored:
                fetch, handle = lib.pya_image_answer, self._image.handle
            else:
                fetch, handle = lib.pya_answers_modules, self._handle
            room = len(self._modules)
            count = fetch(handle, answer, self._modules, room)
            if count > room:
                self._modules = ffi.new("uint32_t[]", count)
                fetch(handle, answer, self._modules, count)
            found: list[int] = ffi.unpack(self._modules, count)
        return found
