"""Names of ids: the forms of pci.ids and usb.ids, and a system without them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from pyalias.errors import FileAccessError
from pyalias.inventory import DeviceNames, DeviceRecord

if TYPE_CHECKING:
    from pathlib import Path

PCI_IDS = """\
#
#\tList of PCI ID's
8086  Intel Corporation
\t15b7  Ethernet Connection (2) I219-LM
\t\t103c 8347  ProDesk 600 G3
\ta110  100 Series PCI Express Root Port #1
144d  Samsung Electronics Co Ltd

# List of known device classes
C 01  Mass storage controller
\t08  Non-Volatile memory controller
\t\t02  NVM Express
C 02  Network controller
\t00  Ethernet controller
"""
USB_IDS = """\
8087  Intel Corp.
\t0a2b  Bluetooth wireless interface

C e0  Wireless
\t01  Radio Frequency
AT 0100  USB Undefined
HID 21  HID
L 0001  Arabic
\t01  Saudi Arabia
"""
CARD = DeviceRecord(
    bus="pci", vendor=0x8086, device=0x15B7, subvendor=0x103C, subdevice=0x8347, base_class=2, subclass=0
)


@pytest.fixture
def names(tmp_path: Path) -> DeviceNames:
    (tmp_path / "pci.ids").write_text(PCI_IDS)
    (tmp_path / "usb.ids.gz").write_bytes(gzip.compress(USB_IDS.encode()))
    return DeviceNames([tmp_path / "missing", tmp_path])


def test_names(names: DeviceNames):
    assert names.name(CARD) == "Intel Corporation Ethernet Connection (2) I219-LM"
    assert names.subsystem(CARD) == "ProDesk 600 G3"
    assert names.class_name(CARD) == "Ethernet controller"
    assert names.class_name(CARD._replace(subclass=None)) == "Network controller"
    assert names.name(CARD._replace(device=1)) == "Intel Corporation"
    assert names.name(CARD._replace(vendor=1)) is None
    assert names.subsystem(CARD._replace(subdevice=None)) is None
    usb = DeviceRecord(bus="usb", vendor=0x8087, device=0x0A2B)
    assert names.name(usb) == "Intel Corp. Bluetooth wireless interface"
    assert names.name(DeviceRecord(bus="acpi", modalias="acpi:PNP0A08:")) is None


def test_other_lists_of_a_file_are_no_names_of_devices(names: DeviceNames):
    assert names.usb.devices == {(0x8087,): "Intel Corp.", (0x8087, 0x0A2B): "Bluetooth wireless interface"}
    assert names.pci.classes[1, 8, 2] == "NVM Express"


def test_a_system_without_lists_has_no_names(tmp_path: Path):
    assert DeviceNames([tmp_path]).name(CARD) is None


def test_a_list_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "pci.ids").mkdir()
    with pytest.raises(FileAccessError, match="names of devices"):
        DeviceNames([tmp_path]).name(CARD)


def test_the_systems_own_list():
    names = DeviceNames()
    if not names.pci.devices:
        pytest.skip("no pci.ids on this system")
    assert names.name(CARD) == "Intel Corporation Ethernet Connection (2) I219-LM"
    assert len(names.pci.devices) > 10_000
