"""What there was of each kernel, as lines of a summary and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyalias.index_set import KernelCounts

_MOST = 20


def kernel_lines(kernels: Mapping[str, KernelCounts] | None) -> list[tuple[str, str]]:
    """A line a kernel, those with most devices first; then one for those that the set lacks."""
    if not kernels:
        return []
    ranked = sorted(kernels.items(), key=lambda item: (-item[1].devices, item[0]))
    known = [(name, counts) for name, counts in ranked if not counts.unknown]
    unknown = [(name, counts) for name, counts in ranked if counts.unknown]
    lines = [
        ("kernel", f"{name}: {counts.devices:,} devices, {counts.matched / counts.devices:.1%} matched")
        for name, counts in known[:_MOST]
    ]
    if len(known) > _MOST:
        lines.append(("", f"and {len(known) - _MOST:,} further kernels"))
    if unknown:
        names = ", ".join(f"{name or '(none named)'} {counts.devices:,}" for name, counts in unknown[:_MOST])
        lines.append(("not in set", names + (", ..." if len(unknown) > _MOST else "")))
    return lines


def kernel_numbers(kernels: Mapping[str, KernelCounts] | None) -> dict[str, Any]:
    """The key ``kernels``, where there are several."""
    return {} if kernels is None else {"kernels": {name: some._asdict() for name, some in kernels.items()}}
