"""What ``pyalias diff`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyalias.fleet.diff import CHANGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyalias.fleet import AliasDiff, FleetDiff

_RARE = {"invalid", "partial"}


def alias_lines(diff: AliasDiff, top: int) -> Iterable[str]:
    """The modules and aliases that differ, ``top`` of each list."""
    kept = len(diff.modules) - len(diff.added) - len(diff.gone)
    dropped = sum(len(module.dropped) for module in diff.modules)
    added = sum(len(module.added) for module in diff.modules)
    yield f"aliases    {diff.old_aliases:,} -> {diff.new_aliases:,}: {added:,} added, {dropped:,} dropped"
    yield f"modules    {len(diff.added):,} added, {len(diff.gone):,} gone, {kept:,} with other aliases"
    yield f"moved      {len(diff.moved):,} patterns are other modules' now"
    rows = [
        (f"{len(some.added):,}", f"{len(some.dropped):,}", some.fate, some.module) for some in diff.modules
    ]
    yield from _table(("added", "dropped", "", "module"), rows, top)
    renamed = [
        (f"{some.patterns:,} of {some.of:,}", f"{some.old} -> {some.new}")
        for some in sorted(diff.renamed, key=lambda some: (-some.patterns, some.old))
    ]
    yield from _table(("patterns", "renamed"), renamed, top)


def fleet_lines(diff: FleetDiff, top: int) -> Iterable[str]:
    """What changes for a fleet, ``top`` causes and devices."""
    total, affected = diff.total, diff.affected
    yield f"devices    {total.devices:,} ({total.distinct:,} distinct) on {total.hosts:,} hosts"
    yield f"affected   {affected.devices:,} ({affected.distinct:,} distinct) on {affected.hosts:,} hosts"
    for kind, count in diff.kinds.items():
        if count.devices or kind not in _RARE:
            yield f"{kind:<10} {count.devices:,} ({count.distinct:,} distinct) on {count.hosts:,} hosts"
    if diff.rejected:
        yield f"rejected   {diff.rejected:,} rows"
    causes = [(f"{some.hosts:,}", f"{some.devices:,}", some.kind, str(some.cause)) for some in diff.causes]
    yield from _table(("hosts", "devices", "", "cause"), causes, top)
    # Gains need nobody's attention before losses do.
    changes = sorted(diff.changes, key=lambda change: CHANGES.index(change.kind))
    rows = [
        (
            f"{change.hosts:,}",
            f"{change.devices:,}",
            change.kind,
            f"{change.device}  {_names(change.old_modules)} -> {_names(change.new_modules)}",
        )
        for change in changes
    ]
    yield from _table(("hosts", "devices", "", "device"), rows, top)


def _names(modules: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(modules)) or "nothing"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], top: int) -> Iterable[str]:
    if not rows or not top:
        return
    shown = rows[:top]
    yield ""
    widths = [max(len(row[column]) for row in (header, *shown)) for column in range(len(header) - 1)]
    for row in (header, *shown):
        cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()
    if len(rows) > top:
        yield f"and {len(rows) - top:,} more"
