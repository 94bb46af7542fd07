"""Asks pyalias the same question in every form and collects what differs from the expected answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyalias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.tables import Answer


class Disagreement(NamedTuple):
    """One device and the answers that should have been one."""

    modalias: bytes
    expected: Answer
    lookup: Answer
    in_list: Answer | str
    in_lines: Answer | str


REFUSED = "refused"  # a batch says which rows libkmod refuses, not with which errno


def answer_of(index: pyalias.AliasIndex, modalias: bytes) -> Answer:
    """``lookup``, with a refusal turned into its errno."""
    try:
        return index.lookup(modalias)
    except pyalias.InvalidModaliasError as error:
        return error.errno


def disagreements(index: pyalias.AliasIndex, rows: Sequence[tuple[bytes, Answer]]) -> list[Disagreement]:
    """Rows where ``lookup`` or ``lookup_many`` (of a list, of lines) differ from the expected answer."""
    keys = [key for key, _ in rows]
    in_list = _batch(index.lookup_many(keys))
    in_lines = _batch(index.lookup_many(b"".join(key + b"\n" for key in keys)))
    assert len(in_list) == len(in_lines) == len(rows)
    found = []
    for (key, expected), listed, lined in zip(rows, in_list, in_lines, strict=True):
        single = answer_of(index, key)
        batch = REFUSED if isinstance(expected, int) else expected
        if not (single == expected and listed == lined == batch):
            found.append(Disagreement(key, expected, single, listed, lined))
    return found


def _batch(answers: Any) -> list[Answer | str]:
    """The rows of a batch, taken through ids and table as a caller with columns does."""
    rows: list[Answer | str] = [answers.table[identity] for identity in answers.ids]
    assert rows == list(answers)
    for row in answers.invalid:
        assert rows[row] == ()
        rows[row] = REFUSED
    return rows
