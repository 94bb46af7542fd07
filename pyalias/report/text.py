"""Text from outside as a page shows it: nothing in it is invisible, and nothing is endless."""

from __future__ import annotations

_LONGEST = 240
_BLANK = r"\x20"


def plain_text(text: str) -> str:
    r"""A text whose characters can all be seen: ``\\r``, ``\\xff`` and the like for those that cannot.

    These are control characters, bytes that are no UTF-8, characters that turn the direction of writing, and
    blanks at the ends.
    """
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text)} characters)"
    inner = text.strip(" ")
    if inner == text and text.isprintable():
        return text
    before, _, after = text.partition(inner) if inner else (text, "", "")
    return _BLANK * len(before) + "".join(map(_visible, inner)) + _BLANK * len(after)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # how a byte that is no UTF-8 was read
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
