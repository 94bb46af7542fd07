"""The real libkmod and pyalias.Kmod asked the same about whole contexts, and what differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyalias
from pyalias.kmod import Kmod
from support.libkmod import LibkmodMissingError

if TYPE_CHECKING:
    from types import TracebackType

    from pyalias.kmod import Action, Module
    from support.random_contexts import RandomContext

CHILD = Path(__file__).with_name("kmod_context_child.py")
_COMMAND_LINE = b"/proc/cmdline"
COMMAND_LINE = b"./proccmdline"  # as long as the original


def with_own_command_line(program: Path, copy: Path) -> Path:
    """A copy of a library or program of kmod's that reads ``./proccmdline``."""
    data = program.read_bytes()
    if data.count(_COMMAND_LINE + b"\0") != 1:
        message = f"{program} does not name {_COMMAND_LINE!r} once"
        raise LibkmodMissingError(message)
    copy.write_bytes(data.replace(_COMMAND_LINE, COMMAND_LINE))
    copy.chmod(0o755)
    return copy


def find_libkmod() -> Path:
    """The library's file."""
    places = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib")
    for place in places:
        path = Path(place) / "libkmod.so.2"
        if path.exists():
            return path
    raise LibkmodMissingError("libkmod.so.2")


class LibkmodContexts:
    """A child that makes a context for each case; ``kmod_context_child`` says why a child."""

    def __init__(self, directory: Path) -> None:
        library = with_own_command_line(find_libkmod(), directory / "libkmod.so.2")
        self._child = subprocess.Popen(
            [sys.executable, "-I", str(CHILD), str(library)],
            env=os.environ | {"LC_ALL": "C", "KMOD_LOG": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        greeting = json.loads(self._child.stdout.readline() or '"the child ended"')
        if greeting != "ready":
            self._child.communicate()
            raise LibkmodMissingError(greeting)

    def ask(self, case: RandomContext) -> dict[str, Any]:
        """The configuration and the answers."""
        request = {
            "cwd": str(case.base),
            "directory": str(case.directory),
            "config": [str(path) for path in case.config],
            "names": [name.decode("latin-1") for name in case.names],
        }
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            message = f"the libkmod child ended with exit code {self._child.wait()} at {request}"
            raise RuntimeError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.communicate()


def ask_pyalias(case: RandomContext, **options: Any) -> dict[str, Any]:
    """The same from pyalias, in the same form."""
    kmod = Kmod(case.directory, case.config, cmdline=case.command_line, **options)
    found = kmod.configuration
    configuration = {
        "blacklists": [[_latin(name), None] for name in found.blacklist],
        "install_commands": [[_latin(name), _latin(value)] for name, value in found.install],
        "remove_commands": [[_latin(name), _latin(value)] for name, value in found.remove],
        "aliases": [[_latin(pattern), _latin(module)] for pattern, module in found.aliases],
        "options": [[_latin(name), _latin(value)] for name, value in found.options],
        "softdeps": [[_latin(line.module), _latin(_softdep_value(line))] for line in found.softdeps],
    }
    return {"configuration": configuration, "answers": [_answer(kmod, name) for name in case.names]}


def _softdep_value(line: Any) -> str:
    """As kmod 30's kmod_config_iter_get_value writes it, without a blank before post."""
    pre = " ".join(("pre:", *line.pre)) if line.pre else ""
    post = " ".join(("post:", *line.post)) if line.post else ""
    return pre + post


def _answer(kmod: Kmod, name: bytes) -> dict[str, Any] | int:
    try:
        modules = kmod.modules(name)
        names = kmod.lookup(name)
    except pyalias.InvalidModaliasError as error:
        return error.errno
    assert names == tuple(module.name for module in modules)
    return {
        "modules": [_module(module) for module in modules],
        "not_blacklisted": [_latin(module.name) for module in modules if not module.blacklisted],
        "not_builtin": [_latin(module.name) for module in modules if not module.builtin],
        "shown": _shown(kmod.show_depends(name)),
        "shown_without_blacklisted": _shown(kmod.show_depends(name, use_blacklist=True)),
        "shown_without_install": _shown(kmod.show_depends(name, ignore_install=True)),
    }


def _module(module: Module) -> dict[str, Any]:
    soft = module.soft_dependencies
    return {
        "name": _latin(module.name),
        "path": module.path and _latin(module.path),
        "options": _latin(module.options) or None,
        "install": _latin(module.install_command),
        "remove": _latin(module.remove_command),
        # libkmod's list is in the order of modules.dep, which is the reverse of loading.
        "dependencies": [other.name for other in module.dependencies_with_files],
        "pre": [_latin(other.name) for other in soft.pre],
        "post": [_latin(other.name) for other in soft.post],
    }


def _shown(actions: tuple[Action, ...] | None) -> list[str]:
    return [_latin(str(action)) for action in actions or ()]


def _latin(text: str | None) -> str | None:
    return None if text is None else os.fsencode(text).decode("latin-1")


def _same_values(ours: list[list[str | None]], theirs: list[list[str | None]]) -> bool:
    """Equal, but for a flaw of kmod 30's text of a softdep line.

    It copies all words from the first of a kind to the last: in ``post: a pre: b post: c`` b shows up
    behind ``post:`` too. kmod_module_get_softdeps, which counts and is compared with, has it right.
    """
    return len(ours) == len(theirs) and all(
        mine == other
        or (mine[0] == other[0] and len((mine[1] or "").split()) < len((other[1] or "").split()))
        for mine, other in zip(ours, theirs, strict=True)
    )


def differences(one: dict[str, Any], other: dict[str, Any], names: list[bytes]) -> list[tuple[Any, Any, Any]]:
    """(what, one, other) wherever two forms of the same context differ."""
    found = [
        (kind, values, other["configuration"][kind])
        for kind, values in one["configuration"].items()
        if not _same_values(values, other["configuration"][kind])
    ]
    for name, mine, theirs in zip(names, one["answers"], other["answers"], strict=True):
        if mine != theirs:
            found.append((name, mine, theirs))
    return found
