"""Damaged inventories: every row is a record, a blank or a reject; no record says what the file does not."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inventories import BY_FILE, SAMPLES, Sample, read

from pyalias.errors import InventoryError
from pyalias.inventory import Inventory, json_rows, reading
from pyalias.inventory.json_rows import read_documents
from pyalias.inventory.records import Damage

if TYPE_CHECKING:
    from pyalias.inventory import DeviceRecord

SMALL = [sample for sample in SAMPLES if not sample.file.startswith("real-")]
JSON = [sample for sample in SMALL if sample.file.endswith((".json", ".jsonl"))]


def says_no_more(record: DeviceRecord, whole: DeviceRecord) -> bool:
    """Whether each field is as in the whole, or not known."""
    return all(
        mine is None or mine == theirs or (isinstance(mine, tuple) and mine == theirs[: len(mine)])
        for mine, theirs in zip(record, whole, strict=True)
    )


@pytest.mark.parametrize("sample", SMALL, ids=lambda sample: sample.file)
def test_cut_anywhere(sample: Sample):
    """A file that was not copied to its end: nothing that it still has becomes another device."""
    data = sample.data
    whole = read(data, sample.format)
    for size in range(0, len(data), max(1, len(data) // 400)):
        found = read(data[:size], sample.format)
        assert not found.error
        # one more where the rest after the damage is a row of its own
        assert found.rows <= whole.rows + 1
        for record in found.records:
            assert any(says_no_more(record, other) for other in whole.records), data[:size][-80:]


@pytest.mark.parametrize("sample", SMALL, ids=lambda sample: sample.file)
def test_a_cut_that_loses_text_is_noticed(sample: Sample):
    """Where something of a row is left and it is not whole, it is a reject, or a record that says less."""
    data = sample.data.rstrip(b"\n")
    whole = read(data + b"\n\n", sample.format)
    for size in range(len(data) - 40, len(data)):
        found = read(data[:size], sample.format)
        assert found.rejects or found.rows <= whole.rows


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_odd_bytes(sample: Sample):
    """Any byte anywhere may be another: never an error but a reject, and the other rows are as they were."""
    whole = Counter(read(sample.data, sample.format).records)
    dice = random.Random(sample.file)  # noqa: S311
    for _ in range(15 if sample.file.startswith("real-") else 60):
        data = bytearray(sample.data)
        place = dice.randrange(len(data))
        data[place] = dice.choice((0, 9, 10, 34, 44, 0x80, 0xC3, 0xFF, dice.randrange(256)))
        found = read(bytes(data), sample.format)
        assert not found.error
        assert found.records or found.rejects
        if len(found.rejects) == 1 and found.rows == sample.rows:
            lost = whole - Counter(found.records)
            assert lost.total() <= 1


@pytest.mark.parametrize("sample", SMALL, ids=lambda sample: sample.file)
def test_a_bad_id_is_a_reject_with_the_row(sample: Sample):
    """The network card's vendor is spoilt, wherever it stands."""
    data = sample.data
    spoilt = data.replace(b"15b7", b"15z7").replace(b"15B7", b"15Z7").replace(b"5559", b'"5559"')
    if sample.format in ("vsphere", "nixos-facter"):
        spoilt = data.replace(b'"deviceId": 5559', b'"deviceId": "5559"').replace(b"d000015B7", b"d000015Z7")
    assert spoilt != data
    before, after = read(data, sample.format), read(spoilt, sample.format)
    lost = [record for record in before.records if record.device == 0x15B7]
    assert [record for record in before.records if record.device != 0x15B7] == after.records
    assert (len(after.rejects), after.rows) == (len(lost), before.rows)
    for reject in after.rejects:
        assert reject.field
        assert "expected" in reject.reason
        assert "5z7" in str(reject.entry).lower() or "5559" in str(reject.entry)
        line = json.loads(reject.to_json())
        assert (line["source"], line["record"], line["field"]) == ("sample", reject.record, reject.field)


def rows_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of a document that are no containers."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, inner in items for found in [(*path, key), *rows_of(inner, (*path, key))]]
    return []


@pytest.mark.parametrize("sample", JSON, ids=lambda sample: sample.file)
def test_wrong_types(sample: Sample):
    """Every value becomes one of another type: a reject of its row or of all, or it is not read at all."""
    documents = [json.loads(line) for line in (
        sample.data.decode().splitlines() if sample.file.endswith("l") else [sample.data.decode()]
    )]  # fmt: skip
    whole = read(sample.data, sample.format)
    for path in rows_of(documents):
        for wrong in (None, 7, [3], {"a": None}, "", "\ud800"):
            changed = json.loads(json.dumps(documents))
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            if type(holder[path[-1]]) is type(wrong) and wrong != "\ud800":
                continue
            holder[path[-1]] = wrong
            found = read("\n".join(map(json.dumps, changed)).encode(), sample.format)
            assert not found.error
            if found.rows == whole.rows:
                lost = without_hosts(whole.records) - without_hosts(found.records)
                assert lost.total() <= (2 if "Count" in str(documents) else 1)
            for record in without_hosts(found.records) - without_hosts(whole.records):
                assert any(says_no_more(record, other) for other in without_hosts(whole.records)), path


def without_hosts(records: list[DeviceRecord]) -> Counter[DeviceRecord]:
    return Counter(record._replace(host=None) for record in records)


# ---- JSON texts ----


def documents(text: str, size: int = 1 << 20) -> list[Any]:
    blocks = (text[start : start + size] for start in range(0, len(text), size))
    return list(read_documents(blocks, "sample"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    values=st.lists(JSON_VALUES, max_size=5), size=st.integers(1, 40), indent=st.sampled_from((None, 0, 2))
)
def test_one_array_of_documents(values: list[Any], size: int, indent: int | None):
    assert documents(json.dumps(values, indent=indent), size) == values
    assert documents(json.dumps(values, ensure_ascii=False, indent=indent) + "\n", size) == values


@given(
    values=st.lists(JSON_VALUES, max_size=5), size=st.integers(1, 40), indent=st.sampled_from((None, 0, 2))
)
def test_documents_one_after_the_other(values: list[Any], size: int, indent: int | None):
    objects = [{"value": value} for value in values]
    assert documents("\n".join(json.dumps(value, indent=indent) for value in objects), size) == objects


@given(text=st.text(alphabet='[]{}",:0e-.tn\\u \n', max_size=40), size=st.integers(1, 40))
def test_any_text_is_documents_and_damage(text: str, size: int):
    """Nothing but blanks and commas of arrays is in neither."""
    found = documents(text, size)
    assert found == documents(text)
    if not any(isinstance(value, Damage) for value in found):
        text.encode()


def test_a_bad_line_of_json_lines_is_one_reject():
    lines = BY_FILE["osqueryd.jsonl"].data.splitlines()
    for bad in (b'{"name": "pci", "columns": {', b"{]", b'{"columns": NaN}', b'{"a": 1e999}', b"[1, 2"):
        found = read(b"\n".join([lines[0], bad, *lines[1:]]) + b"\n", "osquery")
        assert found.records == read(BY_FILE["osqueryd.jsonl"].data).records
        assert [(reject.record, reject.entry) for reject in found.rejects][:1] == [
            (2, bad.decode().lstrip("["))
        ] or (bad == b"[1, 2")


def test_a_bad_row_of_an_array_with_a_row_a_line_is_one_reject():
    data = BY_FILE["osquery.json"].data
    lines = data.splitlines(keepends=True)
    spoilt = b"".join([*lines[:2], lines[2].replace(b'"model"', b'"model'), *lines[3:]])
    found, whole = read(spoilt, "osquery"), read(data)
    assert found.records == [whole.records[0], *whole.records[2:]]
    (reject,) = found.rejects
    assert (reject.record, "at character" in reject.reason) == (2, True)


def test_the_rest_after_damage_is_kept():
    data = json.dumps(json.loads(BY_FILE["ironic.json"].data), indent=2).replace(
        '"product_id"', '"product_id', 1
    )
    (reject,) = read(data.encode(), "ironic").rejects
    assert reject.entry.replace("\n", "").replace(" ", "") == data.replace("\n", "").replace(" ", "")
    assert "the rest of the text is not read" in reject.reason


def test_deep_nesting_is_a_reject():
    for text in ("[" * 100_000, '{"a":' * 100_000, '[{"a":' + "[" * 100_000):
        assert len(read(text.encode(), "osquery").rejects) >= 1


def test_endless_documents_are_refused_before_memory_is_full(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_rows, "LONGEST_DOCUMENT", 10_000)
    monkeypatch.setattr(reading, "LONGEST_RECORD", 10_000)
    monkeypatch.setattr(reading, "BLOCK_SIZE", 1000)
    for sample in SMALL:
        body = sample.data[: len(sample.data) // 2].rstrip(b"\n")
        endless = {"udev": b"E: A=b\n", "lspci": b"A:\tb\n", "hw-probe": b"a"}.get(sample.format, b'"aa":\n')
        text = {"lshw": b"<node>" + b"<a>\n" * 20_000}.get(sample.format, body + b"\n" + endless * 20_000)
        found = read(text, sample.format)
        assert "longer than" in found.error or "very long" in found.error or found.rejects
        assert all(len(str(reject.entry)) <= 20_000 for reject in found.rejects)


def test_without_rejects_the_first_bad_row_is_an_error():
    for sample in SMALL:
        spoilt = sample.data.replace(b"15b7", b"15z7").replace(b"15B7", b"15Z7")
        if spoilt == sample.data:
            continue
        inventory = Inventory(io.BytesIO(spoilt), "file-7", format=sample.format)
        with pytest.raises(InventoryError, match=r"^file-7: record \d+: [\w.]+: expected"):
            list(inventory)
