"""The benchmarks run, and find their contenders agreed, on a tiny workload."""

from __future__ import annotations

import contenders
import goals
import growth
import native
import pytest
import workloads
from bundled import unpack_kernel

import pyalias


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    try:
        native.load_libkmod()
    except native.LibkmodError as error:
        pytest.skip(str(error))
    before = native.locale.setlocale(native.locale.LC_ALL)
    native.use_c_locale()
    root = tmp_path_factory.mktemp("kernel")
    yield contenders.Stage(unpack_kernel(root), root / "kernel.pyalias")
    native.locale.setlocale(native.locale.LC_ALL, before)


@pytest.fixture(scope="module")
def tiny():
    whole = workloads.workload("mix").answers
    devices = sorted(whole)[:: len(whole) // 50]
    tiny = workloads.Workload("tiny", {device: whole[device] for device in devices})
    tiny.__dict__["rows"] = tiny.devices * 3
    return tiny


def test_contenders_agree(stage, tiny):
    found = stage.contenders(tiny)
    assert len(found) >= 7
    for contender in found:
        if contender.rounds_at_most > 1:  # fnmatch over all lines takes seconds
            contenders.check_answers(contender, tiny)


def test_a_contender_that_is_wrong_is_found_out(tiny):
    wrong = contenders.Contender(
        "wrong", lambda chosen: contenders.one_call_each(lambda _: ("no_module",), chosen.devices)
    )
    with pytest.raises(contenders.DisagreementError, match="libkmod says"):
        contenders.check_answers(wrong, tiny)


def test_a_pci_column_is_proved(stage):
    devices, weights = goals.pci_populations()["fleet"]
    column = goals.PciColumn(stage, "fleet", devices, weights, 1000)
    assert len(column.text) == 1000 * goals.ROW_BYTES
    answers = stage.index.lookup_many(column.text)
    assert list(answers) == list(stage.index.lookup_ids(**column.numbers))
    other = pyalias.AliasIndex.compile([("pci:*", "other")])
    right = stage.index
    try:
        stage.index = other
        with pytest.raises(contenders.DisagreementError):
            goals.PciColumn(stage, "fleet", devices, weights, 1000)
    finally:
        stage.index = right


def test_growth_points():
    point = growth.alias_point(growth.alias_text(2000), rounds=1)
    assert point["aliases"] == 2000
    assert point["image bytes"] > 0
    assert point["ns a row"] > 0
    point = growth.device_point(pyalias.AliasIndex.compile([("pci:v00008086d*", "intel")]), 5000)
    assert point["devices"] == 5000
    assert 2000 < point["matched"] < 3000
