"""Forms of ids and classes: each is read as one number, whatever its spelling, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyalias.inventory.ids import PciClass, parse_class, parse_hex, parse_id, parse_pair, parse_signed

IDS = st.integers(0, 0xFFFF)
CLASSES = st.integers(0, 0xFFFFFF)
SPELLINGS = (
    "{:04x}",
    "{:04X}",
    "0x{:04x}",
    "0X{:04X}",
    "{:x}",
    " {:04x}\t",
    "Intel [v2] Corporation [{:04x}]",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(number=IDS)
def test_every_spelling_of_an_id(spelling: str, number: int):
    assert parse_id(spelling.format(number)) == number


@given(first=IDS, second=IDS)
def test_pairs(first: int, second: int):
    for spelling in ("{:04X}:{:04X}", "{:x}:{:x}", "Ethernet Connection [{:04x}:{:X}]"):
        assert parse_pair(spelling.format(first, second)) == (first, second)


@given(number=IDS)
def test_signed_ids_are_the_same_sixteen_bits(number: int):
    signed = number - 0x10000 if number > 0x7FFF else number
    assert parse_signed(signed) == parse_signed(number) == number


@given(number=CLASSES)
def test_classes_by_width(number: int):
    base_class, subclass, interface = number >> 16, number >> 8 & 0xFF, number & 0xFF
    whole = PciClass(base_class, subclass, interface)
    for spelling in ("{:06x}", "0x{:06x}", "0X{:06X}"):
        assert parse_class(spelling.format(number)) == parse_class(spelling.format(number), 24) == whole
    assert parse_class(f"{number:04X}", 24) == whole  # as pci_uevent prints it
    assert parse_class(f"{number >> 8:04x}") == PciClass(base_class, subclass)
    assert parse_class(f"{number >> 8:x}", 16) == PciClass(base_class, subclass)
    assert parse_class(f"{base_class:02x}") == PciClass(base_class)


def test_a_class_without_its_leading_zero():
    assert parse_class("20000") == PciClass(2, 0, 0)
    assert parse_class("0x600") == PciClass(6, 0)
    assert parse_class("Ethernet controller [0200]") == PciClass(2, 0)


def test_udev_prints_four_digits_for_a_class_of_three_bytes():
    """PCI_CLASS=%04X: 0100 is class 00, subclass 01, not a SCSI controller."""
    assert parse_class("0100", 24) == PciClass(0, 1, 0)
    assert parse_class("0100") == PciClass(1, 0)


NOT_HEX = st.text(max_size=12).filter(
    lambda text: not set(text.strip(" \t")) <= set("0123456789abcdefABCDEFxX[]")
)


@pytest.mark.parametrize("parse", [parse_hex, parse_id, parse_pair, parse_class])
@given(text=NOT_HEX)
def test_what_is_no_number_is_refused(parse: object, text: str):
    with pytest.raises(ValueError, match=r"expected .* found|at most"):
        parse(text)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "x8086",
        "8086h",
        "18086",
        "-8086",
        "8_086",
        "\uff18\uff10\uff18\uff16",
        "8086:",
        ":",
        "80 86",
        "[8086",
        "8086\n",
        "[]",
    ],
)
def test_near_misses_are_refused(text: str):
    for parse in (parse_id, parse_class, parse_pair):
        if parse is parse_class and text == "18086":
            continue  # five digits are a class without its leading zero
        with pytest.raises(ValueError, match="expected"):
            parse(text)


@pytest.mark.parametrize("digits", ["1", "12", "123", "12345"])
def test_a_fixed_number_of_digits(digits: str):
    with pytest.raises(ValueError, match=r"expected (4 hexadecimal digits|at most)"):
        parse_hex(digits, 24, 4)
    assert parse_hex("0123", 16, 4) == 0x123


@pytest.mark.parametrize("value", [True, None, "8086", 1.0, -0x8001, 0x10000, [1]])
def test_what_is_no_number_of_sixteen_bits_is_refused(value: object):
    with pytest.raises(ValueError, match="expected a number"):
        parse_signed(value)


@pytest.mark.parametrize("text", ["1234567", "0x1000000", "123456789"])
def test_a_class_of_too_many_digits_is_refused(text: str):
    with pytest.raises(ValueError, match="expected"):
        parse_class(text)
