"""A batch of rows: split over threads, matched, numbered and settled.

Ids do not depend on threads: each takes a run of rows of its own, and what they found is numbered
afterwards, run by run, in the order of the rows.
"""

from __future__ import annotations

import os
from itertools import pairwise

from pyalias import _binding
from pyalias._binding import IdsOfRun, Search, SharedBuffer
from pyalias._records import NamedTuple
from pyalias.errors import ColumnError, LimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pyalias._binding import Column, Image, Numbers

# A thread costs some 50 us to start: as much as some thousand rows. Ids of a run start in a cache line
# and a byte of a validity bitmap of their own.
ROWS_A_THREAD = 1 << 13
_RUN_UNIT = 1 << 10
_BYTES_A_ROW = 54


class Run(NamedTuple):
    """The rows, or bytes, that one thread takes."""

    first: int
    size: int


def thread_count(threads: int | None) -> int:
    """What ``threads=`` asks for; ``None`` is every core that this process may use.

    Raises:
        LimitError: no number from 1.
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not isinstance(threads, int) or threads < 1:
        raise LimitError(f"threads: expected a number from 1, or None for every core, found {threads!r}")
    return threads


class Batch:
    """Columns against one image, to ids that answers can be made of."""

    def __init__(self, image: Image, numbers: Numbers, threads: int = 1) -> None:
        self._image = image
        self._numbers = numbers
        self._threads = threads

    def match(self, column: Column) -> SharedBuffer:
        """The ids of an Arrow column."""
        return self._match_runs(column.rows, lambda search, run, ids: search.match_column(column, *run, ids))

    def match_list(self, rows: Sequence[Any]) -> SharedBuffer:
        """The ids of a list of ``str`` and ``bytes``."""
        return self._match_runs(len(rows), lambda search, run, ids: search.match_list(rows, *run, ids))

    def match_pci_ids(self, columns: Sequence[memoryview], rows: int) -> SharedBuffer:
        """The ids of five uint32 columns: vendor, device, subvendor, subdevice, class."""
        return self._match_runs(rows, lambda search, run, ids: search.match_pci_ids(columns, *run, ids))

    def match_text(self, data: Any, separator: bytes = b"\n") -> SharedBuffer:
        """The ids of the rows of a text, each up to a separator; one at the very end starts no row."""
        cuts = sorted(
            {
                _binding.row_end(data, run.first - 1, separator) if run.first else 0
                for run in self._runs(len(data), ROWS_A_THREAD * _BYTES_A_ROW)
            }
            | {0, len(data)}
        )
        runs = [Run(start, end - start) for start, end in pairwise(cuts)]
        places = _places(data, runs, separator)
        found: dict[int, IdsOfRun] = {}

        def match(search: Search, run: Run) -> None:
            end = run.first + run.size
            found[run.first] = search.match_text(data, run.first, end, separator, places.get(run.first))

        def number(search: Search, run: Run) -> None:
            search.number(*found[run.first], self._numbers)

        self._search(runs, match, number)
        return _binding.joined_runs([found[run.first] for run in runs])

    def gather(
        self, values: SharedBuffer, indices: Any, size: int, first: int, rows: int, validity: Any
    ) -> SharedBuffer:
        """The ids of a dictionary column whose values have the ids ``values``."""
        return _binding.gather(values, indices, size, first, rows, validity)

    def _match_runs(self, rows: int, match: Callable[[Search, Run, SharedBuffer], None]) -> SharedBuffer:
        ids = SharedBuffer(4 * rows)
        whole = [Run(0, rows)]

        def search(runs: Sequence[Run]) -> None:
            self._search(
                runs,
                lambda search, run: match(search, run, ids),
                lambda search, run: search.number(ids, *run, self._numbers),
            )

        try:
            search(self._runs(rows, ROWS_A_THREAD))
        except ColumnError:
            if self._threads == 1:
                raise
            # Again in one thread, so that the error names the row that it names there.
            search(whole)
            raise
        return ids

    def _runs(self, size: int, least: int) -> list[Run]:
        """Equal runs of rows, or bytes, for as many threads as there is work for."""
        threads = max(1, min(self._threads, size // least))
        step = -(-size // threads)
        step = -(-step // _RUN_UNIT) * _RUN_UNIT if threads > 1 else size
        return [Run(at, min(step, size - at)) for at in range(0, size, max(step, 1))]

    def _search(
        self,
        runs: Sequence[Run],
        match: Callable[[Search, Run], None],
        number: Callable[[Search, Run], None],
    ) -> None:
        searches = [Search(self._image) for _ in runs]
        try:
            pairs = list(zip(searches, runs, strict=True))
            _each([lambda pair=pair: match(*pair) for pair in pairs])  # type: ignore[misc]
            for pair in pairs:
                number(*pair)
        finally:
            for search in searches:
                search.finish()


def _places(data: Any, runs: Sequence[Run], separator: bytes) -> dict[int, IdsOfRun]:
    """Where the ids of several runs of a text will stand if all of its rows are as long as the first ones.

    No run has then to wait for those before it, nor to be copied behind them.
    """
    if len(runs) < 2:
        return {}
    length = _binding.row_length(data, separator)
    size = len(data) if data[len(data) - 1] == separator[0] else len(data) + 1
    if length is None or size % length or any(run.first % length for run in runs):
        return {}
    ids = SharedBuffer(4 * (size // length))
    return {run.first: IdsOfRun(ids, run.first // length, -(-run.size // length)) for run in runs}


def _each(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks side by side, the first in this thread; of what they raise, the first task's."""
    import threading  # noqa: PLC0415 opening an index and single lookups need none

    errors: dict[int, BaseException] = {}

    def run(place: int) -> None:
        try:
            tasks[place]()
        except BaseException as error:  # noqa: BLE001 raised below, in the thread that asked
            errors[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(1, len(tasks))]
    for thread in threads:
        thread.start()
    if tasks:
        run(0)
    for thread in threads:
        thread.join()
    if errors:
        try:
            raise errors[min(errors)]
        finally:
            errors.clear()  # each holds its traceback, which holds this dictionary
