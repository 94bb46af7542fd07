"""The helper process: does file operations for a parent that may stop waiting, or die.

Run as a program of its own (``operations.py`` starts it), with nothing of pyalias imported, so that it
starts quickly. It takes one JSON array a line on standard input, ``[operation, argument, ...]``, and
answers each with one line, ``{"value": ...}`` or ``{"errno": ..., "message": ...}``.

An unbind from a VFIO driver blocks until the device's user lets go, and no signal ends that (the
kernel's ``vfio_unregister_group_dev``). Therefore the parent must be able to go on without this process,
and this process must be able to clean up without the parent: the writes last given by ``undo`` are made
when the parent closes the pipes without having said ``done``.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

_MOST = 1 << 16


def main() -> None:
    """Serve until the parent says ``done`` or goes away."""
    # Ctrl-C is for the parent, and so is the end of its terminal.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    undo: list[list[str]] = []
    for line in sys.stdin:
        operation, *arguments = json.loads(line)
        if operation == "done":
            return
        if operation == "undo":
            (undo,) = arguments
        reply = _perform(operation, arguments)
        try:
            os.write(1, json.dumps(reply).encode() + b"\n")
        except OSError:  # the parent stopped waiting
            break
    for path, data in undo:
        # Each stands alone: an unbind from a driver that the device is not on is refused, rightly.
        with suppress(OSError):
            write(path, data)


def _perform(operation: str, arguments: list[Any]) -> dict[str, Any]:
    try:
        return {"value": _OPERATIONS[operation](*arguments)}
    except OSError as error:
        return {"errno": error.errno or errno.EIO, "message": error.strerror or str(error)}


def read(path: str) -> str:
    """The first bytes of a file, each as the character of its number."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, _MOST).decode("latin-1")
    finally:
        os.close(descriptor)


def write(path: str, data: str) -> None:
    """One write of all bytes: sysfs takes a value by a single call."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        if os.write(descriptor, data.encode("latin-1")) != len(data):
            raise OSError(errno.EIO, "the kernel took only a part")
    finally:
        os.close(descriptor)


def link(path: str) -> str | None:
    """The last part of what a link points to; ``None`` where there is no link."""
    try:
        return os.path.basename(os.readlink(path))  # noqa: PTH119, PTH115 - pathlib takes long to import
    except FileNotFoundError:
        return None


def names(path: str) -> list[str]:
    """What a directory holds, sorted; nothing where there is no directory."""
    try:
        return sorted(os.listdir(path))  # noqa: PTH208
    except FileNotFoundError:
        return []


def resolve(path: str) -> str:
    """The path without links."""
    return os.path.realpath(path)


def exists(path: str) -> bool:
    """Whether there is something of that name."""
    return os.path.lexists(path)


def run(command: list[str]) -> list[Any]:
    """Run a program: its exit code, and what it wrote to standard error."""
    reader, writer = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, writer, 2),
        (os.POSIX_SPAWN_CLOSE, reader),
    ]
    try:
        process = os.posix_spawnp(command[0], command, dict(os.environ), file_actions=actions)
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as output:
        text = output.read().decode("latin-1")
    return [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), text]


def undo(writes: list[list[str]]) -> int:
    """Writes to make if the parent goes away; answers with this process's id."""
    del writes
    return os.getpid()


_OPERATIONS = {
    function.__name__: function for function in (read, write, link, names, resolve, exists, run, undo)
}

if __name__ == "__main__":
    main()
