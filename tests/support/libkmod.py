"""The real libkmod, asked in batches through a child process (``libkmod_child`` says why a child)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from support.normalise import overflows_old_libkmod

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from support.tables import Answer

CHILD = Path(__file__).with_name("libkmod_child.py")


class LibkmodMissingError(Exception):
    """libkmod.so.2 is not installed; the text is the dynamic linker's."""


class Libkmod:
    """One child that answers for as many module directories as it is asked about."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", str(CHILD)],
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        greeting = self._receive()
        if greeting != "ready":
            self.close()
            raise LibkmodMissingError(greeting)

    def lookup_all(self, directory: Path, keys: Sequence[bytes]) -> list[Answer]:
        """Libkmod's answers, one a key.

        Raises:
            ValueError: a key would overflow a buffer of libkmod up to v34.2 and kill the child.
        """
        dangerous = [key for key in keys if overflows_old_libkmod(key)]
        if dangerous:
            raise ValueError(dangerous)
        request = [str(directory), [key.decode("latin-1") for key in keys]]
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        return [answer if isinstance(answer, int) else tuple(answer) for answer in self._receive()]

    def close(self) -> None:
        """End the child."""
        self._child.communicate()

    def _receive(self) -> Any:
        line = self._child.stdout.readline()
        if not line:
            code = self._child.wait()
            message = f"the libkmod child ended with exit code {code}"
            raise RuntimeError(message)
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
