"""The choice of a VFIO driver: against a slow obvious ranking, libvirt's rule, libkmod, and real trees."""

from __future__ import annotations

import json
import re
from array import array
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.libvirt import best_variant
from support.module_tree import read_aliases
from support.tables import DATA, read_lines

import pyalias
from pyalias import AliasIndex, vfio
from pyalias.cli import main
from pyalias.pci import PciDevice
from pyalias.vfio.variants import VARIANTS

if TYPE_CHECKING:
    from pathlib import Path

MLX5 = "pci:v000015B3d0000101Esv000015B4sd00000001bc02sc00i00"
NVME = "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02"
TIED = "pci:v00001234d000011E8sv00001AF4sd00001100bc00scFFi00"

# Ids from the tree's aliases, so that random devices match something more than the generic driver.
_IDS = sorted({(v.vendor, device) for v in VARIANTS for device in v.devices} | {(0x1234, 0x11E8)})
random_devices = st.builds(
    lambda ids, sub, code: PciDevice(*ids, *sub, code).modalias(),
    st.sampled_from(_IDS) | st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)),
    st.tuples(st.sampled_from([0, 0x15B3, 0x1AF4]), st.integers(0, 0xFFFF)),
    st.sampled_from([0x010802, 0x010800, 0x020000, 0x0108FF, 0x060400]),
)


@pytest.fixture(scope="module")
def alias_text(variant_tree: Path) -> str:
    return (variant_tree / "lib/modules/9.9.9/modules.alias").read_text("ascii")


@pytest.fixture(scope="module")
def variants(variant_tree: Path) -> AliasIndex:
    return AliasIndex.from_modules(variant_tree / "lib/modules/9.9.9")


@pytest.fixture(scope="module")
def devices(sysfs_roots: dict[str, Path]) -> list[str]:
    """Every device of the captured roots."""
    found = [
        (path / "modalias").read_text("ascii").strip()
        for root in sysfs_roots.values()
        for path in sorted((root / "sys/bus/pci/devices").iterdir())
    ]
    assert len(found) == 84
    return found


def obvious_choice(text: str, modalias: str) -> list[tuple[int, str]]:
    """Wild fields and module of each line that matches, the best first: by fnmatch, line by line."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if words[:1] != ["alias"] or not words[1].startswith("vfio_pci:"):
            continue
        if fnmatchcase(f"vfio_{modalias}", words[1]):
            fields = re.split("sv|sd|bc|sc|[vdi]", words[1].removeprefix("vfio_pci:"))[1:]
            assert len(fields) == 7
            found.append((sum(field == "*" for field in fields), words[2]))
    return sorted(found, key=lambda pair: pair[0])


def check_choice(index: AliasIndex, text: str, modalias: str) -> None:
    expected = obvious_choice(text, modalias)
    choice = vfio.choose(index, modalias)
    assert choice is not None
    assert [(c.wild_fields, c.module) for c in choice.candidates] == expected
    assert choice.module == expected[0][1]
    assert choice.ambiguous == (len(expected) > 1 and expected[0][0] == expected[1][0])
    assert choice.generic == (expected[0][0] == 7)


# ---- which one ----


def test_every_captured_device_gets_the_right_choice(
    variants: AliasIndex, alias_text: str, devices: list[str]
):
    for modalias in devices:
        check_choice(variants, alias_text, modalias)
    chosen = {vfio.choose(variants, modalias).module for modalias in devices}
    assert chosen == {"vfio_pci", "virtio_vfio_pci", "tie_a_vfio_pci", "classvfio_pci"}


def test_debians_kernels_have_the_generic_driver_alone(indexes: dict[str, AliasIndex], devices: list[str]):
    for release in ("6.12.117-amd64", "7.2.13-amd64"):
        for modalias in devices:
            choice = vfio.choose(indexes[release], modalias)
            assert (choice.module, choice.driver, choice.generic) == ("vfio_pci", "vfio-pci", True)
            assert choice.alias.pattern == "vfio_pci:v*d*sv*sd*bc*sc*i*"
            assert choice.alias.file == "modules.alias"
            assert (choice.stars, choice.ambiguous, len(choice.candidates)) == (7, False, 1)


def test_every_variant_of_the_kernel_is_chosen_for_its_devices(variants: AliasIndex, alias_text: str):
    count = 0
    for pattern, module in read_aliases(DATA / "vfio" / "vfio_variants.alias"):
        if module == "vfio_pci":
            continue
        vendor, device = (int(text, 16) for text in re.findall(rb"[0-9A-F]{8}", pattern))
        modalias = PciDevice(vendor, device, 0x1AF4, 1, 0x020000).modalias()
        assert vfio.choose(variants, modalias).module == module
        check_choice(variants, alias_text, modalias)
        count += 1
    assert count == 45


def test_the_known_variants_are_those_of_the_kernel():
    lines = read_aliases(DATA / "vfio" / "vfio_variants.alias")
    listed = {(pattern.decode(), module) for pattern, module in lines if module != "vfio_pci"}
    known = {
        (f"vfio_pci:v{v.vendor:08X}d{device:08X}sv*sd*bc*sc*i*", v.module)
        for v in VARIANTS
        for device in v.devices
    }
    assert known == listed
    text = (DATA / "vfio" / "vfio_variants.alias").read_text()
    names = dict(re.findall(r"module (\w+); struct pci_driver.name = (\S+)", text))
    assert {v.module: v.driver for v in VARIANTS} | {"vfio_pci": "vfio-pci"} == names


@given(modalias=random_devices)
def test_random_devices(variants: AliasIndex, alias_text: str, modalias: str):
    check_choice(variants, alias_text, modalias)


def test_the_most_specific_alias_wins(variants: AliasIndex):
    assert vfio.choose(variants, MLX5).module == "mlx5_vfio_pci"
    assert vfio.choose(variants, MLX5.replace("sv000015B4", "sv000015B3")).module == "subvfio_pci"
    assert vfio.choose(variants, f"vfio_{MLX5}") == vfio.choose(variants, MLX5)
    by_class = vfio.choose(variants, NVME)
    assert (by_class.module, by_class.stars, by_class.candidates[0].wild_fields) == ("classvfio_pci", 5, 4)
    tied = vfio.choose(variants, TIED)
    assert (tied.module, tied.ambiguous) == ("tie_a_vfio_pci", True)
    assert tied.alias.line < tied.candidates[1].alias.line
    assert any("tie_b_vfio_pci matches as specifically" in warning for warning in tied.warnings)


def test_what_has_no_vfio_alias_has_no_choice(variants: AliasIndex):
    assert vfio.choose(variants, "usb:v1D6Bp0002d0612dc09dsc00dp01ic09isc00ip00in00") is None
    assert vfio.choose(AliasIndex.compile([("pci:*", "any")]), MLX5) is None
    with pytest.raises(pyalias.InvalidModaliasError):
        vfio.choose(variants, "pci:stray]")
    with pytest.raises(pyalias.PyaliasError, match="compat"):
        vfio.choose(variants, MLX5, compat="other")
    closed = AliasIndex.compile([("vfio_pci:*", "any")])
    vfio.choose(closed, MLX5)
    closed.close()
    with pytest.raises(pyalias.PyaliasError, match="closed"):
        vfio.choose(closed, MLX5)


def test_aliases_written_by_hand_are_ranked_too():
    lines = [
        "vfio_pci:*",
        "vfio-pci:v000015B[23]d*sv*sd*bc*sc*i*",
        "vfio_pci:v000015B3*",
        "vfio_pci:v000015B3d0000101?sv*sd*bc02sc*i*",
        "vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*",
    ]
    index = AliasIndex.compile([(line, f"m{n}") for n, line in enumerate(lines)])
    choice = vfio.choose(index, MLX5)
    assert [candidate.rank for candidate in choice.candidates] == [(4, 1), (5, 0), (6, 0), (6, 1), (7, 0)]
    assert [candidate.module for candidate in choice.candidates] == ["m3", "m4", "m2", "m1", "m0"]


def test_a_built_in_variant_is_seen_behind_the_generic_module(tmp_path: Path):
    """Libkmod asks what is built in only where modules.alias has nothing: it would never see this one."""
    (tmp_path / "modules.alias").write_text("# head\nalias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n")
    record = b"mlx5_vfio_pci.alias=vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*\0"
    (tmp_path / "modules.builtin.modinfo").write_bytes(record)
    index = AliasIndex.from_modules(tmp_path)
    assert index.lookup(f"vfio_{MLX5}") == ("vfio_pci",)
    choice = vfio.choose(index, MLX5)
    assert (choice.module, choice.alias.file, choice.alias.line) == (
        "mlx5_vfio_pci",
        "modules.builtin.modinfo",
        1,
    )
    assert vfio.choose(index, MLX5, compat="libvirt").module == "vfio_pci"


# ---- libvirt's choice ----


@given(modalias=random_devices)
def test_compat_is_what_libvirt_finds(variants: AliasIndex, alias_text: str, modalias: str):
    choice = vfio.choose(variants, modalias, compat="libvirt")
    found = best_variant(alias_text, modalias)
    assert (choice.module if choice else None) == found
    # Mistake a is the only one that text written by depmod can meet.
    ours = vfio.choose(variants, modalias).module
    assert ours == found or (ours == "classvfio_pci" and modalias.endswith("bc01sc08i02"))


def test_libvirts_mistake_a_a_fixed_interface_never_matches(variants: AliasIndex, alias_text: str):
    assert best_variant(alias_text, NVME) == "vfio_pci"
    assert vfio.choose(variants, NVME, compat="libvirt").module == "vfio_pci"
    assert vfio.choose(variants, NVME).module == "classvfio_pci"


GENERIC = "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci"
VARIANT = "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci"


@pytest.mark.parametrize("end", [" ", "\r", "\t"])
def test_libvirts_mistake_b_the_end_of_the_line_belongs_to_the_name(tmp_path: Path, end: str):
    """A file that an editor touched: libvirt asks modprobe for a name with a blank, pyalias says where."""
    text = f"# head\n{VARIANT}{end}\n"
    assert best_variant(text, MLX5) == f"mlx5_vfio_pci{end}"
    with pytest.raises(pyalias.AliasFileError, match=r"modules\.alias:2"):
        choice_from(tmp_path, text)


def test_libvirts_mistake_c_the_first_line_and_tabs_are_missed(tmp_path: Path):
    text = f"{VARIANT}\n{GENERIC}\n"
    assert best_variant(text, MLX5) == "vfio_pci"
    assert choice_from(tmp_path, text).module == "mlx5_vfio_pci"
    assert choice_from(tmp_path, text, compat="libvirt").module == "vfio_pci"
    tabbed = f"# head\n{VARIANT.replace(' ', chr(9))}\n{GENERIC}\n"
    assert best_variant(tabbed, MLX5) == "vfio_pci"
    assert choice_from(tmp_path, tabbed).module == "mlx5_vfio_pci"


def test_libvirts_mistake_d_fields_are_searched_across_lines(tmp_path: Path):
    """A pattern that stops early is one for libkmod; libvirt goes on for its fields in the next line."""
    text = f"# head\nalias vfio_pci:v000015B3d0000101Esv*sd* cut_vfio_pci\n{GENERIC}\n"
    assert best_variant(text, MLX5) == "vfio_pci"
    assert choice_from(tmp_path, text).module == "cut_vfio_pci"
    assert choice_from(tmp_path, text, compat="libvirt").module == "vfio_pci"


def choice_from(tmp_path: Path, text: str, compat: str | None = None) -> vfio.Choice:
    path = tmp_path / "modules.alias"
    path.write_bytes(text.encode())
    return vfio.choose(AliasIndex.from_alias_file(path), MLX5, compat=compat)


# ---- libkmod's sets ----


def test_the_candidates_are_what_libkmod_finds(
    libkmod, variant_tree: Path, variants: AliasIndex, devices: list[str]
):
    ids = [PciDevice(vendor, device, 0x15B3, 1, 0x010802).modalias() for vendor, device in _IDS]
    keys = [f"vfio_{modalias}" for modalias in devices + ids]
    answers = libkmod.lookup_all(variant_tree / "lib/modules/9.9.9", [key.encode() for key in keys])
    for key, answer in zip(keys, answers, strict=True):
        choice = vfio.choose(variants, key)
        assert sorted(candidate.module for candidate in choice.candidates) == sorted(answer)
        assert variants.lookup(key) == answer


# ---- pci: and vfio_pci: never mix ----


def listed_devices() -> list[str]:
    texts = [line.decode() for line in read_lines(DATA / "devices" / "pciids_modaliases.txt.xz")]
    return texts + [PciDevice(*ids, 0x15B3, 1, 0x010802).modalias() for ids in _IDS]


def test_the_two_prefixes_never_answer_for_each_other(indexes: dict[str, AliasIndex], variants: AliasIndex):
    texts = listed_devices()
    for index in [*indexes.values(), variants]:
        of_vfio = {alias.module for alias in index.aliases("vfio_pci:")}
        of_pci = {alias.module for alias in index.aliases("pci:")}
        assert not of_vfio & of_pci
        plain = set().union(*map(set, index.lookup_many(texts)))
        assert plain <= of_pci
        asked = set().union(*map(set, index.lookup_many([f"vfio_{text}" for text in texts])))
        assert asked <= of_vfio
        for text in texts[:: len(texts) // 200]:
            assert all(alias.pattern.startswith("pci:") for alias in index.match(text))
            assert all(alias.pattern.startswith("vfio_pci:") for alias in index.match(f"vfio_{text}"))


@given(modalias=random_devices)
def test_the_two_prefixes_never_mix_for_random_devices(variants: AliasIndex, modalias: str):
    assert set(variants.lookup(modalias)) <= {"mlx5_core"}
    assert "mlx5_core" not in variants.lookup(f"vfio_{modalias}")


# ---- columns ----


def test_a_column_gives_what_each_device_gives(variants: AliasIndex, indexes: dict[str, AliasIndex]):
    column = [*listed_devices(), "usb:x", "pci:stray]", f"vfio_{MLX5}"]
    both = [variants, indexes["6.12.117-amd64"]]
    for index, choices in zip(both, vfio.choose_many(both, iter(column)), strict=True):
        assert choices.invalid == (len(column) - 2,)
        assert len(choices) == len(column)
        for row, modalias in enumerate(column):
            expected = None if "]" in modalias else vfio.choose(index, modalias)
            assert choices[row] == expected
        assert list(choices) == [choices[row] for row in range(len(column))] == choices[:]
        assert choices.table[0] is None
        assert len(set(choices.ids)) < 120


def test_columns_of_every_kind(variants: AliasIndex):
    rows = [MLX5, None, NVME, MLX5, TIED]
    expected = [row and vfio.choose(variants, row) for row in rows]
    assert list(vfio.choose_many(variants, pa.array(rows))) == expected
    assert list(vfio.choose_many(variants, pa.array(rows).dictionary_encode())) == expected
    text = f"{MLX5}\n{NVME}".encode()
    assert list(vfio.choose_many(variants, text)) == [expected[0], expected[2]]
    devices = [PciDevice.from_modalias(row) for row in (MLX5, NVME, TIED)]
    columns = {
        name: array("I", [getattr(device, name) for device in devices])
        for name in ("vendor", "device", "subvendor", "subdevice", "class_code")
    }
    assert list(vfio.choose_ids(variants, **columns)) == [expected[0], expected[2], expected[4]]


# ---- names of drivers, and warnings ----


def test_a_loaded_module_tells_its_drivers_name(
    variants: AliasIndex, sysfs_roots: dict[str, Path], tmp_path: Path
):
    generic = vfio.choose(variants, MLX5.replace("101E", "0001"), root=sysfs_roots["6.12-bound"])
    assert (generic.driver, generic.driver_known_by) == ("vfio-pci", "sysfs")
    links = tmp_path / "sys/module/classvfio_pci/drivers"
    links.mkdir(parents=True)
    (links / "pci:class-vfio").touch()
    assert vfio.choose(variants, NVME, root=tmp_path).driver == "class-vfio"
    (links / "pci:other").touch()
    assert vfio.driver_of_module("classvfio_pci", tmp_path) == ("class-vfio", "sysfs")
    (links / "pci:another-vfio").touch()
    assert vfio.driver_of_module("classvfio_pci", tmp_path).driver is None
    assert vfio.driver_of_module("xe_vfio_pci") == ("xe-vfio-pci", "kernel sources")
    unknown = vfio.choose(variants, NVME)
    assert (unknown.driver, unknown.driver_known_by) == (None, "unknown until loaded")
    assert "unknown until classvfio_pci is loaded" in unknown.warnings[-1]


def warnings_of(index: AliasIndex, device: PciDevice, **options: bool) -> str:
    return "; ".join(vfio.choose(index, device.modalias(), **options).warnings)


def test_warnings(variants: AliasIndex, indexes: dict[str, AliasIndex]):
    kernel = indexes["6.12.117-amd64"]
    assert warnings_of(kernel, PciDevice(0x8086, 0x10D3)) == ""
    assert "disable_denylist" in warnings_of(kernel, PciDevice(0x8086, 0x0B25))
    assert "bridge" in warnings_of(kernel, PciDevice(0x1B36, 0xC, class_code=0x060400))
    assert "bridge" not in warnings_of(kernel, PciDevice(0x8086, 0x29C0, class_code=0x060000))
    missing = warnings_of(kernel, PciDevice(0x15B3, 0x101E))
    assert "has mlx5_vfio_pci for 15b3:101e, but this kernel" in missing
    assert warnings_of(variants, PciDevice(0x15B3, 0x101E)) == ""
    assert "never fall back" in warnings_of(kernel, PciDevice(0x10DE, 0x2342))
    qat = PciDevice(0x8086, 0x4941)
    assert "does not tell" in warnings_of(variants, qat)
    assert "this is none" in warnings_of(variants, qat, virtual_function=False)
    assert warnings_of(variants, qat, virtual_function=True) == ""
    assert "while xe drives" in warnings_of(variants, PciDevice(0x8086, 0xE202))


# ---- the command ----


def test_the_command_prints_the_choice(
    variant_tree: Path, sysfs_roots: dict[str, Path], capsys: pytest.CaptureFixture[str]
):
    modules = str(variant_tree / "lib/modules/9.9.9")
    root = str(sysfs_roots["6.12-bound"])
    command = ["vfio", "choose", "--modules", modules]
    assert main([*command, "--root", root, "--json", "02:00.0", "0000:03:00.0", "usb:x"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["module"] for row in rows] == ["virtio_vfio_pci", "classvfio_pci", None]
    assert rows[0]["driver_known_by"] == "kernel sources"
    assert [c["module"] for c in rows[1]["candidates"]] == ["classvfio_pci", "vfio_pci"]
    assert main([*command, TIED, NVME]) == 0
    text = capsys.readouterr().out
    assert "warning    tie_b_vfio_pci matches as specifically" in text
    assert "driver     ? (unknown until loaded)" in text
    assert main([*command, "--compat", "libvirt", NVME]) == 0
    assert "module     vfio_pci (generic)" in capsys.readouterr().out
    assert main([*command, "usb:x"]) == 1
    assert "no vfio_pci: alias matches" in capsys.readouterr().err
    assert main([*command, "--root", root, "0000:7f:00.0"]) == 3
    assert "sysfs directory of a PCI device" in capsys.readouterr().err
