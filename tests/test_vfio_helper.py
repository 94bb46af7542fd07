"""The real helper process: it outlives a parent that stops waiting or dies, and cleans up after it.

A FIFO stands for a file of sysfs whose write blocks: nobody reads it until the test does.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyalias.vfio.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOON = 20.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys" / "value").write_text("before\n")
    (tmp_path / "sys" / "link").symlink_to("somewhere/far")
    os.mkfifo(tmp_path / "sys" / "blocks")
    return tmp_path


@pytest.fixture
def operations(root: Path) -> Iterator[Operations]:
    with Operations(str(root), timeout=SOON) as system:
        yield system


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_reads(operations: Operations):
    assert operations.read("/sys/value") == b"before\n"
    assert operations.link("/sys/link") == "far"
    assert operations.link("/sys/none") is None
    assert operations.names("/sys") == ["blocks", "link", "value"]
    assert operations.names("/none") == []
    assert operations.resolve("/sys/link") == "/sys/somewhere/far"
    assert operations.exists("/sys/link")
    assert not operations.exists("/sys/none")


def test_writes_bytes_as_they_are(operations: Operations, root: Path):
    (root / "sys" / "value").write_bytes(b"")
    operations.write("/sys/value", b"\xff\x00\n")
    assert (root / "sys" / "value").read_bytes() == b"\xff\x00\n"


@pytest.mark.parametrize(
    ("path", "code"), [("/sys/none", errno.ENOENT), ("/sys", errno.EISDIR), ("/sys/value/x", errno.ENOTDIR)]
)
def test_a_refusal_is_an_oserror_with_the_file(operations: Operations, path: str, code: int):
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        operations.write(path, b"x")
    assert (caught.value.errno, caught.value.filename) == (code, f"{operations._root}{path}")
    assert operations.read("/sys/value") == b"before\n"  # and the next call is answered as ever


def test_never_creates_a_file(operations: Operations, root: Path):
    with pytest.raises(FileNotFoundError):
        operations.write("/sys/new", b"x")
    assert not (root / "sys" / "new").exists()


def test_a_copy_is_not_live(operations: Operations):
    assert not operations.is_live()


def test_sysfs_is_live_where_it_is_mounted():
    lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    mounted = any(" - sysfs " in line and line.split()[4] == "/sys" for line in lines)
    assert Operations().is_live() == mounted


def test_modprobe_that_fails_is_told(operations: Operations):
    with pytest.raises(OSError, match="no_such_module"):
        operations.load_module("no_such_module")


def test_users_of_a_file(operations: Operations, root: Path):
    assert operations.users_of("/sys/value") == []
    with (root / "sys" / "value").open():
        (user,) = operations.users_of("/sys/value")
    assert user.startswith(f"{os.getpid()} (")


def test_the_lock_is_held_by_one(operations: Operations):
    with operations.lock("/run/lock"), pytest.raises(BlockingIOError), operations.lock("/run/lock"):
        pass
    with operations.lock("/run/lock"):
        pass


def test_a_helper_that_is_killed_is_an_error_and_the_next_call_works(operations: Operations):
    process = operations.undo_if_abandoned([])
    assert operations.is_helper(process)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(OSError, match=r"ended from outside|Broken pipe"):
        operations.read("/sys/value")
    assert not operations.is_abandoned()
    assert operations.read("/sys/value") == b"before\n"


def test_a_helper_left_alone_undoes_when_the_kernel_answers(root: Path):
    operations = Operations(str(root), timeout=0.3)
    while True:  # on a busy machine the helper process may take longer than that to start
        try:
            process = operations.undo_if_abandoned([("/sys/none", b"refused"), ("/sys/value", b"undone")])
            break
        except TimeoutError:
            continue
    with pytest.raises(TimeoutError):
        operations.write("/sys/blocks", b"unbind")
    assert operations.is_abandoned()
    assert operations.is_helper(process)
    assert (root / "sys" / "value").read_text() == "before\n"
    # The device's user lets go.
    assert (root / "sys" / "blocks").read_text() == "unbind"
    wait_until(lambda: not operations.is_abandoned())
    assert (root / "sys" / "value").read_text() == "undone\n"
    operations.close()


def test_a_helper_in_good_order_undoes_nothing(root: Path):
    with Operations(str(root), timeout=SOON) as operations:
        process = operations.undo_if_abandoned([("/sys/value", b"undone")])
    wait_until(lambda: not operations.is_helper(process))
    assert (root / "sys" / "value").read_text() == "before\n"


@pytest.mark.parametrize(("kind", "expected"), [(ValueError, "before"), (KeyboardInterrupt, "undone")])
def test_a_helper_undoes_after_an_interrupt_and_not_after_an_error(
    root: Path, kind: type[BaseException], expected: str
):
    """Ctrl-C may come in the midst of undoing too; an error has been dealt with when it gets here."""
    processes: list[int] = []
    operations = Operations(str(root), timeout=SOON)

    def interrupted() -> None:
        with operations:
            processes.append(operations.undo_if_abandoned([("/sys/value", b"undone")]))
            raise kind

    with pytest.raises(kind):
        interrupted()
    wait_until(lambda: not operations.is_abandoned() and not operations.is_helper(processes[0]))
    assert (root / "sys" / "value").read_text() == expected + "\n"


_PARENT = """
import sys
from pyalias.vfio.operations import Operations
operations = Operations(sys.argv[1], timeout=60)
print(operations.undo_if_abandoned([("/sys/value", b"undone")]), flush=True)
operations.write("/sys/blocks", b"unbind") if sys.argv[2] == "busy" else input()
"""


@pytest.mark.parametrize("where", ["busy", "idle"])
def test_a_parent_that_is_killed_leaves_the_undoing_to_the_helper(root: Path, where: str):
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, root, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin
    assert parent.stdout
    helper = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    if where == "busy":
        # The write may not have begun when the parent died: then nothing opens the other end either.
        threading.Thread(target=(root / "sys" / "blocks").read_bytes, daemon=True).start()
    wait_until(lambda: (root / "sys" / "value").read_text() == "undone\n")
    wait_until(lambda: not Operations().is_helper(helper))
    if where == "busy":
        _wake(root / "sys" / "blocks")
    parent.stdin.close()
    parent.stdout.close()


def _wake(fifo: Path) -> None:
    """End the reader that may still wait for a writer."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        assert error.errno == errno.ENXIO  # noqa: PT017 - there is no reader any more
