"""The quirk cases: small module directories and what libkmod 30 and its master answer from them."""

from __future__ import annotations

import json
import lzma
from typing import NamedTuple

from support.normalise import normalise_alias
from support.tables import DATA, Answer, parse_answer

MEMORY_MAPPED = "30mm"  # where readers differ: the one of udev and modprobe, resources loaded


class QuirkCase(NamedTuple):
    """One tree: ``aliases`` in order of priority, and each key with libkmod's answer."""

    what: str
    aliases: list[tuple[bytes, str]]
    builtin_aliases: list[tuple[bytes, str]]
    rows: list[tuple[bytes, Answer]]


def all_quirks() -> list[dict]:
    """The file as it is."""
    return json.loads(lzma.decompress((DATA / "kmod" / "quirk_cases.json.xz").read_bytes()))


def alias_index_quirks() -> list[QuirkCase]:
    """Cases without configuration, filter or UTF-8 locale, less the lookups that names or symbols answer."""
    cases = [_quirk_case(raw) for raw in all_quirks() if _asks_the_indexes(raw)]
    return [case for case in cases if case.rows]


def _asks_the_indexes(raw: dict) -> bool:
    """Whether nothing but the indexes decides, and aliases are among them."""
    if raw["conf"] or raw["cmdline"] or raw["filter"] or raw["locale"] != "C":
        return False
    return not raw["tree"].keys().isdisjoint({"aliases", "builtin_alias"})


def _quirk_case(raw: dict) -> QuirkCase:
    tree = raw["tree"]
    by_priority = sorted(tree.get("aliases", []), key=_priority)
    return QuirkCase(
        raw["what"],
        [(pattern.encode("ascii"), module) for pattern, module, *_ in by_priority],
        [(pattern.encode("ascii"), module) for pattern, module in tree.get("builtin_alias", [])],
        [_row(lookup) for lookup in raw["lookups"] if not _answered_elsewhere(lookup, tree)],
    )


def _priority(line: list) -> int:
    """The third element where the case sets one; else 0, and the order of lines stays."""
    return line[2] if len(line) > 2 else 0


def _row(lookup: dict) -> tuple[bytes, Answer]:
    expect = lookup["expect"]
    text = expect[MEMORY_MAPPED] if isinstance(expect, dict) else expect
    return lookup["alias"].encode("latin-1"), parse_answer(text)


def _answered_elsewhere(lookup: dict, tree: dict) -> bool:
    """Whether the answer comes from module names, symbols or builtin names, by libkmod's order of sources."""
    key = normalise_alias(lookup["alias"].encode("latin-1"))
    symbols = [f"symbol:{symbol}" for symbol, _ in tree.get("symbols", [])]
    names = [name for name in tree.get("dep", []) if ":" not in name]
    return key in [name.encode("ascii") for name in (*names, *symbols, *tree.get("builtin", []))]
