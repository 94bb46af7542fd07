"""What differs between the aliases of two kernels, without any devices."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pyalias.names import normalise_alias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyalias.index import AliasIndex


class ModuleDiff(NamedTuple):
    """A module whose aliases differ; patterns ascend. ``fate`` is ``kept``, ``added`` or ``gone``."""

    module: str
    fate: str
    added: tuple[str, ...]
    """Patterns that only the new kernel has for it."""
    dropped: tuple[str, ...]
    """Patterns that only the old kernel has for it."""


class MovedAlias(NamedTuple):
    """A pattern that both kernels have, and that other modules have now; names ascend."""

    pattern: str
    old_modules: tuple[str, ...]
    new_modules: tuple[str, ...]


class RenamedModule(NamedTuple):
    """A module that is gone, and a new one that has more than half of its patterns."""

    old: str
    new: str
    patterns: int
    """How many patterns of the old module are the new one's."""
    of: int
    """How many it had."""


class AliasDiff(NamedTuple):
    """What differs between the aliases of two kernels, built-in modules' included.

    An alias is a pattern, as libkmod normalises it, and a module. A module without aliases is not seen here.
    """

    modules: tuple[ModuleDiff, ...]
    """Modules that differ, those with most differing aliases first."""
    moved: tuple[MovedAlias, ...]
    """By pattern. These are among the added and dropped aliases of their modules too."""
    renamed: tuple[RenamedModule, ...]
    """By the old name. These are among the modules that are added and gone too."""
    old_aliases: int
    new_aliases: int
    """How many distinct aliases each kernel has."""

    @property
    def added(self) -> tuple[str, ...]:
        """The modules that only the new kernel has aliases of, by name."""
        return tuple(sorted(diff.module for diff in self.modules if diff.fate == "added"))

    @property
    def gone(self) -> tuple[str, ...]:
        """The modules that only the old kernel has aliases of, by name."""
        return tuple(sorted(diff.module for diff in self.modules if diff.fate == "gone"))


class KernelAliases:
    """The aliases of a kernel by module and by pattern, as sets."""

    def __init__(self, index: AliasIndex) -> None:
        self.by_module: dict[str, set[str]] = {}
        self.by_pattern: dict[str, set[str]] = {}
        for alias in index.aliases():
            pattern = normalised(alias.pattern)
            self.by_module.setdefault(alias.module, set()).add(pattern)
            self.by_pattern.setdefault(pattern, set()).add(alias.module)

    @property
    def count(self) -> int:
        """How many aliases there are."""
        return sum(map(len, self.by_module.values()))


def normalised(pattern: str) -> str:
    """A pattern as libkmod compares it; one that it refuses stays as it is."""
    text = normalise_alias(pattern.encode("utf-8", "surrogateescape"))
    return pattern if text is None else text.decode("utf-8", "surrogateescape")


def diff_aliases(old: AliasIndex, new: AliasIndex) -> AliasDiff:
    """What differs between the aliases of two kernels.

    Linear in their aliases: some tenths of a second for two kernels.
    """
    return diff_kernels(KernelAliases(old), KernelAliases(new))


def diff_kernels(old: KernelAliases, new: KernelAliases) -> AliasDiff:
    """As ``diff_aliases``."""
    modules = []
    for module in old.by_module.keys() | new.by_module.keys():
        before, after = old.by_module.get(module, set()), new.by_module.get(module, set())
        if before != after:
            fate = "added" if not before else "gone" if not after else "kept"
            modules.append(
                ModuleDiff(module, fate, tuple(sorted(after - before)), tuple(sorted(before - after)))
            )
    modules.sort(key=lambda diff: (-len(diff.added) - len(diff.dropped), diff.module))
    moved = [
        MovedAlias(pattern, tuple(sorted(had)), tuple(sorted(has)))
        for pattern, had in old.by_pattern.items()
        if (has := new.by_pattern.get(pattern, set())) and had - has and has - had
    ]
    return AliasDiff(
        tuple(modules), tuple(sorted(moved)), _renamed(old, new.by_pattern), old.count, new.count
    )


def _renamed(old: KernelAliases, new: Mapping[str, set[str]]) -> tuple[RenamedModule, ...]:
    names_now = {name for names in new.values() for name in names}
    found = []
    for module in sorted(old.by_module.keys() - names_now):
        patterns = old.by_module[module]
        heirs = Counter(
            name for pattern in patterns for name in new.get(pattern, ()) if name not in old.by_module
        )
        # Of two that have equally many the first by name, so that the result is always the same.
        for heir, count in sorted(heirs.items(), key=lambda item: (-item[1], item[0]))[:1]:
            if 2 * count > len(patterns):
                found.append(RenamedModule(module, heir, count, len(patterns)))
    return tuple(found)
