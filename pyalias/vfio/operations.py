"""Everything that the switch does to the system, behind one object, so that each call can fail in a test."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pyalias.atomic_file import AtomicFile
from pyalias.errors import FileAccessError, SwitchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

_HELPER = Path(__file__).with_name("helper.py")
_EXIT_SECONDS = 5.0
_UNDO_SECONDS = 1.0
_SYSTEM_PROGRAMS = "/usr/sbin:/sbin"

# Helper processes that were left alone: kept so that they are waited for when they end.
_left_alone: list[subprocess.Popen[bytes]] = []


class Operations:
    """File operations below ``root``, each done in a helper process with a time limit.

    Paths are absolute and without ``root``. Every method raises ``OSError`` when the system refuses, and
    ``TimeoutError`` when it did not answer in ``timeout`` seconds: the helper process is then left alone
    with what it was doing, and makes the writes given to ``undo_if_abandoned`` once it comes back.

    A context manager. One that is left by an error makes no undo writes, since its caller has dealt with
    that; one that is left by an interrupt makes them, as if the caller had died.
    """

    def __init__(self, root: str = "/", timeout: float = 15.0) -> None:
        self._root = root.rstrip("/")
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._abandoned: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close()
        elif self._process is not None:
            self._leave_alone(self._process)

    # ---- reading ----

    def read(self, path: str) -> bytes:
        """The bytes of a file (64 KiB at most)."""
        value: str = self._ask("read", self._root + path)
        return value.encode("latin-1")

    def link(self, path: str) -> str | None:
        """The last part of what a link points to; ``None`` where there is no link."""
        value: str | None = self._ask("link", self._root + path)
        return value

    def names(self, path: str) -> list[str]:
        """What a directory holds, sorted; nothing where there is no directory."""
        value: list[str] = self._ask("names", self._root + path)
        return value

    def resolve(self, path: str) -> str:
        """The path without links, below ``root``."""
        value: str = self._ask("resolve", self._root + path)
        return value.removeprefix(os.path.realpath(self._root or "/").rstrip("/"))

    def exists(self, path: str) -> bool:
        """Whether there is something of that name."""
        value: bool = self._ask("exists", self._root + path)
        return value

    def users_of(self, path: str) -> list[str]:
        """The processes that have a device file open, as ``PID (name)``: those that may be looked at."""
        target = self._root + path
        users = []
        for directory in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if any(str(entry.readlink()) == target for entry in (directory / "fd").iterdir()):
                    users.append(f"{directory.name} ({(directory / 'comm').read_text().strip()})")
        return users

    def is_live(self) -> bool:
        """Whether ``/sys`` below ``root`` is a running kernel's and not a copy."""
        sys_directory = os.path.realpath(f"{self._root}/sys")
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
            before, _, after = line.partition(" - ")
            if before.split()[4] == sys_directory and after.split()[0] == "sysfs":
                return True
        return False

    # ---- changing ----

    def write(self, path: str, data: bytes) -> None:
        """Write to a file that exists, by one call."""
        self._ask("write", self._root + path, data.decode("latin-1"))

    def load_module(self, module: str) -> None:
        """Load a module, and what it needs, by modprobe."""
        # A container that sees the host's tree loads the host's modules.
        where = ["-d", self._root] if self._root else []
        code, output = self._ask("run", ["modprobe", *where, "--", module])
        if code:
            raise OSError(errno.ENOEXEC, output.strip() or f"modprobe ended with exit code {code}")

    def undo_if_abandoned(self, writes: Sequence[tuple[str, bytes]]) -> int:
        """What the helper process writes if this process dies or stops waiting; the helper's process id."""
        value: int = self._ask("undo", [[self._root + path, data.decode("latin-1")] for path, data in writes])
        return value

    def is_abandoned(self) -> bool:
        """Whether a helper process that was left alone is still at its work (it gets a moment to end)."""
        if self._abandoned is None:
            return False
        try:
            self._abandoned.wait(_UNDO_SECONDS)
        except subprocess.TimeoutExpired:
            return True
        self._abandoned = None
        return False

    def pause(self, seconds: float) -> None:
        """Wait before looking again."""
        time.sleep(seconds)

    # ---- records of what was ----

    def save(self, path: str, data: bytes) -> None:
        """Write a record completely or not at all."""
        target = Path(self._root + path)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with AtomicFile(target) as file:
            file.write(data)

    def remove(self, path: str) -> None:
        """Remove a record; one that is gone already is no error."""
        Path(self._root + path).unlink(missing_ok=True)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """Hold a lock that ends with this process; ``BlockingIOError`` when another one has it."""
        target = Path(self._root + path)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def is_helper(self, process: int) -> bool:
        """Whether a helper process of that id still runs."""
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            return False
        return os.fsencode(_HELPER.name) in command

    # ---- the helper process ----

    def close(self) -> None:
        """End the helper process in good order."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        with suppress(OSError):
            process.stdin.write(b'["done"]\n')
            process.stdin.flush()
        _hang_up(process)
        try:
            process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            _left_alone.append(process)

    def _ask(self, operation: str, *arguments: object) -> Any:
        process = self._process or self._start()
        self._process = process
        try:
            line = self._exchange(process, json.dumps([operation, *arguments]).encode() + b"\n")
        except BaseException:
            # Also when interrupted: an answer that comes later would be taken for that of the next call.
            self._leave_alone(process)
            raise
        reply = json.loads(line)
        if "errno" in reply:
            raise OSError(reply["errno"], reply["message"], arguments[0])
        return reply["value"]

    def _leave_alone(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        self._abandoned = process
        _left_alone.append(process)
        _hang_up(process)

    def _start(self) -> subprocess.Popen[bytes]:
        _left_alone[:] = [process for process in _left_alone if process.poll() is None]
        # modprobe is not on every user's path. A session of its own: what ends the parent's terminal or
        # process group must not end the helper.
        search = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PROGRAMS}"
        return subprocess.Popen(
            [sys.executable, "-I", "-S", _HELPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PATH": search},
        )

    def _exchange(self, process: subprocess.Popen[bytes], request: bytes) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        process.stdin.write(request)
        process.stdin.flush()
        line = b""
        deadline = time.monotonic() + self._timeout
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(errno.ETIMEDOUT, f"no answer from the kernel in {self._timeout:g} seconds")
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise OSError(errno.ESRCH, "the helper process was ended from outside")
            line += chunk
        return line


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


@contextmanager
def reading(so: str = "nothing was changed") -> Iterator[None]:
    """What the system refuses in the block, where nothing is written, is told as a ``SwitchError``."""
    try:
        yield
    except FileAccessError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise SwitchError(f"{where}{reason(error)}; {so}", step="read") from error


def reason(error: OSError) -> str:
    """What the system said, as one phrase."""
    if isinstance(error, FileAccessError):
        return str(error)
    code = errno.errorcode.get(error.errno or 0, "")
    return f"{error.strerror or error}{f' ({code})' if code else ''}"
