"""What a modalias or a pattern says, field by field: for people, never for matching.

Matching compares whole strings. Reading fields is only for display, so text that does not look as the
kernel prints it is no error: it becomes one field.

The layouts are those of the kernel's ``scripts/mod/file2alias.c`` (patterns) and of each bus's
``uevent``/``modalias`` code (devices), which print the same order of fields.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, NamedTuple

Kind = Literal["fixed", "partly", "wild"]

# Fields by number print upper-case digits between lower-case markers, so that digits, wildcards and
# [ranges] together are whatever is no lower-case letter.
_NUMBER = r"[^a-z]*"
_LOWER_NUMBER = r"[^g-z]*"
_TEXT = r".*?"
_NO_COLON = r"[^:]*"

# A name for what has none: a trailing * ("for future extension", says file2alias), or one between fields.
_UNNAMED = "any"
_UNREAD = "text"


class Field(NamedTuple):
    """One field: ``value`` is its text, wildcards included."""

    name: str
    value: str

    @property
    def kind(self) -> Kind:
        """What a pattern asks of the field: one value, some values, or nothing."""
        if not self.value.strip("*"):
            return "wild" if self.value else "fixed"
        return "partly" if re.search(r"[*?[]", self.value) else "fixed"


class Modalias(NamedTuple):
    """A bus (``pci``; ``acpi*`` in a pattern; empty where there is no colon) and its fields in order."""

    bus: str
    fields: tuple[Field, ...]


class _Part(NamedTuple):
    """One field of a layout: the text before it, its name, and what its value may look like."""

    marker: str
    name: str
    value: str = _NUMBER


def _layout(*parts: tuple[str, ...]) -> tuple[_Part, ...]:
    return tuple(_Part(*part) for part in parts)


_PCI = _layout(
    ("v", "vendor"),
    ("d", "device"),
    ("sv", "subvendor"),
    ("sd", "subdevice"),
    ("bc", "base_class"),
    ("sc", "subclass"),
    ("i", "interface"),
)
_CDX = _layout(
    ("v", "vendor"), ("d", "device"), ("sv", "subvendor"), ("sd", "subdevice"), ("c", "class_code")
)
_HID_IDS = _layout(("v", "vendor"), ("p", "product"))
_OF = _layout(("N", "name", r"[^T]*"), ("T", "type", r"[^C]*"), ("C", "compatible", _TEXT))
_USB = _layout(
    ("v", "vendor"),
    ("p", "product"),
    ("d", "device_version"),
    ("dc", "device_class"),
    ("dsc", "device_subclass"),
    ("dp", "device_protocol"),
    ("ic", "interface_class"),
    ("isc", "interface_subclass"),
    ("ip", "interface_protocol"),
    ("in", "interface_number"),
)
_NAME = _layout(("", "name", _TEXT))
_UUID = _layout(("", "uuid", _TEXT))
_TYPE = _layout(("t", "type"))

# Where a bus has several layouts the first that fits is taken.
_LAYOUTS: dict[str, tuple[tuple[_Part, ...], ...]] = {
    "amba": (_layout(("d", "device")),),
    "ap": (_TYPE,),
    "auxiliary": (_NAME,),
    "bcma": (_layout(("m", "manufacturer"), ("id", "id"), ("rev", "revision"), ("cl", "class")),),
    "ccw": (
        _layout(
            ("t", "control_unit_type"),
            ("m", "control_unit_model"),
            ("dt", "device_type"),
            ("dm", "device_model"),
        ),
    ),
    "cdx": (_CDX,),
    "coreboot": (_layout(("t", "tag")),),
    "cpu": (
        _layout(
            ("type:", "type", r"[^,]*"),
            (",ven", "vendor"),
            ("fam", "family"),
            ("mod", "model"),
            (":feature:", "features", _TEXT),
        ),
        _layout(("type:", "type", _TEXT), (":feature:", "features", _TEXT)),
    ),
    "css": (_TYPE,),
    "cxl": (_TYPE,),
    "dax": (_TYPE,),
    "dfl": (_layout(("t", "type"), ("f", "feature")),),
    "eisa": (_layout(("s", "signature", _TEXT)),),
    "fsl-mc": (_layout(("v", "vendor"), ("d", "device", _TEXT)),),
    "hdaudio": (_layout(("v", "vendor"), ("r", "revision"), ("a", "api_version")),),
    # Old kernels print no group.
    "hid": ((_Part("b", "bus"), _Part("g", "group"), *_HID_IDS), (_Part("b", "bus"), *_HID_IDS)),
    "i2c": (_NAME,),
    "i3c": (
        _layout(("dcr", "characteristics"), ("manuf", "manufacturer"), ("part", "part"), ("ext", "extra")),
    ),
    "ieee1394": (_layout(("ven", "vendor"), ("mo", "model"), ("sp", "specifier"), ("ver", "version")),),
    "input": (
        _layout(
            ("b", "bus"),
            ("v", "vendor"),
            ("p", "product"),
            ("e", "version"),
            ("-e", "events"),
            ("k", "keys"),
            ("r", "relative_axes"),
            ("a", "absolute_axes"),
            ("m", "miscellaneous"),
            ("l", "leds"),
            ("s", "sounds"),
            ("f", "force_feedback"),
            ("w", "switches"),
        ),
    ),
    "ipack": (_layout(("f", "format"), ("v", "vendor"), ("d", "device")),),
    "ishtp": (_UUID,),
    "mdio": (_layout(("", "phy_id", _TEXT)),),
    "mei": (
        _layout(
            ("", "name", _NO_COLON), (":", "uuid", _NO_COLON), (":", "version", _NO_COLON), (":", _UNNAMED)
        ),
    ),
    "mhi": (_NAME,),
    "mhi_ep": (_NAME,),
    "mipscdmm": (_TYPE,),
    "nd": (_layout(("t", "type", _TEXT)),),
    # Compatible strings may hold a "C" themselves: where one ends and the next begins cannot be told.
    "of": (
        (*_OF, _Part("C", _UNNAMED, r"\*")),
        _OF,
    ),
    "parisc": (
        _layout(
            ("t", "type"),
            ("hv", "hardware_version"),
            ("rev", "hardware_revision"),
            ("sv", "software_version"),
        ),
    ),
    "pci": (_PCI,),
    "pcmcia": (
        _layout(
            ("m", "manufacturer"),
            ("c", "card"),
            ("f", "function"),
            ("fn", "function_number"),
            ("pfn", "device_number"),
            ("pa", "product_hash_1"),
            ("pb", "product_hash_2"),
            ("pc", "product_hash_3"),
            ("pd", "product_hash_4"),
        ),
    ),
    "platform": (_NAME,),
    "pnp": (_layout(("d", "id", _TEXT)),),
    "rapidio": (
        _layout(("v", "vendor"), ("d", "device"), ("av", "assembly_vendor"), ("ad", "assembly_device")),
    ),
    "rpmsg": (_NAME,),
    "scsi": (_layout(("t-", "type", _TEXT)),),
    "sdio": (_layout(("c", "class"), ("v", "vendor"), ("d", "device")),),
    "sdw": (_layout(("m", "manufacturer"), ("p", "part"), ("v", "version"), ("c", "class")),),
    "serio": (_layout(("ty", "type"), ("pr", "protocol"), ("id", "id"), ("ex", "extra")),),
    "slim": (_layout(("", "manufacturer", _NO_COLON), (":", "product", _NO_COLON), (":", _UNNAMED)),),
    "spi": (_NAME,),
    "ssam": (
        _layout(("d", "domain"), ("c", "category"), ("t", "target"), ("i", "instance"), ("f", "function")),
    ),
    "ssb": (_layout(("v", "vendor"), ("id", "id"), ("rev", "revision")),),
    "tbsvc": (_layout(("k", "key", _TEXT), ("p", "protocol"), ("v", "version"), ("r", "revision")),),
    "tee": (_UUID,),
    # Newer kernels print no mode.
    "typec": (_layout(("id", "id"), ("m", "mode")), _layout(("id", "id"))),
    "ulpi": (_layout(("v", "vendor", _LOWER_NUMBER), ("p", "product", _LOWER_NUMBER)),),
    # Old kernels print no interface number.
    "usb": (_USB, _USB[:-1]),
    "vchiq": (_NAME,),
    "vfio_cdx": (_CDX,),
    "vfio_pci": (_PCI,),
    "vio": (_layout(("T", "type", r"[^S]*"), ("S", "compatible", _TEXT)),),
    "virtio": (_layout(("d", "device"), ("v", "vendor")),),
    "vmbus": (_UUID,),
    "wmi": (_UUID,),
    "x86cpu": (
        _layout(
            ("vendor:", "vendor"),
            (":family:", "family"),
            (":model:", "model"),
            (":feature:", "features", _TEXT),
        ),
    ),
    "zorro": (_layout(("i", "id")),),
}

# acpi and dmi are read by functions of their own; of the others only the bus is known.
DEVICE_BUSES = frozenset(_LAYOUTS) - {"vfio_pci", "vfio_cdx"} | {"acpi", "dmi", "mmc", "xen", "xen-backend"}
"""The buses whose devices have a modalias. (``vfio_pci`` is in no device's own: who switches drivers asks for
it. ``devname``, ``usbfunc`` and others with a colon are names that programs load modules by.)"""

# kmod's indexes have "_" for each "-", also in the name of a bus.
_BUS_BY_NORMALISED_NAME = {bus.replace("-", "_"): bus for bus in DEVICE_BUSES}

# No tag begins with another one: their order does not matter.
_DMI_TAGS = {
    "bvn": "bios_vendor",
    "bvr": "bios_version",
    "bd": "bios_date",
    "br": "bios_release",
    "efr": "firmware_release",
    "svn": "system_vendor",
    "pn": "product_name",
    "pvr": "product_version",
    "rvn": "board_vendor",
    "rn": "board_name",
    "rvr": "board_version",
    "cvn": "chassis_vendor",
    "ct": "chassis_type",
    "cvr": "chassis_version",
    "sku": "product_sku",
    "pfa": "product_family",
}


def bus_of(text: str) -> str:
    """The bus of a device's modalias or of a pattern; empty where it names none of ``DEVICE_BUSES``."""
    bus, colon, _ = text.partition(":")
    return _BUS_BY_NORMALISED_NAME.get(bus.removesuffix("*").replace("-", "_"), "") if colon else ""


def field_names(bus: str) -> tuple[tuple[str, str], ...]:
    """The fields of a bus in order, each with the text before it."""
    return tuple((part.marker, part.name) for part in _LAYOUTS[bus][0])


def parse_modalias(text: str) -> Modalias:
    """Read a device's modalias or an alias pattern.

    A bus that is not known, or a text that is not laid out as its bus lays out, gives one field ``text``
    with all that follows the colon; a name without a colon gives one field ``name``.
    """
    bus, colon, rest = text.partition(":")
    if not colon:
        return Modalias("", (Field("name", text),))
    # Patterns for acpi and dmi devices have the wildcard in the name of the bus: acpi*:PNP0C14:*
    known = bus.removesuffix("*")
    if known == "acpi":
        fields = _parse_acpi(rest)
    elif known == "dmi":
        fields = _parse_dmi(rest)
    else:
        fields = _parse_layouts(known, rest)
    return Modalias(bus, fields or (Field(_UNREAD, rest),))


def _parse_layouts(bus: str, rest: str) -> tuple[Field, ...]:
    for layout in _LAYOUTS.get(bus, ()):
        found = _expression(layout).fullmatch(rest)
        if found:
            names = (part.name for part in layout)
            fields = [Field(name, value) for name, value in zip(names, found.groups(), strict=True)]
            if fields[-1] == (_UNNAMED, ""):
                fields.pop()
            return _without_trailing_star(fields)
    return ()


@cache
def _expression(layout: tuple[_Part, ...]) -> re.Pattern[str]:
    parts = (f"{re.escape(part.marker)}({part.value})" for part in layout)
    return re.compile("".join(parts), re.DOTALL)


def _without_trailing_star(fields: list[Field]) -> tuple[Field, ...]:
    """``a01*`` asks for 01 and lets anything follow: two fields, since the value itself is fixed."""
    name, value = fields[-1]
    if name != _UNNAMED and value.endswith("*") and value.strip("*") and "*" not in value[:-1]:
        fields[-1:] = [Field(name, value[:-1]), Field(_UNNAMED, "*")]
    return tuple(fields)


def _parse_acpi(rest: str) -> tuple[Field, ...]:
    """``PNP0C14:`` in devices, once per id; ``PNP0C14:*`` in patterns; a class is ``0c03??``."""
    pieces = rest.removesuffix(":").split(":")
    return tuple(Field(_UNNAMED if piece == "*" else "id", piece) for piece in pieces)


def _parse_dmi(rest: str) -> tuple[Field, ...]:
    """Tagged fields between colons; the kernel takes colons out of the values (``dmi_ascii_filter``).

    Patterns written by hand also leave the tag open: ``dmi:*:*Acer*:pnAO521*:``, ``dmi:*:[bs]vnDell*``.
    """
    fields = []
    for piece in rest.removesuffix(":").split(":"):
        tag = next((tag for tag in _DMI_TAGS if piece.startswith(tag)), "")
        fields.append(Field(_DMI_TAGS[tag] if tag else _UNNAMED, piece.removeprefix(tag)))
    return tuple(fields)
