"""Asks the real libkmod.so.2: a program of its own, one JSON line in, one JSON line out.

In: ``[directory, [key, ...]]``, keys as latin-1 text. Out: for each key its module names, or the errno.

It is a process of its own for the locale. fnmatch depends on it, kmod's tools and udev set none, but CPython
puts LC_CTYPE into UTF-8 when it starts, and libkmod inside it would then match wide characters. A process can
change that with ``setlocale``, but only for all its threads: not in the process that runs the tests. And a
libkmod that crashes must not take the tests with it.
"""

from __future__ import annotations

import ctypes
import json
import locale
import sys

SILENT = 0  # log priority: refusals are answers here, not news for standard error
# An empty list of paths; NULL instead would stand for /etc/modprobe.d and the other default directories.
NO_CONFIGURATION = (ctypes.c_char_p * 1)(None)


def load_libkmod() -> ctypes.CDLL:
    """The library with its prototypes; OSError when it is not installed."""
    kmod = ctypes.CDLL("libkmod.so.2")
    pointer = ctypes.c_void_p
    kmod.kmod_new.argtypes = (ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p))
    kmod.kmod_set_log_priority.argtypes = (pointer, ctypes.c_int)
    kmod.kmod_module_new_from_lookup.argtypes = (pointer, ctypes.c_char_p, ctypes.POINTER(pointer))
    kmod.kmod_list_next.argtypes = (pointer, pointer)
    kmod.kmod_module_get_name.restype = ctypes.c_char_p
    for function in (kmod.kmod_new, kmod.kmod_list_next, kmod.kmod_module_get_module):
        function.restype = pointer
    for function in (
        kmod.kmod_unref,
        kmod.kmod_load_resources,
        kmod.kmod_module_get_module,
        kmod.kmod_module_get_name,
        kmod.kmod_module_unref,
        kmod.kmod_module_unref_list,
    ):
        function.argtypes = (pointer,)
    return kmod


def names_of(kmod: ctypes.CDLL, found: ctypes.c_void_p) -> list[str]:
    """The names in a list of modules."""
    names = []
    entry = found.value
    while entry:
        module = kmod.kmod_module_get_module(entry)
        names.append(kmod.kmod_module_get_name(module).decode("latin-1"))
        kmod.kmod_module_unref(module)
        entry = kmod.kmod_list_next(found, entry)
    return names


def lookup(kmod: ctypes.CDLL, context: int, key: bytes) -> list[str] | int:
    """One answer: the names, or the errno of a refusal."""
    found = ctypes.c_void_p()
    error = kmod.kmod_module_new_from_lookup(context, key, ctypes.byref(found))
    if error < 0:
        return -error
    names = names_of(kmod, found)
    kmod.kmod_module_unref_list(found)
    return names


def answer_all(kmod: ctypes.CDLL, directory: str, keys: list[str]) -> list[list[str] | int]:
    """The answers of one module directory, its indexes mapped as udev maps them."""
    context = kmod.kmod_new(directory.encode(), NO_CONFIGURATION)
    kmod.kmod_set_log_priority(context, SILENT)
    try:
        error = kmod.kmod_load_resources(context)
        if error < 0:
            raise OSError(-error, "kmod_load_resources", directory)
        return [lookup(kmod, context, key.encode("latin-1")) for key in keys]
    finally:
        kmod.kmod_unref(context)


def main() -> None:
    """Say whether the library is there, then answer until standard input ends."""
    # LC_ALL=C in the environment is not enough: CPython may still coerce LC_CTYPE to C.UTF-8.
    locale.setlocale(locale.LC_ALL, "C")
    try:
        kmod = load_libkmod()
    except OSError as error:
        print(json.dumps(str(error)), flush=True)
        return
    print(json.dumps("ready"), flush=True)
    for request in sys.stdin:
        directory, keys = json.loads(request)
        print(json.dumps(answer_all(kmod, directory, keys)), flush=True)


if __name__ == "__main__":
    main()
