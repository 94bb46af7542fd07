"""The smallest set of modules that a fleet's devices need on a kernel, as an initramfs wants it."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pyalias.errors import InvalidModaliasError
from pyalias.fleet.loading import Loading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyalias.fleet.devices import DeviceCounts
    from pyalias.fleet.loading import NeededModule, Reason
    from pyalias.kmod import Kmod


class Coverage(NamedTuple):
    """How the devices stand: ``devices`` is the sum of the others but ``distinct``.

    ``covered`` and ``uncovered``: some module claims the device, none does. ``invalid``: libkmod refuses the
    text, or it is a partial device of no form that is known. ``certain``, ``possible`` and ``none`` are
    partial devices, by their three-valued answers.
    """

    devices: int
    distinct: int
    covered: int
    uncovered: int
    invalid: int
    certain: int
    possible: int
    none: int


class ModuleSet(NamedTuple):
    """What a fleet's devices need of a kernel; names ascend."""

    modules: tuple[NeededModule, ...]
    """Modules to put into the image: each is needed by some device."""
    possible: tuple[NeededModule, ...]
    """Further modules that partial devices need if their unknown ids have certain values; with
    ``possible=True`` none, since they are among ``modules``."""
    builtin: tuple[str, ...]
    """Needed modules that are built into the kernel."""
    missing: tuple[str, ...]
    """Needed modules that are neither in modules.dep nor built in."""
    blacklisted: tuple[str, ...]
    """Modules that claim devices and that the configuration's blacklist keeps from being loaded for them."""
    coverage: Coverage


def minimal(kmod: Kmod, devices: DeviceCounts, *, possible: bool = False) -> ModuleSet:
    """The smallest set of modules that loads what udev would load for each device of a fleet.

    Where several modules claim a device udev loads them all, so all are needed, with what ``Loading``
    loads with them. Smallest: leave out any module, and for some device one is missing that is loaded now.

    Args:
        kmod: the kernel, and the configuration that counts.
        devices: the fleet's.
        possible: take in what partial devices need for some values of their unknown ids.

    Linear in the distinct devices; each takes about as long as ``Kmod.lookup``.

    Raises:
        AliasFileError, ImageError, FileAccessError: a damaged or missing file of the kernel's.
        LimitError: as ``AliasIndex.lookup_partial``.
    """
    return Needs(kmod, devices).module_set(take_possible=possible)


class Needs:
    """What each device of a fleet needs.

    Raises:
        As ``minimal``.
    """

    def __init__(self, kmod: Kmod, devices: DeviceCounts) -> None:
        self.loading = Loading(kmod)
        self._kmod = kmod
        self._distinct = len(devices.known) + len(devices.partial)
        self._fates: Counter[str] = Counter()
        self._blacklisted: set[str] = set()
        # How many devices are claimed by some modules for certain, and perhaps by some others.
        self._claims: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
        for device, count in devices.known.items():
            self._fates[self._ask(device, count)] += count
        if devices.partial:
            self._ask_partial(devices.partial)

    def _ask(self, device: str, count: int) -> str:
        try:
            modules = self._kmod.modules(device)
        except InvalidModaliasError:
            return "invalid"
        self._claims[self._unlisted(map(self.loading.add, modules)), ()] += count
        return "covered" if modules else "uncovered"

    def _ask_partial(self, devices: Counter[str]) -> None:
        index = self._kmod.alias_index()
        for device, count in devices.items():
            try:
                answer = index.lookup_partial(device)
            except InvalidModaliasError:
                self._fates["invalid"] += count
                continue
            if answer.partial:
                self._fates[answer.state] += count
            else:
                self._fates["covered" if answer.certain else "uncovered"] += count
            self._claims[self._unlisted(answer.certain), self._unlisted(answer.possible)] += count

    def _unlisted(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those that no blacklist names: it counts for whatever is found through an alias."""
        kept = []
        for name in dict.fromkeys(names):
            if self.loading.module(name).blacklisted:
                self._blacklisted.add(name)
            else:
                kept.append(name)
        return tuple(kept)

    def module_set(self, *, take_possible: bool) -> ModuleSet:
        """As ``minimal``."""
        certain = {name for names, _ in self._claims for name in names}
        perhaps = {name for _, names in self._claims for name in names}
        needed = self.loading.reasons(certain | perhaps if take_possible else certain)
        further = {name: why for name, why in self.loading.reasons(perhaps).items() if name not in needed}
        outside = [name for name in sorted(needed) if self.loading.module(name).path is None]
        return ModuleSet(
            modules=self._described(needed),
            possible=self._described(further),
            builtin=tuple(name for name in outside if self.loading.module(name).builtin),
            missing=tuple(name for name in outside if not self.loading.module(name).builtin),
            blacklisted=tuple(sorted(self._blacklisted)),
            coverage=self._coverage(),
        )

    def _described(self, modules: dict[str, Reason]) -> tuple[NeededModule, ...]:
        """Those that are in the tree."""
        return tuple(
            self.loading.described(name, modules[name], *self._devices[name])
            for name in sorted(modules)
            if self.loading.module(name).path is not None
        )

    @cached_property
    def _devices(self) -> dict[str, tuple[int, int]]:
        """How many devices need each module, and how many others may."""
        devices: Counter[str] = Counter()
        others: Counter[str] = Counter()
        for (certain, possible), count in self._claims.items():
            sure, perhaps = self._loaded(certain), self._loaded(possible)
            devices.update(dict.fromkeys(sure, count))
            others.update(dict.fromkeys(perhaps - sure, count))
        return {name: (devices[name], others[name]) for name in devices.keys() | others.keys()}

    def _loaded(self, names: Iterable[str]) -> set[str]:
        return set().union(*map(self.loading.loaded_with, names))

    def _coverage(self) -> Coverage:
        fates = self._fates
        return Coverage(
            devices=fates.total(),
            distinct=self._distinct,
            covered=fates["covered"],
            uncovered=fates["uncovered"],
            invalid=fates["invalid"],
            certain=fates["certain"],
            possible=fates["possible"],
            none=fates["none"],
        )
