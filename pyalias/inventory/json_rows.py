"""JSON documents one after the other, in bounded memory: JSON Lines, or the elements of one long array."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyalias.errors import InventoryError
from pyalias.inventory.lists import parse_finite, refuse_constant
from pyalias.inventory.records import Damage

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_DOCUMENT = 64 << 20
# What is this near to the end of what was read may be due to that end: within true, -1.5e3 or \u00e9.
_LONGEST_TOKEN = 16
_decode = json.JSONDecoder(parse_constant=refuse_constant, parse_float=parse_finite).raw_decode


def read_documents(blocks: Iterator[str], name: str) -> Iterator[Any]:
    """Each document, of an array each element; ``Damage`` in place of text that is none.

    After damage the reading goes on with the next line, where that line begins another document; else all the
    rest of the text is the damage.

    Raises:
        InventoryError: a document, or the rest behind the damage, is longer than ``LONGEST_DOCUMENT``.
    """
    text = _Text(blocks, name)
    in_array = False
    while char := text.next_char():
        if in_array and char in ",]":
            text.place += 1
            in_array = char == ","
        elif char == "[" and not in_array:
            text.place += 1
            in_array = True
        else:
            yield text.decode()
    if in_array and not text.ends_in_damage:
        yield Damage("the text ends within an array: more may be missing", "")


class _Text:
    """What has been read and not yet decoded: ``text`` from ``place`` on."""

    def __init__(self, blocks: Iterator[str], name: str) -> None:
        self._blocks = blocks
        self._name = name
        self.text = ""
        self.place = 0
        self.ends_in_damage = False

    def next_char(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self.place < len(self.text) and self.text[self.place] in " \t\r\n":
                self.place += 1
            if self.place < len(self.text):
                return self.text[self.place]
            if not self._read_more():
                return ""

    def decode(self) -> Any:
        """The value that begins here; ``Damage`` where there is none."""
        while True:
            try:
                value, end = _decode(self.text, self.place)
            except json.JSONDecodeError as error:
                near_the_end = error.pos >= len(self.text) - _LONGEST_TOKEN
                if (near_the_end or error.msg.startswith("Unterminated string")) and self._read_more():
                    continue
                return self._damage(f"{error.msg} at character {error.pos - self.place + 1} of the record")
            except (ValueError, RecursionError) as error:
                return self._damage(str(error))
            if end > len(self.text) - _LONGEST_TOKEN and self._read_more():  # a number may go on
                continue
            self.place = end
            return value

    def _read_more(self) -> bool:
        """Twice as much as before, so that what is decoded again and again is no more than twice the text."""
        pieces = [self.text[self.place :]]
        wanted = 2 * len(pieces[0]) + 1
        size = len(pieces[0])
        while size < wanted and (block := next(self._blocks, "")):
            pieces.append(block)
            size += len(block)
        if len(pieces) == 1:
            return False
        if size > LONGEST_DOCUMENT:
            raise InventoryError(
                f"{self._name}: a JSON document is longer than {LONGEST_DOCUMENT} characters;"
                " write one document a line (jq -c '.[]')"
            )
        self.text, self.place = "".join(pieces), 0
        return True

    def _damage(self, reason: str) -> Damage:
        while (end := self.text.find("\n", self.place)) < 0 and self._read_more():
            pass
        line = self.text[self.place :] if end < 0 else self.text[self.place : end]
        self.place += len(line)
        if self.next_char() not in ("", "{", "["):
            return Damage(f"{reason}; the rest of the text is not read", f"{line}\n{self._take_rest()}")
        self.ends_in_damage = self.place == len(self.text)
        return Damage(reason, line)

    def _take_rest(self) -> str:
        while self._read_more():
            pass
        rest = self.text[self.place :]
        self.place = len(self.text)
        self.ends_in_damage = True
        return rest
