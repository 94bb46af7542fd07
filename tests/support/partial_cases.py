"""Seeded pattern sets and partial devices, and their three-valued answers by asking for every device.

The patterns split digits between each other, so that some cover all that a device may be only together; some
are written in ways that no kernel has: stars across separators, brackets that end at different places,
escapes. The devices have up to four unknown digits anywhere, or unknown fields: at most 65,536 completions,
each of which the index itself looks up (which the conformance tests compare with libkmod).
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyalias._binding import ORDER_PRIORITY, ORDER_VISIT, Source
from pyalias.index import AliasIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEED = 20261124
DIGITS = "0123456789ABCDEF"
MODULES = ("zeta", "alpha", "mid_one", "beta")


class Shape(NamedTuple):
    """A form: separators, digits of each field, how many of them an unknown field leaves open."""

    prefix: str
    fields: tuple[tuple[str, int, int], ...]


_PCI_FIELDS = (
    ("v", 8, 4), ("d", 8, 4), ("sv", 8, 4), ("sd", 8, 4), ("bc", 2, 2), ("sc", 2, 2), ("i", 2, 2),
)  # fmt: skip
PCI = Shape("pci:", _PCI_FIELDS)
SHAPES = (
    PCI,
    PCI,
    Shape("vfio_pci:", _PCI_FIELDS),
    Shape("usb:", (("v", 4, 4), ("p", 4, 4), ("d", 4, 4), ("dc", 2, 2), ("dsc", 2, 2), ("dp", 2, 2),
                   ("ic", 2, 2), ("isc", 2, 2), ("ip", 2, 2), ("in", 2, 2))),
    Shape("hid:", (("b", 4, 4), ("g", 4, 4), ("v", 8, 8), ("p", 8, 8))),
)  # fmt: skip
SPLITS = (
    ("[0-7]", "[89A-F]"), ("[!3]", "3"), ("[0-9]", "[A-F]"), ("[0-4]", "[3-9]", "[^0-8]"), ("?",),
    ("[0-9]", "[2-D]", "[!F]"), ("[0-A]", "[4-E]"), ("[02468ACE]", "[13579BDF]"), ("[0-A]", "[B-]", "[C-F]"),
)  # fmt: skip
ODD_BRACKETS = (r"[\]0]", "[]0]", "[[:digit:]]", "[[:digit:]0[1]", "[!]0[1]", "[]0[1]", "[0-9]*", "[", r"\0")


class Case(NamedTuple):
    """A pattern set in one source or two, and partial devices."""

    aliases: Sequence[tuple[str, str]]
    builtin_aliases: Sequence[tuple[str, str]]
    devices: Sequence[str]

    def index(self) -> AliasIndex:
        """Compiled: the second source is asked where the first knows nothing."""
        sources = [Source(b"a", ORDER_PRIORITY, aliases=_encoded(self.aliases))]
        if self.builtin_aliases:
            sources.append(Source(b"b", ORDER_VISIT, aliases=_encoded(self.builtin_aliases)))
        return AliasIndex._compile(sources)


def _encoded(aliases: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(pattern.encode(), module.encode()) for pattern, module in aliases]


def partial_cases(count: int, devices_each: int, seed: int = SEED) -> Iterator[Case]:
    """The same cases on every run with a seed."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(count):
        yield _CaseMaker(random).case(devices_each)


class _CaseMaker:
    """The choices of one case: few values, so that patterns and devices meet."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._shape = random.choice(SHAPES)
        # Where patterns differ and devices are unknown, mostly: elsewhere the two would seldom meet.
        self._busy = random.sample(range(len(self._shape.fields)), k=2)
        self._values = [
            [self._value(digits, variable) for _ in range(random.choice((1, 2, 2, 3)))]
            for _, digits, variable in self._shape.fields
        ]

    def _value(self, digits: int, variable: int) -> str:
        # Zeros before what differs, and now and then a number that no device has.
        variable = digits if self._random.random() < 0.05 else min(variable, 4)
        return "".join(self._random.choices(DIGITS, k=variable)).rjust(digits, "0")

    def case(self, devices: int) -> Case:
        aliases = self._aliases(self._random.choice((1, 2, 3, 5, 8)))
        builtin = self._aliases(self._random.choice((1, 2, 4))) if self._random.random() < 0.4 else []
        return Case(aliases, builtin, [self._device() for _ in range(devices)])

    def _aliases(self, count: int) -> list[tuple[str, str]]:
        aliases: list[tuple[str, str]] = []
        while len(aliases) < count:
            pattern = self._pattern()
            kind = self._random.random()
            if kind < 0.6:
                patterns = self._split(pattern)
            elif kind < 0.75:
                patterns = [self._odd(pattern)]
            else:
                patterns = [pattern]
            same = self._random.choice(MODULES)
            aliases += [
                (one, same if self._random.random() < 0.5 else self._random.choice(MODULES))
                for one in patterns
            ]
        return aliases

    def _pattern(self) -> str:
        wild = self._random.choice((0.4, 0.65, 0.9))
        fields = [
            separator + ("*" if self._random.random() < wild else self._random.choice(values))
            for (separator, _, _), values in zip(self._shape.fields, self._values, strict=True)
        ]
        return self._shape.prefix + "".join(fields) + self._random.choice(("", "*"))

    def _split(self, pattern: str) -> list[str]:
        """Patterns that together may cover what this one does: they share out a digit, perhaps two."""
        number = self._field()
        separator, digits, variable = self._shape.fields[number]
        place = digits - 1 - self._random.randrange(min(variable, 4))
        value = "?" * digits if self._random.random() < 0.6 else self._random.choice(self._values[number])
        parts = self._random.choice(SPLITS)
        if self._random.random() < 0.15:
            parts = parts[:-1] or parts
        head, *fields = self._fields_of(pattern)
        made = []
        for part in parts:
            fields[number] = separator + value[:place] + part + value[place + 1 :]
            made.append(head + "".join(fields))
        return made if self._random.random() < 0.7 else [self._split(one)[0] for one in made]

    def _field(self) -> int:
        if self._random.random() < 0.75:
            return self._random.choice(self._busy)
        return self._random.randrange(len(self._shape.fields))

    def _fields_of(self, pattern: str) -> list[str]:
        """The prefix, then each field with its separator."""
        parts, rest = [self._shape.prefix], pattern[len(self._shape.prefix) :]
        for number, (separator, _, _) in enumerate(self._shape.fields):
            after = self._shape.fields[number + 1 :]
            end = rest.find(after[0][0], len(separator)) if after else len(rest)
            parts.append(rest[:end])
            rest = rest[end:]
        return parts

    def _odd(self, pattern: str) -> str:
        """A pattern that is no row of fields, or a strange one."""
        kind = self._random.randrange(6)
        if kind == 0:  # ends early
            return pattern[: self._random.randrange(len(pattern))] + "*"
        if kind == 1:  # a star in place of a stretch
            start = self._random.randrange(len(pattern))
            return pattern[:start] + "*" + pattern[self._random.randrange(start, len(pattern)) :]
        if kind == 2:  # digits anywhere
            return "*" + "".join(self._random.choices(DIGITS, k=self._random.choice((1, 2)))) + "*"
        place = self._random.randrange(len(pattern))
        piece = self._random.choice(ODD_BRACKETS) if kind == 3 else self._random.choice("?*")
        if kind == 4:
            piece = "[" + pattern[place] + self._random.choice("a0F") + "]"
        return pattern[:place] + piece + pattern[place + 1 :]

    def _device(self) -> str:
        digits = [list(self._random.choice(values)) for values in self._values]
        for number, (_, width, variable) in enumerate(self._shape.fields):
            if self._random.random() < 0.15:
                digits[number] = list(
                    "".join(self._random.choices(DIGITS, k=min(variable, 4))).rjust(width, "0")
                )
        left = self._random.choice((0, 1, 2, 2, 3, 3, 4))
        while left > 0:
            number = self._field()
            _, width, variable = self._shape.fields[number]
            if variable <= left and self._random.random() < 0.7:
                digits[number] = ["*"]
                left -= variable
            elif digits[number] != ["*"]:
                digits[number][width - 1 - self._random.randrange(min(variable, 4))] = "?"
                left -= 1
            elif self._random.random() < 0.3:
                left -= 1
        fields = zip(self._shape.fields, digits, strict=True)
        return self._shape.prefix + "".join(field[0] + "".join(text) for field, text in fields)


def completions(device: str) -> bytes:
    """All devices that a partial one may be, one a line."""
    shape = next(shape for shape in SHAPES if device.startswith(shape.prefix))
    text, rest = shape.prefix, device[len(shape.prefix) :]
    for number, (separator, digits, variable) in enumerate(shape.fields):
        rest = rest.removeprefix(separator)
        after = shape.fields[number + 1 :]
        end = rest.find(after[0][0]) if after else len(rest)
        value, rest = rest[:end], rest[end:]
        text += separator + ("0" * (digits - variable) + "?" * variable if value == "*" else value)
    places = [place for place, byte in enumerate(text) if byte == "?"]
    numbers = np.arange(16 ** len(places), dtype=np.uint32)
    rows = np.tile(np.frombuffer(f"{text}\n".encode(), np.uint8), (len(numbers), 1))
    table = np.frombuffer(DIGITS.encode(), np.uint8)
    for shift, place in enumerate(places):
        rows[:, place] = table[(numbers >> np.uint32(4 * shift)) & np.uint32(15)]
    return rows.tobytes()


class Brute(NamedTuple):
    """The three-valued answer by definition; ``answers`` are the distinct ones of all devices."""

    state: str
    certain: set[str]
    possible: set[str]
    answers: list[tuple[str, ...]]


def brute_force(index: AliasIndex, device: str) -> Brute:
    """Ask for every device that a partial one may be."""
    found = index.lookup_many(completions(device))
    answers = [found.table[i] for i in np.unique(np.frombuffer(found.ids, np.uint32)).tolist()]
    sets = [set(answer) for answer in answers]
    certain, some = set.intersection(*sets), set.union(*sets)
    state = "certain" if all(answers) else "possible" if any(answers) else "none"
    return Brute(state, certain, some - certain, answers)


def disagreement(index: AliasIndex, case: Case, device: str) -> str | None:
    """What is wrong with the answer for a device, or ``None``."""
    found, truth = index.lookup_partial(device), brute_force(index, device)
    wrong = (found.state, set(found.certain), set(found.possible)) != truth[:3]
    wrong = wrong or len(set(found.possible)) != len(found.possible)
    if not ("*" in device or "?" in device):
        wrong = wrong or found.certain != index.lookup(device) or found.partial
    elif not case.builtin_aliases:
        # In one source with priorities modules have one order, in whatever answer they stand.
        orders = [[name for name in dict.fromkeys(names) if name in truth.certain] for names in truth.answers]
        wrong = wrong or any(order != list(found.certain) for order in orders)
    return f"{device}: {found}, and asking for all: {truth}\n{case[:2]}" if wrong else None
