"""The modules of a kernel that a fleet's devices do not need, and those of which devices cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyalias.fleet.minimal import Coverage, Needs
from pyalias.modalias import DEVICE_BUSES, bus_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyalias.fleet.devices import DeviceCounts
    from pyalias.fleet.loading import Loading
    from pyalias.kmod import Kmod, Module


class UnusedModules(NamedTuple):
    """Every module of the tree, each in one of seven lists; names ascend in each."""

    needed: tuple[str, ...]
    """As ``minimal`` has them."""
    possible: tuple[str, ...]
    """Needed by partial devices if their unknown ids have certain values."""
    unused: tuple[str, ...]
    """Drivers: they claim devices by alias, on buses of which the inventory has devices alone, no device of
    the fleet needs them, and only such drivers load them with themselves."""
    unused_dependencies: tuple[str, ...]
    """Without an alias of their own, and nothing but unused modules loads them."""
    loaded_by_others: tuple[str, ...]
    """Drivers that no device of the fleet needs, but that modules load of which devices cannot tell."""
    unseen_buses: tuple[str, ...]
    """Drivers that claim devices of buses of which the inventory has none: it may not look there."""
    no_devices: tuple[str, ...]
    """Without an alias for devices: file systems, protocols, ciphers. Programs and other modules load
    them by name, so an inventory of devices says nothing about them."""
    buses: tuple[str, ...]
    """The buses that count as looked at."""
    coverage: Coverage


def unused(kmod: Kmod, devices: DeviceCounts, *, all_buses: bool = False) -> UnusedModules:
    """What a fleet's devices do not need of a kernel: the reverse of ``minimal``.

    Args:
        kmod: the kernel, and the configuration that counts.
        devices: the fleet's.
        all_buses: the inventory has the devices of every bus, so that none of a bus means that there is
            none. Otherwise a bus counts as looked at when the inventory has a device of it.

    Raises:
        As ``minimal``.
    """
    needs = Needs(kmod, devices)
    found = needs.module_set(take_possible=False)
    modules = kmod.all_modules()
    seen = {bus_of(text) for text in (*devices.known, *devices.partial)}
    buses = DEVICE_BUSES if all_buses else frozenset(seen - {""})
    needed = {module.name for module in found.modules}
    possible = {module.name for module in found.possible}
    rest = [module for module in modules if module.name not in needed | possible]
    claimed = {module.name: {bus_of(alias) for alias in module.aliases} - {""} for module in rest}
    drivers = {name for name, its in claimed.items() if its and its <= buses}
    without_use = _without_use(drivers, rest, _users(needs.loading, modules))
    helpers = without_use - drivers
    return UnusedModules(
        needed=_in_order(needed),
        possible=_in_order(possible),
        unused=_in_order(without_use & drivers),
        unused_dependencies=_in_order(helpers),
        loaded_by_others=_in_order(drivers - without_use),
        unseen_buses=_in_order(name for name, its in claimed.items() if its - buses),
        no_devices=_in_order(name for name, its in claimed.items() if not its and name not in helpers),
        buses=_in_order(buses),
        coverage=found.coverage,
    )


def _users(loading: Loading, modules: Iterable[Module]) -> dict[str, set[str]]:
    """The modules that load each module with them."""
    users: dict[str, set[str]] = {}
    for module in modules:
        for name in loading.loaded_with(module.name) - {module.name}:
            users.setdefault(name, set()).add(module.name)
    return users


def _without_use(drivers: set[str], rest: Iterable[Module], users: dict[str, set[str]]) -> set[str]:
    """The drivers, and the modules without any alias, that nothing but others of them loads."""
    plain = {module.name for module in rest if not module.aliases and users.get(module.name, set()) & drivers}
    kept = drivers | plain
    while True:
        # Users of users are users too: a circle of modules falls with the first that something else loads.
        wanted = {name for name in kept if not users.get(name, set()) <= kept}
        if not wanted:
            return {name for name in kept if name in drivers or users[name] & kept & drivers}
        kept -= wanted


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
