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
    lines: list[str] = []
    size = 0
    ended = True
    for line in read_lines(blocks):
        ended = line.endswith("\n")
        if line != "\n":
            lines.append(line.removesuffix("\n"))
            size += len(line)
        elif lines:
            yield Paragraph(lines)
            lines, size = [], 0
        if size > reading.LONGEST_RECORD:
            raise InventoryError(
                f"{name}: a record is longer than {reading.LONGEST_RECORD} characters; is this a device list?"
            )
    if lines:
        yield Paragraph(lines, closed=False, last_line_ends=ended)
