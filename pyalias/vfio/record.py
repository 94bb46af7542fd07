"""The record of a switch: what a device was before, kept until it is so again.

One file a device in ``/run/pyalias/vfio``. The override lives in the kernel's device, so neither outlives a
boot.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pyalias.errors import SwitchError

if TYPE_CHECKING:
    from pyalias.vfio.operations import Operations
    from pyalias.vfio.sysfs import DeviceState

DIRECTORY = "/run/pyalias/vfio"
LOCK = f"{DIRECTORY}/lock"
_SUFFIX = ".json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """A device as it was, and the driver that it was to get.

    ``pending`` is the helper process that still waits for the kernel, after a time-out.
    """

    address: str
    modalias: str
    driver: str | None
    override: str | None
    wanted: str
    pending: int | None = None

    @property
    def path(self) -> str:
        """Its file."""
        return _path(self.address)

    def is_as_before(self, device: DeviceState) -> bool:
        """Whether a device is as the record says that it was."""
        return (device.modalias, device.driver, device.override) == (
            self.modalias,
            self.driver,
            self.override,
        )

    def to_bytes(self) -> bytes:
        """The file's content."""
        return json.dumps({"version": _VERSION} | asdict(self), indent=2).encode() + b"\n"


def read_record(operations: Operations, address: str) -> Record | None:
    """The record of a device, or ``None``.

    Raises:
        SwitchError: the file is not one that this version wrote.
        OSError: it cannot be read.
    """
    path = _path(address)
    try:
        if not operations.exists(path):
            return None
        return _from_bytes(operations.read(path))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SwitchError(
            f"{path}: expected the record of a switch: {error}; look at the device, and remove the file",
            step="record",
            device=address,
        ) from error


def _from_bytes(data: bytes) -> Record:
    fields = json.loads(data)
    if fields.pop("version") != _VERSION:
        raise ValueError("it is of another version")
    return Record(**fields)


def recorded_addresses(operations: Operations) -> list[str]:
    """The devices with a record."""
    return [name.removesuffix(_SUFFIX) for name in operations.names(DIRECTORY) if name.endswith(_SUFFIX)]


def _path(address: str) -> str:
    return f"{DIRECTORY}/{address}{_SUFFIX}"
