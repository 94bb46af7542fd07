"""The modules that a fleet needs, and those it does not: beside modprobe, and by looking at each device."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from support.fleet import write_parquet
from support.inventories import INVENTORIES
from support.tables import EXPECTED, read_answers

from pyalias.cli import main
from pyalias.conformance import write_tree
from pyalias.fleet import DeviceCounts, ModuleSet, UnusedModules, minimal, unused
from pyalias.inventory import open_inventory
from pyalias.kmod import Kmod
from pyalias.modalias import bus_of

if TYPE_CHECKING:
    from pathlib import Path

    import pyalias
    from pyalias.conformance import Tree

RELEASE = "6.12.117-amd64"


@pytest.fixture(scope="module")
def roots(kernel_dirs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The real kernels' trees, in which all module files are there, though empty."""
    base = tmp_path_factory.mktemp("trees")
    (base / "empty.conf").touch()
    for release, directory in kernel_dirs.items():
        modules = base / release / "lib" / "modules" / release
        shutil.copytree(directory, modules)
        for line in (modules / "modules.dep").read_text("ascii").splitlines():
            path = modules / line.partition(":")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return {release: base / release for release in kernel_dirs}


def open_kmod(roots: dict[str, Path], release: str) -> Kmod:
    return Kmod(roots[release] / "lib" / "modules" / release, [], cmdline="")


def devices_of(release: str) -> list[str]:
    """A device for each distinct answer that libkmod gave in our tables, and some that nothing claims."""
    by_answer: dict[Any, list[str]] = {}
    for table in EXPECTED:
        if table.release == release:
            for key, answer in read_answers(table.path):
                text = key.decode("utf-8", "surrogateescape")
                if bus_of(text):
                    by_answer.setdefault(answer, []).append(text)
    return [text for answer, texts in by_answer.items() for text in texts[: 1 if answer else 20]]


@pytest.fixture(scope="module")
def kmod(roots: dict[str, Path]) -> Kmod:
    return open_kmod(roots, RELEASE)


@pytest.fixture(scope="module")
def devices() -> list[str]:
    return devices_of(RELEASE)


@pytest.fixture(scope="module")
def found(kmod: Kmod, devices: list[str]) -> ModuleSet:
    return minimal(kmod, DeviceCounts.of(devices))


@pytest.fixture(scope="module")
def modprobe() -> str:
    program = shutil.which("modprobe", path="/sbin:/usr/sbin:" + os.environ.get("PATH", ""))
    if program is None:
        if os.environ.get("PYALIAS_REQUIRE_LIBKMOD") == "1":
            pytest.fail("modprobe is not installed (Debian: kmod)")
        pytest.skip("modprobe is not installed (Debian: kmod)")
    return program


# ---- the smallest set, on real kernels ----


@pytest.mark.parametrize(
    ("release", "at_least"), [(RELEASE, 800), ("6.12.117-cloud-amd64", 3), ("7.2.13-amd64", 800)]
)
def test_the_set_is_what_modprobe_loads_for_the_devices(
    roots: dict[str, Path], modprobe: str, release: str, at_least: int
):
    """All devices at once, by the real modprobe: the same files, built-in modules beside them."""
    root, devices = roots[release], devices_of(release)
    command = [modprobe, "-d", root, "-S", release, "-C", root.parent / "empty.conf", "-a", "-D"]
    done = subprocess.run([*command, *devices], capture_output=True, text=True, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    prefix = f"{root}/lib/modules/{release}/"
    files = {line[1].removeprefix(prefix) for line in lines if line[0] == "insmod"}
    found = minimal(open_kmod(roots, release), DeviceCounts.of(devices))
    assert len(files) >= at_least
    assert {module.path for module in found.modules} == files
    assert set(found.builtin) == {line[1] for line in lines if line[0] == "builtin"}
    assert found.missing == ()
    assert all(module.has_file for module in found.modules)


def test_every_device_has_its_modules_and_without_any_of_them_some_device_lacks_one(
    kmod: Kmod, devices: list[str], found: ModuleSet
):
    paths = {f"{kmod.directory}/{module.path}" for module in found.modules}
    loads = []
    for device in devices:
        actions = kmod.show_depends(device) or ()
        loads.append({action.path for action in actions if action.kind == "insmod"})
        assert loads[-1] <= paths, device
    for module in found.modules:
        path = f"{kmod.directory}/{module.path}"
        assert sum(path in load for load in loads) == module.devices > 0, module


def test_reasons(kmod: Kmod, devices: list[str], found: ModuleSet):
    claiming = {name for device in devices for name in kmod.lookup(device)}
    reasons = {module.name: module.reason for module in found.modules}
    assert {name for name, reason in reasons.items() if reason == "device"} == claiming - set(found.builtin)
    hard = {other.name for name in claiming for other in kmod.module(name).dependencies}
    assert {name for name, reason in reasons.items() if reason == "dependency"} == hard - claiming
    assert reasons["ipmi_devintf"] == "softdep"  # softdep ipmi_msghandler post: ipmi_devintf


def test_devices_count_as_often_as_there_are(kmod: Kmod):
    e1000e = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
    counts = DeviceCounts.of([e1000e, e1000e, "pci:none", "a]"])
    found = minimal(kmod, counts)
    assert [(module.name, module.devices) for module in found.modules] == [("e1000e", 2)]
    assert found.coverage == (4, 3, 2, 1, 1, 0, 0, 0)
    assert counts.devices == 4


# ---- devices of which not all ids are known ----

CARD = "pci:v00008086d000015B7sv*sd*bc*sc*i*"


def test_partial_devices(kmod: Kmod):
    """What is certain is in the set, what is possible beside it, or in it when asked for."""
    devices = DeviceCounts()
    devices.partial.update({CARD: 3, "pci:v00001AF4d0000FFFFsv*sd*bc0Asc00i00": 1})
    found, more = minimal(kmod, devices), minimal(kmod, devices, possible=True)
    answer = kmod.alias_index().lookup_partial(CARD)
    assert answer.certain == ("e1000e",)
    assert [(module.name, module.devices) for module in found.modules] == [("e1000e", 3)]
    claiming = {module.name for module in found.possible if module.reason == "device"}
    assert claiming == set(answer.possible)
    assert {module.name for module in found.possible} == {
        name
        for top in answer.possible
        for name in (top, *(other.name for other in kmod.module(top).dependencies))
    } | {module.name for module in found.possible if module.reason == "softdep"}
    assert {module.possible_devices for module in found.possible} == {3}
    assert set(more.modules) == {*found.modules, *found.possible}
    assert more.possible == ()
    assert found.coverage[-3:] == (1 + 2, 0, 1)


def test_partial_devices_ask_the_configuration_first(tmp_path: Path):
    tree = write_tree(tmp_path / "root", CASE | {"config": {"x.conf": "alias pci:v00001AF4d* b\n"}})
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    index = kmod.alias_index()
    assert index.lookup_partial("pci:v00001AF4d00001000sv*sd*bc02sc00i00").certain == ("b",)
    assert index.lookup_partial("pci:v*d00001000sv*sd*bc02sc00i00")[:3] == ("certain", (), ("b", "a"))
    assert index.lookup("pci:v00001AF4d1") == kmod.lookup("pci:v00001AF4d1") == ("b",)


# ---- what a tree and a configuration may say ----

CASE: dict[str, Any] = {
    "name": "of these tests",
    "source": "these tests",
    "tree": {
        "aliases": [
            ["pci:v*", "a"],
            ["usb:v1*", "u"],
            ["usb:v2*", "gone"],
            ["fs-x", "f"],
            ["devname:x", "f"],
            ["pci:w*", "w"],
            ["usb:w*", "w"],
        ],
        "modules": [
            {"path": "kernel/a.ko", "depends": ["kernel/b.ko", "kernel/c.ko"]},
            {"path": "kernel/b.ko", "depends": ["kernel/c.ko"]},
            {"path": "kernel/c.ko"},
            {"path": "kernel/s-s.ko", "depends": ["kernel/t.ko"]},
            {"path": "kernel/t.ko", "file": False},
            {"path": "kernel/weak.ko"},
            {"path": "kernel/u.ko", "depends": ["kernel/helper.ko", "kernel/f.ko"]},
            {"path": "kernel/helper.ko", "depends": ["kernel/helper2.ko"]},
            {"path": "kernel/helper2.ko"},
            {"path": "kernel/f.ko"},
            {"path": "kernel/w.ko"},
            {"path": "kernel/alone.ko"},
        ],
        "builtin": ["kernel/in.ko"],
    },
}
SOFT = "softdep c pre: s-s in none-such post: a\nweakdep t weak\n"


def tree_with(tmp_path: Path, config: str) -> Tree:
    return write_tree(tmp_path / "root", CASE | {"config": {"some.conf": config}})


def needs(tree: Tree, *devices: str) -> ModuleSet:
    return minimal(Kmod(tree.modules, tree.config, cmdline=""), DeviceCounts.of(devices))


def test_soft_and_weak_dependencies_with_what_they_need(tmp_path: Path):
    """A circle of them too: softdep c post: a."""
    found = needs(tree_with(tmp_path, SOFT), "pci:v1")
    assert {module.name: module.reason for module in found.modules} == {
        "a": "device",
        "b": "dependency",
        "c": "dependency",
        "s_s": "softdep",
        "t": "softdep",
        "weak": "weakdep",
    }
    assert found.builtin == ("in",)
    assert [(module.name, module.path) for module in found.modules if not module.has_file] == [
        ("t", "kernel/t.ko")
    ]
    assert [module.path for module in found.modules if module.name == "s_s"] == ["kernel/s-s.ko"]


def test_modules_that_are_missing(tmp_path: Path):
    found = needs(tree_with(tmp_path, "alias dev:x nowhere\n"), "usb:v2", "dev:x", "pci:v")
    assert found.missing == ("gone", "nowhere")
    assert found.coverage.covered == 3


def test_the_blacklist_keeps_what_is_found_by_an_alias(tmp_path: Path):
    """Not what is loaded as a dependency, as in modprobe."""
    found = needs(tree_with(tmp_path, "blacklist u\nblacklist c\n"), "usb:v1", "pci:v1")
    assert [module.name for module in found.modules] == ["a", "b", "c"]
    assert found.blacklisted == ("u",)


# ---- the reverse ----

LISTS = (
    "needed",
    "possible",
    "unused",
    "unused_dependencies",
    "loaded_by_others",
    "unseen_buses",
    "no_devices",
)


def test_every_module_of_a_small_tree_is_in_one_list(tmp_path: Path):
    kmod = Kmod(tree_with(tmp_path, "").modules, [], cmdline="")
    found = unused(kmod, DeviceCounts.of(["pci:v1"]))
    assert [getattr(found, name) for name in LISTS] == [
        ("a", "b", "c"),
        (),
        (),
        (),
        (),
        ("u", "w"),  # the inventory has no usb device
        ("alone", "f", "helper", "helper2", "s_s", "t", "weak"),
    ]
    for other in (
        unused(kmod, DeviceCounts.of(["pci:v1", "usb:x"])),
        unused(kmod, DeviceCounts.of(["pci:v1"]), all_buses=True),
    ):
        assert [getattr(other, name) for name in LISTS] == [
            ("a", "b", "c"),
            (),
            ("u", "w"),
            ("helper", "helper2"),  # f is a file system too
            (),
            (),
            ("alone", "f", "s_s", "t", "weak"),
        ]


def test_a_circle_of_helpers_goes_with_its_driver(tmp_path: Path):
    config = "softdep helper2 pre: helper\n"
    tree = tree_with(tmp_path, config)
    kmod = Kmod(tree.modules, tree.config, cmdline="")
    devices = DeviceCounts.of(["pci:v1", "usb:x"])
    assert unused(kmod, devices).unused_dependencies == ("helper", "helper2")
    (tree.config / "more.conf").write_text("softdep alone post: helper2\n")
    kmod.reload()
    found = unused(kmod, devices)
    assert (found.unused, found.unused_dependencies) == (("u", "w"), ())


@pytest.fixture(scope="module")
def real(kmod: Kmod, devices: list[str]) -> UnusedModules:
    counts = DeviceCounts.of(devices)
    counts.partial[CARD] = 1
    return unused(kmod, counts)


def test_every_module_of_a_real_tree_is_in_one_list(kmod: Kmod, real: UnusedModules, found: ModuleSet):
    dep = (kmod.directory / "modules.dep").read_text("ascii").splitlines()
    names = [line.partition(":")[0].rpartition("/")[2].partition(".")[0].replace("-", "_") for line in dep]
    listed = [name for kind in LISTS for name in getattr(real, kind)]
    assert sorted(listed) == sorted(names)
    assert {module.name for module in found.modules} <= {*real.needed, *real.possible}
    assert min(len(getattr(real, kind)) for kind in LISTS if kind != "possible") > 5


def test_a_driver_that_other_modules_load_is_not_unused(kmod: Kmod):
    """cxgb3i drives no device itself: it is loaded by name, and cxgb3 with it."""
    found = unused(kmod, DeviceCounts.of(["pci:x", "usb:x"]))
    assert {"cxgb3", "usbcore"} <= set(found.loaded_by_others)
    assert "cxgb3i" in found.no_devices


def test_no_device_is_claimed_by_an_unused_module(
    real: UnusedModules, devices: list[str], indexes: dict[str, pyalias.AliasIndex]
):
    claiming = {name for answer in indexes[RELEASE].lookup_many(devices) for name in answer}
    not_needed = {*real.unused, *real.unused_dependencies}
    assert claiming & not_needed == set()
    aliases: dict[str, set[str]] = {}
    for alias in indexes[RELEASE].aliases():
        aliases.setdefault(alias.module, set()).add(bus_of(alias.pattern))
    assert all(aliases[name] - {""} <= set(real.buses) for name in real.unused)
    assert all(aliases[name] - {""} - set(real.buses) for name in real.unseen_buses)
    assert not any(aliases.get(name, set()) - {""} for name in real.no_devices)
    assert not any(name in aliases for name in real.unused_dependencies)


def test_what_is_left_loads_all_else_without_the_unused(kmod: Kmod, real: UnusedModules):
    """Remove the unused, and nothing else lacks a dependency."""
    removed = {*real.unused, *real.unused_dependencies}
    for module in kmod.all_modules():
        if module.name not in removed:
            soft = module.soft_dependencies
            assert {other.name for other in (*module.dependencies, *soft.pre, *soft.post)} & removed == set()


# ---- the command line ----


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs a command on the small tree."""
    tree = tree_with(tmp_path, SOFT)

    def run_it(*arguments: str) -> tuple[int, str, str]:
        code = main([arguments[0], "--modules", str(tree.modules), *arguments[1:]])
        return code, *capsys.readouterr()

    return run_it


def test_minimal_prints_names_or_paths(run: Any, tmp_path: Path):
    (tmp_path / "d.txt").write_text("pci:v1\n\nnone\npci:v1\n")
    code, out, err = run("minimal", str(tmp_path / "d.txt"))
    assert (code, out.split()) == (0, ["a", "b", "c"])
    assert (
        "devices  3 (2 distinct)\ncovered  2\nuncovered  1" in " ".join(err.split(" ")).replace("    ", "  ")
        or err
    )
    code, out, _ = run("minimal", str(tmp_path / "d.txt"), "--paths", "-q")
    assert out.split() == ["kernel/a.ko", "kernel/b.ko", "kernel/c.ko"]


def test_minimal_tells_what_the_tree_lacks(run: Any, tmp_path: Path):
    (tmp_path / "d.txt").write_text("usb:v2\npci:v1\n")
    code, out, err = run(
        "minimal", str(tmp_path / "d.txt"), "-C", str(tmp_path / "root/etc/modprobe.d"), "-q"
    )
    assert (code, out.split()) == (1, ["a", "b", "c", "s_s", "t", "weak"])
    assert err.splitlines() == [
        "pyalias: WARNING: gone is neither in modules.dep nor built in",
        "pyalias: WARNING: the file of t is not there",
    ]


def test_json(run: Any, tmp_path: Path):
    (tmp_path / "d.txt").write_text("pci:v*d*sv*sd*bc*sc*i*\npci:v1\n")
    _, out, _ = run("minimal", str(tmp_path / "d.txt"), "--json", "-q")
    described = json.loads(out)
    assert described["modules"][1] == {
        "name": "b", "path": "kernel/b.ko", "reason": "dependency",
        "devices": 2, "possible_devices": 0, "has_file": True,
    }  # fmt: skip
    assert described["coverage"]["certain"] == 1
    _, out, _ = run("unused", str(tmp_path / "d.txt"), "--json", "-q", "--all-buses")
    assert json.loads(out)["unused"] == ["u", "w"]


def test_unused_prints_drivers_and_their_helpers(run: Any, tmp_path: Path):
    (tmp_path / "d.txt").write_text("pci:v1\nusb:x\n")
    code, out, err = run("unused", str(tmp_path / "d.txt"))
    assert (code, out.split()) == (0, ["helper", "helper2", "u", "w"])
    assert "unused      2 drivers, 2 that only they load" in err
    assert "5 that claim no devices" in err


def test_inventories_of_several_shapes_and_what_a_scan_wrote(
    kmod: Kmod, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The same modules from osquery's partial devices and from the scan's rows of them."""
    modules = str(kmod.directory)
    files = [str(INVENTORIES / name) for name in ("osquery.json", "udev.txt")]
    assert main(["minimal", *files, "--modules", modules, "-q"]) == 0
    names = capsys.readouterr().out.split()
    assert {"e1000e", "nouveau", "drm", "nvme"} <= set(names)
    rows = [str(tmp_path / f"{number}.csv") for number in range(2)]
    for file, row in zip(files, rows, strict=True):
        assert main(["scan", file, "--modules", modules, "-q", "-o", row]) == 0
    assert main(["minimal", *rows, "--column", "device", "--modules", modules, "-q"]) == 0
    assert capsys.readouterr().out.split() == names


def test_parquet(tmp_path: Path):
    pytest.importorskip("duckdb")
    from pyalias.engines.files import open_files

    rows = [("h1", "pci:v1"), ("h2", "pci:v1"), ("h3", CARD), ("h4", ""), ("h5", None)]
    write_parquet(str(tmp_path / "d.parquet"), rows)
    counts = DeviceCounts()
    counts.read_files(open_files([str(tmp_path / "*.parquet")]))
    assert (dict(counts.known), dict(counts.partial), counts.blank) == ({"pci:v1": 2}, {CARD: 1}, 2)


def test_rejects_of_files_that_duckdb_reads(run: Any, tmp_path: Path):
    pytest.importorskip("duckdb")
    (tmp_path / "a.csv").write_text("host,modalias\nh1,pci:v1\n")
    (tmp_path / "b.csv").write_text("host,modalias\nh2\nh3,usb:v1\n")
    bad = tmp_path / "bad.jsonl"
    code, out, _ = run("minimal", str(tmp_path / "*.csv"), "-q", "--rejects", str(bad))
    assert (code, out.split()) == (0, ["a", "b", "c", "f", "helper", "helper2", "u"])
    assert json.loads(bad.read_text())["entry"] == "h2"


def test_rejects(run: Any, tmp_path: Path):
    (tmp_path / "d.csv").write_text("host,modalias\nh1,pci:v1\nh2\n")
    code, out, err = run("minimal", str(tmp_path / "d.csv"))
    assert (code, out) == (3, "")
    assert "record 2 has 1 fields" in err
    code, out, _ = run("minimal", str(tmp_path / "d.csv"), "-q", "--rejects", str(tmp_path / "bad.jsonl"))
    assert (code, out.split()) == (0, ["a", "b", "c"])
    assert json.loads((tmp_path / "bad.jsonl").read_text())["entry"] == "h2\n"


def test_a_kernel_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "d.txt").write_text("pci:v1\n")
    for command in ("minimal", "unused"):
        assert main([command, str(tmp_path / "d.txt"), "--modules", str(tmp_path / "none")]) == 3
        assert "modules.dep" in capsys.readouterr().err


def test_what_is_no_device_is_counted_and_does_not_end_the_run(kmod: Kmod):
    """Partial devices of no form, as what libkmod refuses; dmi's own texts may hold a star."""
    devices = DeviceCounts.of(["a]"])
    devices.partial.update({"pci:v0000*": 2, "dmi:bvnA*B:": 1, "dmi:[": 1, CARD: 1})
    assert minimal(kmod, devices).coverage == (6, 5, 0, 1, 4, 1, 0, 0)


def test_the_inventory_of_a_record_shape_has_partial_devices():
    with open_inventory(INVENTORIES / "nfd.json") as inventory:
        counts = DeviceCounts()
        counts.read(inventory)
    assert (len(counts.known), len(counts.partial)) == (0, 5)
