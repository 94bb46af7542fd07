"""What is loaded with a module, and why."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyalias.kmod import Kmod, Module

Reason = Literal["device", "dependency", "softdep", "weakdep"]
REASONS: tuple[Reason, ...] = ("device", "dependency", "softdep", "weakdep")


class NeededModule(NamedTuple):
    """A module of the tree. ``path`` is its file, relative to the module directory.

    ``reason`` is the strongest there is: a ``device`` is claimed by it; or it is a ``dependency`` of such a
    module; or that only by way of a ``softdep``; or only by way of a ``weakdep``. ``devices`` counts the
    devices that need it, for whatever reason, ``possible_devices`` the partial ones that may need it, which
    depends on ids that are unknown.
    """

    name: str
    path: str
    reason: Reason
    devices: int
    possible_devices: int
    has_file: bool
    """Whether the file is there."""


class Loading:
    """What the modules of a kernel load with them: dependencies, soft and weak dependencies.

    As ``modprobe`` does: all that modules.dep lists, and ``pre`` and ``post`` of ``softdep`` lines, with
    what these need in turn (``__kmod_module_get_probe_list``). ``weakdep`` modules are asked for by the
    module itself, depending on the hardware, so they must be there (modprobe.d(5)).
    """

    def __init__(self, kmod: Kmod) -> None:
        self._kmod = kmod
        self._modules: dict[str, Module] = {}
        self._steps: dict[str, tuple[tuple[Reason, str], ...]] = {}
        self._loaded: dict[str, frozenset[str]] = {}

    def add(self, module: Module) -> str:
        """Make a module known; its name, by which all else goes."""
        self._modules.setdefault(module.name, module)
        return module.name

    def module(self, name: str) -> Module:
        """The module of a name."""
        if name not in self._modules:
            self._modules[name] = self._kmod.module(name)
        return self._modules[name]

    def loaded_with(self, name: str) -> frozenset[str]:
        """The module and all that it needs, for whatever reason."""
        if name not in self._loaded:
            self._loaded[name] = frozenset(self._reach({name}, "weakdep"))
        return self._loaded[name]

    def reasons(self, names: Iterable[str]) -> dict[str, Reason]:
        """All that is needed where some modules claim devices, each with its strongest reason."""
        found: dict[str, Reason] = dict.fromkeys(names, "device")
        for weakest in REASONS[1:]:
            for name in self._reach(found, weakest):
                found.setdefault(name, weakest)
        return found

    def _reach(self, names: Iterable[str], weakest: Reason) -> set[str]:
        """What is reached by steps for no weaker a reason."""
        allowed = REASONS[: REASONS.index(weakest) + 1]
        reached = set(names)
        pending = list(reached)
        while pending:
            for reason, name in self._steps_from(pending.pop()):
                if reason in allowed and name not in reached:
                    reached.add(name)
                    pending.append(name)
        return reached

    def _steps_from(self, name: str) -> tuple[tuple[Reason, str], ...]:
        if name not in self._steps:
            module = self.module(name)
            soft = module.soft_dependencies
            steps: list[tuple[Reason, Module]] = [
                *(("dependency", other) for other in module.dependencies),
                *(("softdep", other) for other in (*soft.pre, *soft.post)),
                *(("weakdep", other) for other in module.weak_dependencies),
            ]
            self._steps[name] = tuple((reason, self.add(other)) for reason, other in steps)
        return self._steps[name]

    def described(self, name: str, reason: Reason, devices: int, possible_devices: int) -> NeededModule:
        """A module that has a line in modules.dep."""
        path, directory = self.module(name).path, self._kmod.directory
        assert path is not None
        # The paths of a package's modules are inside it, where nobody looks a second time.
        has_file = Path(path).exists() if directory.is_dir() else True
        relative = os.path.relpath(path, directory)
        return NeededModule(name, relative, reason, devices, possible_devices, has_file)
