"""Seeded random module directories, configurations, command lines and names, for pyalias and libkmod."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from pyalias.kmod.treeindexes import write_indexes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES = ("a", "ab", "a_b", "b", "bc", "net_x", "snd", "snd_a", "x1", "y", "z_z")
EDGES = ("", "a", "b", "-", "_", ":", "net-", "snd", "x1", ".", "symbol:", "pci:v1", " ")
WILD = ("*", "?", "[a-c]", "[!a]", "[_-]", "[]", "[b", "b]", "\\", "\\*", "\\\\", '"')
RUBBISH = ("", "#", "\t", "  ", "\r", "\\", "\\\n", "\n", "pre:", "post:", "# \\\n", "\x0b", "include", "é")
COMMANDS = (
    "alias",
    "alias",
    "alias",
    "blacklist",
    "options",
    "install",
    "remove",
    "softdep",
    "softdep",
    "Alias",
)


class RandomContext(NamedTuple):
    """One case on disk; ``base`` also holds the kernel's command line, as ``proccmdline``."""

    base: Path
    directory: Path
    config: list[Path]
    command_line: bytes
    names: list[bytes]


def write_random_context(base: Path, seed: int, names: int) -> RandomContext:
    """Write one case; the same seed gives the same case."""
    choose = random.Random(seed)  # noqa: S311
    directory = base / "lib" / "modules" / "1.0"
    directory.mkdir(parents=True)
    modules = choose.sample(NAMES, choose.randint(0, len(NAMES)))
    _write_modules(choose, directory, modules)
    config = [base / f"{number}.d" for number in range(choose.randint(0, 3))]
    for path in config:
        _write_configuration(choose, path)
    if config and choose.random() < 0.3:
        config.append(base / choose.choice(("single", "b.conf", "modules.softdep")))
        config[-1].write_bytes(_lines(choose))
    for name in ("modules.softdep", "modules.weakdep"):
        # What kmod 30 does not know of is left out: it is compared with kmod 30.
        if name == "modules.softdep" and choose.random() < 0.5:
            (directory / name).write_bytes(_lines(choose))
    command_line = _command_line(choose)
    (base / "proccmdline").write_bytes(command_line)
    asked = [_encoded(_key(choose)) for _ in range(names - 2)]
    asked += [_encoded(choose.choice(NAMES).replace("_", choose.choice("_-"))) for _ in range(2)]
    return RandomContext(base, directory, config, command_line, asked)


def _encoded(text: str) -> bytes:
    return text.encode("latin-1")


def _key(choose: random.Random) -> str:
    if choose.random() < 0.6:
        return choose.choice(NAMES).replace("_", choose.choice("_-")) + choose.choice(
            ("", "", "", "", ".ko", "*", "-")
        )
    pieces = choose.choices((*EDGES, *NAMES), k=choose.randint(0, 3))
    if choose.random() < 0.2:
        pieces.append(choose.choice(WILD))
    return "".join(pieces)


def _pattern(choose: random.Random) -> str:
    pieces = [choose.choice((*EDGES, *NAMES)), choose.choice(WILD), choose.choice((*EDGES, *NAMES))]
    return "".join(pieces[: choose.randint(1, 3)])


def _write_modules(choose: random.Random, directory: Path, modules: Sequence[str]) -> None:
    loadable = modules[: choose.randint(len(modules) // 2, len(modules))]
    built_in = modules[len(loadable) :] + (
        choose.sample(loadable, 1) if loadable and choose.random() < 0.2 else []
    )
    paths = {name: f"kernel/{name.replace('_', choose.choice('_-'))}.ko" for name in loadable}
    (directory / "kernel").mkdir()
    dep = []
    for name, path in paths.items():
        if choose.random() < 0.98:
            (directory / path).touch()
        others = loadable[loadable.index(name) + 1 :]  # depmod refuses cycles
        needed = choose.sample(others, min(len(others), choose.choice((0, 0, 1, 2, 3))))
        dep.append(f"{path}:" + "".join(f" {paths[other]}" for other in needed))
    _write(directory / "modules.dep", dep)
    aliases = [
        f"alias {pattern} {name}"
        for name in loadable
        for pattern in (_pattern(choose) for _ in range(choose.randint(0, 4)))
        if pattern.strip()
    ]
    _write(directory / "modules.alias", ["# Aliases extracted from modules themselves.", *aliases])
    symbols = [f"alias symbol:{choose.choice(EDGES + NAMES)} {name}" for name in loadable]
    _write(directory / "modules.symbols", ["# Aliases for symbols", *symbols])
    _write(directory / "modules.builtin", [f"kernel/{name}.ko" for name in built_in])
    records = [f"{name}.alias={_pattern(choose)}" for name in built_in for _ in range(choose.randint(0, 2))]
    (directory / "modules.builtin.modinfo").write_text("".join(f"{record}\0" for record in records))
    write_indexes(directory)


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def _write_configuration(choose: random.Random, directory: Path) -> None:
    directory.mkdir()
    for name in choose.sample(
        ("a.conf", "b.conf", ".c.conf", ".conf", "modules.t.conf", "d", "Z.conf", "z.conf"), 3
    ):
        (directory / name).write_bytes(_lines(choose))


def _lines(choose: random.Random) -> bytes:
    lines = [_line(choose) for _ in range(choose.randint(0, 5))]
    # A backslash at the very end is read in two ways: kmod up to 30 adds a byte 0xff.
    text = "".join(line + choose.choice(("\n", "\n", "\n", "\n\n", "\r\n")) for line in lines).rstrip("\\")
    return _encoded(text + choose.choice(("", "", "alias y last")))


def _line(choose: random.Random) -> str:
    def blank() -> str:
        return choose.choice((" ", " ", " ", "  ", "\t", "   "))

    def word() -> str:
        kinds = (
            (0.45, lambda: choose.choice(NAMES)),
            (0.8, lambda: _pattern(choose)),
            (0.9, lambda: _key(choose)),
        )
        dice = choose.random()
        return next((make() for limit, make in kinds if dice < limit), choose.choice(RUBBISH))

    command = choose.choice(COMMANDS)
    words = [word() for _ in range(choose.choice((1, 2, 2, 2, 3)))]
    if command == "softdep":
        words = [choose.choice((*NAMES, "*", "a*", "[a-b]*"))]
        words += [choose.choice(("pre:", "post:", *NAMES, word())) for _ in range(choose.randint(0, 6))]
    line = command + "".join(blank() + word for word in words)
    return choose.choice(("", "", "", " ", "\t", "#")) + line + choose.choice(("", "", " ", "\t", " # x"))


def _command_line(choose: random.Random) -> bytes:
    if choose.random() < 0.3:
        return b""
    return _encoded(
        " ".join(_argument(choose) for _ in range(choose.randint(1, 4))) + choose.choice(("\n", "", " "))
    )


def _argument(choose: random.Random) -> str:
    if choose.random() < 0.4:
        names = choose.choices((*NAMES, "snd-a", "", '"a'), k=choose.randint(1, 3))
        return "modprobe.blacklist=" + ",".join(names)
    if choose.random() < 0.2:
        return "".join(
            choose.choices(("a", ".", "=", '"', " ", "snd", "\t", ",", "modprobe", "blacklist"), k=7)
        )
    quote = choose.choice(("", "", '"'))
    module = choose.choice((*NAMES, "snd-a", "quiet", "a[b", "a.b"))
    value = choose.choice(("=1", "=a b", '="a b"', '="a', "", "=", "=x.y=z", '=a"b c"d'))
    return f"{quote}{module}.p{value}{choose.choice(('', '', quote))}"
