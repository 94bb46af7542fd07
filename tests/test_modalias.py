"""Fields of modaliases and patterns, as the kernel's file2alias lays them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.module_tree import read_aliases

from pyalias.modalias import Field, parse_modalias

if TYPE_CHECKING:
    from pathlib import Path

CASES = {
    "pci:v00008086d000010D3sv*sd*bc02sc00i*": (
        "pci",
        "vendor=00008086 device=000010D3 subvendor=* subdevice=* base_class=02 subclass=00 interface=*",
    ),
    "vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*": (
        "vfio_pci",
        "vendor=000015B3 device=0000101E subvendor=* subdevice=* base_class=* subclass=* interface=*",
    ),
    "usb:v1554p5010d[0-2]*dc*dsc*dp*ic08isc*ip*in*": (
        "usb",
        (
            "vendor=1554 product=5010 device_version=[0-2]* device_class=* device_subclass=* "
            "device_protocol=* interface_class=08 interface_subclass=* interface_protocol=* "
            "interface_number=*"
        ),
    ),
    "hid:b0003g*v0000046Dp0000C52B": ("hid", "bus=0003 group=* vendor=0000046D product=0000C52B"),
    "hid:b0003v0000046Dp0000C52B": ("hid", "bus=0003 vendor=0000046D product=0000C52B"),
    "acpi*:PNP0C14:*": ("acpi*", "id=PNP0C14 any=*"),
    "acpi*:0c03??:*": ("acpi*", "id=0c03?? any=*"),
    "acpi:04F3200A:PNP0C50:": ("acpi", "id=04F3200A id=PNP0C50"),
    "of:N*T*Cmaxbotix,mb1010C*": ("of", "name=* type=* compatible=maxbotix,mb1010 any=*"),
    "of:NtimerT(null)Carm,CoreLinkCb,c": ("of", "name=timer type=(null) compatible=arm,CoreLinkCb,c"),
    "dmi*:svn*PCEngines*:pn*apu1*:": ("dmi*", "system_vendor=*PCEngines* product_name=*apu1*"),
    "dmi:bvnIBM:*:rn9232:*": ("dmi", "bios_vendor=IBM any=* board_name=9232 any=*"),
    "dmi:*:*Acer*:pnAO521*:": ("dmi", "any=* any=*Acer* product_name=AO521*"),
    "dmi:bvn:bvr1.6.2:skuSKU=x;y:": ("dmi", "bios_vendor= bios_version=1.6.2 product_sku=SKU=x;y"),
    "cpu:type:x86,ven0000fam0006mod00B6:feature:*": (
        "cpu",
        "type=x86 vendor=0000 family=0006 model=00B6 features=*",
    ),
    "cpu:type:aarch64:feature:,0000,0001": ("cpu", "type=aarch64 features=,0000,0001"),
    "mei:*:05b79a6f-4628:*:*": ("mei", "name=* uuid=05b79a6f-4628 version=* any=*"),
    "mei::05b79a6f-4628:02:": ("mei", "name= uuid=05b79a6f-4628 version=02"),
    "hdaudio:v00147A47r*a01*": ("hdaudio", "vendor=00147A47 revision=* api_version=01 any=*"),
    "input:b*v*p*e*-e*1,*k*130,*r*a*m*l*s*f*w*": (
        "input",
        (
            "bus=* vendor=* product=* version=* events=*1,* keys=*130,* relative_axes=* absolute_axes=* "
            "miscellaneous=* leds=* sounds=* force_feedback=* switches=*"
        ),
    ),
    "mdio:????????????1111110001100010????": ("mdio", "phy_id=????????????1111110001100010????"),
    "tbsvc:knetworkp00000001v*r*": ("tbsvc", "key=network protocol=00000001 version=* revision=*"),
    "platform:Fixed MDIO bus": ("platform", "name=Fixed MDIO bus"),
    "vmbus:e34bd134e4dec8419ae76b174977c192": ("vmbus", "uuid=e34bd134e4dec8419ae76b174977c192"),
    "nosuchbus:v1d2": ("nosuchbus", "text=v1d2"),
    "pci:*": ("pci", "text=*"),
    "net-pf-10": ("", "name=net-pf-10"),
    "": ("", "name="),
}


@pytest.mark.parametrize("text", CASES)
def test_fields(text: str):
    bus, fields = CASES[text]
    parsed = parse_modalias(text)
    assert parsed.bus == bus
    assert " ".join(f"{field.name}={field.value}" for field in parsed.fields) == fields


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("*", "wild"),
        ("8086", "fixed"),
        ("", "fixed"),
        ("[0-2]*", "partly"),
        ("*DELL*", "partly"),
        ("0c03??", "partly"),
        ("0[0-9]", "partly"),
    ],
)
def test_kind(value: str, kind: str):
    assert Field("x", value).kind == kind


# Buses whose patterns come from MODULE_ALIAS() alone; file2alias has no layout for them.
WITHOUT_LAYOUT = {
    "devname",
    "idxd",
    "ip_set_bitmap",
    "ip_set_hash",
    "ip_set_list",
    "isa",
    "ledtrig",
    "mmc",
    "usbfunc",
    "xen",
    "xen-backend",
}


def test_every_pattern_of_a_real_kernel_is_read(kernel_dirs: dict[str, Path]):
    patterns = [
        pattern.decode()
        for pattern, _ in read_aliases(kernel_dirs["6.12.117-amd64"] / "modules.alias")
        if b":" in pattern
    ]
    unread = {text for text in patterns if parse_modalias(text).fields[0].name == "text"}
    assert {text.partition(":")[0] for text in unread} == WITHOUT_LAYOUT
    assert len(patterns) - len(unread) > 25_000


def test_no_wildcard_of_a_real_pattern_is_lost(kernel_dirs: dict[str, Path]):
    for raw, _ in read_aliases(kernel_dirs["6.12.117-amd64"] / "modules.alias"):
        pattern = raw.decode()
        parsed = parse_modalias(pattern)
        shown = parsed.bus + "".join(field.value for field in parsed.fields)
        assert [c for c in shown if c in "*?["] == [c for c in pattern if c in "*?["], pattern


BUS_NAMES = st.sampled_from(
    ["pci", "usb", "acpi", "acpi*", "of", "dmi*", "cpu", "mei", "input", "tbsvc", "other"]
)


@given(BUS_NAMES, st.text() | st.text("vdsTCN:*[]0,pef-", max_size=200))
def test_any_text_is_read_in_order(bus: str, rest: str):
    text = f"{bus}:{rest}"
    parsed = parse_modalias(text)
    assert parsed.fields
    place = 0
    for value in (parsed.bus, *(field.value for field in parsed.fields)):
        place = text.index(value, place) + len(value)


def test_hostile_text_takes_no_time_to_speak_of():
    # Nested lazy quantifiers would try 2,000 ** 3 ways to split this.
    parsed = parse_modalias("of:N" + "TC" * 2000 + "\n")
    assert parsed.fields[0] == Field("name", "")
