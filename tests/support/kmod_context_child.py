"""Asks the real libkmod.so.2 about whole contexts: a program of its own, one JSON line in, one out.

In: ``{"cwd", "directory", "config", "names"}``, text as latin-1. Out: the configuration's lists, and
for each name its modules with all that libkmod says about them, or the errno of a refusal.

libkmod reads the kernel's command line from /proc/cmdline and from nowhere else, so this loads a copy
of the library in which that path is ``./proccmdline``, of the same length: a file in ``cwd``.
"""

from __future__ import annotations

import ctypes
import json
import locale
import os
import sys
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_void_p

SILENT = 0
PROBE_IGNORE_COMMAND = 0x4
PROBE_DRY_RUN = 0x10
PROBE_IGNORE_LOADED = 0x8
PROBE_BLACKLIST = 0x20000
PROBE_BLACKLIST_ALIAS_ONLY = 0x40000
FILTER_BLACKLIST = 1
FILTER_BUILTIN = 2

PRINT_ACTION = ctypes.CFUNCTYPE(None, c_void_p, c_bool, c_char_p)


def load(path: str) -> ctypes.CDLL:
    """The library with its prototypes."""
    kmod = ctypes.CDLL(path)
    text = ("name", "path", "options", "install_commands", "remove_commands")
    for name in text:
        getattr(kmod, f"kmod_module_get_{name}").restype = c_char_p
    for name in ("kmod_config_iter_get_key", "kmod_config_iter_get_value"):
        getattr(kmod, name).restype = c_char_p
    for name in (
        "kmod_new",
        "kmod_list_next",
        "kmod_module_get_module",
        "kmod_module_get_dependencies",
        *(f"kmod_config_get_{kind}" for kind in CONFIGURATION),
    ):
        getattr(kmod, name).restype = c_void_p
    kmod.kmod_new.argtypes = (c_char_p, POINTER(c_char_p))
    kmod.kmod_set_log_priority.argtypes = (c_void_p, c_int)
    kmod.kmod_module_new_from_lookup.argtypes = (c_void_p, c_char_p, POINTER(c_void_p))
    kmod.kmod_module_apply_filter.argtypes = (c_void_p, c_int, c_void_p, POINTER(c_void_p))
    kmod.kmod_list_next.argtypes = (c_void_p, c_void_p)
    kmod.kmod_module_get_softdeps.argtypes = (c_void_p, POINTER(c_void_p), POINTER(c_void_p))
    kmod.kmod_module_probe_insert_module.argtypes = (
        c_void_p,
        ctypes.c_uint,
        c_char_p,
        c_void_p,
        c_void_p,
        PRINT_ACTION,
    )
    kmod.kmod_config_iter_next.restype = c_bool
    for name in (
        "kmod_unref",
        "kmod_load_resources",
        "kmod_module_get_module",
        "kmod_module_unref",
        "kmod_module_unref_list",
        "kmod_module_get_dependencies",
        "kmod_module_get_initstate",
        "kmod_config_iter_next",
        "kmod_config_iter_free_iter",
        "kmod_config_iter_get_key",
        "kmod_config_iter_get_value",
        *(f"kmod_module_get_{name}" for name in text),
        *(f"kmod_config_get_{kind}" for kind in CONFIGURATION),
    ):
        getattr(kmod, name).argtypes = (c_void_p,)
    return kmod


CONFIGURATION = ("blacklists", "install_commands", "remove_commands", "aliases", "options", "softdeps")


class Context:
    """One kmod_ctx."""

    def __init__(self, kmod: ctypes.CDLL, directory: str, config: list[str]) -> None:
        self.kmod = kmod
        paths = (c_char_p * (len(config) + 1))(*(path.encode() for path in config), None)
        self.context = kmod.kmod_new(directory.encode(), paths)
        kmod.kmod_set_log_priority(self.context, SILENT)
        kmod.kmod_load_resources(self.context)  # modprobe does not look at its result either

    def configuration(self) -> dict[str, list[list[str]]]:
        """All lists of the configuration."""
        return {kind: self._list(kind) for kind in CONFIGURATION}

    def _list(self, kind: str) -> list[list[str]]:
        kmod = self.kmod
        entries = []
        iterator = getattr(kmod, f"kmod_config_get_{kind}")(self.context)
        while kmod.kmod_config_iter_next(iterator):
            value = kmod.kmod_config_iter_get_value(iterator) if kind != "blacklists" else None
            entries.append([text(kmod.kmod_config_iter_get_key(iterator)), text(value)])
        kmod.kmod_config_iter_free_iter(iterator)
        return entries

    def answer(self, name: str) -> dict | int:
        """The modules of one name, what the filters leave, and what would be done to load them."""
        kmod = self.kmod
        found = c_void_p()
        error = kmod.kmod_module_new_from_lookup(self.context, name.encode("latin-1"), byref(found))
        if error < 0:
            return -error
        answer = {
            "not_blacklisted": self._filtered(found, FILTER_BLACKLIST),
            # First of all: whoever is met as another's dependency counts as not built in from then on.
            "not_builtin": self._filtered(found, FILTER_BUILTIN),
            "modules": [self._module(module) for module in self._modules(found)],
            "shown": self._shown(found, 0),
            "shown_without_blacklisted": self._shown(found, PROBE_BLACKLIST),
            "shown_without_install": self._shown(found, PROBE_IGNORE_COMMAND),
        }
        kmod.kmod_module_unref_list(found)
        return answer

    def _modules(self, found: c_void_p) -> list[int]:
        modules = []
        entry = found.value
        while entry:
            modules.append(self.kmod.kmod_module_get_module(entry))
            self.kmod.kmod_module_unref(modules[-1])  # the list keeps it
            entry = self.kmod.kmod_list_next(found, entry)
        return modules

    def _names(self, found: c_void_p) -> list[str]:
        names = [text(self.kmod.kmod_module_get_name(module)) for module in self._modules(found)]
        self.kmod.kmod_module_unref_list(found)
        return names

    def _filtered(self, found: c_void_p, kind: int) -> list[str]:
        left = c_void_p()
        self.kmod.kmod_module_apply_filter(self.context, kind, found, byref(left))
        return self._names(left)

    def _module(self, module: int) -> dict:
        kmod = self.kmod
        pre, post = c_void_p(), c_void_p()
        kmod.kmod_module_get_softdeps(module, byref(pre), byref(post))
        return {
            "name": text(kmod.kmod_module_get_name(module)),
            "path": text(kmod.kmod_module_get_path(module)),
            "options": text(kmod.kmod_module_get_options(module)),
            "install": text(kmod.kmod_module_get_install_commands(module)),
            "remove": text(kmod.kmod_module_get_remove_commands(module)),
            "dependencies": self._names(c_void_p(kmod.kmod_module_get_dependencies(module))),
            "pre": self._names(pre),
            "post": self._names(post),
        }

    def _shown(self, found: c_void_p, flags: int) -> list[str]:
        """Modprobe's print_action, called by the library as by modprobe."""
        kmod = self.kmod
        lines = []

        def show(module: int, install: bool, options: bytes) -> None:
            path = kmod.kmod_module_get_path(module)
            if install:
                command = kmod.kmod_module_get_install_commands(module)
                lines.append(text(b"install %s %s" % (command, options)))
            elif path is not None:
                lines.append(text(b"insmod %s %s" % (path, options)))
            elif kmod.kmod_module_get_initstate(module) == 0:
                lines.append(text(b"builtin %s" % kmod.kmod_module_get_name(module)))

        callback = PRINT_ACTION(show)
        flags |= PROBE_DRY_RUN | PROBE_IGNORE_LOADED | PROBE_BLACKLIST_ALIAS_ONLY
        for module in self._modules(found):
            kmod.kmod_module_probe_insert_module(module, flags, None, None, None, callback)
        return lines


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def main() -> None:
    """Say that the library is there, then answer until standard input ends."""
    locale.setlocale(locale.LC_ALL, "C")
    try:
        kmod = load(sys.argv[1])
    except OSError as error:
        print(json.dumps(str(error)), flush=True)
        return
    print(json.dumps("ready"), flush=True)
    for request in sys.stdin:
        asked = json.loads(request)
        os.chdir(asked["cwd"])
        context = Context(kmod, asked["directory"], asked["config"])
        answers = [context.answer(name) for name in asked["names"]]
        print(json.dumps({"configuration": context.configuration(), "answers": answers}), flush=True)
        kmod.kmod_unref(context.context)


main()
