"""Each shape of inventory: the same four pci devices of one host, as far as the shape tells of them."""

from __future__ import annotations

import gzip
import json
import lzma
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from support.inventories import BY_FILE, INVENTORIES, SAMPLES, Sample, read
from support.tables import THIRD_PARTY

from pyalias.errors import InventoryError
from pyalias.inventory import FORMATS, RECORD_FORMATS, DeviceRecord, open_inventory

if TYPE_CHECKING:
    from pathlib import Path

# A bridge without a subsystem, a network card, a disk whose class has a third byte, a card of two modules.
DEVICES = (
    DeviceRecord(
        bus="pci",
        slot="0000:00:1c.0",
        modalias="pci:v00008086d0000A110sv00000000sd00000000bc06sc04i00",
        vendor=0x8086,
        device=0xA110,
        subvendor=0,
        subdevice=0,
        base_class=6,
        subclass=4,
        interface=0,
        revision=0xF1,
        driver="pcieport",
    ),
    DeviceRecord(
        bus="pci",
        slot="0000:00:1f.6",
        modalias="pci:v00008086d000015B7sv0000103Csd00008347bc02sc00i00",
        vendor=0x8086,
        device=0x15B7,
        subvendor=0x103C,
        subdevice=0x8347,
        base_class=2,
        subclass=0,
        interface=0,
        revision=0x31,
        driver="e1000e",
        kernel_modules=("e1000e",),
    ),
    DeviceRecord(
        bus="pci",
        slot="0000:01:00.0",
        modalias="pci:v0000144Dd0000A804sv0000144Dsd0000A801bc01sc08i02",
        vendor=0x144D,
        device=0xA804,
        subvendor=0x144D,
        subdevice=0xA801,
        base_class=1,
        subclass=8,
        interface=2,
        driver="nvme",
        kernel_modules=("nvme",),
    ),
    DeviceRecord(
        bus="pci",
        slot="0000:02:00.0",
        modalias="pci:v000010DEd00001EB8sv000010DEsd000012A2bc03sc02i00",
        vendor=0x10DE,
        device=0x1EB8,
        subvendor=0x10DE,
        subdevice=0x12A2,
        base_class=3,
        subclass=2,
        interface=0,
        revision=0xA1,
        driver="nouveau",
        kernel_modules=("nvidiafb", "nouveau"),
    ),
)
BRIDGE, CARD, DISK, GRAPHICS = DEVICES
USB = DeviceRecord(
    bus="usb",
    slot="1-7:1.0",
    modalias="usb:v8087p0A2Bd0010dcE0dsc01dp01icE0isc01ip01in00",
    vendor=0x8087,
    device=0x0A2B,
    driver="btusb",
)
ACPI = DeviceRecord(bus="acpi", slot="PNP0A08:00", modalias="acpi:PNP0A08:PNP0A03:")

NO_SUBSYSTEM = {"subvendor": None, "subdevice": None}
NO_CLASS = {"base_class": None, "subclass": None, "interface": None}
NO_MODULES: dict[str, Any] = {"kernel_modules": ()}
LSPCI_MODULES: dict[str, Any] = {"kernel_modules": ("nouveau",)}  # jc keeps the last one


def lacking(device: DeviceRecord, **unknown: Any) -> DeviceRecord:
    """The device as a shape tells it; where a field is missing that decides, it is partial."""
    changed = device._replace(**unknown)
    decides = (*NO_SUBSYSTEM, *NO_CLASS, "vendor", "device")
    return (
        changed._replace(modalias=None)
        if any(getattr(changed, name) is None for name in decides)
        else changed
    )


def short(device: DeviceRecord) -> DeviceRecord:
    """The slot without the domain."""
    return device._replace(slot=device.slot.removeprefix("0000:"))  # type: ignore[union-attr]


LSPCI = [short(lacking(BRIDGE, **NO_SUBSYSTEM)), *map(short, DEVICES[1:])]
UDEV = [d._replace(revision=None, **NO_MODULES) for d in DEVICES]
OSQUERY = [
    lacking(d, interface=None, revision=None, **(NO_SUBSYSTEM if d is BRIDGE else {}), **NO_MODULES)
    for d in DEVICES
]
NFD = [d._replace(slot=None, driver=None, host="worker-3") for d in OSQUERY]
IRONIC = [lacking(d, driver=None, **NO_SUBSYSTEM, **NO_MODULES) for d in DEVICES]
MAAS = [lacking(d, revision=None, host="able-cat", **NO_SUBSYSTEM, **NO_CLASS, **NO_MODULES) for d in DEVICES]
USB_IDS = DeviceRecord(bus="usb", vendor=0x8087, device=0x0A2B)
REDFISH = [
    lacking(
        d,
        slot=f"/redfish/v1/Chassis/1/PCIeDevices/D{number}/PCIeFunctions/0",
        driver=None,
        revision=d.revision or 0,
        **(NO_SUBSYSTEM if d is BRIDGE else {}),
        **NO_MODULES,
    )
    for number, d in enumerate(DEVICES)
]
HW_PROBE = [d._replace(slot=None, revision=None, **NO_MODULES) for d in LSPCI]

EXPECTED = {
    "lspci-vmmkn.txt": LSPCI,
    "lspci-vmmknn.txt": LSPCI,
    "lspci-nnmm.txt": [d._replace(driver=None, **NO_MODULES) for d in LSPCI],
    "udev.txt": [ACPI, *UDEV, USB],
    # A node ends behind those inside it.
    "lshw.xml": [d._replace(host="desk12") for d in (UDEV[1], UDEV[0], *UDEV[2:])],
    "osquery.json": OSQUERY,
    "osqueryd.jsonl": [
        OSQUERY[1]._replace(host="node17"),
        OSQUERY[0]._replace(host="node18"),
        OSQUERY[3]._replace(host="node18"),
        USB_IDS._replace(host="node18"),
    ],
    "nfd.json": [*NFD, USB_IDS._replace(host="worker-3")],
    "ironic.json": IRONIC,
    "maas.json": [*MAAS, USB_IDS._replace(host="able-cat")],
    "maas-api.json": [
        *(d._replace(host="abc123") for d in MAAS),
        USB_IDS._replace(host="abc123", driver="btusb"),
    ],
    "redfish.json": REDFISH,
    "nixos-facter.json": list(DEVICES),
    "jc-lspci.json": [*LSPCI[:3], LSPCI[3]._replace(**LSPCI_MODULES)],
    "vsphere.json": [lacking(d, interface=None, revision=None, driver=None, **NO_MODULES) for d in DEVICES],
    "hw-probe-devices.txt": [*HW_PROBE, USB_IDS._replace(driver="btusb")],
    "hw-probe-devices.json": [*HW_PROBE[:3], HW_PROBE[2], HW_PROBE[3]],
}


@pytest.mark.parametrize("file", EXPECTED)
def test_records(file: str):
    sample = BY_FILE[file]
    found = read(sample.data)
    assert found.format == sample.format
    assert found.rejects == []
    assert found.records == EXPECTED[file]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_no_row_is_lost(sample: Sample):
    found = read(sample.data)
    assert (found.format, found.rejects, found.rows) == (sample.format, [], sample.rows)
    assert found.records


def test_every_format_has_a_sample():
    assert {sample.format for sample in SAMPLES} | {"sysfs"} == set(RECORD_FORMATS)
    assert set(RECORD_FORMATS) < set(FORMATS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_formats_are_told_by_what_is_in_the_file(sample: Sample, tmp_path: Path):
    """Under any name, with a byte order mark, and with the ends of lines of other systems."""
    for name in ("inventory", "x.json", "x.txt.gz"):
        data = sample.data.replace(b"\n", b"\r\n")
        if name.endswith(".gz"):
            data = gzip.compress(data)
        (tmp_path / name).write_bytes(data)
        with open_inventory(tmp_path / name) as inventory:
            assert inventory.format == sample.format
            assert len(list(inventory.records())) == len(read(sample.data).records)
    assert read(b"\xef\xbb\xbf" + sample.data).records == read(sample.data).records


def test_a_list_is_a_list_of_modaliases():
    with open_inventory(INVENTORIES / "modaliases.txt", host="h1") as inventory:
        assert inventory.format == "list"
        records = list(inventory.records())
    assert [r.modalias for r in records] == [*(d.modalias for d in DEVICES), USB.modalias]
    assert [r.device for r in records] == [*(d.device for d in DEVICES), USB.device]
    assert {r.host for r in records} == {"h1"}


def test_real_outputs_of_one_machine_agree():
    """udev, lshw and lspci, run on the same machine: the same pci devices, as far as each tells."""
    udev, lshw, lspci, hw_probe = (
        {d.device: d for d in read(BY_FILE[name].data).records if d.bus == "pci"}
        for name in (
            "real-udev.txt.xz",
            "real-lshw.xml.xz",
            "real-lspci-vmmkn.txt",
            "real-hw-probe-devices.txt",
        )
    )
    assert len(udev) == 6
    assert {device: d.modalias for device, d in lshw.items()} == {
        device: d.modalias for device, d in udev.items()
    }
    for other in (lspci, hw_probe):
        assert other.keys() == udev.keys()
        assert [d.device for d in other.values() if d.partial] == [0x0D57]  # the bridge, of no subsystem
        for device, record in other.items():
            assert record.modalias in (None, udev[device].modalias)
            assert record.class24 == udev[device].class24


# ---- what shapes have of their own ----


def one(document: Any, format_name: str) -> Any:
    found = read(json.dumps(document).encode(), format_name)
    return (found.records + found.rejects)[0]


def test_lspci_without_numbers_says_what_to_do():
    text = b"Slot:\t00:1f.6\nClass:\tEthernet controller\nVendor:\tIntel Corporation\nDevice:\tI219-LM\n\n"
    (reject,) = read(text).rejects
    assert (reject.record, reject.field) == (1, "Class")
    assert "run lspci with -n or -nn" in reject.reason
    (plain,) = read(b"00:1f.6 Ethernet controller: Intel Corporation I219-LM (rev 31)\n").rejects
    assert "lspci -nmm" in plain.reason


def test_lspci_with_blanks_for_tabs():
    text = BY_FILE["lspci-vmmknn.txt"].data.replace(b"\t", b"     ")
    assert read(text).records == LSPCI


def test_lspci_whose_last_record_is_not_closed():
    """As a shell variable has it. Whether an interface of 0 would follow cannot be known."""
    text = BY_FILE["lspci-vmmkn.txt"].data.rstrip(b"\n")
    *whole, last = read(text).records
    assert whole == LSPCI[:3]
    assert last == lacking(LSPCI[3], interface=None, kernel_modules=("nvidiafb",))


def test_osquery_subclass_and_class_are_bytes():
    row = json.loads(BY_FILE["osquery.json"].data)[1]
    reject = one([row | {"pci_subclass_id": "0x0200"}], "osquery")
    assert (reject.field, reject.entry["pci_slot"]) == ("pci_subclass_id", "0000:00:1f.6")


def test_nfd_features_alone():
    attributes = {"class": "0880", "vendor": "8086", "device": "2021"}
    record = one({"pci.device": {"elements": [{"attributes": attributes}]}}, "nfd")
    assert (record.vendor, record.device, record.base_class, record.subclass) == (0x8086, 0x2021, 8, 0x80)
    assert record.text == "pci:v00008086d00002021sv*sd*bc08sc80i*"


def test_maas_before_it_listed_pci_devices():
    document = {"resources": {"network": {"cards": [
        {"driver": "ixgbe", "pci_address": "0000:01:00.0", "vendor_id": "8086", "product_id": "10f8"},
        {"driver": "virtio_net", "ports": []},
        {"driver": "r8152", "usb_address": "2:3", "vendor_id": "0bda", "product_id": "8153"},
    ]}, "gpu": {"cards": None}}}  # fmt: skip
    found = read(json.dumps(document).encode(), "maas")
    assert [(d.bus, d.device) for d in found.records] == [("pci", 0x10F8), ("usb", 0x8153)]
    assert (found.blank, found.rejects) == (1, [])


def test_redfish_of_one_function():
    """As the schema's example has it: every id, from the machine's own controller."""
    record = one(
        {"FunctionId": 1, "DeviceClass": "NetworkController", "VendorId": "0x14e4", "DeviceId": "0x165f",
         "SubsystemVendorId": "0x17aa", "SubsystemId": "0x4042", "RevisionId": "0x00",
         "ClassCode": "0x020000"},
        "auto",
    )  # fmt: skip
    assert record.modalias == "pci:v000014E4d0000165Fsv000017AAsd00004042bc02sc00i00"
    reject = one(
        {"Members": [{"@odata.id": "/redfish/v1/Chassis/1/PCIeDevices/1/PCIeFunctions/1"}]}, "redfish"
    )
    assert "$expand" in reject.reason


def test_ironic_quotes():
    record = one([{"vendor_id": "1234", "product_id": "5678", "class": "060000", "revision": "01",
                   "bus": "foo", "numa_node_id": "-1"}], "auto")  # fmt: skip
    assert (record.vendor, record.device, record.class24, record.revision) == (0x1234, 0x5678, 0x060000, 1)
    assert record.partial


def test_vsphere_ids_are_signed():
    entries = json.loads(BY_FILE["vsphere.json"].data)
    assert entries[0]["vendorId"] == -32634
    assert one([entries[0] | {"vendorId": 70000}], "vsphere").field == "vendorId"


def test_hosts_of_json_lines():
    rows = json.loads(BY_FILE["ironic.json"].data)["plugin_data"]["pci_devices"]
    lines = "".join(
        json.dumps({"host": f"h{number}", "pci_devices": [row]}) + "\n" for number, row in enumerate(rows)
    )
    assert [d.host for d in read(lines.encode(), host="other").records] == ["h0", "h1", "h2", "h3"]
    assert {d.host for d in read(BY_FILE["ironic.json"].data, host="other").records} == {"other"}


@pytest.mark.parametrize("format_name", ["nfd", "ironic", "maas", "redfish", "nixos-facter", "vsphere", "jc"])
def test_a_document_of_another_shape_is_a_reject(format_name: str):
    for document in ({"pets": []}, {}, 3, "x", None, [[]]):
        found = read(json.dumps(document).encode(), format_name)
        assert (found.records, found.blank, len(found.rejects)) == ([], 0, 1)


def test_a_directory_of_another_format(tmp_path: Path):
    with (
        pytest.raises(InventoryError, match="only be of the format sysfs"),
        open_inventory(tmp_path, format="udev"),
    ):
        pass


def test_modaliases_that_are_patterns_or_cut_short_are_no_devices():
    for modalias in ("pci:v00008086d*sv*sd*bc*sc*i*", "pci:v00008086d0000", "usb:v8087p0A2Bd*dc*", "pci:"):
        reject = one({"hardware": {"x": [{"module_alias": modalias}]}, "version": 1}, "nixos-facter")
        assert reject.field == "module_alias"


# ---- the real files of other projects, where they are at hand ----


@pytest.mark.skipif(not THIRD_PARTY.is_dir(), reason="the third-party data are not here")
def test_third_party_lspci_files():
    with tarfile.open(THIRD_PARTY / "lspci_raw.tar.xz") as archive:
        data = {m.name: archive.extractfile(m).read() for m in archive if "lspci-" in m.name}  # type: ignore[union-attr]
    numbers, both, names = (read(data[f"jc__tests_fixtures_ubuntu-20.10_lspci-{n}.out"])
                            for n in ("nmmv", "nnmmv", "mmv"))  # fmt: skip
    assert (len(numbers.records), numbers.rejects) == (46, [])
    assert both.records == numbers.records
    # jc's authors wrote another record behind them, of a slot that no machine has: ff:02:05.0
    assert [(reject.record, reject.field) for reject in both.rejects] == [(47, "Slot")]
    assert (len(names.records), len(names.rejects)) == (0, 46)


@pytest.mark.skipif(not THIRD_PARTY.is_dir(), reason="the third-party data are not here")
def test_third_party_modaliases_are_read_as_they_are():
    with lzma.open(THIRD_PARTY / "inventories.jsonl.xz") as file:
        machines = [json.loads(line) for line in file]
    for machine in machines:
        text = "\n".join(machine["devices"]).encode("utf-8", "surrogateescape")
        found = read(text, "list")
        assert [d.modalias for d in found.records] == [m for m in machine["devices"] if m]
        assert all(d.vendor is not None for d in found.records if (d.modalias or "").startswith("pci:"))
