"""A path for who writes files by name, and all that is written there goes to a stream."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from types import TracebackType

_BLOCK = 1 << 20


class PipeTo:
    """A pipe, and a thread that passes on what comes out of it; ``path`` names its other end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._out, self._in = os.pipe()
        self.path = f"/dev/fd/{self._in}"
        self._thread = threading.Thread(target=self._pass_on)
        self._thread.start()
        return self

    def _pass_on(self) -> None:
        try:
            with open(self._out, "rb", buffering=0) as out:  # noqa: PTH123 - a number, no path
                while block := out.read(_BLOCK):
                    self._stream.write(block)
                self._stream.flush()
        except BaseException as error:  # noqa: BLE001 raised by finish, in the thread that writes
            self._failure = error  # the writer finds the pipe closed

    def finish(self) -> None:
        """Wait until all has gone out.

        Raises:
            OSError: the stream could not be written.
        """
        if self._in >= 0:
            os.close(self._in)
            self._in = -1
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Where the stream failed, that is why the writer did.
        self.finish()
