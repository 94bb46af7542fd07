"""Files that are either complete or not there."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pyalias.errors import FileAccessError

if TYPE_CHECKING:
    from types import TracebackType

_ADVICE = "nothing was written"


class AtomicFile:
    """A file to write: its name appears, or its old content goes, only when all has been written.

    A context manager. What is written goes to a temporary file in the same directory, which takes
    the name when the block ends well and goes when it ends with an exception. A path that names a
    device or a pipe is written to directly: it must not be replaced by a file.

    Raises:
        FileAccessError: the system failed to create, write or rename.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def __enter__(self) -> Self:
        try:
            if _is_special(self._path):
                self._temporary = None
                self._file = self._path.open("wb")
            else:
                # A link keeps pointing to the file that it points to.
                self._target = self._path.resolve()
                self._temporary = self._target.parent / f".pyalias-{os.urandom(8).hex()}.tmp"
                self._file = self._temporary.open("xb")
        except OSError as error:
            raise FileAccessError.from_oserror(error, self._path, _ADVICE) from error
        return self

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        try:
            self._file.write(data)
        except OSError as error:
            raise FileAccessError.from_oserror(error, self._path, _ADVICE) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._keep()
        except OSError as failure:
            self._discard()
            raise FileAccessError.from_oserror(failure, self._path, _ADVICE) from failure
        except BaseException:
            self._discard()
            raise

    def _keep(self) -> None:
        self._file.flush()
        if self._temporary is not None:
            os.fsync(self._file.fileno())
        self._file.close()
        if self._temporary is not None:
            self._temporary.replace(self._target)
            self._temporary = None

    def _discard(self) -> None:
        # After a full disk closing fails too, because the rest cannot be written.
        with suppress(OSError):
            self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
