"""Numbers of devices, in all the forms that inventories spell them.

An id is ``8086``, ``0x8086``, ``0X8086``, ``8086:15B7`` with another, ``Intel Corporation [8086]`` behind its
name, or a signed number of 16 bits (vSphere). A class is two, four or six hexadecimal digits, with or without
``0x``, and some programs drop its leading zeros (``20000`` is 0x020000).

Inventories repeat their numbers: what was read once is remembered. Every function raises ``ValueError`` with
what was expected and what was found; none of them guesses.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_HEX = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,8})")
_BEHIND_A_NAME = re.compile(r".*\[([^\[\]]*)\]", re.DOTALL)
# By number of digits, where no source says it: an odd number of digits has lost its leading zero.
_BITS_OF_DIGITS = {1: 8, 2: 8, 3: 16, 4: 16, 5: 24, 6: 24}
_LONGEST_SHOWN = 60


class PciClass(NamedTuple):
    """The three bytes of a PCI class; ``None`` is a byte that the source does not tell."""

    base_class: int | None = None
    subclass: int | None = None
    interface: int | None = None


def shown(value: object) -> str:
    """A value as messages show it: not longer than a line."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


def parse_hex(text: str, bits: int = 16, digits: int | None = None) -> int:
    """A hexadecimal number of at most ``bits`` bits; with ``digits``, written in exactly so many."""
    found = _HEX.fullmatch(text.strip(" \t"))
    if found is None:
        raise ValueError(f"expected a hexadecimal number, found {shown(text)}")
    if digits is not None and len(found[1]) != digits:
        raise ValueError(f"expected {digits} hexadecimal digits, found {shown(text)}")
    number = int(found[1], 16)
    if number >> bits:
        raise ValueError(f"expected at most {bits} bits, found {shown(text)}")
    return number


@lru_cache(maxsize=65536)
def parse_id(text: str, digits: int | None = None) -> int:
    """An id of 16 bits, alone or in brackets behind its name: ``8086``, ``0x8086``, ``Intel [8086]``."""
    behind = _BEHIND_A_NAME.fullmatch(text.strip(" \t"))
    if behind is not None:
        text = behind[1]
    return parse_hex(text, 16, digits)


@lru_cache(maxsize=65536)
def parse_pair(text: str) -> tuple[int, int]:
    """Two ids: ``8086:15B7``; also behind a name, ``Ethernet Connection [8086:15B7]``."""
    behind = _BEHIND_A_NAME.fullmatch(text.strip(" \t"))
    first, colon, second = (text if behind is None else behind[1]).partition(":")
    if not colon:
        raise ValueError(f"expected two ids with a colon between them, found {shown(text)}")
    return parse_hex(first), parse_hex(second)


def parse_signed(number: object) -> int:
    """An id as a number of 16 bits that some interfaces read as signed: -32634 is 0x8086."""
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError(f"expected a number, found {shown(number)}")  # noqa: TRY004
    if not -0x8000 <= number <= 0xFFFF:
        raise ValueError(f"expected a number of 16 bits, found {number}")
    return number & 0xFFFF


@lru_cache(maxsize=65536)
def parse_class(text: str, bits: int | None = None) -> PciClass:
    """A class of 8, 16 or 24 bits; where the source has no fixed width, ``bits`` is that of its digits.

    udev prints all 24 bits and no leading zeros: what it prints for 0x000100 has four digits too. So whoever
    knows the width must say it.
    """
    behind = _BEHIND_A_NAME.fullmatch(text.strip(" \t"))
    if behind is not None:
        text = behind[1]
    number = parse_hex(text, bits or 24)
    if bits is None:
        digits = len(text.strip(" \t").lower().removeprefix("0x"))
        if digits not in _BITS_OF_DIGITS:
            raise ValueError(f"expected a class of two, four or six digits, found {shown(text)}")
        bits = _BITS_OF_DIGITS[digits]
    return split_class(number, bits)


def split_class(number: int, bits: int) -> PciClass:
    """The bytes of a class of 8, 16 or 24 bits."""
    known = number.to_bytes(bits // 8, "big")
    return PciClass(*known)
