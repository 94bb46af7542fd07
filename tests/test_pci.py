"""PCI devices, id tables and the kernel's match, against the kernel's rules restated in C."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.module_tree import read_aliases, read_builtin_aliases
from support.tables import DATA, read_lines

from pyalias.errors import FileAccessError, PciIdError
from pyalias.pci import (
    ANY_DEVICE,
    PCI_ANY_ID,
    Match,
    PciDevice,
    PciDeviceId,
    PciDriver,
    PciIdWarning,
    match_device,
    to_aliases,
    which_driver,
)

SATA = PciDevice(0x8086, 0x2922, 0x1AF4, 0x1100, 0x010601)
SATA_TEXT = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"

words = st.sampled_from([0, 1, 0x8086, 0x15B3, PCI_ANY_ID]) | st.integers(0, PCI_ANY_ID)
masks = st.sampled_from([0, 0xFF, 0xFF00, 0xFFFF, 0xFF0000, 0xFFFF00, 0xFFFFFF, 0x0F0000, 0xFFFFFFFF, 0xF0])
entries = st.builds(
    PciDeviceId,
    *[words] * 4,
    class_code=st.integers(0, 0xFFFFFFFF),
    class_mask=masks,
    override_only=st.sampled_from([0, 1, 1, 2, 3]),
)
# Few values, so that matches are frequent.
few = st.sampled_from([0, 1, PCI_ANY_ID])
table_entries = st.builds(
    PciDeviceId,
    *[few] * 4,
    class_code=st.sampled_from([0, 0x010802, 0x020000]),
    class_mask=st.sampled_from([0, 0xFF0000, 0xFFFFFF, 0x80]),
    override_only=st.integers(0, 1),
)
devices = st.builds(
    PciDevice, *[st.integers(0, 1)] * 4, class_code=st.sampled_from([0, 0x010802, 0x0108FF, 0x020000])
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory):
    """The restatement in C, compiled; answers many cases in one run."""
    compiler = shutil.which("cc")
    assert compiler, "a C compiler builds pyalias, and this test"
    program = tmp_path_factory.mktemp("c") / "pci_rules"
    source = Path(__file__).parent / "c" / "pci_rules.c"
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)

    def run(cases: list[str]) -> list[str]:
        done = subprocess.run([program], input="\n".join(cases), capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return run


def numbers(entry: PciDeviceId) -> str:
    values = (
        entry.vendor,
        entry.device,
        entry.subvendor,
        entry.subdevice,
        entry.class_code,
        entry.class_mask,
        entry.override_only,
    )
    return " ".join(f"{value:x}" for value in values)


def quiet_alias(entry: PciDeviceId) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PciIdWarning)
        return entry.to_alias() or "-"


# ---- aliases ----


@settings(max_examples=30)
@given(table=st.lists(entries, min_size=50, max_size=200))
def test_aliases_are_those_of_the_c_rule(rules, table: list[PciDeviceId]):
    assert [quiet_alias(entry) for entry in table] == rules([f"a {numbers(entry)}" for entry in table])


def test_every_alias_of_the_bundled_kernels_is_written_again(kernel_dirs, rules):
    """No alias of a real id table is outside what from_alias reads: not one may be left out."""
    cases = []
    for path in kernel_dirs.values():
        found = read_aliases(path / "modules.alias") + read_builtin_aliases(path / "modules.builtin.modinfo")
        cases += [pattern.decode() for pattern, _ in found if pattern.startswith((b"pci:", b"vfio_pci:"))]
    variants = read_aliases(DATA / "vfio" / "vfio_variants.alias")
    cases += [pattern.decode() for pattern, _ in variants]
    assert len(cases) > 19000
    table = [PciDeviceId.from_alias(alias) for alias in cases]
    assert [entry.to_alias() for entry in table] == cases
    assert rules([f"a {numbers(entry)}" for entry in table]) == cases


@given(entry=entries)
def test_what_an_alias_says_survives(entry: PciDeviceId):
    alias = quiet_alias(entry)
    if alias != "-":
        assert PciDeviceId.from_alias(alias).to_alias() == alias


def test_constructors_are_the_kernels_macros():
    assert PciDeviceId.device(0x8086, 0x10D3).to_alias() == "pci:v00008086d000010D3sv*sd*bc*sc*i*"
    assert PciDeviceId.device(0x8086, 0x10D3).device == 0x10D3
    assert PciDeviceId(vendor=0x8086, device=0x10D3) == PciDeviceId.vdevice(0x8086, 0x10D3)
    sub = PciDeviceId.device_sub(0x1AF4, 0x1000, 0x1AF4, 1)
    assert sub.to_alias() == "pci:v00001AF4d00001000sv00001AF4sd00000001bc*sc*i*"
    nvme = PciDeviceId.device_class(0x010802, 0xFFFFFF)
    assert nvme.to_alias() == "pci:v*d*sv*sd*bc01sc08i02*"
    generic = PciDeviceId.driver_override_vfio(PCI_ANY_ID, PCI_ANY_ID)
    assert generic.to_alias() == "vfio_pci:v*d*sv*sd*bc*sc*i*"
    assert generic == PciDeviceId.driver_override(PCI_ANY_ID, PCI_ANY_ID, 1) == PciDeviceId(flags=1)
    assert PciDeviceId.with_flags(PCI_ANY_ID, PCI_ANY_ID, 1) == generic
    assert generic.flags == 1
    assert hash(generic) == hash(PciDeviceId(override_only=1))


def test_what_has_no_alias_warns():
    with pytest.warns(PciIdWarning, match="class_mask 0F00"):
        assert PciDeviceId.device_class(0x010800, 0x0F00).to_alias() is None
    with pytest.warns(PciIdWarning, match="00000002"):
        assert PciDeviceId.driver_override(1, 2, 2).to_aliases() == ()


def test_a_table_ends_with_an_entry_that_has_no_alias():
    end = PciDeviceId(0, 0, 0, 0)
    table = [PciDeviceId.device(1, 2), PciDeviceId.driver_override_vfio(1, 2), end]
    assert to_aliases(table) == (
        "pci:v00000001d00000002sv*sd*bc*sc*i*",
        "vfio_pci:v00000001d00000002sv*sd*bc*sc*i*",
    )
    assert to_aliases([]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pci:",
        "usb:v1D6Bp0002d*dc*dsc*dp*ic*isc*ip*in*",
        "pci:v00008086d000010d3sv*sd*bc*sc*i*",
        "pci:v00008086d000010D3sv*sd*bc*sc*i02",
        "pci:v00008086d000010D3sv*sd*bc*sc*i**",
        "pci:v0000808?d*sv*sd*bc*sc*i*",
        "pci:v*d*sv*sd*bc*sc*i*\n",
    ],
)
def test_other_texts_are_no_alias_of_a_table(text: str):
    with pytest.raises(PciIdError):
        PciDeviceId.from_alias(text)


def test_numbers_have_32_bits():
    for values in (
        {"vendor": -1},
        {"device": 1 << 32},
        {"class_mask": "FF"},
        {"flags": 2, "override_only": 1},
    ):
        with pytest.raises(PciIdError):
            PciDeviceId(**values)
    with pytest.raises(PciIdError, match="class_code"):
        PciDevice(1, 2, class_code=1 << 24)


# ---- the match ----


@settings(max_examples=40)
@given(data=st.data())
def test_the_match_is_that_of_the_c_rule(rules, data: st.DataObject):
    drawn = st.tuples(
        st.sampled_from([None, "this", "other"]),
        st.lists(table_entries, max_size=2),
        st.lists(table_entries, max_size=6),
        devices,
    )
    cases = data.draw(st.lists(drawn, min_size=40, max_size=60))
    lines, found = [], []
    for override, dynamic, static, device in cases:
        number = {None: 0, "this": 1, "other": 2}[override]
        values = (number, len(dynamic), len(static), device.vendor, device.device, device.subvendor)
        head = " ".join(f"{value:x}" for value in (*values, device.subdevice, device.class_code))
        lines.append(" ".join(["m", head, *map(numbers, dynamic + static)]))
        match = match_device(PciDriver("this", static), device, override, dynamic)
        found.append(described(match, dynamic, static))
    assert found == rules(lines)


def described(match: Match, dynamic: list[PciDeviceId], static: list[PciDeviceId]) -> str:
    """The C program's words; an entry is told by identity, since equal ones may repeat."""
    tables = {"dynamic": dynamic, "static": static}
    if match.kind not in tables:
        assert match.id is (ANY_DEVICE if match.kind == "override" else None)
        return match.kind
    place = next(i for i, entry in enumerate(tables[match.kind]) if entry is match.id)
    return f"{match.kind} {place:x}"


def test_an_override_only_entry_waits_for_the_override():
    """The rule that the patch of 2021 adds: mlx5_vfio_pci never takes a device by itself."""
    variant = PciDriver("mlx5_vfio_pci", [PciDeviceId.driver_override_vfio(0x15B3, 0x101E)])
    core = PciDriver("mlx5_core", [PciDeviceId.device(0x15B3, 0x101E)])
    device = PciDevice(0x15B3, 0x101E)
    unasked = match_device(variant, device)
    assert not unasked
    assert "driver_override must ask" in unasked.reason
    assert match_device(variant, device, "mlx5_vfio_pci").kind == "static"
    assert match_device(variant, SATA, "mlx5_vfio_pci")[:2] == (ANY_DEVICE, "override")
    assert match_device(core, device, "mlx5_vfio_pci").kind == "none"
    assert which_driver([variant, core], device)[0] is core
    assert which_driver([core, variant], device, "mlx5_vfio_pci")[0] is variant
    # The name is the driver's: the module's finds nobody (measured: the write succeeds, nothing binds).
    assert which_driver([PciDriver("vfio-pci"), core], device, "vfio_pci") is None
    new_id = {"vfio-pci": [PciDeviceId.device(0x15B3, 0x101E)]}
    assert which_driver([PciDriver("vfio-pci"), core], device, dynamic_ids=new_id)[1].kind == "dynamic"


def test_an_empty_override_is_none():
    assert match_device(PciDriver("d", [PciDeviceId.device(0x8086, 0x2922)]), SATA, "").kind == "static"


# ---- devices ----


def test_every_form_of_a_device_says_the_same(tmp_path: Path):
    assert SATA.modalias() == SATA_TEXT
    assert SATA.modalias("vfio_pci") == f"vfio_{SATA_TEXT}"
    assert PciDevice.from_modalias(f"{SATA_TEXT}\n") == PciDevice.from_modalias(f"vfio_{SATA_TEXT}") == SATA
    assert PciDevice.from_hex("0x8086", "2922", "1af4", "1100", "0x010601") == SATA
    ids = "DRIVER=ahci\nPCI_CLASS=10601\nPCI_ID=8086:2922\nPCI_SUBSYS_ID=1AF4:1100\n"
    assert PciDevice.from_uevent(ids) == PciDevice.from_uevent(f"{ids}MODALIAS={SATA_TEXT}") == SATA
    assert PciDevice.from_lspci('00:1f.2 "0106" "8086" "2922" -r02 -p01 "1af4" "1100"') == SATA
    words = '"SATA controller [0106]" "Intel Corporation [8086]" "82801IR \\"x\\" [2922]" -p01'
    assert PciDevice.from_lspci(f'0000:00:1f.2 {words} "Red Hat, Inc. [1af4]" "QEMU [1100]"') == SATA
    bridge = PciDevice.from_lspci('00:12.0 "0604" "1b36" "000e" "" ""')
    assert bridge.bridge
    assert bridge.modalias() == "pci:v00001B36d0000000Esv00000000sd00000000bc06sc04i00"
    values = ("0x8086", "0x2922", "0x1af4", "0x1100", "0x010601")
    for name, value in zip(
        ("vendor", "device", "subsystem_vendor", "subsystem_device", "class"), values, strict=True
    ):
        (tmp_path / name).write_text(f"{value}\n")
    assert PciDevice.from_sysfs(tmp_path) == SATA
    (tmp_path / "class").write_text("junk\n")
    with pytest.raises(PciIdError, match="junk"):
        PciDevice.from_sysfs(tmp_path)
    (tmp_path / "class").unlink()
    with pytest.raises(FileAccessError, match="class"):
        PciDevice.from_sysfs(tmp_path)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (PciDevice.from_modalias, "pci:v00008086"),
        (PciDevice.from_modalias, SATA_TEXT.lower()),
        (PciDevice.from_lspci, "00:1f.2 0106: 8086:2922 (rev 02)"),
        (PciDevice.from_lspci, '00:1f.2 "0106'),
        (PciDevice.from_lspci, ""),
        (PciDevice.from_uevent, "PCI_CLASS=20000"),
        (PciDevice.from_uevent, "PCI_CLASS=x\nPCI_ID=1:2\nPCI_SUBSYS_ID=1:2"),
    ],
)
def test_other_texts_are_no_device(read, text: str):
    with pytest.raises(PciIdError):
        read(text)


def test_the_listed_devices_keep_their_text():
    texts = [line.decode() for line in read_lines(DATA / "devices" / "pciids_modaliases.txt.xz")]
    assert len(texts) > 15000
    # Where pci.ids writes a class in lower case the list does too, which no kernel prints.
    printed = [text for text in texts if re.fullmatch("[0-9A-F]{2}", text[-2:])]
    assert len(texts) - len(printed) < 20
    assert all(PciDevice.from_modalias(text).modalias() == text for text in printed)


def test_every_captured_device_reads_alike_from_all_its_files(sysfs_roots: dict[str, Path]):
    count = 0
    for root in sysfs_roots.values():
        for path in (root / "sys/bus/pci/devices").iterdir():
            device = PciDevice.from_sysfs(path)
            assert device.modalias() == (path / "modalias").read_text().strip()
            uevent = (path / "uevent").read_text()
            assert PciDevice.from_uevent(uevent) == device
            assert PciDevice.from_uevent(re.sub("MODALIAS=.*", "", uevent)) == device
            count += 1
    assert count == 16 * 3 + 18 * 2
