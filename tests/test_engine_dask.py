"""A scan on a real Dask cluster: processes on loopback, one of which is killed on the way."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from support.fleet import fleet_rows, write_parquet

import pyalias
from pyalias.cli import main
from pyalias.engines import files
from pyalias.engines.dask import on_cluster
from pyalias.engines.job import Job, in_this_process
from pyalias.errors import EngineError

INDEX = pyalias.AliasIndex.compile([("pci:v1d*", "one"), ("pci:v1d2*", "two")])
OTHER = pyalias.AliasIndex.compile([("pci:v2d*", "three")])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a compiled index and devices, to work in; parts are small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "ROWS_A_PART", 10_000)
    INDEX.save("i.pyalias")
    write_parquet("d.parquet", fleet_rows(80_000), row_group=5000)
    return tmp_path


def digests(directory: str) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(directory).glob("part-*")
    }


def job(directory: str, *, resume: bool = False) -> Job:
    return Job(INDEX, files.open_files(["d.parquet"]), directory, "parquet", resume=resume)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("place")
def test_a_worker_is_killed_and_the_result_is_that_of_one_machine():
    whole = job("whole").run(in_this_process)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, worker_dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        with Client(address, set_as_default=False) as client:
            processes = client.run(os.getpid)
        scan = ["scan", "d.parquet", "--index", "i.pyalias", "--scheduler", address, "-q"]
        killed = []

        def kills(work, tasks):
            for place in on_cluster(address)(work, tasks):
                if not killed:
                    killed.append(next(iter(processes.values())))
                    os.kill(killed[0], signal.SIGKILL)
                yield place

        counts = job("out").run(kills)
        assert killed
        assert not Path(f"/proc/{killed[0]}/exe").exists()
        assert digests("out") == digests("whole")
        assert len(digests("out")) == 8
        assert counts[:6] == whole[:6]
        # By the command line; and what stands in the directory is not written again.
        for path in sorted(Path("out").glob("part-*"))[:3]:
            path.unlink()
        before = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("part-*")}
        assert main([*scan, "-o", "out", "--resume", "--summary-json", "s.json"]) == 0
        assert json.loads(Path("s.json").read_text("utf-8"))["devices"] == 80_000
        assert digests("out") == digests("whole")
        after = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("part-*")}
        assert {name: after[name] for name in before} == before
        # Of several kernels, by a column.
        kernels = pyalias.AliasIndexSet.from_kernels({"host0000001": INDEX, "host0000002": OTHER})
        devices = files.open_files(["d.parquet"], kernel_column="host")
        alone, together = (
            Job(kernels, devices, name, "parquet", resume=False).run(runner)
            for name, runner in (("one", in_this_process), ("many", on_cluster(address)))
        )
        assert alone._replace(seconds=0) == together._replace(seconds=0)
        assert [alone.unknown, alone.kernels["host0000002"].devices] == [80_000 - 120, 60]
        assert digests("one") == digests("many")
        # A part that cannot be read is named; the others are not lost.
        data = Path("d.parquet").read_bytes()
        Path("d.parquet").write_bytes(data[: len(data) // 2])
        for path in sorted(Path("out").glob("part-*"))[:1]:
            path.unlink()
        with pytest.raises(EngineError, match=r"d\.parquet"):
            list(on_cluster(address)(*_work("whole")))


def _work(directory: str):
    """The job of a finished scan, and its first part to be written anew."""
    path = Path(directory).absolute()
    manifest = json.loads((path / "manifest.json").read_bytes())
    part = files.Part((str(Path("d.parquet").absolute()),), 0, manifest["parts"][0]["rows"])
    from pyalias.engines.parts import PartJob

    devices = files.DeviceFiles(part.files, "parquet", ("host", "modalias"), "modalias")
    return PartJob(str(path / "index.pyalias"), devices, "parquet"), [(0, part, str(path / "again.parquet"))]


@pytest.mark.usefixtures("place")
def test_no_scheduler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("pyalias.engines.dask._SECONDS_TO_CONNECT", 0.5)
    arguments = ["scan", "d.parquet", "--index", "i.pyalias", "--scheduler", "tcp://127.0.0.1:1", "-o", "out"]
    assert main(arguments) == 3
    assert "no Dask scheduler at tcp://127.0.0.1:1" in capsys.readouterr().err
