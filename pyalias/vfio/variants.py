"""What the kernel's sources say of VFIO PCI drivers, and no alias tells (``drivers/vfio/pci``, Linux 7.3)."""

from __future__ import annotations

from typing import NamedTuple

GENERIC_MODULE = "vfio_pci"

DENYLIST = (0x0435, 0x0443, 0x0B25, 0x0CFE, 0x19E2, 0x19E3, 0x37C8, 0x37C9)
"""Devices of Intel that vfio-pci refuses unless loaded with ``disable_denylist=1`` (``vfio_pci.c``)."""

INTEL = 0x8086


class Variant(NamedTuple):
    """One driver: its module, its own name, what it claims, and what its probe asks besides."""

    module: str
    driver: str
    vendor: int = 0
    devices: tuple[int, ...] = ()
    virtual_only: bool = False
    condition: str = ""


_XE_DEVICES = (
    *(0xB080, 0xB081, 0xB082, 0xB083, 0xB084, 0xB085, 0xB086, 0xB087, 0xB08F, 0xB090, 0xB0A0, 0xB0B0),
    *(0xFD80, 0xFD81),
    *(0xE202, 0xE209, 0xE20B, 0xE20C, 0xE20D, 0xE210, 0xE211, 0xE212, 0xE216, 0xE220, 0xE221, 0xE222),
    0xE223,
)

VARIANTS = (
    Variant("mlx5_vfio_pci", "mlx5_vfio_pci", 0x15B3, (0x101E,)),
    Variant("ism_vfio_pci", "ism_vfio_pci", 0x1014, (0x04ED,)),
    Variant("hisi_acc_vfio_pci", "hisi_acc_vfio_pci", 0x19E5, (0xA256, 0xA259, 0xA251)),
    Variant("pds_vfio_pci", "pds_vfio_pci", 0x1DD8, (0x1003,), virtual_only=True),
    Variant("virtio_vfio_pci", "virtio_vfio_pci", 0x1AF4, (0x1041, 0x1042)),
    Variant(
        "nvgrace_gpu_vfio_pci",
        "nvgrace_gpu_vfio_pci",
        0x10DE,
        (0x2342, 0x2345, 0x2348, 0x2941, 0x31C2),
        condition="without it the guest lacks the device's memory: never fall back to vfio-pci",
    ),
    Variant(
        "qat_vfio_pci", "qat_vfio_pci", INTEL, (0x4941, 0x4943, 0x4945, 0x4947, 0x4949), virtual_only=True
    ),
    Variant(
        "xe_vfio_pci",
        "xe-vfio-pci",
        INTEL,
        _XE_DEVICES,
        condition="it takes a virtual function only while xe drives the physical one",
    ),
)

BY_MODULE = {variant.module: variant for variant in (Variant(GENERIC_MODULE, "vfio-pci"), *VARIANTS)}
