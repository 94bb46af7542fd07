"""Columns of USB devices, by every variant that this CPU runs: the usb table and what stands behind it.

As in test_variants.py they are held to ``match``, which asks the trie alone, and where hypothesis makes up
the patterns, to the slow oracle.
"""

from __future__ import annotations

import re
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.oracle import Oracle
from support.tables import EXPECTED, GOLDEN, read_answers
from test_variants import EACH_VARIANT, RELEASE, VARIANTS, GuardedPages, check, expected, found, opened

import pyalias
from pyalias import _binding

LENGTH = 49
DIGITS = b"0123456789ABCDEF"
ROW = re.compile(rb"usb:v.{4}p.{4}d.{4}dc..dsc..dp..ic..isc..ip..in..")


@pytest.fixture(scope="module")
def index(indexes: dict[str, pyalias.AliasIndex]) -> pyalias.AliasIndex:
    return indexes[RELEASE]


@pytest.fixture(scope="module")
def image(index: pyalias.AliasIndex) -> bytes:
    return index.to_bytes()


@pytest.fixture(scope="module")
def usb_rows() -> list[bytes]:
    """Distinct USB devices of all tables, with the interface's number and without, in no order."""
    rows = {key for table in GOLDEN + EXPECTED for key, _ in read_answers(table.path)}
    rows = sorted(row for row in rows if row.startswith(b"usb:"))
    Random(1).shuffle(rows)  # noqa: S311 - repeatable, not secret
    return rows


@pytest.fixture(scope="module")
def whole_rows(usb_rows: list[bytes]) -> list[bytes]:
    return [row for row in usb_rows if ROW.fullmatch(row)]


def mingled(rows: list[bytes], count: int, seed: int) -> list[bytes]:
    """One device's ids with another's release, classes and number, and a digit here and there changed."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    made = []
    for _ in range(count):
        row = bytearray(random.choice(rows)[:14] + random.choice(rows)[14:19] + random.choice(rows)[19:])
        if random.random() < 0.5:
            places = [place for place, byte in enumerate(row) if byte in DIGITS]
            row[random.choice(places)] = random.choice(DIGITS)
        made.append(bytes(row))
    return made


def odd_rows(rows: list[bytes]) -> list[bytes]:
    """Rows that are nearly USB rows."""
    odd = [
        row[:place] + bytes((byte,)) + row[place + 1 :]
        for place in range(LENGTH)
        for byte, row in zip(b"g@:/aF0\x10\xb1\xff*[", rows[place:], strict=False)
    ]
    odd += (
        [row.lower() for row in rows[:4]] + [row[:-1] for row in rows[4:8]] + [row[:-4] for row in rows[:9]]
    )
    odd += [row[:-4].replace(b"ic", b"Ic") for row in rows[:4]] + [row[:44] + b"*" for row in rows[:4]]
    return odd + [row + b"0" for row in rows[8:12]] + [b"u" * 45, b"u" * 49, b"u", b"", b"usb:v*"]


@EACH_VARIANT
def test_every_known_device(variant: str, image: bytes, index: pyalias.AliasIndex, usb_rows: list[bytes]):
    wanted = [expected(index, row) for row in usb_rows]
    assert len(usb_rows) > 10_000
    assert sum(bool(names) for names in wanted) > 5_000
    check(opened(image, variant), usb_rows, wanted)


@EACH_VARIANT
def test_rows_of_one_length(variant: str, image: bytes, index: pyalias.AliasIndex, whole_rows: list[bytes]):
    rows = whole_rows[:3000] + mingled(whole_rows, 3000, 2)
    check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_odd_rows_among_good_ones(
    variant: str, image: bytes, index: pyalias.AliasIndex, whole_rows: list[bytes]
):
    random = Random(3)  # noqa: S311 - repeatable, not secret
    rows = whole_rows[:3000]
    for odd in odd_rows(whole_rows):
        rows.insert(random.randrange(len(rows)), odd)
    check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_rows_among_those_of_other_buses(
    variant: str, image: bytes, index: pyalias.AliasIndex, whole_rows: list[bytes]
):
    golden = [key for key, _ in read_answers(GOLDEN[0].path)]
    rows = odd_rows(whole_rows) + Random(4).sample(golden, 900)  # noqa: S311 - repeatable, not secret
    check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_separators_where_rows_are_none(
    variant: str, image: bytes, index: pyalias.AliasIndex, whole_rows: list[bytes]
):
    """A newline at every 50th byte, or at the 46th, and others between: rows of other lengths."""
    good = whole_rows[0]
    for cut in (0, 1, 20, 44, 45, 47):
        for others in ([good[:cut], good[cut + 1 :]], [good[:45][:cut], good[:45][cut + 1 :]]):
            rows = ([good, good[:45]] * 70 + others + [good] * 70 + others) * 2
            check(opened(image, variant), rows, [expected(index, row) for row in rows])


@EACH_VARIANT
def test_nothing_is_read_behind_the_end(
    variant: str, image: bytes, index: pyalias.AliasIndex, whole_rows: list[bytes]
):
    pages = GuardedPages()
    opened_index = opened(image, variant)
    for rows in (whole_rows[:200], [row[: 45 + 4 * (i % 3 > 0)] for i, row in enumerate(whole_rows[:200])]):
        wanted = [expected(index, row) for row in rows]
        for count in (1, 2, 63, 64, 65, 66, 127, 128, 129, 200):
            for end in (b"", b"\n"):
                text, _ = pages.ending_with(b"\n".join(rows[:count]) + end)
                assert found(opened_index.lookup_many(text)) == wanted[:count]


def test_ids_do_not_depend_on_threads_or_order(image: bytes, whole_rows: list[bytes]):
    """Combinations are numbered by the rows, not by who met them first: rows of pci are sorted from usb's."""
    golden = [key for key, _ in read_answers(GOLDEN[0].path)]
    random = Random(6)  # noqa: S311 - repeatable, not secret
    rows = [row for row in random.choices(golden, k=20_000) + random.choices(whole_rows, k=20_000) if row]
    random.shuffle(rows)
    columns = rows, b"\n".join(rows), pa.array(rows, pa.binary_view())
    ids = {
        bytes(pyalias.AliasIndex.from_bytes(image).lookup_many(column, threads=threads).ids)
        for column in columns
        for threads in (1, 2, 3)
    }
    assert len(ids) == 1


def test_a_batch_forgets_the_numbers_of_the_one_before(image: bytes, whole_rows: list[bytes]):
    """What is remembered of rows that meet holds numbers of combinations, which die with a batch."""
    index = pyalias.AliasIndex.from_bytes(image)
    for at in range(0, 1200, 200):
        rows = whole_rows[at : at + 200] + whole_rows[1200 - at : 1400 - at]
        assert found(index.lookup_many(rows)) == [expected(index, row) for row in rows]


# ---- pattern sets that nobody thought of ----

vendors = st.sampled_from(["*", "046D", "046D", "046E", "0000"])
products = st.sampled_from(["*", "C52B", "C52B", "0000"])
releases = st.sampled_from(["*", "*", "0100", "010*", "01[0-3]*", "0*", "[01]*", "0?00", "010"])
class_bytes = st.sampled_from(["*", "*", "*", "03", "FF"])
interface_numbers = st.sampled_from(["*", "*", "*", "00*", "02", "0[12]*"])


@st.composite
def usb_patterns(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 30)) == 0:
        return draw(st.sampled_from(["usb:v046D*", "usb:*", "usb:v046DpC52Bd0100dc03dsc03dp03ic03isc03ip03"]))
    vendor, product, release = draw(vendors), draw(products), draw(releases)
    dc, dsc, dp, ic, isc, ip = (draw(class_bytes) for _ in range(6))
    if vendor == product == "*":
        release = "*"
        if draw(st.booleans()):
            dc = dsc = dp = "*"
        else:
            ic = isc = ip = "*"
    number = "*" if vendor == product == "*" else draw(interface_numbers)
    return f"usb:v{vendor}p{product}d{release}dc{dc}dsc{dsc}dp{dp}ic{ic}isc{isc}ip{ip}in{number}"


modules = st.sampled_from(["zeta", "alpha", "mid", "b"])
lines = st.lists(st.tuples(usb_patterns(), modules), max_size=14)
class_numbers = st.sampled_from([3, 3, 0xFF, 0])


@st.composite
def usb_devices(draw: st.DrawFn) -> bytes:
    vendor, product = draw(st.sampled_from([0x46D, 0x46E, 0])), draw(st.sampled_from([0xC52B, 0, 1]))
    release, number = draw(st.sampled_from([0x100, 0x102, 0x200, 0x1100])), draw(st.sampled_from([0, 2]))
    dc, dsc, dp, ic, isc, ip = (draw(class_numbers) for _ in range(6))
    row = f"usb:v{vendor:04X}p{product:04X}d{release:04X}dc{dc:02X}dsc{dsc:02X}dp{dp:02X}"
    row += f"ic{ic:02X}isc{isc:02X}ip{ip:02X}"
    return (row + (f"in{number:02X}" if draw(st.integers(0, 5)) else "")).encode()


@given(lines, lines, st.lists(usb_devices(), min_size=1, max_size=20))
def test_made_up_patterns(first: list[tuple[str, str]], second: list[tuple[str, str]], rows: list[bytes]):
    """Two sources, the first to answer wins; every variant against the oracle."""
    sources = [
        _binding.Source(name, _binding.ORDER_PRIORITY, aliases=[(p.encode(), m.encode()) for p, m in source])
        for name, source in ((b"first", first), (b"second", second))
    ]
    compiled = bytes(_binding.compile_image(sources))
    oracles = [Oracle([(pattern.encode(), m) for pattern, m in source]) for source in (first, second)]
    wanted = [oracles[0].lookup(row) or oracles[1].lookup(row) for row in rows]
    for variant in VARIANTS:
        index = opened(compiled, variant)
        assert [index.lookup(row) for row in rows] == wanted
        assert list(index.lookup_many(b"\n".join(rows * 20))) == wanted * 20
        assert list(index.lookup_many(rows * 5)) == wanted * 5


def test_few_devices_of_many_vendors():
    """Rows may need more bits than devices need slots: thirty vendors' rows once ran over."""
    for bus, vendor_form, device_form in (
        ("pci", "pci:v0000%04Xd*sv*sd*bc*sc*i*", "pci:v0000%04Xd00000001sv*sd*bc*sc*i*"),
        ("usb", "usb:v%04Xp*d*dc*dsc*dp*ic*isc*ip*in*", "usb:v%04Xp0001d*dc*dsc*dp*ic*isc*ip*in*"),
    ):
        lines = [(vendor_form % vendor, f"vendor_{vendor}") for vendor in range(1, 31)]
        lines += [(device_form % vendor, f"device_{vendor}") for vendor in range(1, 6)]
        index = pyalias.AliasIndex.compile(lines)
        rest = "sv00000000sd00000000bc00sc00i00" if bus == "pci" else "d0000dc00dsc00dp00ic00isc00ip00in00"
        stem = "pci:v0000%04Xd%08X" if bus == "pci" else "usb:v%04Xp%04X"
        rows = [(stem % (v, d) + rest).encode() for v in range(33) for d in (0, 1)]
        assert index._image.has_pci_table(0 if bus == "pci" else 2)
        assert [index.lookup(row) for row in rows] == [expected(index, row) for row in rows]


def test_more_answers_than_cells_have_room_for():
    """Then some devices go to the generic matcher, and the tables stay (growth.py, 30,000 aliases)."""
    lines = []
    for number in range(1000):
        lines.append((f"pci:v00008086d{number:08X}sv*sd*bc*sc*i*", f"pci_{number}"))
        if number % 25 == 0:
            lines.append((f"pci:v*d*sv*sd*bc{number // 25:02X}sc*i*", f"class_{number}"))
    lines += [(f"usb:v046Dp{number:04X}d*dc*dsc*dp*ic*isc*ip*in*", f"usb_{number}") for number in range(9)]
    index = pyalias.AliasIndex.compile(lines)
    assert [index._image.has_pci_table(bus) for bus in (0, 2)] == [True, True]
    assert index.counts.answers > 28_000
    random = Random(7)  # noqa: S311 - repeatable, not secret
    rows = [
        b"pci:v00008086d%08Xsv00000000sd00000000bc%02Xsc00i00"
        % (random.randrange(1010), random.randrange(50))
        for _ in range(3000)
    ]
    rows += [b"usb:v046Dp%04Xd0000dc00dsc00dp00ic00isc00ip00in00" % number for number in range(12)]
    for variant in VARIANTS:
        assert found(opened(index.to_bytes(), variant).lookup_many(rows)) == [
            expected(index, row) for row in rows
        ]
