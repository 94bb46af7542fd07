"""Start-up: what a lookup imports, and the options that are read without argparse."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from pyalias import Alias
from pyalias._records import NamedTuple
from pyalias.cli import build_parser
from pyalias.cli.lookup import plain_options

# What takes a millisecond or more to import, and a lookup can do without.
SLOW = {"typing", "re", "pathlib", "threading", "dataclasses", "enum", "argparse", "json", "ctypes", "array"}

# Without site's start-up files: an editable install's imports pathlib.
PROGRAM = """
import sys
sys.path[:0] = {path!r}
{code}
print(" ".join(sorted(set(sys.modules) & {slow!r})), file=sys.stderr)
"""


def slow_modules(code: str) -> str:
    import cffi

    path = [str(Path(__file__).resolve().parent.parent), str(Path(cffi.__file__).parent.parent)]
    program = PROGRAM.format(path=path, code=code, slow=SLOW)
    command = [sys.executable, "-S", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr.strip()


def test_import_is_quick():
    assert slow_modules("import pyalias") == ""


def test_a_lookup_in_an_index_is_quick(indexes, tmp_path: Path):
    path = tmp_path / "index"
    indexes["6.12.117-amd64"].save(path)
    device = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
    code = f"from pyalias.cli import main; assert main(['lookup', '--index', {str(path)!r}, {device!r}]) == 0"
    assert slow_modules(code) == ""


@pytest.mark.parametrize(
    "words",
    [
        ["a"],
        ["a", "b", "c"],
        ["--index", "file", "a"],
        ["--modules", "dir", "a", "b"],
        ["--kernel", "6.12", "pci:x"],
        ["", "a b"],
        ["--index", "", "a"],
    ],
)
def test_plain_options_are_argparse_s(words: list[str]):
    known = vars(build_parser(["lookup"]).parse_args(["lookup", *words]))
    del known["parser"]
    assert vars(plain_options(words)) == known


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-q", "a"],
        ["a", "-q"],
        ["--index"],
        ["--index", "file"],
        ["--index", "--json", "a"],
        ["--index=file", "a"],
        ["--ind", "file", "a"],
        ["--json", "a", "b"],
        ["--", "a"],
        ["a", "-"],
        ["--index", "file", "--kernel", "x", "a"],
    ],
)
def test_other_options_are_left_to_argparse(words: list[str]):
    assert plain_options(words) is None


class Record(NamedTuple):
    """Of the tests."""

    first: int
    second: str = "two"

    def both(self) -> str:
        """A method."""
        return f"{self.first} {self.second}"


def test_records_are_named_tuples():
    record = Record(1)
    assert record == (1, "two")
    assert record.both() == "1 two"
    assert repr(record) == "Record(first=1, second='two')"
    assert record._replace(first=3) == Record(3, "two")
    assert (Record._fields, Record._field_defaults, Record.__doc__) == (
        ("first", "second"),
        {"second": "two"},
        "Of the tests.",
    )
    assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301 made above
    assert get_type_hints(Alias) == {"pattern": str, "module": str, "file": str | None, "line": int | None}
    assert Alias("a", "b").__class__.__name__ == "Alias"
    with pytest.raises(TypeError):
        Record()  # type: ignore[call-arg]
