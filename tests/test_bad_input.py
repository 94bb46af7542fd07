"""Bad input of every kind but damaged images: a pyalias exception or a defined answer, and nothing lost."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.oracle import Oracle

import pyalias
from pyalias import AliasFileError, AliasIndex, FileAccessError, ImageError, PyaliasError

if TYPE_CHECKING:
    from pathlib import Path

# ---- files that are not there, or not what they should be ----

READERS = {
    "from_modules": AliasIndex.from_modules,
    "from_alias_file": AliasIndex.from_alias_file,
    "open": AliasIndex.open,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_missing(read, tmp_path: Path):
    with pytest.raises(FileAccessError, match="No such file") as error:
        read(tmp_path / "missing")
    assert isinstance(error.value, OSError)
    assert "missing" in str(error.value)
    assert error.value.errno == 2


def test_directory_that_is_no_modules_directory(tmp_path: Path):
    (tmp_path / "README").write_text("hello")
    with pytest.raises(FileAccessError, match=r"modules\.alias.*|depmod"):
        AliasIndex.from_modules(tmp_path)


@pytest.mark.parametrize("read", [AliasIndex.from_alias_file, AliasIndex.open])
def test_directory_for_a_file(read, tmp_path: Path):
    with pytest.raises(FileAccessError, match="directory"):
        read(tmp_path)


def test_file_for_a_modules_directory(tmp_path: Path):
    (tmp_path / "file").write_text("alias a b\n")
    with pytest.raises(PyaliasError, match=r"expected a .*directory"):
        AliasIndex.from_modules(tmp_path / "file")


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_unreadable(read, tmp_path: Path):
    """Root reads everything, so a path through a file stands in for it there."""
    target = tmp_path / "modules"
    if os.geteuid() == 0:
        target.write_text("x")
        target = target / "below"
    else:
        target.mkdir(mode=0)
    with pytest.raises(FileAccessError):
        read(target)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_path_that_is_too_long(read):
    with pytest.raises(PyaliasError, match="too long"):
        read("x" * 5000)


def test_empty_files(tmp_path: Path):
    """An empty modules.alias is what depmod writes for a kernel without modules; an empty image is none."""
    (tmp_path / "modules.alias").touch()
    assert AliasIndex.from_modules(tmp_path).lookup("a") == ()
    assert AliasIndex.from_alias_file(tmp_path / "modules.alias").counts.aliases == 0
    with pytest.raises(ImageError, match="empty"):
        AliasIndex.open(tmp_path / "modules.alias")


# ---- texts ----


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("alias\ta\n", ":1: ", "no module"),
        ("alias x\n", ":1: ", "no module"),
        ("alias  x\n", ":1: ", "no module"),
        ("# comment\nalias a m\nalias b \n", ":3: ", "module"),
        ("alias a\0b m\n", ":1: ", "NUL"),
        ("alias a m\0\n", ":1: ", "byte 0x00"),
        ("hello world\n", ":1: ", "no alias"),
        ("#c\n\n<html>\n", ":3: ", "no alias"),
        ("\x1f\x8b\x08 gzip", ":1: ", "no alias"),
    ],
)
def test_line_that_is_no_alias(tmp_path: Path, text: str, place: str, message: str):
    path = tmp_path / "modules.alias"
    path.write_text(text)
    with pytest.raises(AliasFileError, match=message) as error:
        AliasIndex.from_alias_file(path)
    assert f"modules.alias{place}" in str(error.value)
    assert str(error.value.line) in place


def test_other_commands_among_aliases_are_passed_over(tmp_path: Path):
    """As kmod does with what it does not know; the file as a whole has aliases."""
    path = tmp_path / "modules.alias"
    path.write_text("options m x=1\nblacklist m\naliases a b\nalias a m\n\n   \nALIAS b m\n")
    index = AliasIndex.from_alias_file(path)
    assert (index.counts.aliases, index.lookup("a"), index.lookup("b")) == (1, ("m",), ())


@pytest.mark.parametrize(
    "data", [b"no record", b"core.alias", b"core.alias=a\0\0", b".alias=a\0", b"alias=a\0"]
)
def test_damaged_builtin_modinfo(tmp_path: Path, data: bytes):
    (tmp_path / "modules.alias").write_bytes(b"alias a m\n")
    (tmp_path / "modules.builtin.modinfo").write_bytes(data)
    with pytest.raises(AliasFileError, match=r"modules\.builtin\.modinfo:\d+: expected"):
        AliasIndex.from_modules(tmp_path)


def test_builtin_modinfo_cut_short_is_a_shorter_one(tmp_path: Path):
    """Its records have no count: a cut that leaves a whole "module.key=" is a shorter value."""
    (tmp_path / "modules.alias").write_bytes(b"alias a m\n")
    (tmp_path / "modules.builtin.modinfo").write_bytes(b"core.license=GPL\0core.alias=bus:dev")
    index = AliasIndex.from_modules(tmp_path)
    assert (index.lookup("bus:dev"), index.lookup("bus:device")) == (("core",), ())


@pytest.mark.parametrize(
    "alias",
    [
        "ab",
        ("a",),
        ("a", 5),
        (None, "m"),
        7,
        ("a\0", "m"),
        ("a", "m\0"),
        ("a", ""),
        ("a\ud800", "m"),
        (5, "m"),
    ],
)
def test_pairs_that_are_no_aliases(alias: object):
    if alias == "ab":  # two characters unpack as a pair: a pattern and a module
        assert AliasIndex.compile([alias]).lookup("a") == ("b",)
        return
    with pytest.raises(AliasFileError, match="2"):
        AliasIndex.compile([("ok", "m"), alias])


@pytest.mark.parametrize("aliases", [5, None])
def test_what_cannot_be_iterated(aliases: object):
    with pytest.raises(TypeError):
        AliasIndex.compile(aliases)


# ---- hostile patterns and keys ----


def limited(program: str, seconds: int, megabytes: int) -> str:
    """Run Python code within processor time and memory; what it prints."""
    limits = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_AS: megabytes << 20}
    done = subprocess.run(
        [sys.executable, "-c", f"import pyalias\n{program}"],
        preexec_fn=lambda: [resource.setrlimit(kind, (most, most)) for kind, most in limits.items()],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout


def test_100_000_patterns_of_only_wildcards():
    """All distinct; every key matches thousands. Generous limits that quadratic work would burst."""
    program = """
from itertools import islice, product
texts = ("".join(p) for n in range(1, 20) for p in product("*?", repeat=n))
patterns = list(islice(texts, 100_000))
index = pyalias.AliasIndex.compile([(p, f"m{i % 7}") for i, p in enumerate(patterns)])
print(index.counts.aliases)
for key in ("", "a", "abc", "x" * 16):
    expected = sum(p.count("?") == len(key) or ("*" in p and p.count("?") < len(key)) for p in patterns)
    assert len(index.lookup(key)) == expected, key
    assert len(index.lookup_many([key, key])[1]) == expected
"""
    assert limited(program, seconds=60, megabytes=1500) == "100000\n"


def test_stars_in_patterns_and_long_keys():
    """What takes a backtracking matcher exponential time."""
    program = """
patterns = ["*a" * n + "b" for n in range(1, 400)]
patterns += ["*" * 2000 + "c", ("*" + "?" * 30) * 60 + "d", "*[!b]" * 500]
index = pyalias.AliasIndex.compile([(p, "m") for p in patterns])
for key in ("a" * 4000, "a" * 4000 + "b", "ab" * 2000, "?" * 100):
    print(len(index.lookup(key)))
"""
    assert limited(program, seconds=60, megabytes=1500).split() == ["1", "399", "399", "0"]


def test_nested_stars_do_not_multiply():
    """Each pattern of n stars in a row of letters branches at every letter of the key."""
    program = """
from itertools import product
patterns = ["*" + "*".join(p) + "*" for n in range(1, 7) for p in product("abc", repeat=n)]
index = pyalias.AliasIndex.compile([(p, "m") for p in patterns])
key = "abc" * 1300
assert len(index.lookup(key)) == len(patterns)
print(len(patterns))
"""
    assert limited(program, seconds=60, megabytes=1500) == "1092\n"


HOSTILE_KEYS = [
    b"a" * 8192,
    b"[" * 8192,
    b"]" * 8192,
    b"[a" * 4096,
    b"[]" * 4096,
    b"*" * 8192,
    b"?" * 8192,
    b"*?[a]" * 1640,
    b"-" * 8192,
    b"\\" * 8192,
    b"\xff" * 8192,
    "é".encode() * 4096,
    b"pci:v" + b"0" * 8192,
    b"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00" * 150,
]


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=lambda key: f"{key[:12]!r}")
def test_hostile_keys(indexes: dict[str, AliasIndex], oracles: dict[str, Oracle], key: bytes):
    index, oracle = indexes["6.12.117-amd64"], oracles["6.12.117-amd64"]
    expected = oracle.lookup(key)
    answers = index.lookup_many([key, b"cxl:t3", key])
    if isinstance(expected, int):
        with pytest.raises(pyalias.InvalidModaliasError) as refusal:
            index.lookup(key)
        assert refusal.value.errno == expected
        assert answers.invalid == (0, 2)
    else:
        assert index.lookup(key) == answers[0] == answers[2] == expected
    assert answers[1] == ("cxl_port",)


LONG_PATTERNS = [
    b"x" * 4095,
    b"x" * 4096,
    b"x" * 10_000 + b"*",
    b"x" * 4094 + b"*",
    b"x" * 4093 + b"[ab]",
    b"*" * 10_000,
    b"?" * 10_000,
    b"?*" * 3000,
    b"[ab]" * 2000,
    b"x" + b"[" + b"a" * 5000 + b"]",
    b"x\\" * 3000,
    b"\xff\xfe\x80*",
    "ünï*".encode(),
    b"*\xc3\xa9",
]


def test_long_and_odd_patterns_answer_as_the_oracle():
    """No kernel has bytes beyond ASCII (depmod refuses them); here they are bytes like others."""
    aliases = [(pattern, f"m{number}") for number, pattern in enumerate(LONG_PATTERNS)]
    index = AliasIndex.compile(aliases)
    oracle = Oracle(aliases)
    keys = [pattern[:length] for pattern in LONG_PATTERNS for length in (10, 4090, 4094, 4095, 4096, 9000)]
    keys += [b"a" * 1000, b"ab" * 1000, b"\xff\xfe\x80x", b"x\xc3\xa9", "ünïx".encode(), b""]
    for key in keys:
        expected = oracle.lookup(key)
        try:
            assert index.lookup(key) == expected
        except pyalias.InvalidModaliasError as refusal:
            assert refusal.errno == expected  # noqa: PT017 either is right


@pytest.mark.parametrize("module", ["m" * 4096, "a\tb", "a\nb"])
def test_module_names_that_no_file_has(module: str):
    with pytest.raises(AliasFileError, match="module name"):
        AliasIndex.compile([("a*", module)])


def test_longest_module_name():
    """It leaves no room for any alias: libkmod has one buffer for both."""
    index = AliasIndex.compile([("a*", "m" * 4095)])
    with pytest.raises(pyalias.InvalidModaliasError, match="too long"):
        index.lookup("a")
    assert index.lookup_many(["a", "n"]).invalid == (0,)
    assert index.lookup("n") == ()


# ---- writing ----


def test_save_where_nothing_can_be_written(tmp_path: Path):
    index = AliasIndex.compile([("a", "m")])
    (tmp_path / "directory").mkdir()
    for target in ("missing/x", "directory"):
        with pytest.raises(FileAccessError, match="nothing was written"):
            index.save(tmp_path / target)
    assert [path.name for path in tmp_path.rglob("*")] == ["directory"]


def test_save_on_a_full_disk_leaves_the_old_file(tmp_path: Path):
    """A tmpfs of 64 KB where this may be mounted; else a limit on file size, which fails half way as well."""
    program = """
import resource, sys
index = pyalias.AliasIndex.compile([(f"a{i}*", "m") for i in range(20_000)])
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    index.save(sys.argv[1])
except pyalias.FileAccessError as error:
    print(error)
"""
    full = tmp_path / "disk"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)]
    mounted = (
        shutil.which("mount") and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    )
    try:
        (full / "x").write_bytes(b"old")
        done = subprocess.run(
            [sys.executable, "-c", f"import pyalias{program}", full / "x", "mounted" if mounted else "limit"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert ("No space left" if mounted else "File too large") in done.stdout
        assert "nothing was written" in done.stdout
        assert (full / "x").read_bytes() == b"old"
        assert [path.name for path in full.iterdir()] == ["x"]
    finally:
        if mounted:
            subprocess.run(["umount", str(full)], check=True)


def test_a_killed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The name is taken last: whatever happens before, the old file stays."""
    path = tmp_path / "x"
    AliasIndex.compile([("old", "m")]).save(path)
    before = path.read_bytes()

    def killed(*_: object):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        AliasIndex.compile([("new", "m")]).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x"]
