"""docs/inventories.md: its samples are read, its examples are run, and it describes every format."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from support.inventories import INVENTORIES, read
from support.tables import DATA

from pyalias.cli import main
from pyalias.inventory import FORMATS, RECORD_FORMATS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "inventories.md"
TEXT = PAGE.read_text("utf-8")
SECTIONS = re.findall(r"^### ([\w-]+)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
SAMPLES = [
    (name, sample)
    for name, section in SECTIONS
    for sample in re.findall(r"^```(?:text|json|xml)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
]


@pytest.fixture
def beside_samples(kernel_dirs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that holds the samples and a kernel."""
    for path in [*INVENTORIES.iterdir(), *kernel_dirs.values(), DATA / "vfio" / "sysfs-snapshot.tar.gz"]:
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_samples_are_of_their_shape(name: str, sample: str):
    found = read(sample.encode())
    assert (found.format, found.rejects) == (name, [])
    assert found.records


def test_every_format_is_described():
    assert {name for name, _ in SAMPLES} | {"sysfs"} >= set(RECORD_FORMATS) | {"list"}
    table = TEXT[: TEXT.index("## What becomes")]
    assert [name for name in FORMATS if f"`{name}`" not in table] == []


@pytest.mark.usefixtures("beside_samples")
def test_commands(capsys: pytest.CaptureFixture[str]):
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        line, _, expected = block.removeprefix("$ pyalias ").partition("\n")
        assert main(shlex.split(line)) == 0
        assert capsys.readouterr().out == expected


@pytest.mark.usefixtures("beside_samples")
def test_python_session():
    pytest.importorskip("pyarrow")
    session = "\n".join(re.findall(r"^```pycon\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
    test = doctest.DocTestParser().get_doctest(session, {}, PAGE.name, str(PAGE), 0)
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)
