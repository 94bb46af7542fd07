"""sysfs as a tree and in archives: the live one, captured ones, damaged ones."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from support.tables import DATA

from pyalias.errors import InventoryError
from pyalias.inventory import DeviceRecord, Inventory, open_inventory

SNAPSHOT = DATA / "vfio" / "sysfs-snapshot.tar.gz"
HOSTS = {"6.12-pristine": 16, "6.12-bound": 16, "6.12-final": 18, "7.2-bound": 16, "7.2-final": 18}
CARD = DeviceRecord(
    host="6.12-final",
    bus="pci",
    slot="0000:00:11.1",
    modalias="pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00",
    vendor=0x8086,
    device=0x100E,
    subvendor=0x1AF4,
    subdevice=0x1100,
    base_class=2,
    subclass=0,
    interface=0,
    revision=3,
    driver="e1000",
)


def records(path: Path, **options: str) -> list[DeviceRecord]:
    with open_inventory(path, **options) as inventory:
        assert inventory.format == "sysfs"
        return list(inventory.records())


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("roots")
    with tarfile.open(SNAPSHOT) as archive:
        archive.extraction_filter = getattr(tarfile, "tar_filter", None)
        archive.extractall(base)  # noqa: S202 the project's own archive
    return base


def test_archive_of_many_hosts():
    found = records(SNAPSHOT)
    assert {host: sum(d.host == host for d in found) for host in HOSTS} == HOSTS
    assert CARD in found
    assert not any(d.partial for d in found)


@pytest.mark.parametrize("host", HOSTS)
def test_a_root_and_its_archive_are_the_same(host: str, roots: Path):
    archived = sorted(d for d in records(SNAPSHOT) if d.host == host)
    assert sorted(records(roots / host, host=host)) == archived
    assert sorted(records(roots / host / "sys", host=host)) == archived


def test_the_live_sysfs_agrees_with_find():
    """As ``find /sys/devices -name modalias`` has it, which is how maas-list-modaliases works."""
    if not Path("/sys/devices").is_dir():
        pytest.skip("no /sys here")
    by_hand = []
    for directory, _, files in os.walk("/sys/devices"):
        if "modalias" in files:
            text = Path(directory, "modalias").read_bytes().removesuffix(b"\n")
            by_hand += [text.decode("utf-8", "surrogateescape")] if text else []
    found = records(Path("/sys"))
    assert sorted(d.modalias or "" for d in found if not d.partial) == sorted(by_hand)
    assert records(Path("/")) == found
    for device in found:
        if device.bus == "pci":
            assert (
                int(Path("/sys/bus/pci/devices", device.slot or "", "vendor").read_text(), 16)
                == device.vendor
            )


def archive_of(files: dict[str, bytes | str], *, pad: bool = False) -> bytes:
    """An archive of files, and of links where the content is text."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
                continue
            content = content.ljust(4096, b"\0") if pad else content  # noqa: PLW2901
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


PCI = "sys/devices/pci0000:00/0000:00:1f.6"
PCI_FILES: dict[str, bytes | str] = {
    f"{PCI}/vendor": b"0x8086\n",
    f"{PCI}/device": b"0x15b7\n",
    f"{PCI}/subsystem_vendor": b"0x103c\n",
    f"{PCI}/subsystem_device": b"0x8347\n",
    f"{PCI}/class": b"0x020000\n",
    f"{PCI}/revision": b"0x31\n",
    f"{PCI}/subsystem": "../../../bus/pci",
    f"{PCI}/driver": "../../../bus/pci/drivers/e1000e",
}
MODALIAS = "pci:v00008086d000015B7sv0000103Csd00008347bc02sc00i00"


def read(data: bytes) -> tuple[list[DeviceRecord], list[str]]:
    rejects: list[str] = []
    inventory = Inventory(io.BytesIO(data), "a.tar", rejects=lambda reject: rejects.append(str(reject)))
    return list(inventory.records()), rejects


@pytest.mark.parametrize("prefix", ["", "./", "/", "host-1/", "./site/host-1/"])
def test_a_pci_device_without_a_modalias_has_its_other_files(prefix: str):
    (found,), rejects = read(archive_of({prefix + name: content for name, content in PCI_FILES.items()}))
    assert (found.modalias, found.driver, found.revision, rejects) == (MODALIAS, "e1000e", 0x31, [])
    assert found.host == (prefix.strip("./") or None)


def test_what_tar_reads_of_the_live_sysfs_is_padded_with_zero_bytes():
    """Each file is said to have 4096 bytes: "File shrank by 4042 bytes; padding with zeros"."""
    (found,), rejects = read(archive_of({f"{PCI}/modalias": f"{MODALIAS}\n".encode()} | PCI_FILES, pad=True))
    assert (found.modalias, found.vendor, rejects) == (MODALIAS, 0x8086, [])


def test_missing_files_are_unknown_ids():
    files = {name: content for name, content in PCI_FILES.items() if "subsystem_" not in name}
    ((found,), _) = read(archive_of(files))
    assert found.text == "pci:v00008086d000015B7sv*sd*bc02sc00i00"


@pytest.mark.parametrize(
    ("name", "content"),
    [("vendor", b"0x80"), ("class", b"0x02000000\n"), ("device", b"\xff\n"), ("revision", b"\n")],
)
def test_damaged_files_are_rejects(name: str, content: bytes):
    found, (reject,) = read(archive_of(PCI_FILES | {f"{PCI}/{name}": content}))
    assert found == []
    assert f": record 1: {name}: " in reject


def test_devices_of_all_buses_and_none():
    usb = "sys/devices/pci0000:00/0000:00:14.0/usb1/1-7"
    files: dict[str, bytes | str] = {
        f"{usb}/uevent": b"PRODUCT=8087/a2b/10\n",
        f"{usb}/1-7:1.0/modalias": b"usb:v8087p0A2Bd0010dcE0dsc01dp01icE0isc01ip01in00\n",
        f"{usb}/1-7:1.0/subsystem": "../../../../../../bus/usb",
        f"{usb}/idVendor": b"8087\n",
        "sys/devices/platform/x/modalias": b"of:N\xffT(null)Cx\n",
        "sys/devices/platform/empty/modalias": b"",
        "sys/kernel/iommu_groups/0/devices/0000:00:1f.6/modalias": b"pci:not-there\n",
        "sys/bus/pci/devices/0000:00:1f.6": "../../../devices/pci0000:00/0000:00:1f.6",
    }
    found, rejects = read(archive_of(files))
    assert [(d.bus, d.modalias) for d in found] == [
        ("usb", "usb:v8087p0A2Bd0010dcE0dsc01dp01icE0isc01ip01in00"),
        ("of", "of:N\udcffT(null)Cx"),
    ]
    assert rejects == []


def test_archives_cut_anywhere_are_errors():
    data = archive_of(PCI_FILES | {f"{PCI.replace('1f.6', '1f.7')}/modalias": b"pci:x\n"})
    for size in range(512, len(data) - 10240 + 4096, 100):
        with pytest.raises(InventoryError, match=r"damaged or cut short|is cut short"):
            read(data[:size])


def test_unreadable_files_are_rejects(roots: Path, tmp_path: Path):
    """A directory in place of a file: also root cannot read that."""
    device = tmp_path / "sys" / "devices" / "pci0000:00" / "0000:00:00.0"
    (device / "modalias").mkdir(parents=True)
    rejects: list[str] = []
    with open_inventory(tmp_path, rejects=lambda reject: rejects.append(str(reject))) as inventory:
        assert list(inventory.records()) == []
    assert len(rejects) == 1
    assert "Is a directory" in rejects[0]
    assert roots.is_dir()


def test_a_root_that_has_only_the_buses(tmp_path: Path):
    device = tmp_path / "sys" / "bus" / "pci" / "devices" / "0000:00:1f.6"
    device.mkdir(parents=True)
    (device / "modalias").write_text(MODALIAS + "\n")
    (found,) = records(tmp_path)
    assert (found.bus, found.slot, found.modalias) == ("pci", "0000:00:1f.6", MODALIAS)
