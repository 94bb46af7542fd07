"""Writes the files of a case: text and binary indexes, module files, modprobe.d."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.kmod.binwriter import write_index
from pyalias.names import module_name, normalise_alias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pyalias.conformance.cases import Case


class Tree(NamedTuple):
    """Where the files of a case are."""

    root: Path
    release: str
    modules: Path
    config: Path
    cmdline: Path


class _Module(NamedTuple):
    path: bytes
    depends: list[bytes]
    exists: bool


def write_tree(root: Path, case: Case, release: str = "1.0", *, every_module: bool = False) -> Tree:
    """Write a case below ``root``: ``lib/modules/RELEASE``, ``etc/modprobe.d`` and ``cmdline``.

    With ``every_module`` each module of the aliases gets a file and a line in modules.dep, for
    programs that answer with paths.
    """
    tree = Tree(
        root, release, root / "lib" / "modules" / release, root / "etc" / "modprobe.d", root / "cmdline"
    )
    tree.modules.mkdir(parents=True)
    tree.config.mkdir(parents=True)
    for name, text in case.get("config", {}).items():
        (tree.config / name).write_bytes(_bytes(text))
    tree.cmdline.write_bytes(_bytes(case.get("cmdline", "")))
    for name, data in _files(case["tree"], every_module=every_module):
        (tree.modules / name).write_bytes(data)
    for module in _modules(case["tree"], every_module=every_module):
        if module.exists:
            path = tree.modules / module.path.decode()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tree


def added_names(case: Case) -> set[bytes]:
    """The names that ``every_module`` makes names of modules."""
    own = {module_name(module.path) for module in _modules(case["tree"], every_module=False)}
    return {module_name(module.path) for module in _modules(case["tree"], every_module=True)} - own


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _modules(tree: dict[str, Any], *, every_module: bool) -> list[_Module]:
    modules = []
    for entry in tree.get("modules", []):
        if isinstance(entry, str):
            modules.append(_Module(_path(entry), [], every_module))
        else:
            depends = [_bytes(path) for path in entry.get("depends", [])]
            modules.append(_Module(_bytes(entry["path"]), depends, entry.get("file", True)))
    if every_module:
        named = (module for _, module, *_ in (*tree.get("aliases", []), *tree.get("symbols", [])))
        known = {module_name(module.path) for module in modules}
        unknown = (name for name in dict.fromkeys(named) if _bytes(name) not in known)
        modules.extend(_Module(_path(name), [], exists=True) for name in unknown)
    return modules


def _path(name: str) -> bytes:
    return b"kernel/%s.ko" % _bytes(name)


def _files(tree: dict[str, Any], *, every_module: bool) -> Iterator[tuple[str, bytes]]:
    """Each text file, and its binary index."""
    modules = _modules(tree, every_module=every_module)
    dep = [module.path + b":" + b"".join(b" " + path for path in module.depends) for module in modules]
    yield "modules.dep", _text(dep)
    yield (
        "modules.dep.bin",
        write_index(
            (module_name(module.path), rank, line)
            for rank, (module, line) in enumerate(zip(modules, dep, strict=True))
        ),
    )
    aliases = _ranked(tree.get("aliases", []))
    lines = (b"alias %s %s" % (pattern, module) for pattern, _, module in aliases)
    yield "modules.alias", _text([b"# Aliases extracted from modules themselves.", *lines])
    yield "modules.alias.bin", write_index(_normalised(aliases))
    symbols = [
        (b"symbol:" + symbol, rank, module) for symbol, rank, module in _ranked(tree.get("symbols", []))
    ]
    yield "modules.symbols", _text(b"alias %s %s" % (symbol, module) for symbol, _, module in symbols)
    yield "modules.symbols.bin", write_index(symbols)
    builtin = [_path(name) for name in tree.get("builtin", [])]
    yield "modules.builtin", _text(builtin)
    yield "modules.builtin.bin", write_index((module_name(path), 0, b"") for path in builtin)
    builtin_aliases = [
        (_bytes(pattern), 0, _bytes(module)) for pattern, module in tree.get("builtin_aliases", [])
    ]
    records = (b"%s.alias=%s\0" % (module, pattern) for pattern, _, module in builtin_aliases)
    yield "modules.builtin.modinfo", b"".join(records)
    yield "modules.builtin.alias.bin", write_index(_normalised(builtin_aliases))
    for name in ("softdep", "weakdep"):
        if name in tree:
            yield f"modules.{name}", _bytes(tree[name])


def _text(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _ranked(lines: list[list[Any]]) -> list[tuple[bytes, int, bytes]]:
    """Pattern, priority and module, in the order of priorities."""
    ranks: dict[str, int] = {}
    ranked = []
    for pattern, module, *priority in lines:
        rank = priority[0] if priority else ranks.setdefault(module, len(ranks))
        ranked.append((_bytes(pattern), rank, _bytes(module)))
    return sorted(ranked, key=lambda line: line[1])


def _normalised(lines: Iterable[tuple[bytes, int, bytes]]) -> Iterator[tuple[bytes, int, bytes]]:
    for pattern, rank, module in lines:
        normal = normalise_alias(pattern)
        if normal is not None:  # depmod leaves patterns with stray brackets out
            yield normal, rank, module
