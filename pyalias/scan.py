"""The scan: device lists in, rows with modules out, and what there was in numbers.

Each distinct device is looked up once, in batches; the rows that repeat it cost a dictionary lookup.
So memory grows with the distinct devices, a few hundred bytes each, and not with the rows.
"""

from __future__ import annotations

import errno
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pyalias.errors import InvalidModaliasError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyalias.index import AliasIndex
    from pyalias.inventory import Inventory
    from pyalias.scan_rows import RowWriter


class Summary(NamedTuple):
    """What a scan counted.

    ``devices`` = ``matched`` + ``unmatched`` + ``invalid`` + ``partial``: of partial devices not all ids are
    known, and so not what claims them. ``rejected`` rows could not be read and are no devices. ``modules``
    counts the devices that each module claims, most first; one that several modules claim counts for each.
    """

    devices: int
    distinct: int
    matched: int
    unmatched: int
    invalid: int
    blank: int
    modules: dict[str, int]
    seconds: float
    partial: int = 0
    rejected: int = 0

    @property
    def rate(self) -> float:
        """Devices a second."""
        return self.devices / self.seconds if self.seconds else 0.0


class _Answer(NamedTuple):
    modules: tuple[str, ...]
    error: str


# In place of an answer: which modules claim the device depends on what is not known of it.
_PARTIAL = _Answer((), "PARTIAL")


def scan(
    index: AliasIndex,
    inventory: Inventory,
    rows: RowWriter,
    write: Callable[[bytes], object],
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Look up every device of an inventory and write its row.

    ``write`` takes the output in pieces, ``progress`` the number of devices so far.

    Raises:
        InventoryError: the inventory cannot be read, or its rows cannot be written in that form.
        FileAccessError: reading failed.
    """
    start = time.perf_counter()
    answers = _Answers(index, rows)
    blank = 0
    write(_to_bytes(rows.header()))
    for batch in inventory:
        answers.count(batch.devices, batch.partial)
        write(_to_bytes(rows.render(batch)))
        blank += batch.blank
        if progress:
            progress(answers.devices)
    return answers.summary(blank, inventory.rejected, time.perf_counter() - start)


class _Answers:
    """The answer of each distinct device, and how many devices have each answer."""

    def __init__(self, index: AliasIndex, rows: RowWriter) -> None:
        self._index = index
        self._rows = rows
        self._number_of_device: dict[str, int] = {}
        self._number_of_answer: dict[_Answer, int] = {}
        self._answers: list[_Answer] = []
        self._totals: list[int] = []
        self.devices = 0

    def count(self, devices: list[str], partial: frozenset[str] = frozenset()) -> None:
        """Count a batch, looking up the devices not seen before but for the partial ones."""
        repeats = Counter(devices)
        numbers, totals = self._number_of_device, self._totals
        new = [device for device in repeats if device not in numbers]
        self._learn([device for device in new if device in partial], _PARTIAL)
        self._look_up([device for device in new if device not in partial])
        for device, repeat in repeats.items():
            totals[numbers[device]] += repeat
        self.devices += len(devices)

    def summary(self, blank: int, rejected: int, seconds: float) -> Summary:
        """All in numbers."""
        modules: Counter[str] = Counter()
        matched = invalid = partial = 0
        for answer, total in zip(self._answers, self._totals, strict=True):
            partial += total if answer is _PARTIAL else 0
            invalid += total if answer.error and answer is not _PARTIAL else 0
            matched += total if answer.modules else 0
            for module in set(answer.modules):
                modules[module] += total
        # Modules claiming equally many devices stand by name, so that a summary is reproducible.
        ranked = sorted(modules.items(), key=lambda item: (-item[1], item[0]))
        unmatched = self.devices - matched - invalid - partial
        distinct = len(self._number_of_device)
        return Summary(
            devices=self.devices,
            distinct=distinct,
            matched=matched,
            unmatched=unmatched,
            invalid=invalid,
            blank=blank,
            modules=dict(ranked),
            seconds=seconds,
            partial=partial,
            rejected=rejected,
        )

    def _learn(self, devices: list[str], answer: _Answer) -> None:
        for device in devices:
            self._rows.learn(device, *answer)
            self._number_of_device[device] = self._number(answer)

    def _look_up(self, devices: list[str]) -> None:
        if not devices:
            return
        answers = self._index.lookup_many(devices)
        ids = answers.ids.tolist()
        number_of_id = {i: self._number(_Answer(answers.table[i], "")) for i in set(ids)}
        numbers = [number_of_id[i] for i in ids]
        for row in answers.invalid:
            numbers[row] = self._number(self._refusal(devices[row]))
        for device, number in zip(devices, numbers, strict=True):
            self._rows.learn(device, *self._answers[number])
        self._number_of_device.update(zip(devices, numbers, strict=True))

    def _number(self, answer: _Answer) -> int:
        number = self._number_of_answer.setdefault(answer, len(self._answers))
        if number == len(self._answers):
            self._answers.append(answer)
            self._totals.append(0)
        return number

    def _refusal(self, device: str) -> _Answer:
        """Which of libkmod's two errors it is, only the single lookup tells."""
        try:
            modules = self._index.lookup(device)
        except InvalidModaliasError as error:
            return _Answer((), errno.errorcode[error.errno])
        return _Answer(modules, "")


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
