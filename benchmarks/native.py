"""The two small C files of this directory, compiled when a benchmark starts and loaded with ctypes."""

from __future__ import annotations

import ctypes
import locale
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bundled import Answer

HERE = Path(__file__).resolve().parent
LIBKMOD = "libkmod.so.2"


class LibkmodError(Exception):
    """libkmod is missing, cannot read the kernel's indexes, or fails a lookup."""


@cache
def load(source: str, *libraries: str) -> ctypes.CDLL:
    """Compile a C file of this directory and load it; the file on disk is gone once it is mapped."""
    with TemporaryDirectory() as directory:
        target = Path(directory) / "native.so"
        options = ["-std=gnu11", "-O2", "-march=native", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run(["cc", *options, "-o", target, HERE / source, *libraries], check=True)
        return ctypes.CDLL(str(target))


def load_libkmod() -> ctypes.CDLL:
    """Load libkmod itself: what a Python program without python-kmod would do."""
    try:
        return ctypes.CDLL(LIBKMOD)
    except OSError as error:
        raise LibkmodError(f"{LIBKMOD} is not installed (Debian: apt-get install libkmod2 kmod)") from error


def use_c_locale() -> None:
    """Run this process in the locale in which modprobe and udev use libkmod.

    CPython sets LC_CTYPE to UTF-8 when it starts. glibc's fnmatch, most of what a lookup costs, then
    converts both strings to wide characters: libkmod would look more than twice as slow as it is.
    """
    locale.setlocale(locale.LC_ALL, "C")


def encode(devices: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    """Lay strings out as a C array of pointers."""
    return (ctypes.c_char_p * len(devices))(*(device.encode() for device in devices))


class LibkmodInC:
    """libkmod called from a C loop: nothing of Python is inside the clock but one call."""

    def __init__(self, modules_directory: Path) -> None:
        load_libkmod()
        self._native = load("libkmod_bench.c", f"-l:{LIBKMOD}")
        self._native.open_libkmod.restype = ctypes.c_void_p
        self._native.look_up_all.restype = ctypes.c_long
        self._native.multibyte_limit.restype = ctypes.c_size_t
        if self._native.multibyte_limit() != 1:
            raise LibkmodError("libkmod must be timed in the C locale: call use_c_locale() first")
        self._context = ctypes.c_void_p(self._native.open_libkmod(bytes(modules_directory)))
        if not self._context:
            raise LibkmodError(f"libkmod cannot read the indexes in {modules_directory}")

    def look_up_all(self, devices: ctypes.Array[ctypes.c_char_p]) -> int:
        """Look every device up; return how many module names the answers hold."""
        names = self._native.look_up_all(self._context, devices, ctypes.c_size_t(len(devices)))
        if names < 0:
            raise LibkmodError(f"libkmod answers with error {names}")
        return names

    def answers(self, devices: ctypes.Array[ctypes.c_char_p]) -> list[Answer]:
        """Look every device up; return the answers."""
        with TemporaryDirectory() as directory:
            path = Path(directory) / "answers"
            count = ctypes.c_size_t(len(devices))
            if self._native.write_answers(self._context, devices, count, bytes(path)) < 0:
                raise LibkmodError("libkmod fails a lookup")
            return [tuple(line.split()) for line in path.read_text(encoding="utf-8").splitlines()]


class LibkmodThroughCtypes:
    """libkmod called from Python, one foreign call after the other."""

    def __init__(self, modules_directory: Path) -> None:
        self._kmod = load_libkmod()
        self._new_from_lookup = self._kmod.kmod_module_new_from_lookup
        self._next = self._function("kmod_list_next", ctypes.c_void_p, arguments=2)
        self._get_module = self._function("kmod_module_get_module", ctypes.c_void_p)
        self._get_name = self._function("kmod_module_get_name", ctypes.c_char_p)
        self._unref_module = self._function("kmod_module_unref", ctypes.c_void_p)
        self._unref_list = self._function("kmod_module_unref_list", ctypes.c_int)
        new = self._function("kmod_new", ctypes.c_void_p, arguments=2)
        no_configuration = (ctypes.c_char_p * 1)(None)
        self._context = ctypes.c_void_p(new(bytes(modules_directory), no_configuration))
        if not self._context or self._kmod.kmod_load_resources(self._context) < 0:
            raise LibkmodError(f"libkmod cannot read the indexes in {modules_directory}")

    def _function(self, name: str, result: type, arguments: int = 1) -> ctypes._FuncPointer:
        """Declare a function whose arguments are all pointers."""
        function = getattr(self._kmod, name)
        function.restype = result
        function.argtypes = [ctypes.c_void_p] * arguments
        return function

    def lookup(self, device: str) -> Answer:
        """Look one device up, as ``AliasIndex.lookup`` does."""
        answer = ctypes.c_void_p()
        status = self._new_from_lookup(self._context, device.encode(), ctypes.byref(answer))
        if status < 0:
            raise LibkmodError(f"libkmod answers {device} with error {status}")
        names = []
        entry = answer.value
        while entry:
            module = self._get_module(entry)
            names.append(self._get_name(module).decode())
            self._unref_module(module)
            entry = self._next(answer, entry)
        self._unref_list(answer)
        return tuple(names)

    def close(self) -> None:
        """Give the context and its mapped indexes back."""
        self._kmod.kmod_unref(self._context)


@cache
def load_reader() -> Callable[[bytes], int]:
    """Load a function that reads every byte of a text once, as fast as this machine can."""
    native = load("read_limit.c")
    native.read_all.restype = ctypes.c_uint64
    return lambda text: native.read_all(text, ctypes.c_size_t(len(text)))


@cache
def load_writer() -> Callable[[bytearray], None]:
    """Load a function that writes every byte of some memory once."""
    native = load("read_limit.c")

    def write(memory: bytearray) -> None:
        whole = (ctypes.c_char * len(memory)).from_buffer(memory)
        native.write_all(whole, ctypes.c_size_t(len(memory)), ctypes.c_ubyte(1))

    return write
