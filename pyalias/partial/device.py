"""One device of which some fields may be unknown."""

from __future__ import annotations

from dataclasses import dataclass

from pyalias.errors import ColumnError
from pyalias.partial.forms import FORMS, Form

CLASS_FIELDS = ("base_class", "subclass", "interface")


@dataclass(frozen=True)
class PartialDevice:
    """A device string in which ``*`` stands for an unknown field, and ``?`` for an unknown digit of one.

    Such as ``pci:v00008086d000015B7sv*sd*bc02sc00i*``; of the buses pci, vfio_pci, usb and hid. ``pci`` and
    ``usb`` put it together from numbers. An unknown vendor, device or subsystem id of PCI is one of 16 bits,
    as devices have, though the kernel prints eight digits.
    """

    text: str

    @classmethod
    def pci(cls, **fields: int | None) -> PartialDevice:
        """From numbers: what is left out is unknown.

        The fields are ``vendor``, ``device``, ``subvendor``, ``subdevice`` and the class: ``class_code`` of
        24 bits, or any of its bytes, ``base_class``, ``subclass`` and ``interface``.

        Raises:
            ColumnError: a number that is too large, or another field.
        """
        class_code = fields.pop("class_code", None)
        if class_code is not None:
            if any(fields.get(name) is not None for name in CLASS_FIELDS):
                raise ColumnError("class_code and its bytes are one field: give one of them")
            if not 0 <= class_code < 1 << 24:
                raise ColumnError(f"class_code: expected a number of 24 bits, found {class_code:#x}")
            fields.update(zip(CLASS_FIELDS, class_code.to_bytes(3, "big"), strict=True))
        return cls._from_fields(FORMS["pci"], fields)

    @classmethod
    def usb(cls, **fields: int | None) -> PartialDevice:
        """From ``vendor``, ``product``, ``device_version``, ``device_class``, ``device_subclass``,
        ``device_protocol``, ``interface_class``, ``interface_subclass``, ``interface_protocol`` and
        ``interface_number``; those left out are unknown.

        Raises:
            ColumnError: a number that is too large, or another field.
        """  # noqa: D205 the names are its first sentence
        return cls._from_fields(FORMS["usb"], fields)

    @classmethod
    def _from_fields(cls, form: Form, fields: dict[str, int | None]) -> PartialDevice:
        values = []
        for field in form.fields:
            value = fields.pop(field.name, None)
            if value is not None and (not isinstance(value, int) or not 0 <= value < 1 << 4 * field.digits):
                raise ColumnError(
                    f"{field.name}: expected a number of {4 * field.digits} bits, or None, found {value!r}"
                )
            values.append(value)
        if fields:
            known = ", ".join(field.name for field in form.fields)
            raise ColumnError(
                f"a {form.bus} device has no field {next(iter(fields))!r}: expected some of {known}"
            )
        return cls(form.text(tuple(values)))

    def __str__(self) -> str:
        return self.text
