"""Whole contexts beside the real libkmod: module directories, modprobe.d, command lines, names.

``PYALIAS_SOAK_CONTEXTS`` is how many random contexts are asked ten names each, by default 200.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.kmod_contexts import LibkmodContexts, ask_pyalias, differences, with_own_command_line
from support.libkmod import LibkmodMissingError
from support.random_contexts import write_random_context
from support.tables import GOLDEN, read_answers

from pyalias.kmod import Kmod

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONTEXTS = int(os.environ.get("PYALIAS_SOAK_CONTEXTS", "200"))
NAMES_EACH = 10
RELEASES = ("6.12.117-amd64", "6.12.117-cloud-amd64")


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibkmodContexts]:
    try:
        libkmod = LibkmodContexts(tmp_path_factory.mktemp("libkmod"))
    except LibkmodMissingError as error:
        reason = f"the real libkmod is not installed (Debian: libkmod2): {error}"
        if os.environ.get("PYALIAS_REQUIRE_LIBKMOD") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with libkmod:
        yield libkmod


def test_random_contexts(contexts: LibkmodContexts, tmp_path: Path):
    """Configuration, answers, module objects, filters and --show-depends, from .bin and from text."""
    differing = []
    answered = refused = shown = 0
    for seed in range(CONTEXTS):
        case = write_random_context(tmp_path / str(seed), seed, NAMES_EACH)
        theirs = contexts.ask(case)
        for prefer in ("bin", "text"):
            ours = ask_pyalias(case, prefer=prefer)
            differing += [(seed, prefer, *found) for found in differences(ours, theirs, case.names)]
        for answer in theirs["answers"]:
            refused += isinstance(answer, int)
            answered += isinstance(answer, dict) and bool(answer["modules"])
            shown += isinstance(answer, dict) and len(answer["shown"]) > 1
        shutil.rmtree(case.base)
    assert differing == []
    # The cases are about something: a third is found, some are refused, some have dependencies.
    assert answered > CONTEXTS * NAMES_EACH / 4
    assert refused > CONTEXTS * NAMES_EACH / 100
    assert shown > CONTEXTS * NAMES_EACH / 20


# ---- modprobe's own output, on kernels' own trees ----


@pytest.fixture(scope="module")
def root(kernel_dirs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two bundled kernels, whose modules are empty files, and a busy modprobe.d."""
    root = tmp_path_factory.mktemp("root")
    for release in RELEASES:
        directory = root / "lib" / "modules" / release
        shutil.copytree(kernel_dirs[release], directory)
        for line in (directory / "modules.dep").read_text().splitlines():
            path = directory / line.partition(":")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (root / "modprobe.d").mkdir()
    (root / "modprobe.d" / "some.conf").write_text(CONFIGURATION)
    (root / "proccmdline").write_text('quiet modprobe.blacklist=xhci_pci,ahci usbcore.x=1 e1000e.y="a b"\n')
    return root


CONFIGURATION = """\
alias pci:v00008086d000010D3* e1000e
alias pci:v00008086d000010D3* igb
alias mine snd-hda-intel
blacklist nouveau
blacklist snd_hda_intel
options snd-hda-intel power_save=1
options snd index=0
install usb-storage /sbin/modprobe --ignore-install usb-storage $CMDLINE_OPTS
softdep nvme pre: xhci_pci post: thunderbolt
softdep e1000* pre: snd_hda_intel
remove nothing /bin/true
"""


@pytest.fixture(scope="module")
def modprobe(root: Path) -> Path:
    found = shutil.which("modprobe", path="/sbin:/usr/sbin:" + os.environ.get("PATH", ""))
    if found is None:
        if os.environ.get("PYALIAS_REQUIRE_LIBKMOD") == "1":
            pytest.fail("modprobe is not installed (Debian: kmod)")
        pytest.skip("modprobe is not installed (Debian: kmod)")
    # It goes by the name it is called by.
    return with_own_command_line(root.joinpath(found).resolve(), root / "modprobe")


def ask_modprobe(
    program: Path, root: Path, release: str, options: Sequence[str], names: Sequence[bytes]
) -> bytes:
    """Standard output for many names; what it finds not goes to standard error."""
    arguments = ["-d", root, "-S", release, "-C", root / "modprobe.d", "-a", *options, *names]
    run = subprocess.run(
        [program, *arguments],
        cwd=root,
        env={"LC_ALL": "C", "KMOD_LOG": "0"},
        capture_output=True,
        check=False,
    )
    assert run.returncode in {0, 1}
    return run.stdout


def sample_names(release: str) -> list[bytes]:
    """1,000 names: devices, module names, symbols, things that modprobe.d names, and nonsense."""
    (table,) = [table for table in GOLDEN if table.release == release]
    rows = [key for key, _ in read_answers(table.path) if key and not key.startswith(b"-")]
    some = rows[:: len(rows) // 700][:700]
    own = [b"mine", b"nvme", b"e1000e", b"e1000", b"usb-storage", b"usb_storage", b"nothing", b"no-such"]
    own += [
        b"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
        b"xhci-pci",
        b"ahci",
        b"a[b",
        b"net-pf-10",
    ]
    return own + some


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("options", ["-R", "-D", "-D -b", "-D -i"])
def test_output_of_modprobe(release: str, options: str, root: Path, modprobe: Path):
    kmod = Kmod(
        root / "lib" / "modules" / release, root / "modprobe.d", cmdline=(root / "proccmdline").read_bytes()
    )
    modules = [line.split(":")[0] for line in (kmod.directory / "modules.dep").read_text().splitlines()]
    names = [path.rpartition("/")[2].partition(".")[0].encode() for path in modules]
    names = sample_names(release) + names[:: max(1, len(names) // 290)]
    assert len(names) > 990
    expected = ask_modprobe(modprobe, root, release, options.split(), names)
    assert expected.count(b"\n") > 900
    assert b"".join(printed(kmod, name, options) for name in names) == expected


def printed(kmod: Kmod, name: bytes, options: str) -> bytes:
    """What pyalias prints for a name."""
    try:
        if options == "-R":
            lines = kmod.lookup(name)
        else:
            lines = (
                kmod.show_depends(name, use_blacklist="-b" in options, ignore_install="-i" in options) or ()
            )
    except ValueError:
        lines = ()
    return b"".join(os.fsencode(f"{line}\n") for line in lines)
