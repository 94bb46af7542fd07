"""Text in paragraphs of lines with a blank line after each: what udevadm and lspci print."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyalias.errors import InventoryError
from pyalias.inventory import reading

if TYPE_CHECKING:
    from collections.abc import Iterator


class Paragraph(NamedTuple):
    """Its lines; whether a blank line followed, and whether its last line had an end.

    A text that was cut short lacks one or both, and so does one that went through a shell variable.
    """

    lines: list[str]
    closed: bool = True
    last_line_ends: bool = True

    @property
    def raw(self) -> str:
        """The text as it was."""
        return "\n".join(self.lines)


def read_lines(blocks: Iterator[str]) -> Iterator[str]:
    """Lines with their ends, as they are; a carriage return before it belongs to the end."""
    for text in blocks:
        lines = text.split("\n")
        last = lines.pop()
        for line in lines:
            yield line.removesuffix("\r") + "\n"
        if last:
            yield last


def read_paragraphs(blocks: Iterator[str], name: str) -> Iterator[Paragraph]:
    """Paragraphs, one after the other, each within ``reading.LONGEST_RECORD``.

    Raises:
        InventoryError: a paragraph is longer.
    """
    carry = ""
    for block in blocks:
        text = carry + (block.replace("\r\n", "\n") if "\r" in block else block)
        *whole, carry = text.split("\n\n")
        for paragraph in whole:
            if paragraph.strip("\n"):
                yield Paragraph(paragraph.strip("\n").split("\n"))
        if len(carry) > reading.LONGEST_RECORD:
            raise InventoryError(
                f"{name}: a record is longer than {reading.LONGEST_RECORD} characters; is this a device list?"
            )
    if carry.strip("\n"):
        yield Paragraph(carry.strip("\n").split("\n"), closed=False, last_line_ends=carry.endswith("\n"))
