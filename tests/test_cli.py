"""The command line: output and exit codes, beside the real modprobe where there is one."""

from __future__ import annotations

import argparse
import io
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.tables import EXPECTED, GOLDEN, read_answers

import pyalias
from pyalias.cli import COMMANDS, build_parser, main
from pyalias.cli.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASE = "6.12.117-amd64"
E1000E = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
TWICE = "auxiliary:i915.mei-gsc"
BUILTIN = "cxl:t3"
DOCUMENT = Path(__file__).parent.parent / "docs" / "cli.md"


@pytest.fixture(scope="module")
def modules(kernel_dirs: dict[str, Path]) -> str:
    return str(kernel_dirs[RELEASE])


@pytest.fixture(scope="module")
def index_file(indexes: dict[str, pyalias.AliasIndex], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("index") / "6.12.pyalias"
    indexes[RELEASE].save(path)
    return str(path)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pyalias", *arguments]


# ---- all commands ----


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"pyalias {pyalias.__version__}\n"


def subparsers() -> dict[str, argparse.ArgumentParser]:
    actions = build_parser()._actions
    (found,) = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


def test_every_command_is_registered():
    assert tuple(subparsers()) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_description_an_example_and_exit_codes(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"\nexample:\n  pyalias {name} " in text
    assert "\nexit codes:\n  0 " in text
    assert subparsers()[name].description


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str):
    section = re.search(
        rf"^## `pyalias {name}`$(.*?)(?=^## |\Z)", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert section, f"docs/cli.md has no section on {name}"
    for action in subparsers()[name]._actions:
        for option in action.option_strings:
            if option.startswith("--") and option != "--help":
                assert f"`{option}" in section[1], f"docs/cli.md does not describe {name} {option}"


def documented_runs() -> list[tuple[str, str]]:
    blocks = re.findall(r"^```console\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    runs = [run for block in blocks for run in re.split(r"^\$ ", block, flags=re.MULTILINE) if run]
    return [(run.partition("\n")[0], run.partition("\n")[2]) for run in runs]


@pytest.mark.parametrize(("line", "expected"), documented_runs())
def test_documented_output_is_what_is_printed(
    line: str,
    expected: str,
    kernel_dirs: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(kernel_dirs[RELEASE].parent)
    program, *arguments = shlex.split(line)
    assert program == "pyalias"
    main(arguments)
    output = capsys.readouterr()
    assert output.out + output.err == expected


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nosuchcommand"],
        ["lookup"],
        ["scan", "x", "--index", "a", "--modules", "b"],
        ["scan", "x", "--modules", "a", "--kernel", "b"],
    ],
)
def test_wrong_usage(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: pyalias")


def test_module_runs_as_a_program():
    done = subprocess.run(command("--version"), capture_output=True, text=True, check=True)
    assert done.stdout == f"pyalias {pyalias.__version__}\n"


def test_library_does_not_load_the_command_line():
    code = "import sys, pyalias; print([name for name in sys.argv[1:] if name in sys.modules])"
    unwanted = ["pyalias.cli", "pyalias.scan", "pyalias.inventory", "argparse", "json", "csv"]
    done = subprocess.run([sys.executable, "-c", code, *unwanted], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_lookup_does_not_load_the_scan():
    code = (
        "import sys; from pyalias.cli import main\n"
        "try: main(['lookup', '--help'])\n"
        "except SystemExit: print('pyalias.scan' in sys.modules, 'csv' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse False\n")


BAD_SOURCES = {
    "no such directory": ["--modules", "none"],
    "no modules directory": ["--modules", "empty"],
    "no such kernel": ["--kernel", "0.0.0-none"],
    "no such index": ["--index", "none"],
    "no index": ["--index", "text"],
}


@pytest.mark.parametrize("source", BAD_SOURCES.values(), ids=BAD_SOURCES)
@pytest.mark.parametrize("arguments", [["lookup", "pci:x"], ["explain", "pci:x"], ["scan", "text"]])
def test_bad_source_is_one_line_and_exit_code_3(
    arguments: list[str],
    source: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("pci:x\n")
    assert main([*arguments, *source]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert re.fullmatch(r"pyalias: .+\n", output.err)


# ---- lookup ----


def test_lookup_prints_repeats(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["lookup", "--modules", modules, TWICE]) == 0
    assert capsys.readouterr() == ("mei_gsc\nmei_gsc\n", "")


def test_lookup_of_one_miss_is_fatal(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["lookup", "--modules", modules, "no-such:x"]) == 1
    expected = f"pyalias: FATAL: Module no-such:x not found in directory {modules}\n"
    assert capsys.readouterr() == ("", expected)


def test_lookup_of_several_goes_on_after_a_miss(index_file: str, capsys: pytest.CaptureFixture[str]):
    assert main(["lookup", "--index", index_file, "x:", E1000E, "a]:"]) == 1
    out, err = capsys.readouterr()
    assert out == "e1000e\n"
    assert err.splitlines() == [
        f"pyalias: WARNING: Module {alias} not found in index {index_file}" for alias in ("x:", "a]:")
    ]


def test_lookup_quiet(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["lookup", "-q", "--modules", modules, "x:"]) == 1
    assert capsys.readouterr() == ("", "")


def test_lookup_json(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["lookup", "--json", "-q", "--modules", modules, TWICE, "x:", "a]:"]) == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"alias": TWICE, "modules": ["mei_gsc", "mei_gsc"]},
        {"alias": "x:", "modules": []},
        {"alias": "a]:", "modules": [], "error": "EINVAL"},
    ]


def test_default_is_the_running_kernel(capsys: pytest.CaptureFixture[str]):
    directory = f"/lib/modules/{os.uname().release}"
    code = main(["lookup", "no-such:x"])
    error = capsys.readouterr().err
    assert directory in error
    # A container may run on a kernel whose modules it lacks.
    assert code == (1 if Path(directory, "modules.alias").exists() else 3)


@pytest.fixture(scope="module")
def modprobe(modules: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """``modprobe -R`` with the bundled kernel and no configuration."""
    program = shutil.which("modprobe", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        reason = "modprobe is not installed (Debian: kmod)"
        if os.environ.get("PYALIAS_REQUIRE_LIBKMOD") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    root = tmp_path_factory.mktemp("root")
    (root / "lib" / "modules").mkdir(parents=True)
    (root / "lib" / "modules" / RELEASE).symlink_to(modules)
    (root / "empty").mkdir()
    return [program, "-d", str(root), "-S", RELEASE, "-C", str(root / "empty"), "-R"]


def sample_devices(step: int) -> list[bytes]:
    """Of the recorded tables; with a colon, since names of modules are not in an alias index."""
    tables = [table for table in (*GOLDEN, *EXPECTED) if table.release == RELEASE]
    keys = [key for table in tables for key, _ in read_answers(table.path)[::step]]
    keys += [TWICE.encode(), BUILTIN.encode(), b"a]:", b"a[:", b"x: y", b"pci:\xff", b"pci:v*"]
    # Up to v34.2 libkmod overflows its stack on brackets in names beyond PATH_MAX.
    return [key for key in keys if b":" in key and len(key) < 4000]


def run_both(
    modprobe: list[str], keys: list[bytes], capfdbinary: pytest.CaptureFixture[bytes]
) -> tuple[tuple[int, bytes, bytes], tuple[int, bytes, bytes]]:
    environment = {name: value for name, value in os.environ.items() if name != "MODPROBE_OPTIONS"}
    several = ["-a"] if len(keys) > 1 else []
    theirs = subprocess.run(
        [*modprobe, *several, "--", *keys],
        capture_output=True,
        check=False,
        env=environment | {"LC_ALL": "C"},
    )
    directory = f"{modprobe[modprobe.index('-d') + 1]}/lib/modules/{RELEASE}"
    code = main(["lookup", "--modules", directory, "--", *map(os.fsdecode, keys)])
    out, err = capfdbinary.readouterr()
    return (theirs.returncode, theirs.stdout, theirs.stderr.replace(b"modprobe: ", b"pyalias: ")), (
        code,
        out,
        err,
    )


def test_single_lookups_as_modprobe_does(modprobe: list[str], capfdbinary: pytest.CaptureFixture[bytes]):
    keys = sample_devices(1000)
    assert len(keys) > 40
    for key in keys:
        theirs, ours = run_both(modprobe, [key], capfdbinary)
        assert ours[:2] == theirs[:2], key
        if key.isascii():  # other bytes are spelt out on a terminal: \udcff
            assert ours[2] == theirs[2], key


def test_many_lookups_as_modprobe_does(modprobe: list[str], capfdbinary: pytest.CaptureFixture[bytes]):
    keys = [key for key in sample_devices(50) if key.isascii()]
    assert len(keys) > 800
    theirs, ours = run_both(modprobe, keys, capfdbinary)
    assert ours == theirs
    assert theirs[1].count(b"\n") > 500


# ---- compile ----


def test_compile_of_a_directory(
    modules: str, tmp_path: Path, indexes: dict[str, pyalias.AliasIndex], capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out.pyalias"
    assert main(["compile", modules, "-o", str(out)]) == 0
    assert out.read_bytes() == indexes[RELEASE].to_bytes()
    counts = indexes[RELEASE].counts
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    start = (
        f"{out}: {counts.aliases:,} aliases, {counts.patterns:,} patterns, {counts.modules:,} modules, "
        f"{out.stat().st_size:,} bytes, "
    )
    assert re.fullmatch(re.escape(start) + r"\d+ ms\n", stderr)


def test_compile_of_a_file_with_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, out = tmp_path / "modules.alias", tmp_path / "out.pyalias"
    source.write_text("alias pci:v1* one\nalias pci:v1* two\n")
    assert main(["compile", str(source), "--output", str(out), "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers.pop("seconds") > 0
    assert numbers == {
        "index": str(out), "aliases": 2, "patterns": 1, "modules": 2, "bytes": out.stat().st_size,
    }  # fmt: skip


def test_compile_leaves_nothing_when_the_source_is_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "modules.alias"
    source.write_text("alias pci:v1*\n")
    assert main(["compile", str(source), "-o", str(tmp_path / "out")]) == 3
    assert re.fullmatch(r"pyalias: .*modules\.alias:1: .+\n", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == [source]


# ---- explain ----


def test_explain_shows_line_and_fields(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "--modules", modules, E1000E]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = re.fullmatch(r"e1000e  modules\.alias:(\d+)  (pci:v00008086d000010D3sv\*.*)", lines[2])
    assert (
        Path(modules, "modules.alias").read_text().splitlines()[int(head[1]) - 1] == f"alias {head[2]} e1000e"
    )
    assert "  vendor      00008086  00008086  fixed" in lines
    assert "  subvendor   *         00008086  wild" in lines


def test_explain_tells_the_fallback(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "--modules", modules, BUILTIN]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "nothing in modules.alias matches: modules.builtin.modinfo answers"
    assert re.fullmatch(r"cxl_port  modules\.builtin\.modinfo:\d+  cxl:t3\*", lines[3])


def test_explain_json(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "--json", "--modules", modules, "virtio:d00000001v00001AF4"]) == 0
    found = json.loads(capsys.readouterr().out)
    line = found["matches"][0].pop("line")
    assert (
        Path(modules, "modules.alias").read_text().splitlines()[line - 1]
        == "alias virtio:d00000001v* virtio_net"
    )
    assert found == {
        "alias": "virtio:d00000001v00001AF4",
        "bus": "virtio",
        "fields": [{"name": "device", "value": "00000001"}, {"name": "vendor", "value": "00001AF4"}],
        "matches": [
            {
                "pattern": "virtio:d00000001v*",
                "module": "virtio_net",
                "file": "modules.alias",
                "fields": [
                    {"name": "device", "value": "00000001", "kind": "fixed"},
                    {"name": "vendor", "value": "*", "kind": "wild"},
                ],
            }
        ],
    }


def test_explain_of_a_miss(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "--modules", modules, "no-such:x"]) == 1
    assert capsys.readouterr() == ("", f"pyalias: no alias in {modules} matches no-such:x\n")
    assert main(["explain", "--json", "--modules", modules, "no-such:x"]) == 1
    assert json.loads(capsys.readouterr().out)["matches"] == []


def test_explain_of_a_refused_name(modules: str, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "--modules", modules, "a]:"]) == 1
    assert re.fullmatch(r"pyalias: .+\n", capsys.readouterr().err)


def test_explain_prints_the_bytes_that_were_typed(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    (tmp_path / "modules.alias").write_text("alias odd:* module\n")
    assert main(["explain", "--modules", str(tmp_path), "odd:\udcff"]) == 0
    assert b"odd:\xff\n" in capfdbinary.readouterr().out


# ---- scan ----


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    path = tmp_path / "devices.txt"
    path.write_text(f"{E1000E}\n{TWICE}\n\nno-such:x\na]:\n{E1000E}\n")
    return path


ROWS = f"""\
device,modules,error
{E1000E},e1000e,
{TWICE},mei_gsc mei_gsc,
no-such:x,,
a]:,,EINVAL
{E1000E},e1000e,
"""


def test_scan_to_standard_output(devices: Path, index_file: str, capsys: pytest.CaptureFixture[str]):
    assert main(["scan", str(devices), "--index", index_file]) == 0
    out, err = capsys.readouterr()
    assert out == ROWS
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in err.splitlines())
    assert re.fullmatch(r"[\d,]+ devices/s \(\d+\.\d+ s\)", lines.pop("rate"))
    assert lines == {
        "devices": "5",
        "distinct": "4",
        "matched": "3 (60.0%)",
        "unmatched": "1 (20.0%)",
        "invalid": "1 (20.0%)",
        "blank lines": "1",
        "top modules": "e1000e 2, mei_gsc 1",
        "index": index_file,
    }


def test_scan_to_a_file_with_summary(
    devices: Path, modules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, numbers = tmp_path / "out.csv", tmp_path / "summary.json"
    arguments = [
        "scan",
        str(devices),
        "--modules",
        modules,
        "-q",
        "-o",
        str(out),
        "--summary-json",
        str(numbers),
    ]
    assert main(arguments) == 0
    assert out.read_text() == ROWS
    assert capsys.readouterr() == ("", "")
    summary = json.loads(numbers.read_text())
    assert summary.pop("seconds") > 0
    assert summary.pop("devices_per_second") > 0
    assert summary == {
        "devices": 5,
        "distinct": 4,
        "matched": 3,
        "unmatched": 1,
        "invalid": 1,
        "blank": 1,
        "partial": 0,
        "certain": 0,
        "possible": 0,
        "none": 0,
        "rejected": 0,
        "top_modules": [{"module": "e1000e", "devices": 2}, {"module": "mei_gsc", "devices": 1}],
        "index": modules,
        "input": str(devices),
    }


def test_scan_lists_ten_modules_at_most(tmp_path: Path, modules: str, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "devices.txt"
    path.write_bytes(b"\n".join(key for key in sample_devices(100) if b"\n" not in key))
    assert main(["scan", str(path), "--modules", modules, "-o", os.devnull]) == 0
    (top,) = re.findall(r"^top modules +(.*)$", capsys.readouterr().err, re.MULTILINE)
    counts = [int(entry.rpartition(" ")[2].replace(",", "")) for entry in top.split(", ")]
    assert len(counts) == 10
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("form", ["list", "csv", "jsonl"])
def test_scan_of_standard_input(form: str, index_file: str):
    data = {
        "list": f"{E1000E}\n",
        "csv": f"host,id\nh1,{E1000E}\n",
        "jsonl": json.dumps({"host": "h1", "id": E1000E}) + "\n",
    }[form]
    expected = {
        "list": f"device,modules,error\n{E1000E},e1000e,\n",
        "csv": f"host,device,modules,error\nh1,{E1000E},e1000e,\n",
        "jsonl": json.dumps({"host": "h1", "device": E1000E, "modules": ["e1000e"]}) + "\n",
    }[form]
    done = subprocess.run(
        command("scan", "-", "--index", index_file, "--column", "id", "--format", form),
        input=data,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == expected


@pytest.mark.parametrize(
    ("output", "option", "form"),
    [("o.csv", [], "csv"), ("o.jsonl", [], "jsonl"), ("o.txt", [], "csv"), ("o.csv", ["jsonl"], "jsonl")],
)
def test_form_of_the_output(devices: Path, index_file: str, output: str, option: list[str], form: str):
    path = devices.with_name(output)
    options = [f"--output-format={name}" for name in option]
    assert main(["scan", str(devices), "--index", index_file, "-q", "-o", str(path), *options]) == 0
    assert path.read_text().startswith({"csv": "device,", "jsonl": "{"}[form])


def test_scan_may_replace_its_own_input(devices: Path, index_file: str):
    assert main(["scan", str(devices), "--index", index_file, "-q", "-o", str(devices)]) == 0
    assert devices.read_text() == ROWS


BAD_INPUT = {
    "missing": (None, r"No such file or directory.*none\.csv"),
    "column": ("host,id\nh,x\n", r"no column named 'modalias'.*host, id"),
    "late": ("modalias,host\n" + "x,h\n" * 20_000 + "x\n", r"record 20001 has 1 fields"),
    "twice": ("modalias,modules\nx,y\n", r"rename them: modules"),
}


@pytest.mark.parametrize(("text", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_writes_nothing(
    text: str | None, message: str, tmp_path: Path, index_file: str, capsys: pytest.CaptureFixture[str]
):
    path, out = tmp_path / "none.csv", tmp_path / "out.csv"
    if text is not None:
        path.write_text(text)
    before = set(tmp_path.iterdir())
    assert main(["scan", str(path), "--index", index_file, "-o", str(out)]) == 3
    assert re.fullmatch(f"pyalias: .*{message}.*\n", capsys.readouterr().err)
    assert set(tmp_path.iterdir()) == before


def test_full_standard_output(devices: Path, index_file: str):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("scan", str(devices), "--index", index_file),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 3
    assert re.fullmatch(rb"pyalias: .*No space left on device\n", done.stderr)


def test_broken_pipe_is_quiet(tmp_path: Path, index_file: str):
    path = tmp_path / "devices.txt"
    path.write_text(f"{E1000E}\n" * 200_000)
    scan = subprocess.Popen(
        command("scan", str(path), "--index", index_file), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    scan.stdout.read(100)
    scan.stdout.close()
    assert scan.stderr.read() == b""
    assert scan.wait() == 141
    scan.stderr.close()


def test_interrupt_leaves_nothing(tmp_path: Path, index_file: str):
    """The temporary file shows that the scan is under way; the open pipe keeps it there."""
    # Shells start background jobs with SIGINT ignored, and children inherit that unless there is a handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        scan = subprocess.Popen(
            command("scan", "-", "--index", index_file, "-o", str(tmp_path / "out.csv")),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    scan.stdin.write(f"{E1000E}\n".encode() * 100_000)
    scan.stdin.flush()
    while not list(tmp_path.iterdir()):
        assert scan.poll() is None
        time.sleep(0.01)
    scan.send_signal(signal.SIGINT)
    _, error = scan.communicate()
    assert (scan.returncode, error) == (130, b"pyalias: interrupted\n")
    assert list(tmp_path.iterdir()) == []


# ---- progress ----


@pytest.mark.parametrize(("fraction", "share"), [(0.5, "   50%  0:02 left"), (None, "")])
def test_progress_line(fraction: float | None, share: str, monkeypatch: pytest.MonkeyPatch):
    now = iter([0.0, 0.05, 2.0])
    monkeypatch.setattr("pyalias.cli.progress.time.monotonic", lambda: next(now))
    terminal = io.StringIO()
    progress = Progress(terminal, lambda: fraction)
    progress(1)  # too early for another line
    progress(3_000_000)
    assert terminal.getvalue() == f"\r3,000,000 devices  1,500,000/s{share}\x1b[K"
    progress.close()
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(("option", "shown"), [([], True), (["--quiet"], False)])
def test_progress_only_on_a_terminal(devices: Path, index_file: str, option: list[str], shown: bool):
    main_end, terminal_end = pty.openpty()
    scan = command("scan", str(devices), "--index", index_file, *option)
    with os.fdopen(main_end, "rb", buffering=0) as terminal:
        done = subprocess.run(scan, stdout=subprocess.PIPE, stderr=terminal_end, text=True, check=True)
        os.write(terminal_end, b"end")
        os.close(terminal_end)
        text = b""
        while not text.endswith(b"end"):
            text += terminal.read(1024)
    assert done.stdout == ROWS
    assert (b"\r\x1b[K" in text) is shown
