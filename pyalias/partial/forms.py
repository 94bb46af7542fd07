"""The forms in which the kernel prints the devices of a bus: numbers of fixed width between separators.

The same buses as in ``csrc/bus.h``, with the sources in the kernel named there. An unknown number may be any
that a device can have: of PCI's vendor, device and subsystem ids, which are printed with eight digits, the
last four, since the kernel reads 16 bits (``include/linux/pci.h``, ``struct pci_dev``).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

from pyalias.modalias import field_names
from pyalias.partial.boxes import ANY_DIGIT, LANE, Lanes, lanes, number_box

_FIELD_PATTERN = rb"((?:[0-9A-F?*]|\[[0-9A-F-]+\])*)"


class FormField(NamedTuple):
    """A field: the text before it, its name, how many digits it has and how many of them can differ."""

    separator: str
    name: str
    digits: int
    variable: int


class Form:
    """The form of a bus. Fields ``first`` and ``second`` tell its devices apart."""

    def __init__(self, bus: str, fields: tuple[FormField, ...], first: int = 0, second: int = 1) -> None:
        self.bus = bus
        self.fields = fields
        self.first = first
        self.second = second
        self.first_lane = [sum(field.digits for field in fields[:number]) for number in range(len(fields))]
        self.lanes = Lanes(sum(field.digits for field in fields))

    @property
    def prefix(self) -> str:
        """What every device string of the form starts with."""
        return f"{self.bus}:"

    @cached_property
    def template(self) -> bytes:
        """A device string in which each digit is a NUL."""
        parts = (field.separator.encode() + bytes(field.digits) for field in self.fields)
        return self.prefix.encode() + b"".join(parts)

    @cached_property
    def field_pattern(self) -> re.Pattern[bytes]:
        """Patterns that have the form's separators, with digits, ``?``, ``*`` or brackets between them."""
        parts = (re.escape(field.separator.encode()) + _FIELD_PATTERN for field in self.fields)
        return re.compile(re.escape(self.prefix.encode()) + b"".join(parts))

    @cached_property
    def partial_text(self) -> re.Pattern[str]:
        """Device strings of the form in which a field may be ``*`` and a digit ``?``."""
        parts = (rf"{field.separator}(\*|[0-9A-F?]{{{field.digits}}})" for field in self.fields)
        return re.compile(re.escape(self.prefix) + "".join(parts))

    def field_mask(self, number: int) -> int:
        """The lanes of a field, full."""
        return lanes(self.fields[number].digits, ANY_DIGIT) << (LANE * self.first_lane[number])

    def value_box(self, number: int, value: int | None) -> int:
        """The lanes of a field for its value; ``None`` is unknown."""
        field = self.fields[number]
        if value is not None:
            box = number_box(value, field.digits)
        else:
            fixed = field.digits - field.variable
            box = lanes(fixed, 1) | lanes(field.variable, ANY_DIGIT) << (LANE * fixed)
        return box << (LANE * self.first_lane[number])

    def text_box(self, text: str) -> int | None:
        """The device strings that a partial one stands for; ``None`` where it has another form."""
        found = self.partial_text.fullmatch(text)
        if found is None:
            return None
        box = 0
        for number, digits in enumerate(found.groups()):
            if digits == "*":
                box |= self.value_box(number, None)
                continue
            for place, digit in enumerate(digits, self.first_lane[number]):
                box |= (ANY_DIGIT if digit == "?" else 1 << int(digit, 16)) << (LANE * place)
        return box

    def text(self, values: tuple[int | None, ...]) -> str:
        """The device string of some values, with ``*`` for each unknown one."""
        parts = (
            f"{field.separator}{'*' if value is None else f'{value:0{field.digits}X}'}"
            for field, value in zip(self.fields, values, strict=True)
        )
        return self.prefix + "".join(parts)


def _fields(bus: str, *digits: tuple[int, int]) -> tuple[FormField, ...]:
    """The fields of a bus, given how many digits each has and how many of them can differ."""
    return tuple(FormField(*names, *own) for names, own in zip(field_names(bus), digits, strict=True))


_PCI_ID, _DOUBLE_WORD, _WORD, _BYTE = (8, 4), (8, 8), (4, 4), (2, 2)
_PCI = _fields("pci", *[_PCI_ID] * 4, *[_BYTE] * 3)
_USB = _fields("usb", *[_WORD] * 3, *[_BYTE] * 7)
_HID = _fields("hid", _WORD, _WORD, _DOUBLE_WORD, _DOUBLE_WORD)

PCI = Form("pci", _PCI)
USB = Form("usb", _USB)
FORMS = {form.bus: form for form in (PCI, Form("vfio_pci", _PCI), USB, Form("hid", _HID, 2, 3))}
