"""Lookups of partial devices in an index: one, a column of texts, and columns of ids."""

from __future__ import annotations

import mmap
from array import array
from typing import TYPE_CHECKING, Any

from pyalias import _binding
from pyalias._binding import ID_INVALID, Distinct
from pyalias.errors import ColumnError, InvalidModaliasError
from pyalias.partial.answers import NOTHING, PartialAnswer, PartialAnswers, known_answer
from pyalias.partial.columns import number_id_rows
from pyalias.partial.device import CLASS_FIELDS, PartialDevice
from pyalias.partial.forms import FORMS, PCI, USB, Form
from pyalias.partial.solver import Solver, claims_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyalias._binding import Image, SharedBuffer
    from pyalias.index import AliasIndex

_MEMO_ROOM = 1 << 16
_IDS = ("vendor", "device", "subvendor", "subdevice")


class Solvers:
    """The solvers of an image, made when a device of their form is first asked for, and recent answers."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._solvers: dict[str, Solver] = {}
        self._answers: dict[tuple[str, int], PartialAnswer] = {}

    def answer(self, form: Form, space: int) -> PartialAnswer:
        """The answer for the device strings of a box.

        Raises:
            LimitError: patterns that no kernel has, and that take too much work.
        """
        answer = self._answers.get((form.bus, space))
        if answer is None:
            solver = self._solvers.get(form.bus)
            if solver is None:
                solver = self._solvers[form.bus] = Solver(form, claims_of(self._image, form))
            answer = solver.answer(space)
            if len(self._answers) >= _MEMO_ROOM:
                self._answers.clear()
            self._answers[form.bus, space] = answer
        return answer


class PartialLookup:
    """The lookups of one index."""

    def __init__(self, index: AliasIndex, solvers: Solvers) -> None:
        self._index = index
        self._solvers = solvers

    def one(self, device: PartialDevice | str | bytes) -> PartialAnswer:
        """The answer for one device.

        Raises:
            InvalidModaliasError: neither a partial device of a bus that is known nor one that libkmod takes.
        """
        text = device.text if isinstance(device, PartialDevice) else device
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        elif not isinstance(text, str):
            raise ColumnError(f"expected str, bytes or PartialDevice, found {type(device).__name__}")
        if not _is_partial(text):
            return known_answer(self._index.lookup(text))
        return self._solve(text)

    def texts(self, column: Any) -> PartialAnswers:
        """The answers for a column of texts, as ``lookup_many`` takes them.

        Raises:
            ColumnError: another kind of input.
        """
        if hasattr(column, "__arrow_c_array__") or hasattr(column, "__arrow_c_stream__"):
            from pyalias._arrow import number_arrow  # noqa: PLC0415 needs ctypes

            distinct = Distinct()
            numbers = number_arrow(distinct, column)
            return self._answers(numbers, self._text_answers(list(map(_decoded, distinct.rows()))))
        if not isinstance(column, list | tuple):
            column = _lines(column)
        known: dict[str, int] = {}
        ids = array("I", bytes(4 * len(column)))
        for row, text in enumerate(column):
            if isinstance(text, PartialDevice):
                text = text.text  # noqa: PLW2901 what the loop goes on with
            elif not isinstance(text, str | bytes):
                raise ColumnError(
                    f"row {row}: expected str, bytes or PartialDevice, found {type(text).__name__}"
                )
            ids[row] = known.setdefault(_decoded(text), len(known))
        return self._answers(_binding.shared_bytes(ids), self._text_answers(list(known)))

    def pci_ids(self, columns: Mapping[str, Any], known: Mapping[str, Any] | None) -> PartialAnswers:
        """The answers for columns of PCI ids: all seven, or five with ``class_code``.

        Raises:
            ColumnError: a column of another type or length, or a number that is too large.
        """
        given = dict(columns)
        if given.get("class_code") is None:
            del given["class_code"]
        elif any(given[name] is not None for name in CLASS_FIELDS):
            raise ColumnError("class_code and its bytes are one field: give one of them")
        else:
            given = {name: given[name] for name in (*_IDS, "class_code")}
        bits = {name: 32 if name in _IDS else 24 if name == "class_code" else 8 for name in given}
        distinct = Distinct()
        numbers = number_id_rows(distinct, given, bits, known or {})
        return self._answers(
            numbers, self._id_answers([memoryview(row).cast("I") for row in distinct.rows()])
        )

    def usb_ids(self, columns: Mapping[str, Any], known: Mapping[str, Any] | None) -> PartialAnswers:
        """The answers for columns of the fields of usb devices; those left out are unknown.

        Raises:
            ColumnError: as ``pci_ids``, or another field.
        """
        fields = {field.name: field for field in USB.fields}
        for name in columns:
            if name not in fields:
                expected = ", ".join(fields)
                raise ColumnError(f"a usb device has no field {name!r}: expected some of {expected}")
        distinct = Distinct()
        numbers = number_id_rows(
            distinct,
            {name: columns.get(name) for name in fields},
            {name: 4 * field.digits for name, field in fields.items()},
            known or {},
        )
        rows = (memoryview(row).cast("I") for row in distinct.rows())
        texts = [USB.text(_values(row)) for row in rows]
        return self._answers(numbers, self._text_answers(texts))

    # ---- what is distinct ----

    def _text_answers(self, texts: Sequence[str]) -> list[PartialAnswer | None]:
        whole = [text for text in texts if not _is_partial(text)]
        found = self._index.lookup_many(whole)
        names: dict[str, PartialAnswer | None] = {
            text: known_answer(found.table[i]) for text, i in zip(whole, found.ids, strict=True)
        }
        names.update((whole[row], None) for row in found.invalid)
        return [names[text] if text in names else self._solve_or_refuse(text) for text in texts]

    def _id_answers(self, rows: Sequence[memoryview]) -> list[PartialAnswer | None]:
        if not rows:
            return []
        all_known = (1 << len(rows[0]) - 1) - 1
        whole = [row for row in rows if row[0] == all_known]
        columns = [array("I", column) for column in zip(*whole, strict=True)] or [array("I")] * len(rows[0])
        _, vendor, device, subvendor, subdevice, *codes = columns
        code = array("I", map(_joined_class, *codes)) if len(codes) > 1 else codes[0]
        found = self._index.lookup_ids(
            vendor=vendor, device=device, subvendor=subvendor, subdevice=subdevice, class_code=code
        )
        ids = iter(found.ids)
        return [
            known_answer(found.table[next(ids)])
            if row[0] == all_known
            else self._solvers.answer(PCI, _space(row))
            for row in rows
        ]

    def _answers(self, numbers: SharedBuffer, found: Sequence[PartialAnswer | None]) -> PartialAnswers:
        """What each row has, given what each number stands for; ``None`` are the refused."""
        table: dict[PartialAnswer, int] = {NOTHING: 0}
        ids = [ID_INVALID if one is None else table.setdefault(one, len(table)) for one in found]
        _binding.renumber(numbers, ids)
        settled = _binding.settle(numbers)
        return PartialAnswers(numbers, tuple(table), settled.invalid, settled.validity, settled.nulls)

    def _solve(self, text: str) -> PartialAnswer:
        form = FORMS[text.partition(":")[0]]
        space = form.text_box(text)
        if space is None:
            blank = form.text((None,) * len(form.fields))
            raise InvalidModaliasError(
                f"{text[:80]!r}: expected {blank}, with digits as the kernel prints them in place of each * "
                "that is known, and ? for an unknown digit",
                text,
            )
        return self._solvers.answer(form, space)

    def _solve_or_refuse(self, text: str) -> PartialAnswer | None:
        try:
            return self._solve(text)
        except InvalidModaliasError:
            return None


def _is_partial(text: str) -> bool:
    """On other buses a device's own text may hold such bytes: dmi has the names that vendors chose."""
    return ("*" in text or "?" in text) and text.partition(":")[0] in FORMS


def _decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")


def _lines(column: Any) -> Iterable[Any]:
    """The rows of a text, or of whatever can be iterated."""
    if isinstance(column, str):
        raise ColumnError("expected many device strings, found one str: use lookup_partial() for it")
    try:
        if isinstance(column, bytes | bytearray | memoryview | mmap.mmap):
            rows = bytes(column).split(b"\n")
            return rows if rows[-1] else rows[:-1]
        return list(column)
    except TypeError as error:
        kind = type(column).__name__
        raise ColumnError(f"expected device strings, found {kind}") from error


def _joined_class(base_class: int, subclass: int, interface: int) -> int:
    return base_class << 16 | subclass << 8 | interface


def _values(row: Sequence[int]) -> tuple[int | None, ...]:
    """The ids of a row, after a number that says which are known."""
    return tuple(value if row[0] >> place & 1 else None for place, value in enumerate(row[1:]))


def _space(row: Sequence[int]) -> int:
    """The device strings that a row of PCI ids may have."""
    values = list(_values(row))
    if len(values) < len(PCI.fields):
        code = values.pop()
        values += [None] * 3 if code is None else code.to_bytes(3, "big")
    return sum(PCI.value_box(number, value) for number, value in enumerate(values))
