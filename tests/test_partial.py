"""Partial devices: the answers beside those of all devices that they may be, and every form of input."""

from __future__ import annotations

import json
import mmap
import re
from array import array
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from support.partial_cases import SEED, brute_force, disagreement, partial_cases
from support.tables import EXPECTED, read_answers

import pyalias
from pyalias.cli import main
from pyalias.cli.lookup_ids import read_device
from pyalias.partial import PartialAnswer, PartialAnswers, PartialCounts, PartialDevice
from pyalias.partial.boxes import PatternBoxes
from pyalias.partial.forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RELEASE = "6.12.117-amd64"
NIC = "pci:v00008086d000015B7sv*sd*bc02sc00i*"
E1000E = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
ANY_PCI = "pci:v*d*sv*sd*bc*sc*i*"


@pytest.fixture(scope="module")
def index(indexes: dict[str, pyalias.AliasIndex]) -> pyalias.AliasIndex:
    return indexes[RELEASE]


def of(*aliases: tuple[str, str]) -> pyalias.AliasIndex:
    return pyalias.AliasIndex.compile(aliases)


# ---- exact ----


def test_random_cases_equal_asking_for_every_device():
    """The first of the 100,000 that ``make partial-soak`` runs."""
    states: Counter[str] = Counter()
    for case in partial_cases(20, 25):
        index = case.index()
        for device in case.devices:
            assert disagreement(index, case, device) is None
            states[index.lookup_partial(device).state] += 1
    assert min(states["certain"], states["possible"], states["none"]) > 20


def test_a_real_kernels_devices_with_unknown_fields(index: pyalias.AliasIndex):
    """Real devices, of which an id or up to two bytes of the class are made unknown."""
    random = np.random.default_rng(SEED)
    keys = {
        key.decode() for table in EXPECTED if table.release == RELEASE for key, _ in read_answers(table.path)
    }
    real = sorted(key for key in keys if key.startswith("pci:") and len(key) == 53)
    for text in random.choice(real, 60, replace=False).tolist():
        numbers = re.fullmatch(r"pci:v(.*)d(.*)sv(.*)sd(.*)bc(.*)sc(.*)i(.*)", text).groups()
        unknown = [(0,), (1,), (2,), (3,), (4, 5), (5, 6), (4, 6), (6,)][random.integers(8)]
        fields = ["*" if place in unknown else number for place, number in enumerate(numbers)]
        device = "pci:v{}d{}sv{}sd{}bc{}sc{}i{}".format(*fields)
        found, truth = index.lookup_partial(device), brute_force(index, device)
        assert (found.state, set(found.certain), set(found.possible)) == truth[:3], device
        order = [name for name in dict.fromkeys(truth.answers[-1]) if name in found.certain]
        assert order == list(found.certain)


@pytest.mark.parametrize("bus", FORMS)
def test_patterns_as_boxes_tell_what_matches(bus: str, indexes: dict[str, pyalias.AliasIndex]):
    """The boxes of a real kernel's patterns have as many devices as they have digits to choose."""
    form = FORMS[bus]
    reader = PatternBoxes(form)
    image = indexes[RELEASE]._image
    for line in image.lines_possible(form.prefix.encode())[::50]:
        for box in reader.boxes(image.line_normalised(line)):
            assert not form.lanes.is_empty(box)
            assert form.lanes.size(box) >= 1


def test_known_devices_have_lookups_answer(index: pyalias.AliasIndex):
    table = next(table for table in EXPECTED if table.release == RELEASE)
    keys = [key for key, _ in read_answers(table.path)]
    answers = index.lookup_many(keys, partial=True)
    for key, found in zip(keys, answers, strict=True):
        names = index.lookup(key)
        assert found == PartialAnswer("certain" if names else "none", names, (), partial=False)
    twice = index.lookup_partial("auxiliary:i915.mei-gsc")
    assert twice.certain == ("mei_gsc", "mei_gsc")


def test_modules_may_cover_a_device_only_together():
    index = of(
        ("pci:v*d*sv*sd*bc0[0-7]sc*i*", "low"),
        ("pci:v*d*sv*sd*bc0[89A-F]sc*i*", "high"),
        ("pci:v00008086d*sv*sd*bc*sc*i*", "intel"),
    )
    assert index.lookup_partial("pci:v*d*sv*sd*bc0?sc*i*") == ("certain", (), ("low", "high", "intel"), True)
    assert index.lookup_partial("pci:v00008086d*sv*sd*bc*sc*i*") == (
        "certain",
        ("intel",),
        ("low", "high"),
        True,
    )
    assert index.lookup_partial(ANY_PCI) == ("possible", (), ("low", "high", "intel"), True)
    assert index.lookup_partial("pci:v00001234d*sv*sd*bc10sc*i*") == ("none", (), (), True)


def test_an_unknown_id_has_16_bits_as_devices_have():
    index = of(("pci:v0000*d*sv*sd*bc*sc*i*", "all"), ("pci:v0001*d*sv*sd*bc*sc*i*", "beyond"))
    assert index.lookup_partial(ANY_PCI) == ("certain", ("all",), (), True)
    assert index.lookup_partial("pci:v????????d*sv*sd*bc*sc*i*") == ("possible", (), ("all", "beyond"), True)


def test_builtin_aliases_answer_where_no_other_line_does(tmp_path):
    """The rule of libkmod, for each device apart: a module may be certain by both sources together."""
    (tmp_path / "modules.alias").write_text("alias pci:v*d*sv*sd*bc0[0-7]sc*i* one\n")
    (tmp_path / "modules.builtin.modinfo").write_bytes(
        b"one.alias=pci:v*d*sv*sd*bc0[89A-F]sc*i*\0two.alias=pci:v*d*sv*sd*bc00sc*i*\0"
    )
    index = pyalias.AliasIndex.from_modules(tmp_path)
    assert index.lookup_partial("pci:v*d*sv*sd*bc0?sc*i*") == ("certain", ("one",), (), True)


# ---- what is refused ----


@pytest.mark.parametrize(
    "device",
    ["pci:*", "pci:v*d*", "pci:v8086d*sv*sd*bc*sc*i*", "pci:v0000808xd*sv*sd*bc*sc*i*",
     "pci:v*d*sv*sd*bc*sc*i*\n", "stray]bracket", "usb:v1d6bp*d*dc*dsc*dp*ic*isc*ip*in*"],
)  # fmt: skip
def test_texts_that_are_no_devices(index: pyalias.AliasIndex, device: str):
    with pytest.raises(pyalias.InvalidModaliasError):
        index.lookup_partial(device)
    answers = index.lookup_many([E1000E, device, NIC], partial=True)
    assert answers.invalid == (1,)
    assert [answer and answer.certain for answer in answers] == [("e1000e",), None, ("e1000e",)]


def test_other_buses_have_their_own_texts():
    """A dmi string may hold any byte: it is a whole device."""
    index = of(("dmi:*:pnBoard?*:*", "board"))
    answers = index.lookup_many(["dmi:bvnX:pnBoard?2*:", "*", ""], partial=True)
    assert list(answers) == [("certain", ("board",), (), False), *[("none", (), (), False)] * 2]
    assert index.lookup_partial("dmi:bvnX:pnBoard?2*:") == answers[0]


def test_patterns_that_lie_on_a_device_in_too_many_ways():
    index = of(("*0*1*0*1*0*1*0*1*0*1*", "m"), ("pci:v*0*1*0*d*0*1*0*sv*0*1*0*sd*0*1*0*bc*sc*i*", "m"))
    with pytest.raises(pyalias.LimitError, match="too many ways"):
        index.lookup_partial(ANY_PCI)
    assert index.lookup(E1000E) == ()


def test_patterns_whose_union_takes_too_long():
    random = np.random.default_rng(SEED)
    pieces = ["[!0]", "[!1]", "[0-7]", "[89A-F]"]
    aliases = []
    for _ in range(300):
        digits = ["?"] * 12
        for place in random.choice(12, 4, replace=False).tolist():
            digits[place] = pieces[random.integers(4)]
        aliases.append(("usb:v{}{}{}{}p{}{}{}{}d{}{}{}{}dc*dsc*dp*ic*isc*ip*in*".format(*digits), "m"))
    with pytest.raises(pyalias.LimitError, match="steps: tell more"):
        of(*aliases).lookup_partial("usb:v*p*d*dc*dsc*dp*ic*isc*ip*in*")


# ---- columns ----

IDS = {
    "vendor": [0x8086, 0x8086, None, 0x1234],
    "device": [0x10D3, 0x15B7, None, 0x1111],
    "subvendor": [0x8086, None, None, 0],
    "subdevice": [0xA01F, None, None, 0],
    "class_code": [0x020000, None, None, 0x030000],
}


def texts_of(columns: dict[str, Sequence[int | None]]) -> list[PartialDevice]:
    return [
        PartialDevice.pci(**dict(zip(columns, row, strict=True)))
        for row in zip(*columns.values(), strict=True)
    ]


def test_every_form_of_unknown_ids_has_the_answers_of_texts(index: pyalias.AliasIndex):
    expected = list(index.lookup_many(texts_of(IDS), partial=True))
    assert [answer.state for answer in expected] == ["certain", "certain", "possible", "certain"]
    assert [answer.partial for answer in expected] == [False, True, True, False]
    arrow = {name: pa.array(column, pa.uint32()) for name, column in IDS.items()}
    values = {name: np.array([value or 0 for value in column], np.uint32) for name, column in IDS.items()}
    masks = {name: np.array([value is not None for value in column]) for name, column in IDS.items()}
    forms = (
        IDS,
        arrow,
        {name: pa.array([0, *column, None], pa.int64())[1:-1] for name, column in IDS.items()},
        {name: pa.chunked_array([column[:1], column[1:]]) for name, column in arrow.items()}
        | {"device": arrow["device"]},
    )
    for columns in forms:
        assert list(index.lookup_ids(**columns, partial=True)) == expected
    assert list(index.lookup_ids(**values, known=masks, partial=True)) == expected
    lists = {name: list(map(bool, mask)) for name, mask in masks.items()}
    assert list(index.lookup_ids(**values, known=lists, partial=True)) == expected


def test_whole_columns_may_be_unknown_and_the_class_in_parts(index: pyalias.AliasIndex):
    found = index.lookup_ids(
        vendor=array("H", [0x8086, 0x8086]), device=[0x15B7, None], base_class=[1, 2],
        subclass=np.array([6, 0], np.uint8), partial=True,
    )  # fmt: skip
    texts = ["pci:v00008086d000015B7sv*sd*bc01sc06i*", "pci:v00008086d*sv*sd*bc02sc00i*"]
    assert list(found) == list(index.lookup_many(texts, partial=True))
    whole = {name: [column[0]] for name, column in IDS.items() if name != "class_code"}
    parts = index.lookup_ids(**whole, base_class=[2], subclass=[0], interface=[0], partial=True)
    assert list(parts) == [PartialAnswer("certain", ("e1000e",), (), partial=False)]


def test_text_columns_of_every_layout(index: pyalias.AliasIndex):
    rows = [NIC, None, E1000E, "pci:*", NIC]
    one = index.lookup_partial(NIC)
    whole = index.lookup_partial(E1000E)
    layouts = [
        pa.array(rows), pa.array(rows, pa.large_string()), pa.array(rows, pa.string_view()),
        pa.array(rows).dictionary_encode(), pa.array(["", *rows])[1:], pa.chunked_array([rows[:2], rows[2:]]),
    ]  # fmt: skip
    for column in layouts:
        answers = index.lookup_many(column, partial=True)
        assert list(answers) == [one, None, whole, None, one]
        assert (answers.invalid, answers.null_count) == ((3,), 1)
        assert answers.counts() == PartialCounts(
            known_certain=1, known_none=0, certain=2, possible=0, none=0, null=1, invalid=1
        )
    text = f"{NIC}\n{E1000E}\n".encode()
    with mmap.mmap(-1, len(text)) as mapped:
        mapped[:] = text
        for lines in (text, bytearray(text), memoryview(text), mapped):
            assert list(index.lookup_many(lines, partial=True)) == [one, whole]
    assert list(index.lookup_many(pa.array([None, None]), partial=True)) == [None, None]
    assert list(index.lookup_many([], partial=True)) == []
    assert list(index.lookup_ids(vendor=[], partial=True)) == []


def test_answers_are_a_sequence(index: pyalias.AliasIndex):
    answers = index.lookup_many([NIC, ANY_PCI, NIC], partial=True)
    assert (len(answers), answers[-1], answers[:2]) == (3, answers[0], list(answers)[:2])
    assert [answers.table[i] for i in answers.ids] == list(answers)
    assert repr(answers) == "<PartialAnswers of 3 devices>"
    assert isinstance(answers, PartialAnswers)
    with pytest.raises(IndexError):
        answers[3]


def test_counts_keep_known_and_partial_devices_apart(index: pyalias.AliasIndex):
    none = "pci:v0000FFFEd0000FFFEsv*sd*bc77sc77i*"
    rows = [E1000E, NIC, NIC, ANY_PCI, none, "pci:no", "x]"]
    assert index.lookup_many(rows, partial=True).counts() == PartialCounts(
        known_certain=1, known_none=1, certain=2, possible=1, none=1, null=0, invalid=1
    )


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({}, "at least one column"),
        ({"vendor": [1], "device": [1, 2]}, "one length"),
        ({"vendor": ["8086"]}, "vendor: expected a column of whole numbers"),
        ({"vendor": [-1]}, "vendor: expected a column of whole numbers"),
        ({"vendor": np.array([5, -1], np.int16)}, "column 0, row 1: expected a number of 32 bits"),
        ({"class_code": [1 << 24]}, "expected a number of 24 bits"),
        ({"base_class": [256]}, "expected a number of 8 bits"),
        ({"class_code": [0], "subclass": [0]}, "one field"),
        ({"vendor": np.array([1.5])}, "whole numbers"),
        ({"vendor": pa.array(["x"])}, "whole numbers"),
        ({"vendor": 5}, "whole numbers"),
        ({"vendor": array("I", [1]), "known": {"vendor": [True, False]}}, "expected 1 booleans"),
        ({"vendor": [1], "known": {"device": [True]}}, "no column 'device'"),
        ({"vendor": [1], "known": {"vendor": [True]}}, "takes no mask"),
    ],
)
def test_wrong_columns(index: pyalias.AliasIndex, columns: dict[str, object], reason: str):
    with pytest.raises(pyalias.ColumnError, match=reason):
        index.lookup_ids(**columns, partial=True)


def test_unknown_ids_want_three_valued_answers(index: pyalias.AliasIndex):
    """Never as if they were 0, which has blocked upgrades (oamg/leapp-repository#1362)."""
    with pytest.raises(
        pyalias.ColumnError, match=r"subvendor, subdevice, class_code: expected .* pass partial=True"
    ):
        index.lookup_ids(vendor=array("I", [1]), device=array("I", [1]))
    with pytest.raises(pyalias.ColumnError):
        index.lookup_ids(**IDS)
    with pytest.raises(pyalias.ColumnError, match="use lookup"):
        index.lookup_many(NIC, partial=True)
    with pytest.raises(pyalias.ColumnError, match="row 1"):
        index.lookup_many([NIC, 5], partial=True)
    with pytest.raises(pyalias.ColumnError, match="found int"):
        index.lookup_partial(5)


# ---- devices ----


def test_devices_from_numbers():
    assert PartialDevice.pci(vendor=0x8086, device=0x15B7, base_class=2, subclass=0).text == NIC
    assert str(PartialDevice.pci(class_code=0x020000)) == "pci:v*d*sv*sd*bc02sc00i00"
    assert PartialDevice.usb(vendor=0x1D6B, product=2, interface_class=9).text == (
        "usb:v1D6Bp0002d*dc*dsc*dp*ic09isc*ip*in*"
    )
    for wrong in ({"vendor": -1}, {"vendor": "8086"}, {"class_code": 1 << 24}, {"nothing": 1},
                  {"class_code": 0, "interface": 0}):  # fmt: skip
        with pytest.raises(pyalias.ColumnError):
            PartialDevice.pci(**wrong)


def test_a_closed_index_says_so():
    index = of((ANY_PCI, "m"))
    assert index.lookup_partial(ANY_PCI).certain == ("m",)
    index.close()
    with pytest.raises(pyalias.PyaliasError, match="closed"):
        index.lookup_partial(ANY_PCI)


# ---- the command line ----


def run(capsys: pytest.CaptureFixture[str], directory: Path, *arguments: str) -> tuple[int, str, str]:
    code = main(["lookup", "--modules", str(directory), *arguments])
    output = capsys.readouterr()
    return code, output.out, output.err


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ("vendor=8086,device=0x15B7,class=0200", NIC),
        ("class=02", "pci:v*d*sv*sd*bc02sc*i*"),
        ("class=0x020000,subvendor=1", "pci:v*d*sv00000001sd*bc02sc00i00"),
        ("vendor=1d6b,product=2", "usb:v1D6Bp0002d*dc*dsc*dp*ic*isc*ip*in*"),
        (NIC, NIC),
    ],
)
def test_ids_of_the_command_line(fields: str, text: str):
    assert read_device(fields).text == text


@pytest.mark.parametrize(
    "fields",
    ["vendor", "vendor=", "vendor=x", "vendor=1,vendor=1", "class=123", "nothing=1", "product=10000", ""],
)
def test_wrong_ids_of_the_command_line(
    fields: str, kernel_dirs: dict[str, Path], capsys: pytest.CaptureFixture[str]
):
    code, out, error = run(capsys, kernel_dirs[RELEASE], "--ids", fields)
    assert (code, out) == (3, "")
    assert error.startswith("pyalias: ")


def test_lookup_of_ids(kernel_dirs: dict[str, Path], capsys: pytest.CaptureFixture[str]):
    directory = kernel_dirs[RELEASE]
    none = "vendor=fffe,device=fffe,class=77"
    code, out, error = run(capsys, directory, "--json", "--ids", NIC, "--ids", none)
    assert code == 1
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["certain", "none"]
    assert error.endswith("can claim pci:v0000FFFEd0000FFFEsv*sd*bc77sc*i*\n")
    assert run(capsys, directory, "--quiet", "--ids", none)[2] == ""
    for wrong in (["--ids", NIC, E1000E], ["--ids", NIC, "-D"], ["--ids", NIC, "-C", "x"]):
        with pytest.raises(SystemExit) as end:
            run(capsys, directory, *wrong)
        assert end.value.code == 2
