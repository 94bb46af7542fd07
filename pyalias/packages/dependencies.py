"""``modules.dep`` from what modules say they depend on (kmod: ``depmod.c``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Graph = dict[bytes, list[bytes]]


def dependency_lines(modules: Mapping[bytes, tuple[bytes, Sequence[bytes]]]) -> bytes:
    """The text, given for each module's name its path and its ``depends=`` records, in depmod's order.

    A line has all that a module needs, directly or not, in depmod's order: what stands last has to
    be loaded first. Names of modules that are not there are left out, as they are by depmod, which
    looks for the symbols themselves. Modules in a circle get the others' names like any other.
    """
    graph = {
        name: [needed for needed in _needed(records) if needed in modules and needed != name]
        for name, (_, records) in modules.items()
    }
    rank = _ranks(graph)
    lines = []
    for name, (path, _) in modules.items():
        needed = sorted(_reachable(graph, name), key=rank.__getitem__)
        lines.append(path + b":" + b"".join(b" " + modules[other][0] for other in needed) + b"\n")
    return b"".join(lines)


def _needed(records: Sequence[bytes]) -> list[bytes]:
    names = (name.strip().replace(b"-", b"_") for record in records for name in record.split(b","))
    return list(dict.fromkeys(name for name in names if name))


def _ranks(graph: Graph) -> dict[bytes, int]:
    """Each module before those that it needs (kmod: ``depmod_calculate_dependencies``)."""
    users = dict.fromkeys(graph, 0)
    for others in graph.values():
        for other in others:
            users[other] += 1
    roots = [name for name, count in users.items() if count == 0]
    ranks: dict[bytes, int] = {}
    while roots:
        name = roots.pop()
        ranks[name] = len(ranks)
        for needed in graph[name]:
            users[needed] -= 1
            if users[needed] == 0:
                roots.append(needed)
    return {name: ranks.get(name, len(graph)) for name in graph}


def _reachable(graph: Graph, name: bytes) -> set[bytes]:
    found: set[bytes] = set()
    pending = list(graph[name])
    while pending:
        needed = pending.pop()
        if needed not in found:
            found.add(needed)
            pending += graph[needed]
    found.discard(name)
    return found
