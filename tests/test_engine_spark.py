"""A real Spark: mapInArrow on a local cluster of two worker processes. ``make engines-test``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from support.fleet import fleet_rows, write_parquet

import pyalias

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("master", ["local[2]", "local-cluster[2,1,1024]"])
def test_map_in_arrow(tmp_path: Path, master: str, monkeypatch: pytest.MonkeyPatch):
    sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed (extra [spark])")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none")
    from pyalias.engines.spark import map_in_arrow, schema

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    if master.startswith("local-cluster"):
        monkeypatch.setenv("SPARK_HOME", str(Path(sys.modules["pyspark"].__file__).parent))
    rows = [*fleet_rows(20_000), ("last", "a]")]
    write_parquet(str(tmp_path / "d.parquet"), rows, row_group=4000)
    index = pyalias.AliasIndex.compile([("pci:v1d*", "one"), ("pci:v1d2*", "two")])
    index.save(tmp_path / "i.pyalias")
    builder = sql.SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    try:
        frame = spark.read.parquet(str(tmp_path / "d.parquet"))
        for given in (tmp_path / "i.pyalias", index):
            found = frame.mapInArrow(map_in_arrow(given), schema(frame)).collect()
            answers = {row["modalias"]: (row["modules"], row["error"]) for row in found}
            assert sorted((row["host"], row["modalias"]) for row in found) == sorted(rows)
            assert answers.pop("a]") == ("", "EINVAL")
            assert answers == {device: (" ".join(index.lookup(device)), None) for device in answers}
    finally:
        spark.stop()
