"""``pyalias lookup --ids``: devices of which some ids are known."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from pyalias.cli.index_choice import index_source, open_index
from pyalias.cli.lookup import print_lines
from pyalias.cli.messages import print_message
from pyalias.errors import ColumnError
from pyalias.partial import PartialDevice

if TYPE_CHECKING:
    import argparse

    from pyalias.partial import PartialAnswer

_CLASS_BYTES = ("base_class", "subclass", "interface")


def run(options: argparse.Namespace) -> int:
    """Look up each device in the index and print its three-valued answer."""
    devices = [read_device(text) for text in options.ids]
    missed = False
    with open_index(options) as index:
        for device in devices:
            answer = index.lookup_partial(device)
            if options.json:
                print(json.dumps({"device": device.text, **answer._asdict()}))
            else:
                print_lines(_lines(device, answer))
            if answer.state == "none":
                missed = True
                if not options.quiet:
                    print_message(f"WARNING: no module of {index_source(options)} can claim {device}")
    return 1 if missed else 0


def read_device(text: str) -> PartialDevice:
    """A device from ``vendor=8086,device=15b7,class=0200``, or from its text with ``*``.

    Raises:
        ColumnError: another form.
    """
    if ":" in text:
        return PartialDevice(text)
    fields: dict[str, int | None] = {}
    for part in text.split(","):
        name, equals, digits = part.partition("=")
        if not equals or not re.fullmatch("(0[xX])?[0-9a-fA-F]{1,8}", digits):
            raise ColumnError(f"{text!r}: expected NAME=HEX parted by commas, found {part!r}")
        if name in fields:
            raise ColumnError(f"{text!r}: {name} is given twice")
        fields.update(_class_bytes(text, digits) if name == "class" else {name: int(digits, 16)})
    return PartialDevice.usb(**fields) if "product" in fields else PartialDevice.pci(**fields)


def _class_bytes(text: str, digits: str) -> dict[str, int]:
    """What two, four or six digits tell of a class: 02 is its base class, 0200 that and the subclass."""
    known = digits.lower().removeprefix("0x")
    if len(known) not in {2, 4, 6}:
        raise ColumnError(f"{text!r}: expected a class of two, four or six digits, found {digits!r}")
    return dict(zip(_CLASS_BYTES, bytes.fromhex(known), strict=False))


def _lines(device: PartialDevice, answer: PartialAnswer) -> list[str]:
    found = [device.text, f"  state     {answer.state}"]
    if answer.certain:
        found.append(f"  certain   {' '.join(answer.certain)}")
    if answer.possible:
        found.append(f"  possible  {' '.join(answer.possible)}")
    return found
