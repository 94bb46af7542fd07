"""The shapes of JSON: where each keeps its devices, and what it calls their fields.

A function ``*_rows`` finds the devices of one document, a ``*_device`` makes the record of one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pyalias.inventory import hw_probe
from pyalias.inventory.ids import PciClass, parse_class, parse_hex, parse_signed, shown, split_class
from pyalias.inventory.json_layout import Layout, Row, Shape, build_record, dig, parsed, text_of
from pyalias.inventory.records import DeviceRecord, FieldError, make_record, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# ---- osquery: the tables pci_devices and usb_devices ----

_OSQUERY_PCI = Layout(
    vendor="vendor_id",
    device="model_id",
    slot="pci_slot",
    subvendor="subsystem_vendor_id",
    subdevice="subsystem_model_id",
    driver="driver",
)
_OSQUERY_USB = Layout(vendor="vendor_id", device="model_id")


def _osquery_rows(document: dict[str, Any]) -> Iterator[Row]:
    """A row of ``osqueryi --json``, or a line of osqueryd's log: a row, a snapshot, a batch of changes."""
    removed: list[Any] = []
    if "snapshot" in document:
        rows = dig(document, "snapshot", kind=list)
    elif "diffResults" in document:
        rows = dig(document, "diffResults", "added", kind=list)
        removed = dig(document, "diffResults", "removed", kind=list)
    elif "columns" not in document:
        rows = [document]
    elif document.get("action") == "removed":
        rows, removed = [], [document["columns"]]
    elif document.get("action") == "added":
        rows = [document["columns"]]
    else:
        raise FieldError("action", f"expected added or removed, found {shown(document.get('action'))}")
    for row in rows:
        is_usb = isinstance(row, dict) and "usb_address" in row
        yield Row(row, "usb" if is_usb else "pci")
    for row in removed:
        yield Row(row, bus="")


def _osquery_device(row: Row) -> DeviceRecord:
    if row.bus == "usb":
        return build_record(_OSQUERY_USB, row)
    base_class = parsed(row.entry, "pci_class_id", parse_hex, 8)
    subclass = parsed(row.entry, "pci_subclass_id", parse_hex, 8)
    return build_record(_OSQUERY_PCI, row, pci_class=PciClass(base_class, subclass))


# ---- Kubernetes Node Feature Discovery: NodeFeature objects, or features alone ----

_NFD = Layout(
    vendor="vendor",
    device="device",
    subvendor="subsystem_vendor",
    subdevice="subsystem_device",
    pci_class="class",
    class_bits=16,
)
_NFD_USB = Layout(vendor="vendor", device="device")
_NFD_NODE = "nfd.node.kubernetes.io/node-name"


def _nfd_rows(document: dict[str, Any]) -> Iterator[Row]:
    if "items" in document:
        for item in dig(document, "items", kind=list):
            if not isinstance(item, dict):
                raise FieldError("items", f"expected objects, found {shown(item)}")
            yield from _nfd_rows(item)
        return
    host = text_of(dig(document, "metadata", "labels"), _NFD_NODE) or text_of(
        dig(document, "metadata"), "name"
    )
    if "spec" not in document and not document.keys() & {"pci.device", "usb.device"}:
        raise FieldError("spec", "missing: neither a NodeFeature nor the features of a node")
    instances = dig(document, "spec", "features", "instances") or document
    for bus in ("pci", "usb"):
        for element in dig(instances, f"{bus}.device", "elements", kind=list):
            attributes = element.get("attributes", element) if isinstance(element, dict) else element
            yield Row(attributes, bus, host)


def _nfd_device(row: Row) -> DeviceRecord:
    return build_record(_NFD if row.bus == "pci" else _NFD_USB, row)


# ---- ironic-python-agent: the collector pci-devices ----

_IRONIC = Layout(
    vendor="vendor_id",
    device="product_id",
    slot="bus",
    pci_class="class",
    class_bits=24,
    revision="revision",
)


def _ironic_rows(document: dict[str, Any]) -> Iterator[Row]:
    """Of ``baremetal node inventory save``, of what the agent sends, or a device by itself."""
    for holder in (dig(document, "plugin_data"), document):
        if "pci_devices" in holder:
            yield from map(Row, dig(holder, "pci_devices", kind=list))
            return
    if "vendor_id" not in document:
        raise FieldError("pci_devices", "missing: did the agent run the collector pci-devices?")
    yield Row(document)


# ---- MAAS: machine-resources (LXD's resources), or the devices of its API ----

_MAAS = Layout(vendor="vendor_id", device="product_id", slot="pci_address", driver="driver")
_MAAS_API = _MAAS._replace(driver="commissioning_driver")


def _maas_rows(document: dict[str, Any]) -> Iterator[Row]:
    if "vendor_id" in document:
        is_usb = document.get("bus_name") == "USB"
        if not is_usb and not document.get("pci_address"):
            raise FieldError("pci_address", "missing, and the bus_name is not USB")
        yield Row(document, "usb" if is_usb else "pci", text_of(document, "system_id"))
        return
    host = text_of(dig(document, "environment"), "server_name")
    resources = dig(document, "resources") or dig(document, "metadata") or document
    if not resources.keys() & {"pci", "network", "gpu"}:
        raise FieldError("resources", "neither pci nor network nor gpu: is this machine-resources?")
    # The list of all pci devices is younger than those of network cards and graphics cards.
    places = [("pci", "devices")] if resources.get("pci") else [("network", "cards"), ("gpu", "cards")]
    for place in places:
        for device in dig(resources, *place, kind=list):
            # Cards on usb stand among the others.
            is_usb = isinstance(device, dict) and not device.get("pci_address") and "usb_address" in device
            yield Row(device, "usb" if is_usb else "pci", host)
    for device in dig(resources, "usb", "devices", kind=list):
        yield Row(device, "usb", host)


def _maas_device(row: Row) -> DeviceRecord | None:
    if "vendor_id" not in row.entry and not row.entry.get("pci_address"):
        return None  # a network card of no bus that has ids
    return build_record(_MAAS_API if "commissioning_driver" in row.entry else _MAAS, row)


# ---- Redfish: PCIeFunction ----

_REDFISH = Layout(
    vendor="VendorId",
    device="DeviceId",
    slot="@odata.id",
    subvendor="SubsystemVendorId",
    subdevice="SubsystemId",
    pci_class="ClassCode",
    revision="RevisionId",
)


def _redfish_device(row: Row) -> DeviceRecord:
    if row.entry.keys() <= {"@odata.id"}:
        raise FieldError(
            "Members", "only a link to the function: fetch it, or the collection with ?$expand=."
        )
    return build_record(_REDFISH, row)


# ---- nixos-facter: what libhd found, with the modalias of each device that has one ----


def _facter_rows(document: dict[str, Any]) -> Iterator[Row]:
    if "hardware" not in document:
        raise FieldError("hardware", "missing: is this a report of nixos-facter?")
    for kind, devices in dig(document, "hardware").items():
        if isinstance(devices, list):
            yield from map(Row, devices)
        elif isinstance(devices, dict):  # the firmware and the system are one of their kind
            yield Row(devices)
        else:
            raise FieldError(f"hardware.{kind}", f"expected an array, found {shown(devices)}")


def _facter_device(row: Row) -> DeviceRecord | None:
    entry = row.entry
    modalias = text_of(entry, "module_alias")
    bus = text_of(dig(entry, "bus_type"), "name") if isinstance(entry.get("bus_type"), dict) else None
    bus = (modalias or "").partition(":")[0] or (bus or "").lower() or None
    if modalias is None and bus != "pci":
        return None
    parts = [_facter_id(entry, key, 8) for key in ("base_class", "sub_class", "pci_interface")]
    modules = [
        text_of({"driver_modules": m}, "driver_modules") for m in dig(entry, "driver_modules", kind=list)
    ]
    if None in modules:
        raise FieldError("driver_modules", f"expected names, found {shown(entry['driver_modules'])}")
    return make_record(
        "module_alias",
        host=row.host,
        bus=bus,
        slot=text_of(entry, "sysfs_bus_id"),
        modalias=modalias,
        vendor=_facter_id(entry, "vendor", 16),
        device=_facter_id(entry, "device", 16),
        subvendor=_facter_id(entry, "sub_vendor", 16),
        subdevice=_facter_id(entry, "sub_device", 16),
        pci_class=PciClass(*parts) if bus == "pci" else PciClass(),
        revision=_facter_id(entry, "revision", 8) if bus == "pci" else None,
        driver=text_of(entry, "driver"),
        kernel_modules=tuple(modules),
    )


def _facter_id(entry: dict[str, Any], key: str, bits: int) -> int | None:
    """``{"hex": "8086", "name": "Intel Corporation", "value": 32902}``; a name alone has no number."""
    if not isinstance(entry.get(key), dict):
        return None
    digits = text_of(entry[key], "hex")
    if digits is None:
        return None
    # libhd has classes of its own beyond the bytes of pci
    number: int = take(f"{key}.hex", parse_hex, digits, 16)
    return number if number >> bits == 0 else None


# ---- jc --lspci ----

_JC = Layout(
    vendor="vendor_id",
    device="device_id",
    slot="slot",
    subvendor="svendor_id",
    subdevice="sdevice_id",
    revision="rev",
    driver="driver",
)


def _jc_device(row: Row) -> DeviceRecord:
    entry = row.entry
    base_class, subclass, _ = parsed(entry, "class_id", parse_class, 16) or PciClass()
    if base_class is None:
        raise FieldError("class_id", "missing: run lspci with -n or -nn")
    # lspci leaves out an interface of 0.
    interface = parsed(entry, "progif", parse_hex, 8) if "progif" in entry else 0
    module = text_of(entry, "module")
    return build_record(
        _JC,
        row,
        pci_class=PciClass(base_class, subclass, interface),
        kernel_modules=() if module is None else (module,),
    )


# ---- vSphere: HostPciDevice ----

_VSPHERE_IDS = {
    "vendorId": "vendor",
    "deviceId": "device",
    "subVendorId": "subvendor",
    "subDeviceId": "subdevice",
}


def _vsphere_device(row: Row) -> DeviceRecord:
    entry = row.entry
    for key in ("vendorId", "deviceId", "classId"):
        if key not in entry:
            raise FieldError(key, "missing, and no device is without one")
    ids = {name: take(key, parse_signed, entry[key]) for key, name in _VSPHERE_IDS.items() if key in entry}
    return make_record(
        host=row.host,
        bus="pci",
        slot=text_of(entry, "id"),
        pci_class=split_class(take("classId", parse_signed, entry["classId"]), 16),
        **ids,
    )


def _one_or_many(key: str) -> Callable[[dict[str, Any]], Iterator[Row]]:
    """A document is a device by itself, or has many in an array of that key."""

    def find_rows(document: dict[str, Any]) -> Iterator[Row]:
        yield from map(Row, dig(document, key, kind=list) if key in document else [document])

    return find_rows


def _each(document: dict[str, Any]) -> Iterator[Row]:
    yield Row(document)


SHAPES = {
    "osquery": Shape(_osquery_rows, _osquery_device),
    "nfd": Shape(_nfd_rows, _nfd_device),
    "ironic": Shape(_ironic_rows, partial(build_record, _IRONIC)),
    "maas": Shape(_maas_rows, _maas_device),
    # a collection's members, where they were expanded (?$expand=.)
    "redfish": Shape(_one_or_many("Members"), _redfish_device),
    "nixos-facter": Shape(_facter_rows, _facter_device),
    "jc": Shape(_each, _jc_device),
    "vsphere": Shape(_one_or_many("pciDevice"), _vsphere_device),
    "hw-probe-json": hw_probe.JSON_SHAPE,
}
