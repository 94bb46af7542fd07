"""The scan: device lists in, rows with modules out, and what there was in numbers.

Each distinct device is looked up once, in batches; the rows that repeat it cost a dictionary lookup.
So memory grows with the distinct devices, a few hundred bytes each, and not with the rows.
"""

from __future__ import annotations

import errno
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pyalias.errors import InvalidModaliasError
from pyalias.partial import PartialAnswer
from pyalias.scan_rows import PARTIAL, RowAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, KeysView, Sequence

    from pyalias.index import AliasIndex
    from pyalias.index_set import KernelCounts
    from pyalias.inventory import Batch
    from pyalias.scan_rows import RowWriter


class Summary(NamedTuple):
    """What a scan counted.

    ``devices`` = ``matched`` + ``unmatched`` + ``invalid`` + ``partial`` + ``unknown``. Of partial devices
    not all ids are known; ``partial`` = ``certain`` + ``possible`` + ``none``: whatever the others are some
    module claims the device; that depends on them; none does. The kernels of ``unknown`` devices are not in
    the set, where there are several; then ``kernels`` has the counts of each. ``rejected`` rows could not be
    read and are no devices. ``modules`` counts the devices that each module claims (partial ones: for
    certain), most first; one that several modules claim counts for each.
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
    certain: int = 0
    possible: int = 0
    none: int = 0
    rejected: int = 0
    unknown: int = 0
    kernels: dict[str, KernelCounts] | None = None

    @property
    def rate(self) -> float:
        """Devices a second."""
        return self.devices / self.seconds if self.seconds else 0.0


class Batches(Protocol):
    """What a scan reads: an ``Inventory``, or what stands for one."""

    name: str
    format: str
    columns: tuple[str, ...]
    rejected: int

    def __iter__(self) -> Iterator[Batch]:
        """The rows, once."""


def scan(
    index: AliasIndex,
    inventory: Batches,
    rows: RowWriter,
    write: Callable[[bytes], object],
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Look up every device of an inventory and write its row.

    ``write`` takes the output in pieces, ``progress`` the number of devices so far.

    Raises:
        InventoryError: the inventory cannot be read, or its rows cannot be written in that form.
        FileAccessError: reading failed.
        LimitError: of a partial device, as ``AliasIndex.lookup_partial``.
    """
    return scan_with(DeviceAnswers(index, rows), inventory, rows, write, progress)


class Answerer(Protocol):
    """Answers batches for a row writer, and counts."""

    devices: int

    def take(self, batch: Batch) -> Sequence[Hashable] | None:
        """Answer a batch; the keys of its rows, where devices alone do not tell them apart."""

    def summary(self, blank: int, rejected: int, seconds: float) -> Summary:
        """All in numbers."""


def scan_with(
    answers: Answerer,
    inventory: Batches,
    rows: RowWriter,
    write: Callable[[bytes], object],
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """As ``scan``, with whatever answers."""
    start = time.perf_counter()
    blank = 0
    write(_to_bytes(rows.header()))
    for batch in inventory:
        keys = answers.take(batch)
        write(_to_bytes(rows.render(batch, keys)))
        blank += batch.blank
        if progress:
            progress(answers.devices)
    return answers.summary(blank, inventory.rejected, time.perf_counter() - start)


class DeviceAnswers:
    """The answer of each distinct device, and how many devices have each answer.

    With ``kernel``, rows are learnt by pairs of it and the device.
    """

    def __init__(self, index: AliasIndex, rows: RowWriter, kernel: str | None = None) -> None:
        self._index = index
        self._rows = rows
        self._kernel = kernel
        self._number_of_device: dict[str, int] = {}
        self._number_of_answer: dict[RowAnswer, int] = {}
        self._answers: list[RowAnswer] = []
        self._totals: list[int] = []
        self.devices = 0

    @property
    def distinct(self) -> KeysView[str]:
        """The distinct devices."""
        return self._number_of_device.keys()

    def take(self, batch: Batch) -> None:
        """Count a batch."""
        self.count(batch.devices, batch.partial)

    def count(self, devices: list[str], partial: frozenset[str] = frozenset()) -> None:
        """Count a batch, looking up the devices not seen before."""
        repeats = Counter(devices)
        numbers, totals = self._number_of_device, self._totals
        new = [device for device in repeats if device not in numbers]
        self._look_up([device for device in new if device in partial], partial=True)
        self._look_up([device for device in new if device not in partial], partial=False)
        for device, repeat in repeats.items():
            totals[numbers[device]] += repeat
        self.devices += len(devices)

    def summary(self, blank: int, rejected: int, seconds: float) -> Summary:
        """All in numbers."""
        modules: Counter[str] = Counter()
        states: Counter[str] = Counter()
        matched = invalid = 0
        for answer, total in zip(self._answers, self._totals, strict=True):
            if answer.error == PARTIAL:
                states[answer.state] += total
            elif answer.error:
                invalid += total
            elif answer.modules:
                matched += total
            for module in set(answer.modules):
                modules[module] += total
        # Modules claiming equally many devices stand by name, so that a summary is reproducible.
        ranked = sorted(modules.items(), key=lambda item: (-item[1], item[0]))
        partial = states.total()
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
            certain=states["certain"],
            possible=states["possible"],
            none=states["none"],
            rejected=rejected,
        )

    def _look_up(self, devices: list[str], *, partial: bool) -> None:
        if not devices:
            return
        index = self._index
        answers = index.lookup_many(devices, partial=True) if partial else index.lookup_many(devices)
        number_of_id = {i: self._number(_row_answer(answers.table[i])) for i in set(answers.ids)}
        numbers = [number_of_id[i] for i in answers.ids]
        for row in answers.invalid:
            numbers[row] = self._number(self._refusal(devices[row], partial=partial))
        for device, number in zip(devices, numbers, strict=True):
            key = None if self._kernel is None else (self._kernel, device)
            self._rows.learn(device, self._answers[number], key)
        self._number_of_device.update(zip(devices, numbers, strict=True))

    def _number(self, answer: RowAnswer) -> int:
        number = self._number_of_answer.setdefault(answer, len(self._answers))
        if number == len(self._answers):
            self._answers.append(answer)
            self._totals.append(0)
        return number

    def _refusal(self, device: str, *, partial: bool) -> RowAnswer:
        """Which of libkmod's two errors it is, only the single lookup tells."""
        try:
            found = self._index.lookup_partial(device) if partial else self._index.lookup(device)
        except InvalidModaliasError as error:
            return RowAnswer((), errno.errorcode[error.errno])
        return _row_answer(found)


def _row_answer(found: tuple[str, ...] | PartialAnswer) -> RowAnswer:
    if not isinstance(found, PartialAnswer):
        return RowAnswer(found, "", "certain" if found else "none")
    return RowAnswer(found.certain, PARTIAL if found.partial else "", found.state, found.possible)


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
