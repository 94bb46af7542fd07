"""Commands that are put to the test."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyalias.conformance.tree import Tree

_INSMOD = b"insmod "


class Output(NamedTuple):
    """What a command said."""

    lines: list[bytes]
    status: int


class Command:
    """A template such as ``modprobe -d {root} -S {release} -C {config} -R {name}``.

    It is split as a shell would; then each word is filled in: ``{root}``, ``{release}``,
    ``{modules}``, ``{config}``, ``{cmdline}`` (a file), ``{name}``, and ``{options}``, a word of its
    own that becomes any number of words. No shell runs it.
    """

    def __init__(self, template: str, *, prints_paths: bool = False) -> None:
        self._words = shlex.split(template)
        self.takes_command_line = "{cmdline}" in template
        self.takes_configuration = "{config}" in template or "{root}" in template
        self.prints_paths = prints_paths
        """Whether it prints ``insmod PATH`` lines where modprobe -R prints names."""

    def run(self, tree: Tree, name: bytes, options: Sequence[str] = ()) -> Output:
        """Run it; its lines in the form of modprobe's."""
        words: list[bytes] = []
        for word in self._words:
            if word == "{options}":
                words.extend(map(os.fsencode, options))
            else:
                words.append(_filled(word, tree, name))
        environment = os.environ | {"LC_ALL": "C", "KMOD_LOG": "0"}
        run = subprocess.run(words, capture_output=True, check=False, env=environment)
        lines = (
            run.stdout.split(b"\n")[:-1] if run.stdout.endswith(b"\n") else [run.stdout] if run.stdout else []
        )
        return Output(_names(lines) if self.prints_paths else lines, run.returncode)


def _filled(word: str, tree: Tree, name: bytes) -> bytes:
    filled = os.fsencode(word)
    for field, value in tree._asdict().items():
        filled = filled.replace(b"{%s}" % field.encode(), os.fsencode(value))
    return filled.replace(b"{name}", name)


def _names(lines: Sequence[bytes]) -> list[bytes]:
    """The modules whose files are named; some programs end such lines with a blank."""
    paths = [line.removeprefix(_INSMOD).split(b" ")[0] for line in lines if line.startswith(_INSMOD)]
    return [path.rpartition(b"/")[2].partition(b".")[0].replace(b"-", b"_") for path in paths]
