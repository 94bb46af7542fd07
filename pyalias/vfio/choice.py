"""The best VFIO driver for a device: of the ``vfio_pci:`` aliases that match, the most specific one.

The rule is that of the kernel's commit cc6711b0bf36: prefix the modalias with ``vfio_`` and take the
matching alias with the fewest wildcards. They are counted by field here, as libvirt does, but a field
``02*`` (a fixed interface, behind which file2alias puts a star) is fixed, where libvirt never matches it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from pyalias.index import AliasIndex
from pyalias.vfio.candidates import Candidate, Compat, candidates_of
from pyalias.vfio.drivers import driver_of_module
from pyalias.vfio.notes import NOTES, warnings_for

if TYPE_CHECKING:
    import os

    from typing_extensions import Buffer

    from pyalias.aliases import Alias
    from pyalias.answers import Answers, Names
    from pyalias.vfio.notes import Note


_MEMO_ROOM = 1 << 12


@dataclass(frozen=True)
class Choice:
    """The driver to use for a device, and why.

    ``driver`` is what ``driver_override`` takes, ``None`` where it is unknown until the module is loaded
    (``driver_known_by`` says how it is known). ``candidates`` has all aliases that match, the best first:
    what to try next where a probe fails. ``ambiguous``: another module's alias is as specific, and stands
    later in the file. ``generic``: the alias asks nothing of the device, as that of vfio_pci.
    """

    module: str
    driver: str | None
    driver_known_by: Literal["sysfs", "kernel sources", "unknown until loaded"]
    candidates: tuple[Candidate, ...]
    ambiguous: bool
    warnings: tuple[str, ...]

    @property
    def alias(self) -> Alias:
        """The line that was chosen: pattern, module, file and line."""
        return self.candidates[0].alias

    @property
    def generic(self) -> bool:
        """Whether every field of the alias is wild."""
        return self.candidates[0].wild_fields == 7

    @property
    def stars(self) -> int:
        """The literal count of ``*``, which the commit message speaks of: an ``i02*`` has one."""
        return self.candidates[0].stars


def choose(
    index: AliasIndex,
    modalias: str | bytes,
    *,
    virtual_function: bool | None = None,
    root: str | os.PathLike[str] | None = None,
    compat: Compat | None = None,
) -> Choice | None:
    """The best VFIO driver for a device; ``None`` where no ``vfio_pci:`` alias matches.

    Aliases of every source count, also built-in ones that libkmod would not come to.

    Args:
        index: of the kernel that the device is to be used under.
        modalias: ``pci:...`` as sysfs has it, or with ``vfio_`` before it.
        virtual_function: whether the device is one (sysfs: it has a ``physfn``); for the warnings.
        root: a tree whose ``sys/module`` tells the names of the drivers of loaded modules.
        compat: ``"libvirt"`` gives what libvirt 10.0 and later find in the same ``modules.alias``: exact
            text by field, nothing built in, nothing on line 1. ``None`` then is libvirt's plain vfio-pci.

    Raises:
        InvalidModaliasError: as ``AliasIndex.lookup``.
    """
    chooser = _chooser(index, compat)
    return chooser.choice(chooser.index.lookup(modalias), virtual_function, root)


def choose_many(
    indexes: AliasIndex | Sequence[AliasIndex],
    modaliases: Any,
    *,
    root: str | os.PathLike[str] | None = None,
    compat: Compat | None = None,
    threads: int | None = 1,
) -> Any:
    """Choose for a whole column of devices, as fast as one batch lookup.

    Args:
        indexes: one kernel's index, or several.
        modaliases: what ``AliasIndex.lookup_many`` takes.
        root: as for ``choose``.
        compat: as for ``choose``.
        threads: as for ``AliasIndex.lookup_many``.

    Returns:
        ``Choices``; for several indexes a list of them.

    Raises:
        ColumnError: as ``AliasIndex.lookup_many``.
    """
    if isinstance(indexes, AliasIndex):
        chooser = _chooser(indexes, compat)
        return Choices(chooser, chooser.index.lookup_many(modaliases, threads=threads), root)
    column = list(modaliases) if isinstance(modaliases, Iterator) else modaliases
    return [choose_many(index, column, root=root, compat=compat, threads=threads) for index in indexes]


def choose_ids(
    index: AliasIndex,
    *,
    vendor: Buffer,
    device: Buffer,
    subvendor: Buffer,
    subdevice: Buffer,
    class_code: Buffer,
    root: str | os.PathLike[str] | None = None,
) -> Choices:
    """Choose for devices given by their numbers: columns as for ``AliasIndex.lookup_ids``.

    Raises:
        ColumnError: as ``AliasIndex.lookup_ids``.
    """
    chooser = _chooser(index, None)
    answers = chooser.index.lookup_ids(
        vendor=vendor, device=device, subvendor=subvendor, subdevice=subdevice, class_code=class_code
    )
    return Choices(chooser, answers, root)


class Choices(Sequence["Choice | None"]):
    """The choices for a column: ``choices[i]`` is that of row ``i``, ``table[ids[i]]``.

    ``None`` where no alias matches, a row is null or was refused (``invalid`` lists those).
    """

    def __init__(self, chooser: _Chooser, answers: Answers, root: str | os.PathLike[str] | None) -> None:
        self.ids = answers.ids
        """One number a row, uint32, into ``table``."""
        self.invalid = answers.invalid
        self.table: tuple[Choice | None, ...] = tuple(
            chooser.choice(names, None, root) for names in answers.table
        )
        """The distinct choices; the first is ``None``."""

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Choice | None: ...
    @overload
    def __getitem__(self, row: slice) -> list[Choice | None]: ...
    def __getitem__(self, row: int | slice) -> Choice | list[Choice | None] | None:
        if isinstance(row, slice):
            return [self.table[number] for number in self.ids[row]]
        return self.table[self.ids[row]]

    def __iter__(self) -> Iterator[Choice | None]:
        return map(self.table.__getitem__, self.ids)

    def __repr__(self) -> str:
        return f"<Choices for {len(self)} devices>"


class _Chooser:
    """The vfio_pci: aliases of an index as an index of their own, in which each line is a module.

    So an answer tells exactly which lines match, not only their modules, and a column costs one batch
    lookup. Notes on devices are lines among them, numbered behind the aliases.
    """

    def __init__(self, index: AliasIndex, compat: Compat | None) -> None:
        self.candidates = candidates_of(index, compat)
        rests = [candidate.pattern for candidate in self.candidates] + [pattern for pattern, _ in NOTES]
        # Both forms of a device's name, so that one column may hold either.
        lines = [(prefix + rest, str(n)) for n, rest in enumerate(rests) for prefix in ("pci:", "vfio_pci:")]
        self.index = AliasIndex.compile(lines)
        self._memo: dict[tuple[Names, bool | None], Choice | None] = {}

    def choice(
        self, names: Names, virtual_function: bool | None, root: str | os.PathLike[str] | None
    ) -> Choice | None:
        """The choice among the lines that match; what needs no look at sysfs is remembered."""
        if root is not None:
            return self._make_choice(names, virtual_function, root)
        key = names, virtual_function
        memo = self._memo
        if key not in memo:
            if len(memo) >= _MEMO_ROOM:
                # another dictionary, since another thread may be reading this one
                self._memo = memo = {}
            memo[key] = self._make_choice(names, virtual_function, None)
        return memo[key]

    def _make_choice(
        self, names: Names, virtual_function: bool | None, root: str | os.PathLike[str] | None
    ) -> Choice | None:
        lines = sorted(map(int, names))
        count = len(self.candidates)
        matching = [self.candidates[line] for line in lines if line < count]
        if not matching:
            return None
        # The candidates stand in the order of the file, and sorting keeps it among equals.
        ranked = sorted(matching, key=lambda candidate: candidate.rank)
        best = ranked[0]
        tied = {candidate.module for candidate in ranked if candidate.rank == best.rank}
        notes: list[Note] = [NOTES[line - count][1] for line in lines if line >= count]
        name = driver_of_module(best.module, root)
        return Choice(
            best.module,
            name.driver,
            name.known_by,
            tuple(ranked),
            len(tied) > 1,
            warnings_for(best, notes, tied, name, virtual_function),
        )


_choosers: weakref.WeakKeyDictionary[AliasIndex, dict[str | None, _Chooser]] = weakref.WeakKeyDictionary()


def _chooser(index: AliasIndex, compat: Compat | None) -> _Chooser:
    """The chooser of an index, made once; two threads may both make it, which does no harm."""
    index.size  # noqa: B018 a closed index raises
    made = _choosers.setdefault(index, {})
    if compat not in made:
        made[compat] = _Chooser(index, compat)
    return made[compat]
