"""``modprobe --show-depends``: what loading a module would do, in order."""

from __future__ import annotations

from pyalias._records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    from pyalias.kmod.module import Module


class Action(NamedTuple):
    """One step; ``str()`` gives modprobe's line."""

    kind: Literal["insmod", "install", "builtin"]
    module: str
    path: str | None = None
    command: str | None = None
    options: str = ""

    def __str__(self) -> str:
        if self.kind == "builtin":
            return f"builtin {self.module}"
        what = self.path if self.kind == "insmod" else self.command
        # kmod joins what the configuration says and what the caller adds with a blank, also where
        # the caller adds nothing.
        return f"{self.kind} {what} {self.options} " if self.options else f"{self.kind} {what} "


class _Step(NamedTuple):
    module: Module
    ignores_command: bool


def show_depends(modules: Iterable[Module], *, use_blacklist: bool, ignore_install: bool) -> Iterator[Action]:
    """The steps for each module of an answer in turn (kmod: ``kmod_module_probe_insert_module``)."""
    for module in modules:
        if module.blacklisted and (use_blacklist or module.alias is not None):
            continue
        steps = _Steps()
        steps.visit(module, ignore_install=ignore_install)
        yield from steps.actions()


class _Steps:
    """kmod's ``__kmod_module_get_probe_list``, with a stack of its own instead of recursion.

    Modules are known by name and alias, as in kmod's pool; each is visited once, but stands in the
    list as often as it is a dependency of one that is visited.
    """

    def __init__(self) -> None:
        self._visited: set[Module] = set()
        self._steps: list[_Step] = []
        self._pending: list[tuple[str, Module]] = []

    def visit(self, module: Module, *, ignore_install: bool) -> None:
        """Everything for one module."""
        self._pending.append(("plain" if ignore_install else "visit", module))
        while self._pending:
            what, module = self._pending.pop()
            if what in {"visit", "plain"}:
                self._visit(module, plain=what == "plain")
            elif what == "fill":
                self._fill(module)
            else:
                self._steps.append(_Step(module, what == "append, without command"))

    def _visit(self, module: Module, *, plain: bool) -> None:
        if module in self._visited:
            return
        self._visited.add(module)
        dependencies = module.dependencies_with_files
        last = "append, without command" if plain else "fill"
        self._later([*(("fill", dependency) for dependency in dependencies), (last, module)])

    def _fill(self, module: Module) -> None:
        """A module between its soft dependencies; with any, its install command does not count."""
        soft = module.soft_dependencies
        append = "append, without command" if soft.pre or soft.post else "append"
        before = [("visit", other) for other in soft.pre]
        after = [("visit", other) for other in soft.post]
        self._later([*before, (append, module), *after])

    def _later(self, work: list[tuple[str, Module]]) -> None:
        self._pending.extend(reversed(work))

    def actions(self) -> Iterator[Action]:
        """The list as modprobe prints it; what has no file and is not built in prints nothing."""
        # kmod keeps one flag a module, so the last time that it was listed counts for all.
        without_command = {step.module: step.ignores_command for step in self._steps}
        for module, _ in self._steps:
            command = None if without_command[module] else module.install_command
            options = module.options
            if command is not None:
                yield Action("install", module.name, module.path, command, options)
            elif module.path is not None:
                yield Action("insmod", module.name, module.path, None, options)
            elif module.builtin:
                yield Action("builtin", module.name)
