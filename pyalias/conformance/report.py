"""Runs cases and says what came of them."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pyalias.conformance.tree import Tree, added_names, write_tree
from pyalias.names import normalise_alias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyalias.conformance.cases import Case, Lookup, Shown
    from pyalias.conformance.commands import Command

Verdict = Literal["pass", "older", "fail", "skip"]


class Outcome(NamedTuple):
    """What came of one question; ``older``: the answer of an older kmod, as the case says."""

    case: str
    question: str
    verdict: Verdict
    expected: list[str]
    found: list[str]
    why: str = ""


def run_cases(
    cases: Iterable[Case],
    resolve: Command | None,
    show_depends: Command | None = None,
    *,
    release: str = "1.0",
    scratch: Path | None = None,
) -> Iterator[Outcome]:
    """Put every question of every case to commands: one in place of modprobe -R, one of -D.

    Each case's files are written below a temporary directory, in ``scratch`` where one is given.
    What cannot be asked is an outcome too: ``skip``, and why.
    """
    every_module = resolve is not None and resolve.prints_paths
    for case in cases:
        with tempfile.TemporaryDirectory(dir=scratch) as base:
            tree = write_tree(Path(base), case, release, every_module=every_module)
            for lookup in case.get("lookups", []):
                yield _resolved(case, lookup, tree, resolve)
            for shown in case.get("show_depends", []):
                yield _shown(case, shown, tree, show_depends)


def _resolved(case: Case, lookup: Lookup, tree: Tree, command: Command | None) -> Outcome:
    expected = lookup.get("modules", [])
    reason = _cannot_ask(case, command) or _cannot_resolve(case, lookup, command)
    if reason or command is None:
        return Outcome(case["name"], lookup["name"], "skip", expected, [], reason)
    output = command.run(tree, _bytes(lookup["name"]))
    found = _texts(output.lines)
    if command.prints_paths:
        # Such programs load a module once, and end with any status.
        found, expected = sorted(set(found)), sorted(set(expected))
    elif (output.status == 0) != bool(found):
        why = f"exit status {output.status}"
        return Outcome(case["name"], lookup["name"], "fail", expected, found, why)
    verdict: Verdict = "pass" if found == expected else "fail"
    if verdict == "fail" and found == lookup.get("older", {}).get("modules"):
        verdict = "older"
    return Outcome(case["name"], lookup["name"], verdict, expected, found)


def _shown(case: Case, shown: Shown, tree: Tree, command: Command | None) -> Outcome:
    options = shown.get("options", [])
    question = " ".join(["-D", *options, shown["name"]])
    expected = [line.replace("{modules}", str(tree.modules)) for line in shown["lines"]]
    reason = _cannot_ask(case, command)
    if reason or command is None:
        return Outcome(case["name"], question, "skip", expected, [], reason)
    found = _texts(command.run(tree, _bytes(shown["name"]), options).lines)
    return Outcome(case["name"], question, "pass" if found == expected else "fail", expected, found)


def _cannot_ask(case: Case, command: Command | None) -> str:
    if command is None:
        return "no command for this question"
    if "locale" in case:
        return "a caller of libkmod may set a locale; kmod's own tools do not"
    if case.get("cmdline") and not command.takes_command_line:
        return "the command takes no kernel command line"
    return ""


def _cannot_resolve(case: Case, lookup: Lookup, command: Command | None) -> str:
    if "filter" in lookup:
        return "a filter is part of libkmod's interface, not of a command"
    if command is not None and command.prints_paths:
        if normalise_alias(_bytes(lookup["name"])) in added_names(case):
            return "with a file for every module this name would be one of them"
        if "\n" in lookup["name"] or any(not _has_file(case, name) for name in lookup.get("modules", [])):
            return "the answer has no file to be named by"
    return ""


def _has_file(case: Case, name: str) -> bool:
    tree = case["tree"]
    aliased = {module for _, module, *_ in (*tree.get("aliases", []), *tree.get("symbols", []))}
    return name in aliased or name in tree.get("modules", [])


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _texts(lines: Iterable[bytes]) -> list[str]:
    return [line.decode("latin-1") for line in lines]


def summary(outcomes: Sequence[Outcome]) -> str:
    """The report: what fails, what is as in older kmods, what was skipped and why, and the numbers."""
    lines = []
    for verdict, words in (("fail", "FAIL"), ("older", "as older kmods")):
        for outcome in outcomes:
            if outcome.verdict == verdict:
                lines.append(f"{words}: {outcome.case}: {_short(outcome.question)}")
                lines.append(f"  expected {outcome.expected}, found {outcome.found} {outcome.why}".rstrip())
    skipped = Counter(outcome.why for outcome in outcomes if outcome.verdict == "skip")
    lines += [f"skipped {count}: {why}" for why, count in skipped.items()]
    counts = Counter(outcome.verdict for outcome in outcomes)
    lines.append(", ".join(f"{counts[verdict]} {verdict}" for verdict in ("pass", "older", "fail", "skip")))
    return "\n".join(lines)


def _short(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}... ({len(text)} characters)"
