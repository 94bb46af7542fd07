"""Which hosts have which of some numbered things.

A host is remembered as the set of the numbers that it has, and a fleet holds few such sets: machines of one
model have the same parts. So how many hosts have something is asked of the sets, afterwards and exactly,
and the rows of a host may stand anywhere.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Group = TypeVar("_Group")


class _NumberSet:
    """Some numbers, sorted, as bytes; and how many hosts have just these."""

    __slots__ = ("hosts", "key")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.hosts = 0


class HostSets:
    """The set of numbers of each host.

    Memory: some 150 bytes a host, and for each host whose set is like no other's 4 bytes a number more.
    """

    def __init__(self) -> None:
        self._set_of_host: dict[str, _NumberSet] = {}
        self._sets: dict[bytes, _NumberSet] = {}

    def __len__(self) -> int:
        return len(self._set_of_host)

    @property
    def different(self) -> int:
        """How many sets there are that differ."""
        return len(self._sets)

    def add(self, host: str, numbers: set[int]) -> None:
        """Add numbers to a host's; the set that is given may change."""
        before = self._set_of_host.get(host)
        if before is not None:
            numbers.update(array("I", before.key))
        key = array("I", sorted(numbers)).tobytes()
        if before is not None and key == before.key:
            return
        found = self._sets.get(key)
        if found is None:
            found = self._sets[key] = _NumberSet(key)
        found.hosts += 1
        self._set_of_host[host] = found
        if before is not None:
            before.hosts -= 1
            if not before.hosts:
                del self._sets[before.key]

    def count(self, groups: Callable[[int], Iterable[_Group]]) -> Counter[_Group]:
        """How many hosts have a number of each group; ``groups`` gives those of a number.

        O(distinct sets * numbers in a set).
        """
        found: Counter[_Group] = Counter()
        for number_set in self._sets.values():
            for group in {group for number in array("I", number_set.key) for group in groups(number)}:
                found[group] += number_set.hosts
        return found
