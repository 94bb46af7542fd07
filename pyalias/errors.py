"""Every exception that pyalias raises on purpose, in one tree."""

from __future__ import annotations

import errno
import os


class PyaliasError(Exception):
    """The root: catch this to catch everything pyalias raises on purpose."""


class InvalidModaliasError(PyaliasError, ValueError):
    """A name that libkmod refuses to look up.

    ``errno`` is libkmod's answer: ``EINVAL`` for stray brackets (kmod's
    ``alias_normalize``) and for bytes that no C string can hold,
    ``ENAMETOOLONG`` where an alias of some 4,090 bytes or more matches
    (``kmod_module_new_from_alias``).
    """

    def __init__(self, message: str, modalias: str | bytes, code: int = errno.EINVAL) -> None:
        super().__init__(message)
        self.modalias = modalias
        self.errno = code


class AliasFileError(PyaliasError, ValueError):
    """Alias text that cannot be read as such: ``file`` and ``line`` say where."""

    def __init__(self, message: str, file: str | None = None, line: int | None = None) -> None:
        where = ":".join(str(part) for part in (file, line) if part is not None)
        super().__init__(f"{where}: {message}" if where else message)
        self.file = file
        self.line = line


class ImageError(PyaliasError, ValueError):
    """A compiled index that is damaged, cut short, or of another version."""

    def __init__(self, message: str, file: str | None = None) -> None:
        super().__init__(f"{file}: {message}" if file else message)
        self.file = file


class ColumnError(PyaliasError, TypeError):
    """Input of ``lookup_many`` or ``lookup_ids`` in a form that they do not take."""


class InventoryError(PyaliasError, ValueError):
    """A device list that cannot be read: the message names file and record."""


class PciIdError(PyaliasError, ValueError):
    """A PCI device or id-table entry that the kernel has no such form of."""


class PackageError(PyaliasError, ValueError):
    """A kernel package, an archive or a module file that cannot be read as such: ``file`` says which."""

    def __init__(self, message: str, file: str | None = None) -> None:
        super().__init__(f"{file}: {message}" if file else message)
        self.file = file


class MissingLibraryError(PyaliasError, ImportError):
    """A library that some kind of file needs is not installed; the message says how to get it."""


class EngineError(PyaliasError, RuntimeError):
    """What a query engine or a cluster refused or lost; the message holds its words."""


class UnknownKernelError(PyaliasError, KeyError):
    """A kernel that a set of indexes does not have; the message names those that it has."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would put it in quotes


class LimitError(PyaliasError, ValueError):
    """Input beyond a documented limit (image of 4 GiB, 2**31 rows in a batch, ...)."""


class FileAccessError(PyaliasError, OSError):
    """A file or directory that is missing, unreadable, unwritable, or not of the kind wanted.

    ``errno``, ``strerror`` and ``filename`` are those of the system's error.
    """

    @classmethod
    def from_oserror(cls, error: OSError, path: str | os.PathLike[str], advice: str) -> FileAccessError:
        """Wrap what the system said, with a sentence on what to do."""
        reason = error.strerror or str(error)
        return cls(error.errno or errno.EIO, f"{reason}; {advice}", os.fspath(path))


class SwitchError(PyaliasError, RuntimeError):
    """A switch of a device's driver that was refused, failed, or could not be undone.

    ``step`` says where (``find``, ``read``, ``preflight``, ``override``, ``unbind``, ...), ``device`` is the
    device's address. ``outcome`` is ``unchanged`` (nothing was written), ``undone`` (all is as before),
    ``pending`` (the kernel has not answered; a helper process undoes the switch as soon as it does), or
    ``unfinished`` (undoing failed too: ``pyalias.vfio.restore`` mends it from the record that was kept).
    """

    def __init__(
        self, message: str, *, step: str, device: str | None = None, outcome: str = "unchanged"
    ) -> None:
        super().__init__(message)
        self.step = step
        self.device = device
        self.outcome = outcome
