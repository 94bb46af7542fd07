"""What lookups give: answer ids, and the table that says which module names an id stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyalias._binding import Numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload

    from pyalias._binding import Image, SharedBuffer

Names = tuple[str, ...]


class NamesTable:
    """Answers by id: an id for each distinct list of module names, of which 0 is the empty one."""

    def __init__(self) -> None:
        self.known: list[Names | None] = [()]
        """The names of ids; ``None`` where nobody has asked for them yet."""
        self._table: tuple[Names, ...] = ()

    def __len__(self) -> int:
        return len(self.known)

    def names(self, answer: int) -> Names:
        """The module names of an id."""
        names = self.known[answer]
        if names is None:
            raise IndexError(answer)
        return names

    def table(self, count: int) -> tuple[Names, ...]:
        """The names of the first ``count`` ids, in order of id."""
        table = self._table
        if len(table) < count:
            table = table + tuple(map(self.names, range(len(table), count)))
            self._table = table
        return table if len(table) == count else table[:count]

    def names_of(self, ids: memoryview) -> Iterator[Names]:
        """The module names of many ids."""
        # Once all that occur are known, a list answers without a Python call a row.
        for answer in set(ids):
            self.names(answer)
        return map(self.known.__getitem__, ids)  # type: ignore[arg-type] # none of them is None


class AnswerTable(NamesTable):
    """The answers of one index.

    The first ids are stored in the image; further ones are numbered as lookups find them, since the
    combinations that patterns can form have no bound. Ids never change and are never given twice.
    Names are made on first use, one answer at a time.
    """

    def __init__(self, image: Image) -> None:
        super().__init__()
        self._image = image
        self.numbers = Numbers(image)
        self.known += [None] * (len(self.numbers) - 1)
        self._modules: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def names(self, answer: int) -> Names:
        """The module names of an id."""
        known = self.known
        if answer >= len(known):
            known.extend([None] * (answer + 1 - len(known)))
        names = known[answer]
        if names is None:
            names = known[answer] = tuple(map(self._module, self.numbers.modules(answer)))
        return names

    def _module(self, module: int) -> str:
        name = self._modules.get(module)
        if name is None:
            name = self._image.module(module).decode("utf-8", "surrogateescape")
            name = self._modules.setdefault(module, name)
        return name


class Answers(Sequence["Names | None"]):
    """The answers of a batch, one a row: ``answers[i]`` are the module names of row ``i``.

    A null row of an Arrow column gives ``None``. ``ids`` and ``table`` are the same without Python
    objects a row: ``answers[i] == answers.table[answers.ids[i]]``.
    """

    def __init__(
        self,
        ids: SharedBuffer,
        table: NamesTable,
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

    def columns(self) -> tuple[SharedBuffer, SharedBuffer | None, NamesTable]:
        """What an exporter wants: the ids and validity as memory to share, and the whole table."""
        return self._buffer, self._validity, self._answers

    def __len__(self) -> int:
        return len(self.ids)

    if TYPE_CHECKING:

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
            return self._answers.names_of(self.ids)
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
