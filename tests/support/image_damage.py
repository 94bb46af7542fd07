"""An image to be damaged, which has some of everything, and the checksum, for damage to hide behind."""

from __future__ import annotations

from itertools import product
from struct import pack_into, unpack_from
from typing import TYPE_CHECKING

import pytest

import pyalias
from pyalias import _binding
from support.module_tree import write_module_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LANES = 32
CHECKSUM_AT = 24
ODD_32 = 0x9E3779B1
MASK_32 = (1 << 32) - 1
ODD = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

# Patterns of every bus with fields (by both ids, by one, by class, with a residue), stars in stars, classes,
# branches wide enough for a table, a bracket that is irregular, equal patterns, patterns that never match.
ALIASES = [
    (b"pci:v00008086d000010D3sv*sd*bc*sc*i*", "e1000e"),
    (b"pci:v00008086d*sv*sd*bc02sc00i*", "intel"),
    (b"pci:v*d000010D3sv*sd*bc*sc*i*", "by_device"),
    (b"pci:v*d*sv*sd*bc02sc*i*", "net-class"),
    (b"pci:v00008086d000010D3sv00008086sd0000A01Fbc*sc*i*", "e1000e"),
    (b"pci:v0000808?d*", "residue"),
    (b"vfio_pci:v00008086d000010D3sv*sd*bc*sc*i*", "vfio_variant"),
    (b"vfio_pci:v00008086d000010D3sv00008086sd00000001bc*sc*i*", "vfio_by_sub_ids"),
    (b"vfio_pci:v00008086d000010D3sv00008086sd*bc02sc*i*", "vfio_by_subvendor"),
    (b"vfio_pci:v00008086d*sv*sd*bc02sc00i*", "vfio_by_vendor"),
    (b"vfio_pci:v*d00001572sv00008086sd*bc*sc*i*", "vfio_by_device"),
    (b"vfio_pci:v*d*sv*sd*bc01sc08i02*", "vfio_by_class"),
    (b"usb:v046DpC52Bd*dc*dsc*dp*ic03isc*ip*in*", "usbhid"),
    (b"usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*", "usbhid"),
    (b"usb:v046DpC52Bd0[1-3]*dc*dsc*dp*ic*isc*ip*in*", "unifying"),
    (b"usb:v046Dp*d*dc*dsc*dp*icFFisc*ip*in*", "by_vendor"),
    (b"usb:v046DpC52Bd*dc*dsc*dp*ic*isc*ip*in02*", "by_number"),
    (b"usb:v*p*d*dcE0dsc01dp01ic*isc*ip*in*", "btusb"),
    (b"usb:v0001p0002d*dc*dsc*dp05ic*isc*ip*in*", "asked"),
    (b"hid:b0003g*v0000046Dp0000C52B", "hid_logitech"),
    (b"acpi*:PNP0C14:*", "wmi"),
    (b"of:N*T*Cfsl,imx6q", "imx"),
    (b"of:N*T*Cfsl,imx6qC*", "imx"),
    *[(b"table:%c*" % byte, f"m{byte}") for byte in range(ord("a"), ord("z"))],
    (b"x*y*z[0-9]?", "stars"),
    (b"x?*[!a]", "stars"),
    (b"ax[la-[:b:][-b]", "irregular"),
    (b"never[z-a]", "never"),
    (b"refused]", "refused"),
    (b"dev-written-otherwise", "written"),
    (b"same", "one"),
    (b"same", "two"),
]
BUILTIN = [(b"b*", "core"), (b"b?x", "core"), (b"table:z", "tty")]
KEYS = [
    b"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
    b"pci:v00008087d00000001sv00000000sd00000000bc02sc00i00",
    b"vfio_pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
    b"usb:v046DpC52Bd0201dc00dsc00dp00ic03isc01ip02in00",
    b"usb:v046DpC52Bd0401dcE0dsc01dp01icFFisc01ip02in02",
    b"usb:v046DpC52Bd0401dc00dsc00dp00ic01isc01ip02in02",
    b"usb:v046Dp0001d0401dc00dsc00dp00icFFisc01ip02in00",
    b"usb:v0001p0002d0401dc00dsc00dp05icFFisc01ip02in00",
    b"usb:v046DpC52Bd0201dc00dsc00dp00ic03isc01ip02",
    b"hid:b0003g0001v0000046Dp0000C52B",
    b"acpi:PNP0C14:",
    b"of:NxTyCfsl,imx6qCfsl,imx6",
    b"table:q1",
    b"xyyz01",
    b"x-yzz9-",
    b"axl",
    b"ax[b",
    b"same",
    b"bax",
    b"",
    b"pci:v*",
    b"x*y*z[0-9]?",
    b"a]",
    b"x" * 5000,
]
# The buses with residue have no flat table (pci_table.h), vfio_pci has; long enough for whole blocks.
VFIO_COLUMN = (
    b"\n".join(
        b"vfio_pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X"
        % (vendor, device, subvendor, subdevice, *class_code)
        for vendor, device, subvendor, subdevice, class_code in product(
            (0x8086, 0x15B3),
            (0x10D3, 0x1572, 0xFFFF),
            (0x8086, 1),
            (1, 0xFFFF),
            ((2, 0, 0), (1, 8, 2), (1, 8, 3), (255, 255, 255)),
        )
    )
    + b"\nodd\n"
)


def small_image(directory: Path) -> bytes:
    """The image of ``ALIASES`` and ``BUILTIN``."""
    write_module_directory(directory, ALIASES, BUILTIN)
    return pyalias.AliasIndex.from_modules(directory).to_bytes()


def checksum(image: bytes | bytearray) -> int:
    """``csrc/checksum.c``, once more."""
    words = list(unpack_from(f"<{len(image) // 4}I", image))
    words[CHECKSUM_AT // 4] = words[CHECKSUM_AT // 4 + 1] = 0
    lanes = list(range(1, LANES + 1))
    for at in range(0, len(words), LANES):
        lanes = [(lane ^ word) * ODD_32 & MASK_32 for lane, word in zip(lanes, words[at:], strict=False)]
    total = len(image)
    for lane in lanes:
        total = (total ^ lane) * ODD & MASK
        total ^= total >> 29
    return total


def with_checksum(image: bytearray) -> bytes:
    """The image with the checksum that its bytes ask for."""
    pack_into("<Q", image, CHECKSUM_AT, checksum(image))
    return bytes(image)


def with_some_variant(image: bytes) -> pyalias.AliasIndex:
    """An index that uses one of the CPU's variants; another image most likely uses another."""
    variants = _binding.variants()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYALIAS_CPU", variants[image[CHECKSUM_AT] % len(variants)])
        return pyalias.AliasIndex.from_bytes(image)


def use_everything(image: bytes) -> Iterator[object]:
    """Open an image and ask it all there is to ask; yields the answers, raises what opening raises."""
    index = pyalias.AliasIndex.from_bytes(image)
    yield index.counts
    for key in KEYS:
        for ask in (index.lookup, index.match):
            try:
                yield ask(key)
            except pyalias.InvalidModaliasError as error:
                yield error.errno
    answers = index.lookup_many(KEYS)
    yield list(answers), answers.invalid
    yield answers.table
    numbers = {name: [0x8086, 0x10D3, 2**32 - 1] for name in ("vendor", "device", "subvendor", "subdevice")}
    yield list(index.lookup_ids(**numbers, class_code=[0x020000, 0, 0xFFFFFF]))
    yield list(with_some_variant(image).lookup_many(VFIO_COLUMN))
    yield [index._image.line(line) for line in range(index.counts.aliases)]
