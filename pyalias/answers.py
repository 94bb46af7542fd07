"""What lookups give: answer ids, and the table that says which module names an id stands for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from pyalias._binding import Image, SharedBuffer

Names = tuple[str, ...]


class AnswerTable:
    """The answers of one index: an id for each distinct list of module names.

    The first ids are stored in the image; further ones are numbered as lookups find them, since the
    combinations that patterns can form have no bound. Ids never change and are never given twice.
    Reading takes no lock.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._names: dict[int, Names] = {0: ()}
        self._ids: dict[Names, int] = {}
        self._ids_of_lines: dict[tuple[int, ...], int] = {}
        self._count = image.counts.answers
        self._modules: list[str] = []
        self._table: tuple[Names, ...] = ()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def names(self, answer: int) -> Names:
        """The module names of an id."""
        try:
            return self._names[answer]
        except KeyError:
            names = tuple(map(self._module, self._image.answer(answer)))
            return self._names.setdefault(answer, names)

    def id_of_lines(self, lines: tuple[int, ...]) -> int:
        """The id of the answer that some alias lines, in order, make."""
        found = self._ids_of_lines.get(lines)
        if found is not None:
            return found
        names = tuple(self._module(self._image.line_module(line)) for line in lines)
        with self._lock:
            if not self._ids:
                self._ids = {self.names(answer): answer for answer in range(self._count)}
            answer = self._ids.get(names)
            if answer is None:
                answer = self._count
                self._names[answer] = names
                self._ids[names] = answer
                self._count += 1
            self._ids_of_lines[lines] = answer
        return answer

    def table(self, count: int) -> tuple[Names, ...]:
        """The names of the first ``count`` ids, in order of id."""
        table = self._table
        if len(table) < count:
            table = table + tuple(map(self.names, range(len(table), count)))
            self._table = table
        return table if len(table) == count else table[:count]

    def _module(self, module: int) -> str:
        if not self._modules:
            self._modules = [
                self._image.module(number).decode("utf-8", "surrogateescape")
                for number in range(self._image.counts.modules)
            ]
        return self._modules[module]


class Answers(Sequence["Names | None"]):
    """The answers of a batch, one a row: ``answers[i]`` are the module names of row ``i``.

    A null row of an Arrow column gives ``None``. ``ids`` and ``table`` are the same without Python
    objects a row: ``answers[i] == answers.table[answers.ids[i]]``.
    """

    def __init__(
        self,
        ids: SharedBuffer,
        table: AnswerTable,
        invalid: tuple[int, ...],
        validity: SharedBuffer | None,
        nulls: int,
    ) -> None:
        self._buffer = ids
        self._answers = table
        self._answer_count = len(table)
        self._validity = validity
        self._valid_bits = validity.view() if validity else None
        self.null_count = nulls
        self.ids: memoryview = ids.view().cast("I")
        """One answer id a row, uint32; 0 where nothing matched, a row is null or was refused."""
        self.invalid: tuple[int, ...] = invalid
        """The rows, ascending, that libkmod would refuse (-EINVAL, -ENAMETOOLONG)."""

    @property
    def table(self) -> tuple[Names, ...]:
        """The module names of every id, ``table[0] == ()``: all answers the index knows by now.

        Made on first use, in time linear in its length (some thousands for a kernel).
        """
        return self._answers.table(self._answer_count)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Names | None: ...
    @overload
    def __getitem__(self, row: slice) -> list[Names | None]: ...
    def __getitem__(self, row: int | slice) -> Names | list[Names | None] | None:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        if self._valid_bits is not None and not self._is_valid(row):
            return None
        return self._answers.names(self.ids[row])

    def __iter__(self) -> Iterator[Names | None]:
        if self._valid_bits is None:
            return map(self._answers.names, self.ids)
        return map(self.__getitem__, range(len(self)))

    def _is_valid(self, row: int) -> bool:
        return self._valid_bits is None or bool(self._valid_bits[row // 8] >> row % 8 & 1)

    def __repr__(self) -> str:
        return f"<Answers of {len(self)} devices>"

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Export as ``dictionary<uint32, list<utf8>>`` by the Arrow PyCapsule protocol.

        Nothing is copied but the names of the table. No Arrow library is needed.
        """
        del requested_schema  # "best effort" in the protocol: there is one form
        from pyalias._arrow import export_answers  # noqa: PLC0415 needs ctypes, which lookups do not

        return export_answers(self._buffer, self._validity, self.null_count, self.table)
