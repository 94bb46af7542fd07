"""Memory comes back: what is made, asked, exported, refused and thrown away leaves nothing behind."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
from support.image_damage import ALIASES, KEYS
from support.module_tree import write_module_directory

from pyalias import AliasIndex, PyaliasError

KILOBYTES_A_PAGE = 4
ROUNDS = 500
# An image that leaks is 7 KB a round; what the allocator keeps for itself is some hundred KB in all.
GROWTH = 1500


def resident() -> int:
    """Kilobytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * KILOBYTES_A_PAGE


def use_and_forget(directory: Path) -> None:
    index = AliasIndex.from_modules(directory)
    answers = index.lookup_many(KEYS)
    pa.array(answers)
    answers.__arrow_c_array__()  # nobody consumes these
    index.lookup_many(pa.array(["same", None]).dictionary_encode())
    index.lookup_many(pa.chunked_array([["same"], ["x", None]]))
    for key in KEYS:
        with suppress(PyaliasError):
            index.match(key)
            index.lookup(key)
    image = bytearray(index.to_bytes())
    image[500] ^= 1
    for failing in (
        lambda: AliasIndex.from_bytes(image),
        lambda: AliasIndex.compile([("a", "m"), ("b", "")]),
        lambda: index.lookup_many(pa.array([1])),
    ):
        with suppress(PyaliasError):
            failing()


def test_rounds_do_not_add_up(tmp_path: Path):
    directory = write_module_directory(tmp_path / "modules", ALIASES)
    for _ in range(100):
        use_and_forget(directory)
    gc.collect()
    before = resident()
    for _ in range(ROUNDS):
        use_and_forget(directory)
    gc.collect()
    assert resident() - before < GROWTH
