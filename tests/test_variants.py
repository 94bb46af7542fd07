"""Every variant that this CPU runs, on the same cases: the ids of a column do not depend on the CPU.

What they are held to is ``match``, which asks the trie alone and knows neither tables nor vectors, and for
pattern sets that hypothesis makes up, the slow oracle.
"""

from __future__ import annotations

from array import array
from random import Random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.oracle import Oracle
from support.tables import EXPECTED, GOLDEN, read_answers
from support.variants import EACH_VARIANT, VARIANTS, GuardedPages, opened

import pyalias
from pyalias import _binding

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASE = "7.2.13-amd64"  # the one with pci aliases of builtin modules too
BLOCK = 64
LENGTH = 53


@pytest.fixture(scope="module")
def index(indexes: dict[str, pyalias.AliasIndex]) -> pyalias.AliasIndex:
    return indexes[RELEASE]


@pytest.fixture(scope="module")
def image(index: pyalias.AliasIndex) -> bytes:
    return index.to_bytes()


@pytest.fixture(scope="module")
def pci_rows() -> list[bytes]:
    """Distinct PCI devices of all tables, in no order."""
    rows = {key for table in GOLDEN + EXPECTED for key, _ in read_answers(table.path)}
    found = sorted(row for row in rows if row.startswith((b"pci:", b"vfio_pci:")))
    Random(1).shuffle(found)  # noqa: S311 - repeatable, not secret
    return found


def expected(index: pyalias.AliasIndex, row: bytes) -> tuple[str, ...] | None:
    """What the trie says; ``None``: libkmod refuses the row."""
    try:
        return tuple(alias.module for alias in index.match(row))
    except pyalias.InvalidModaliasError:
        return None


def found(answers: pyalias.Answers) -> list[tuple[str, ...] | None]:
    refused = set(answers.invalid)
    return [None if row in refused else names for row, names in enumerate(answers)]


def check(index: pyalias.AliasIndex, rows: Sequence[bytes], wanted: Sequence[tuple[str, ...] | None]) -> None:
    """The rows in every form in which a column comes."""
    columns = {
        "list": rows,
        "utf8": pa.array(rows, pa.binary()),
        "large": pa.array(rows, pa.large_binary()),
        "view": pa.array(rows, pa.binary_view()),
        "slice": pa.array([b"x", *rows], pa.binary())[1:],
    }
    if not any(b"\n" in row for row in rows):
        columns["text"] = b"".join(row + b"\n" for row in rows)
        if rows and rows[-1]:
            columns["text without end"] = b"\n".join(rows)
    for form, column in columns.items():
        differing = [
            (form, number, rows[number], want, got)
            for number, (want, got) in enumerate(zip(wanted, found(index.lookup_many(column)), strict=True))
            if want != got
        ]
        assert differing == []


def row_of(vendor: int, device: int, subvendor: int, subdevice: int, class_code: int) -> bytes:
    base, sub, interface = class_code >> 16, class_code >> 8 & 255, class_code & 255
    return (
        f"pci:v{vendor:08X}d{device:08X}sv{subvendor:08X}sd{subdevice:08X}"
        f"bc{base:02X}sc{sub:02X}i{interface:02X}"
    ).encode()


def odd_rows(rows: Sequence[bytes]) -> list[bytes]:
    """Rows that are nearly PCI rows: one byte another, too short, too long, ids above 16 bits."""
    odd = [
        row[:place] + bytes((byte,)) + row[place + 1 :]
        for place in range(LENGTH)
        for byte, row in zip(b"g@:/aF0\x10\xb1\xff*[", rows[place:], strict=False)
    ]
    odd += [row.lower() for row in rows[:4]] + [row[:-1] for row in rows[4:8]]
    odd += [row + b"0" for row in rows[8:12]] + [b"p" + row for row in rows[12:16]]
    odd += [row[:place] + b"\0" + row[place + 1 :] for place in (0, 9, 52) for row in rows[:1]]
    odd += [row.replace(b":v0000", b":v0001") for row in rows[:4]] + [b"vfio_" + row for row in rows[4:8]]
    odd += [row.replace(b"d0000", b"dFFFF") for row in rows[:4]] + [b"", b"p", b"\r", b"pci:v*", b"x" * 200]
    return odd


def test_the_fastest_variant_is_chosen():
    assert VARIANTS[0] == "portable"
    assert _binding.chosen_variant() == len(VARIANTS) - 1


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch):
    for number, variant in enumerate(VARIANTS):
        monkeypatch.setenv("PYALIAS_CPU", variant)
        assert _binding.chosen_variant() == number
    monkeypatch.setenv("PYALIAS_CPU", "mmx")
    with pytest.raises(pyalias.PyaliasError, match="PYALIAS_CPU is 'mmx': expected one of portable"):
        pyalias.AliasIndex.compile([("a", "b")])


def test_the_bundled_kernels_have_tables(indexes: dict[str, pyalias.AliasIndex]):
    """Without one every other test here would still pass, at a tenth of the speed."""
    for release, index in indexes.items():
        usb = "cloud" not in release  # which has no usb patterns
        assert [index._image.has_pci_table(bus) for bus in (0, 1, 2)] == [True, True, usb]


@EACH_VARIANT
def test_every_known_device(variant: str, image: bytes, index: pyalias.AliasIndex, pci_rows: list[bytes]):
    wanted = [expected(index, row) for row in pci_rows]
    assert len(pci_rows) > 20_000
    assert sum(bool(names) for names in wanted) > 10_000
    check(opened(image, variant), pci_rows, wanted)


@EACH_VARIANT
def test_made_up_devices(variant: str, image: bytes, index: pyalias.AliasIndex, pci_rows: list[bytes]):
    """Ids of one device with the sub-ids and class of another, and ids from nowhere."""
    random = Random(2)  # noqa: S311 - repeatable, not secret
    rows = [row for row in pci_rows if len(row) == LENGTH]
    some = [
        random.choice(rows)[:22] + random.choice(rows)[22:42] + random.choice(rows)[42:] for _ in range(3000)
    ]
    some += [
        row_of(*(random.randrange(65536) for _ in range(4)), random.randrange(1 << 24)) for _ in range(500)
    ]
    some += [row_of(random.randrange(65536), 0x8139, 0x10EC, 0x8129, 0x020000) for _ in range(100)]
    check(opened(image, variant), some, [expected(index, row) for row in some])


@EACH_VARIANT
def test_odd_rows_among_good_ones(
    variant: str, image: bytes, index: pyalias.AliasIndex, pci_rows: list[bytes]
):
    good = [row for row in pci_rows if len(row) == LENGTH][:4000]
    rows = list(good)
    random = Random(3)  # noqa: S311 - repeatable, not secret
    for odd in odd_rows(good):
        rows.insert(random.randrange(len(rows)), odd)
    check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_odd_rows_alone_and_mixed_buses(
    variant: str, image: bytes, index: pyalias.AliasIndex, pci_rows: list[bytes]
):
    golden = [key for key, _ in read_answers(GOLDEN[0].path)]
    rows = odd_rows([row for row in pci_rows if len(row) == LENGTH])
    rows += Random(4).sample(golden, 600)  # noqa: S311 - repeatable, not secret
    check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_separators_where_rows_are_none(variant: str, image: bytes, index: pyalias.AliasIndex):
    """Text that has a newline at every 54th byte, and others between: strides that are none."""
    good = row_of(0x8086, 0x10D3, 0x8086, 0xA01F, 0x020000)
    for cut in (0, 1, 20, 51, 52):
        rows = ([good] * 70 + [good[:cut], good[cut + 1 :]]) * 3
        check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_null_rows(variant: str, image: bytes, index: pyalias.AliasIndex, pci_rows: list[bytes]):
    rows = [None if number % 7 == 3 else row for number, row in enumerate(pci_rows[:500])]
    answers = opened(image, variant).lookup_many(pa.array(rows, pa.binary()))
    assert list(answers) == [row and expected(index, row) for row in rows]


@EACH_VARIANT
def test_numbers(variant: str, image: bytes, index: pyalias.AliasIndex, pci_rows: list[bytes]):
    """The same devices as five columns; some with ids above 16 bits."""
    random = Random(5)  # noqa: S311 - repeatable, not secret
    rows = pci_rows[:3000]
    devices = []
    for row in rows:
        if len(row) == LENGTH and row.startswith(b"pci:"):
            fields = [int(row[at : at + 8], 16) for at in (5, 14, 24, 34)]
            fields.append(int(row[44:46] + row[48:50] + row[51:53], 16))
            if random.random() < 0.01:
                fields[random.randrange(4)] |= 1 << random.randrange(16, 32)
            devices.append(fields)
    columns = [array("I", column) for column in zip(*devices, strict=True)]
    names = ("vendor", "device", "subvendor", "subdevice", "class_code")
    answers = opened(image, variant).lookup_ids(**dict(zip(names, columns, strict=True)))
    assert list(answers) == [expected(index, row_of(*fields)) for fields in devices]


@EACH_VARIANT
def test_a_class_of_more_than_24_bits(variant: str, image: bytes):
    ones = array("I", [1] * 200)
    classes = array("I", [1] * 130 + [1 << 24] + [1] * 69)
    with pytest.raises(pyalias.ColumnError, match="class 01000000 of row 130"):
        opened(image, variant).lookup_ids(
            vendor=ones, device=ones, subvendor=ones, subdevice=ones, class_code=classes
        )


@EACH_VARIANT
def test_nothing_is_read_behind_the_end(
    variant: str, image: bytes, index: pyalias.AliasIndex, pci_rows: list[bytes]
):
    """Rows up to the last byte of a page that is followed by one which may not be read."""
    pages = GuardedPages()
    opened_index = opened(image, variant)
    rows = [row for row in pci_rows if len(row) == LENGTH][:256]
    wanted = [expected(index, row) for row in rows]
    for count in [*range(1, 5), 62, 63, 64, 65, 66, 127, 128, 129, 192, 256]:
        for end in (b"", b"\n"):
            text, _ = pages.ending_with(b"\n".join(rows[:count]) + end)
            assert found(opened_index.lookup_many(text)) == wanted[:count]
        data = b"".join(rows[:count])
        view, address = pages.ending_with(data)
        offsets = pa.py_buffer(array("i", range(0, len(data) + 1, LENGTH)))
        column = pa.Array.from_buffers(
            pa.binary(), count, [None, offsets, pa.foreign_buffer(address, len(data), view)]
        )
        assert found(opened_index.lookup_many(column)) == wanted[:count]


# ---- pattern sets that nobody thought of ----

ids = st.sampled_from(
    ["*", "00008086", "000010EC", "0000FFFF", "0000808?", "0000808[67]", "00018086", "0000*"]
)
sub_ids = st.sampled_from(["*", "*", "*", "00001028", "00008086", "0000102[89]", "12345678"])
bytes_of_class = st.sampled_from(["*", "*", "01", "02", "0C", "0?", "[01]1"])
interfaces = st.sampled_from(["*", "00*", "01", "00", "*", "?0"])


@st.composite
def pci_patterns(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["pci:", "pci:", "pci:", "vfio_pci:"]))
    vendor, device = draw(ids), draw(ids)
    subvendor, subdevice = draw(sub_ids), draw(sub_ids)
    base, sub, interface = draw(bytes_of_class), draw(bytes_of_class), draw(interfaces)
    return f"{prefix}v{vendor}d{device}sv{subvendor}sd{subdevice}bc{base}sc{sub}i{interface}"


modules = st.sampled_from(["zeta", "alpha", "mid", "b"])
lines = st.lists(st.tuples(pci_patterns(), modules), max_size=14)
numbers = st.sampled_from([0x8086, 0x8087, 0x10EC, 0xFFFF, 0x1028, 0x1029, 0, 0x18086])
classes = st.sampled_from([0x010100, 0x020000, 0x0C0100, 0x010601, 0x020100, 0])
devices = st.lists(st.tuples(numbers, numbers, numbers, numbers, classes), min_size=1, max_size=20)


@given(lines, lines, devices)
def test_made_up_patterns(
    first: list[tuple[str, str]], second: list[tuple[str, str]], asked: list[tuple[int, int, int, int, int]]
):
    """Two sources, the first to answer wins; every variant, rows and numbers, against the oracle."""
    sources = [
        _binding.Source(name, _binding.ORDER_PRIORITY, aliases=[(p.encode(), m.encode()) for p, m in source])
        for name, source in ((b"first", first), (b"second", second))
    ]
    compiled = bytes(_binding.compile_image(sources))
    oracles = [
        Oracle([(pattern.encode(), module) for pattern, module in source]) for source in (first, second)
    ]
    rows = [row_of(*device) for device in asked]
    rows += [b"vfio_" + row for row in rows]
    wanted = [oracles[0].lookup(row) or oracles[1].lookup(row) for row in rows]
    columns = [array("I", column) for column in zip(*(asked * 70), strict=True)]
    names = ("vendor", "device", "subvendor", "subdevice", "class_code")
    for variant in VARIANTS:
        index = opened(compiled, variant)
        assert [index.lookup(row) for row in rows] == wanted
        assert list(index.lookup_many(b"\n".join(rows * 5))) == wanted * 5
        answers = list(index.lookup_ids(**dict(zip(names, columns, strict=True))))
        assert answers == wanted[: len(asked)] * 70
