"""What lspci prints for programs: paragraphs (``lspci -vmmkn``, ``-vmmknn``) or a line a device (``-nnmm``).

Both have the class without its last byte, which stands apart and, up to pciutils 3.8, only where it is not 0
(``show_machine`` in lspci.c). The subsystem is printed unless its vendor is 0 or 0xffff, so that of a device
without one is not known: 0 and 0xffff are different modaliases.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from pyalias.inventory.ids import PciClass, parse_hex, parse_id, shown, split_class
from pyalias.inventory.paragraphs import Paragraph, read_paragraphs
from pyalias.inventory.records import DeviceRecord, FieldError, make_record, take

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLOT = r"(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_IS_SLOT = re.compile(_SLOT).fullmatch
# Tabs may have become blanks on the way.
_FIELD = re.compile(r"([A-Z][A-Za-z]+):[ \t]+(.*)")
_IS_LINE = re.compile(_SLOT + " ").match
_NEEDS_NUMBERS = "expected an id of four hexadecimal digits, run lspci with -n or -nn; found {}"


def looks_like(text: str) -> bool:
    """Whether a text begins as lspci's does."""
    return re.match("Slot:[ \t]", text) is not None or _IS_LINE(text) is not None


def read_rows(blocks: Iterator[str], name: str) -> Iterator[Paragraph]:
    """Paragraphs, of which one that begins with a slot holds a line a device."""
    for paragraph in read_paragraphs(blocks, name):
        if _FIELD.fullmatch(paragraph.lines[0]):
            yield paragraph
            continue
        last = len(paragraph.lines) - 1
        for number, line in enumerate(paragraph.lines):
            yield Paragraph([line], last_line_ends=number < last or paragraph.last_line_ends)


def build(paragraph: Paragraph) -> DeviceRecord:
    """The device of a paragraph or a line."""
    if _FIELD.fullmatch(paragraph.lines[0]):
        return _build_paragraph(paragraph)
    return _build_line(paragraph)


def _build_paragraph(paragraph: Paragraph) -> DeviceRecord:
    fields: dict[str, str] = {}
    modules = []
    for line in paragraph.lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise FieldError("", f"expected a field, a colon and a tab, found {shown(line)}")
        key, value = found.groups()
        if key == "Module":
            modules.append(value)
        elif key in fields:
            raise FieldError(key, "stands twice: a blank line between two records is missing")
        else:
            fields[key] = value
    if not paragraph.last_line_ends:
        _drop_cut_name(fields, modules, paragraph.lines[-1])
    return _build(fields, tuple(modules), complete=paragraph.closed)


def _drop_cut_name(fields: dict[str, str], modules: list[str], last_line: str) -> None:
    """A name that may be cut short is worse than none; of ids the number of digits tells."""
    if last_line.startswith("Module:"):
        modules.pop()
    if last_line.startswith("Driver:"):
        del fields["Driver"]


def _build_line(paragraph: Paragraph) -> DeviceRecord:
    """``00:1f.6 "Class" "Vendor" "Device" -r21 -p80 "SVendor" "SDevice"``, quoted as for a shell."""
    (line,) = paragraph.lines
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise FieldError("", f"the quotes do not pair ({error}): the line may be cut short") from error
    names = iter(("Slot", "Class", "Vendor", "Device", "SVendor", "SDevice"))
    fields = {}
    for word in words:
        if word.startswith("-r"):
            fields["Rev"] = word[2:]
        elif word.startswith("-p"):
            fields["ProgIf"] = word[2:]
        else:
            fields[next(names, "")] = word
    if "" in fields or "SDevice" not in fields:
        expected = "expected a slot, then class, vendor, device and subsystem, each in quotes"
        raise FieldError("", f"{expected} (lspci -nmm): found {shown(line)}")
    # Without a subsystem lspci prints two empty pairs of quotes.
    return _build({key: value for key, value in fields.items() if value}, (), complete=True)


def _build(fields: dict[str, str], modules: tuple[str, ...], *, complete: bool) -> DeviceRecord:
    for field in ("Slot", "Class", "Vendor", "Device"):
        if field not in fields:
            raise FieldError(field, "lspci prints it of every device: the record may be cut short")
    if not _IS_SLOT(fields["Slot"]):
        raise FieldError("Slot", f"expected bus, device and function, found {shown(fields['Slot'])}")
    base_class, subclass, _ = take("Class", _parse_class, fields["Class"])
    interface = None
    if "ProgIf" in fields:
        interface = take("ProgIf", parse_hex, fields["ProgIf"], 8, 2)
    elif complete:
        interface = 0
    return make_record(
        bus="pci",
        slot=fields["Slot"],
        vendor=take("Vendor", _parse_id, fields["Vendor"]),
        device=take("Device", _parse_id, fields["Device"]),
        subvendor=take("SVendor", _parse_id, fields["SVendor"]) if "SVendor" in fields else None,
        subdevice=take("SDevice", _parse_id, fields["SDevice"]) if "SDevice" in fields else None,
        pci_class=PciClass(base_class, subclass, interface),
        revision=take("Rev", parse_hex, fields["Rev"], 8, 2) if "Rev" in fields else None,
        driver=fields.get("Driver"),
        kernel_modules=modules,
    )


def _parse_id(text: str) -> int:
    try:
        return parse_id(text, 4)
    except ValueError as error:
        raise ValueError(_NEEDS_NUMBERS.format(shown(text))) from error


def _parse_class(text: str) -> PciClass:
    return split_class(_parse_id(text), 16)
