"""``make package-check``: a real Debian kernel package, packed, against depmod and modinfo on it unpacked.

Downloads the package with apt-get (some 30 MB; PYALIAS_PACKAGE names another, or a .deb file) to a directory
that is kept for the next run (PYALIAS_CACHE, by default in the directory for temporary files).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyalias import AliasIndex
from pyalias.kmod.binindex import BinIndex
from pyalias.kmod.modinfo import modinfo_lines, read_modinfo
from pyalias.kmod.treeindexes import build_indexes, read_texts
from pyalias.packages import read_module_texts

DEFAULT = "linux-image-cloud-amd64"
SAME = ("modules.alias", "modules.softdep", "modules.order", "modules.builtin", "modules.builtin.modinfo")
OPTIONS = ([], ["-0"], ["-F", "parm"], ["-F", "alias"], ["-n"])
WIDEST = 300
PATH = f"{os.environ['PATH']}:/sbin:/usr/sbin"


def fetch(cache: Path) -> Path:
    """The .deb; a metapackage's name stands for the kernel that it depends on."""
    wanted = os.environ.get("PYALIAS_PACKAGE", DEFAULT)
    if wanted.endswith(".deb"):
        return Path(wanted)
    depends = subprocess.run(
        ["apt-cache", "depends", wanted], check=True, capture_output=True, text=True
    ).stdout
    images = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image" in line]
    name = images[0] if images else wanted
    found = sorted(cache.glob(f"{name}_*.deb"))
    if not found:
        subprocess.run(["apt-get", "download", name], check=True, cwd=cache)
        found = sorted(cache.glob(f"{name}_*.deb"))
    return found[-1]


def check_texts(texts: dict[str, bytes], directory: Path) -> list[str]:
    """What differs from depmod's files."""
    wrong = []
    for name in SAME:
        real = (directory / name).read_bytes()
        same = texts[name] == real
        print(f"  {name}: {len(real.splitlines())} lines, {'same bytes' if same else 'DIFFERENT'}")
        wrong += [name] * (not same)
    real_symbols = sorted((directory / "modules.symbols").read_bytes().splitlines())
    same = sorted(texts["modules.symbols"].splitlines()) == real_symbols
    print(
        f"  modules.symbols: {len(real_symbols)} lines, {'same, in another order' if same else 'DIFFERENT'}"
    )
    wrong += ["modules.symbols"] * (not same)
    ours = texts["modules.dep"].splitlines()
    theirs = (directory / "modules.dep").read_bytes().splitlines()
    pairs = list(zip(ours, theirs, strict=True))
    same_sets = sum(sorted(one.split()) == sorted(other.split()) for one, other in pairs)
    identical = sum(one == other for one, other in pairs)
    print(f"  modules.dep: {len(theirs)} lines, {identical} the same, {same_sets} with the same modules")
    return wrong + ["modules.dep"] * (same_sets != len(theirs))


def check_indexes(directory: Path) -> list[str]:
    """The five binary indexes that differ from depmod's; other layouts than depmod 30's are tried too."""
    wrong = []
    texts = read_texts(directory)
    layouts = [build_indexes(texts, layout) for layout in ("post", "pre")]
    for name in layouts[0]:
        real = (directory / name).read_bytes()
        same = any(built[name] == real for built in layouts)
        entries = sum(1 for _ in BinIndex.from_bytes(real).items())
        print(f"  {name}: {entries} entries, {'same bytes' if same else 'DIFFERENT'}")
        wrong += [name] * (not same)
    return wrong


def check_modinfo(directory: Path) -> list[str]:
    """Modules of which modinfo prints something else, with one or another option."""
    paths = sorted(directory.rglob("*.ko*"))
    chosen = sorted(random.Random(1).sample(paths, min(WIDEST, len(paths))))  # noqa: S311
    wrong = []
    for path in chosen:
        records = read_modinfo(path)
        for options in OPTIONS:
            field = {"-F": options[-1], "-n": "filename"}.get(options[0]) if options else None
            printed = modinfo_lines(str(path), records, field=field, null=options == ["-0"])
            real = subprocess.run(
                ["modinfo", *options, str(path)], check=True, capture_output=True, env={"PATH": PATH}
            )
            if printed.encode("utf-8", "surrogateescape") != real.stdout:
                wrong.append(f"modinfo {options} {path}")
    done = f"{len(chosen)} modules of {len(paths)}, {len(OPTIONS)} outputs each"
    print(f"  modinfo: {done}, {len(wrong)} different")
    return wrong


def main() -> int:
    """Compare all; exit code 1 when anything differs."""
    cache = Path(os.environ.get("PYALIAS_CACHE", Path(tempfile.gettempdir()) / "pyalias-packages"))
    cache.mkdir(parents=True, exist_ok=True)
    package = fetch(cache)
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["dpkg-deb", "-x", str(package), name], check=True)
        if not (Path(name) / "lib").exists():  # newer packages have everything below /usr
            shutil.move(Path(name) / "usr" / "lib", Path(name) / "lib")
        (directory,) = (Path(name) / "lib" / "modules").iterdir()
        print(f"{package.name}: {directory.name}")
        start = time.process_time()
        texts = read_module_texts(package)
        print(f"  read in {time.process_time() - start:.1f} s of processor time")
        subprocess.run(["depmod", "-b", name, directory.name], check=True, env={"PATH": PATH})
        wrong = check_texts(texts, directory) + check_indexes(directory)
        with AliasIndex.from_modules(package) as packed, AliasIndex.from_modules(directory) as installed:
            wrong += ["the compiled index"] * (packed.to_bytes() != installed.to_bytes())
        wrong += check_modinfo(directory)
    print(f"different: {', '.join(wrong[:5])}" if wrong else "all the same")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
