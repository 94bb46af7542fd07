"""Records as Arrow batches."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.inventories import BY_FILE, SAMPLES, Sample, read

from pyalias.errors import InventoryError
from pyalias.inventory import DeviceRecord
from pyalias.inventory.arrow import COLUMNS, record_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

pyarrow = pytest.importorskip("pyarrow")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_the_same_schema_for_every_shape(sample: Sample):
    records = read(sample.data).records
    table = record_reader(records, batch_rows=3).read_all()
    assert tuple(table.schema.names) == COLUMNS
    assert {str(field.type) for field in table.schema} == {"string", "uint32", "list<item: string>"}
    rows = table.to_pylist()
    for row, record in zip(rows, records, strict=True):
        assert row == {name: getattr(record, name) for name in COLUMNS} | {
            "kernel_modules": list(record.kernel_modules)
        }


def test_capsules_reach_other_engines():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(record_reader(read(BY_FILE["osquery.json"].data).records))
    assert frame["vendor"].to_list() == [0x8086, 0x8086, 0x144D, 0x10DE]
    assert frame["class24"].null_count() == 4


def test_batches_are_made_as_they_are_read():
    taken = 0

    def records() -> Iterator[DeviceRecord]:
        nonlocal taken
        for number in range(10_000):
            taken = number
            yield DeviceRecord(bus="pci", vendor=number)

    reader = record_reader(records(), batch_rows=10)
    assert reader.read_next_batch().num_rows == 10
    assert taken < 100


def test_bytes_that_are_no_utf_8():
    odd = DeviceRecord(host="h\udcff", modalias="of:Cx")
    assert record_reader([odd]).read_all().to_pylist()[0]["host"] == "h\ufffd"
    with pytest.raises((InventoryError, pyarrow.ArrowException), match="no UTF-8"):
        record_reader([odd._replace(modalias="of:C\udcff")]).read_all()


def test_the_readers_load_no_arrow():
    program = "import sys, pyalias.inventory, pyalias.inventory.arrow; assert 'pyarrow' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
