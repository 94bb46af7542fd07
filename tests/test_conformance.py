"""The conformance cases, put to pyalias, to the real modprobe and libkmod, and to busybox."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from support.kmod_contexts import COMMAND_LINE, LibkmodContexts
from support.libkmod import LibkmodMissingError
from support.random_contexts import RandomContext

import pyalias
from pyalias.conformance import Command, load_cases, load_schema, run_cases, summary, write_tree
from pyalias.conformance.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    from pyalias.conformance import Case, Tree

CASES = load_cases()
EACH_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
MODPROBE = "modprobe -d {root} -S {release} -C {config}"
LEFT_BY = {"blacklist": "not_blacklisted", "builtin": "not_builtin"}
NEWEST_ONLY = "alias line in modules.weakdep: newest only"


def test_cases_are_as_the_schema_says():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(load_schema())
    jsonschema.validate({"cases": CASES}, load_schema(), cls=jsonschema.Draft202012Validator)


def test_no_case_is_lost():
    """All 137 quirk lookups, kmod's own cases, and ours."""
    assert len({case["name"] for case in CASES}) == len(CASES)
    lookups = {"quirk": 0, "kmod": 0, "pyalias": 0}
    for case in CASES:
        lookups[case["source"].split()[0].strip(",:")] += len(case.get("lookups", []))
    assert lookups == {"quirk": 137, "kmod": 34, "pyalias": 11}


@pytest.mark.parametrize("prefer", ["bin", "text"])
@EACH_CASE
def test_pyalias(case: Case, prefer: str, tmp_path: Path):
    """Every question that has one answer in the C locale, from both forms of the files."""
    tree = write_tree(tmp_path / "root", case)
    kmod = pyalias.Kmod(tree.modules, tree.config, cmdline=tree.cmdline.read_bytes(), prefer=prefer)
    for lookup in case.get("lookups", []):
        if "locale" not in case:
            assert ask(kmod, lookup) == (lookup.get("error") or lookup["modules"]), lookup["name"][:80]
    for shown in case.get("show_depends", []):
        options = shown.get("options", [])
        actions = kmod.show_depends(
            shown["name"].encode("latin-1"), use_blacklist="-b" in options, ignore_install="-i" in options
        )
        lines = [line.replace("{modules}", str(tree.modules)) for line in shown["lines"]]
        assert list(map(str, actions or ())) == lines


def ask(kmod: pyalias.Kmod, lookup: dict) -> list[str] | str:
    try:
        modules = kmod.modules(lookup["name"].encode("latin-1"))
    except pyalias.InvalidModaliasError as error:
        return errno.errorcode[error.errno]
    kept = {
        None: modules,
        "blacklist": [module for module in modules if not module.blacklisted],
        "builtin": [module for module in modules if not module.builtin],
    }[lookup.get("filter")]
    return [os.fsencode(module.name).decode("latin-1") for module in kept]


def test_in_another_locale_pyalias_answers_as_in_the_c_locale(tmp_path: Path):
    """One of the 137: libkmod inside a program that sets a UTF-8 locale matches characters, not bytes."""
    cases = [case for case in CASES if "locale" in case]
    answers = []
    for number, case in enumerate(cases):
        tree = write_tree(tmp_path / str(number), case)
        kmod = pyalias.Kmod(tree.modules, tree.config, cmdline="")
        answers += [(ask(kmod, lookup), lookup["modules"]) for lookup in case["lookups"]]
    assert answers == [(["m", "j"], ["m", "k", "j"]), (["m", "k"], ["m", "k"])]


# ---- the real ones ----


def required(reason: str) -> None:
    """Skip, or fail where the environment says that nothing may be missing."""
    if os.environ.get("PYALIAS_REQUIRE_LIBKMOD") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def test_modprobe(tmp_path: Path):
    if shutil.which("modprobe") is None:
        required("modprobe is not installed (Debian: kmod)")
    resolve, show = Command(f"{MODPROBE} -R {{name}}"), Command(f"{MODPROBE} -D {{options}} {{name}}")
    outcomes = list(run_cases(CASES, resolve, show, scratch=tmp_path))
    assert [outcome for outcome in outcomes if outcome.verdict == "fail"] == []
    assert {outcome.case for outcome in outcomes if outcome.verdict == "older"} <= {NEWEST_ONLY}
    assert sum(outcome.verdict == "skip" for outcome in outcomes) == 21


def test_libkmod(tmp_path: Path):
    """What no command can be asked: filters, and kernel command lines."""
    try:
        libkmod = LibkmodContexts(tmp_path)
    except LibkmodMissingError as error:
        required(str(error))
    asked = 0
    with libkmod:
        for number, case in enumerate(CASES):
            if "locale" in case or case["name"] == NEWEST_ONLY:
                continue
            tree = write_tree(tmp_path / str(number), case)
            answers = ask_libkmod(libkmod, tree, case)
            for lookup, answer in zip(case.get("lookups", []), answers, strict=True):
                asked += 1
                assert answer == (lookup.get("error") or lookup["modules"]), lookup["name"][:80]
    assert asked == 182 - 3


def ask_libkmod(libkmod: LibkmodContexts, tree: Tree, case: Case) -> list[list[str] | str]:
    (tree.root / COMMAND_LINE.decode()).write_bytes(tree.cmdline.read_bytes())
    lookups = case.get("lookups", [])
    names = [lookup["name"].encode("latin-1") for lookup in lookups]
    asked = RandomContext(tree.root, tree.modules, [tree.config], b"", names)
    answers = []
    for lookup, answer in zip(lookups, libkmod.ask(asked)["answers"], strict=True):
        if isinstance(answer, int):
            answers.append(errno.errorcode[answer])
        elif "filter" in lookup:
            answers.append(
                answer[f"not_{lookup['filter']}" + ("ed" if lookup["filter"] == "blacklist" else "")]
            )
        else:
            answers.append([module["name"] for module in answer["modules"]])
    return answers


def test_our_own_command(tmp_path: Path):
    """Every fifth case: starting Python takes longer than any answer."""
    ours = f"{sys.executable} -m pyalias lookup --quiet --modules {{modules}} -C {{config}}"
    resolve, show = Command(f"{ours} -- {{name}}"), Command(f"{ours} -D {{options}} -- {{name}}")
    outcomes = list(run_cases(CASES[::5], resolve, show, scratch=tmp_path))
    assert [outcome for outcome in outcomes if outcome.verdict in {"fail", "older"}] == []
    assert sum(outcome.verdict == "pass" for outcome in outcomes) > 25


def test_busybox(tmp_path: Path):
    """docs/conformance.md tells where busybox differs; here, that the runner can ask it and finds out."""
    busybox = shutil.which("busybox")
    if busybox is None or os.geteuid() != 0:
        pytest.skip("busybox (Debian: busybox-static) is not installed, or there is no right to chroot")
    script = f"cp {busybox} $0 && exec chroot $0 /busybox modprobe -D $1"
    resolve = Command(f"sh -c '{script}' {{root}} {{name}}", prints_paths=True)
    release = os.uname().release
    if not next(run_cases(CASES[:1], resolve, release=release, scratch=tmp_path)).found:
        pytest.skip("this busybox does not run in an empty root: is it linked statically?")
    outcomes = list(run_cases(CASES, resolve, release=release, scratch=tmp_path))
    failures = {outcome.case for outcome in outcomes if outcome.verdict == "fail"}
    assert "dash inside brackets kept, in key and pattern" in failures
    assert sum(outcome.verdict == "pass" for outcome in outcomes) > 70


# ---- the runner ----


def test_the_runner_finds_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A command that answers everything with its name fails where that is not the answer."""
    outcomes = list(run_cases(CASES[:2], Command("echo {name}"), scratch=tmp_path))
    assert {outcome.verdict for outcome in outcomes} == {"fail"}
    assert "FAIL: dash/underscore: 'foo-bar-xyz'\n  expected ['m'], found ['foo-bar-xyz']" in summary(
        outcomes
    )
    assert main(["--resolve", "echo {name}", "--scratch", str(tmp_path)]) == 1
    assert "skipped 18: no command for this question" in capsys.readouterr().out
