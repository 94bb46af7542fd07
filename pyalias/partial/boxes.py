"""Boxes: sets of device strings of one form, given digit by digit.

The strings of a form (``pci:v00008086d000015B7sv...``) differ in their hexadecimal digits alone. A box says
for each digit which of the sixteen it may be, so it is a number: a lane of 17 bits a digit, of which the low
16 stand for the digits 0 to F and the last is left free. Two boxes meet in their bitwise and; that is a box
of no string when a lane is empty.

A pattern is a union of boxes: mostly one, several where a ``*`` may end at different digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyalias import _binding
from pyalias.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyalias.partial.forms import Form

LANE = 17
ANY_DIGIT = 0xFFFF
_CARRY = 1 << 16
DIGITS = b"0123456789ABCDEF"
MOST_STEPS = 1 << 21
"""Boxes that may be put together for all patterns of a form: a matter of seconds. A kernel's patterns take
some ten thousand; a pattern like ``*0*1*0*1*`` could take more than there are devices."""

_WILDCARDS = b"*?["
_STAR, _ANY, _BRACKET, _ESCAPE = b"*?[\\"


def lanes(count: int, value: int) -> int:
    """So many lanes that all hold one value."""
    return sum(value << (LANE * lane) for lane in range(count))


def number_box(number: int, digits: int) -> int:
    """The box of one number, its first digit in the first lane."""
    return sum(1 << (LANE * place) << int(digit, 16) for place, digit in enumerate(f"{number:0{digits}X}"))


class Lanes:
    """What is asked of boxes with so many lanes."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.full = lanes(count, ANY_DIGIT)
        self._carries = lanes(count, _CARRY)

    def is_empty(self, box: int) -> bool:
        """Whether no string is in the box: a lane is 0, so that adding 16 ones carries nothing out of it."""
        return (box + self.full) & self._carries != self._carries

    def size(self, box: int) -> int:
        """How many strings are in a box."""
        product = 1
        for lane in range(self.count):
            product *= (box >> (LANE * lane) & ANY_DIGIT).bit_count()
        return product

    def open_lanes(self, box: int) -> list[int]:
        """The lanes in which a box leaves a choice."""
        return [lane for lane in range(self.count) if (box >> (LANE * lane) & ANY_DIGIT).bit_count() > 1]


class PatternBoxes:
    """Reads patterns as boxes over the strings of one form."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._places: list[int] = list(form.template)
        self._known: dict[tuple[int, str], tuple[int, ...]] = {}
        self._steps = 0

    def boxes(self, pattern: bytes) -> tuple[int, ...]:
        """The boxes of a normalised pattern; none where it matches no string of the form.

        Raises:
            LimitError: patterns with more ways to lie on a device's string than real ones have.
        """
        # Separators meet separators and each field its own digits (csrc/bus.h has the proof), so that the
        # fields of such a pattern can be read one by one, each text of a field once.
        found = self._form.field_pattern.fullmatch(pattern)
        if found is None:
            return tuple(sorted(_Reading(pattern, self._places, self._step).boxes()))
        boxes = [0]
        for number, text in enumerate(found.groups()):
            parts = self._field(number, text.decode())
            if len(parts) > 1:
                self._step(len(parts) * len(boxes), pattern)
            boxes = [box | part for part in parts for box in boxes]
        return tuple(boxes)

    def _step(self, count: int, pattern: bytes) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise LimitError(
                f"the patterns up to {pattern[:80]!r} can lie on a device's string in too many ways "
                f"(more than {MOST_STEPS:,} steps): leave out such patterns to look up partial devices"
            )

    def _field(self, number: int, text: str) -> tuple[int, ...]:
        known = self._known.get((number, text))
        if known is None:
            field = self._form.fields[number]
            if len(text) == field.digits and text.isalnum():
                small: Sequence[int] = (number_box(int(text, 16), field.digits),)
            else:
                small = sorted(_Reading(text.encode(), [0] * field.digits, self._step).boxes())
            shift = LANE * self._form.first_lane[number]
            known = self._known[number, text] = tuple(box << shift for box in small)
        return known


class _Reading:
    """One pattern against places: a byte that stands there, or 0 for a digit.

    As deep as there are places: all but a star take one, and stars in a row are one.
    """

    def __init__(self, pattern: bytes, places: list[int], step: Callable[[int, bytes], None]) -> None:
        self._step = step
        self._pattern = pattern
        self._places = places
        wildcards = (at for at, byte in enumerate(pattern) if byte in _WILDCARDS)
        self._first_wildcard = next(wildcards, len(pattern))
        self._found: dict[tuple[int, int], set[int]] = {}
        self._lanes = [0] * (len(places) + 1)
        for place, byte in enumerate(places):
            self._lanes[place + 1] = self._lanes[place] + (not byte)

    def boxes(self) -> set[int]:
        """The boxes of the whole pattern over all places."""
        return self._from(0, 0)

    def _from(self, at: int, place: int) -> set[int]:
        """Boxes over the places from one on, of the pattern from one byte on."""
        if at == len(self._pattern):
            return {0} if place == len(self._places) else set()
        if (at, place) not in self._found:
            found: set[int] = set()
            for box, after, next_place in self._ways(at, place):
                rest = self._from(after, next_place)
                found.update(box | other for other in rest)
                self._step(len(rest) + 1, self._pattern)
            self._found[at, place] = found
        return self._found[at, place]

    def _ways(self, at: int, place: int) -> Iterator[tuple[int, int, int]]:
        """What the pattern's next piece may take: a box, then where pattern and places go on."""
        byte = self._pattern[at]
        if byte == _STAR:
            yield from self._star(at, place)
        elif place == len(self._places):
            return
        elif byte == _ANY:
            yield self._full(place, place + 1), at + 1, place + 1
        elif byte == _BRACKET:
            for after, box in self._bracket(at, place).items():
                yield box, after, place + 1
        else:
            # Up to the first wildcard libkmod compares bytes; fnmatch, which knows escapes, comes after.
            if byte == _ESCAPE and at >= self._first_wildcard:
                at += 1
            wanted = self._pattern[at : at + 1]
            for stands, box in self._choices(place):
                if wanted == bytes((stands,)):
                    yield box, at + 1, place + 1

    def _star(self, at: int, place: int) -> Iterator[tuple[int, int, int]]:
        while self._pattern[at + 1 : at + 2] == b"*":
            at += 1
        for end in range(place, len(self._places) + 1):
            yield self._full(place, end), at + 1, end

    def _bracket(self, at: int, place: int) -> dict[int, int]:
        """Where the bracket ends for the bytes that it takes: one place for all of them, but in odd ones."""
        ends: dict[int, int] = {}
        for stands, box in self._choices(place):
            after = _binding.bracket_end(self._pattern, at + 1, stands)
            if after:
                ends[after] = ends.get(after, 0) | box
        return ends

    def _choices(self, place: int) -> Iterator[tuple[int, int]]:
        """The bytes that may stand at a place, each with its box."""
        if self._places[place]:
            yield self._places[place], 0
        else:
            shift = LANE * self._lanes[place]
            for value, digit in enumerate(DIGITS):
                yield digit, 1 << shift << value

    def _full(self, start: int, end: int) -> int:
        first, last = self._lanes[start], self._lanes[end]
        return lanes(last - first, ANY_DIGIT) << (LANE * first)
