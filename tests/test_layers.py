"""Who may know whom: imports between the modules of pyalias, the one door to C, and what C may not do."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pyalias"
CORE = ROOT / "csrc"

# A layer may import those above it, and modules of its own layer. Not named here: what a layer is made of.
LAYERS = (
    {"errors"},
    {"_records", "aliases", "modalias", "names", "_binding", "atomic_file"},
    {"_arrow", "_arrow_stream", "_batch", "_memo", "answers", "packages", "kernels", "partial", "index"}
    | {"index_set"},
    {"inventory", "scan_rows", "scan", "scan_kernels", "kmod", "pci", "vfio", "fleet", "engines"}
    | {"report"},
    {"cli", "conformance"},
)
# Stricter than their layer.
SEES_ONLY = {
    "inventory": {"errors", "modalias"},
    "modalias": {"errors"},
    "errors": set(),
    "aliases": {"errors", "_records"},
}
OPTIONAL = {
    "numpy",
    "pyarrow",
    "polars",
    "pandas",
    "duckdb",
    "nanoarrow",
    "hypothesis",
    "pytest",
    "dask",
    "distributed",
    "pyspark",
    "jinja2",
    "vl_convert",
}


def modules() -> dict[str, list[Path]]:
    """The parts of the package by name, a folder being one part."""
    parts: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.name not in ("__init__.py", "__main__.py") or len(relative.parts) > 1:
            parts.setdefault(relative.parts[0].removesuffix(".py"), []).append(path)
    return parts


def imports(path: Path) -> set[str]:
    """The parts of pyalias that a file imports, at its top or in functions, less those for types alone."""
    found = set()
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pyalias":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyalias."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("pyalias.")}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: a relative import"
    return found & (set(modules()) | {"_native"})


@pytest.mark.parametrize("part", modules())
def test_imports_go_upwards(part: str):
    level = next((number for number, layer in enumerate(LAYERS) if part in layer), None)
    assert level is not None, f"tests/test_layers.py does not know pyalias.{part}: which layer is it of?"
    allowed = SEES_ONLY.get(part, set().union(*LAYERS[: level + 1])) | {part}
    if part == "_binding":
        allowed = allowed | {"_native"}
    for path in modules()[part]:
        assert imports(path) <= allowed, f"{path.relative_to(ROOT)} imports {imports(path) - allowed}"


def test_only_the_binding_touches_the_compiled_module():
    touching = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"_native\b", path.read_text("utf-8"))
    ]
    assert touching == ["_binding/core.py"]


def test_import_loads_no_optional_dependency_and_no_command():
    """In a process of its own; also nothing that is slow to import and seldom needed."""
    program = "import sys, json, pyalias; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = set(json.loads(done.stdout))
    assert loaded & OPTIONAL == set()
    assert (
        loaded & {"ctypes", "argparse", "csv", "lzma", "asyncio", "multiprocessing", "pyalias.cli"} == set()
    )


# ---- C ----


def code_of(path: Path) -> str:
    """C without its comments and strings."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text("ascii"), flags=re.DOTALL)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', re.sub(r'#include [<"].*', "", text))


FORBIDDEN = (
    "fopen", "open", "openat", "creat", "read", "write", "mmap", "stat", "system", "popen", "exit", "abort",
    "getenv", "setlocale", "toupper", "tolower", "isalpha", "isdigit", "isxdigit", "fnmatch", "strtok",
    "alloca", "printf", "fprintf", "puts", "sprintf", "strcpy", "strcat", "gets", "rand", "time",
    "longjmp", "setjmp",
)  # fmt: skip


@pytest.mark.parametrize("path", sorted(CORE.glob("*.[ch]")), ids=lambda path: path.name)
def test_c_opens_nothing_prints_nothing_and_asks_nobody(path: Path):
    """No files, no environment, no locale, no output, no process, nothing unsafe."""
    called = set(re.findall(r"\b([a-z_0-9]+)\s*\(", code_of(path)))
    assert called & set(FORBIDDEN) == set()
    includes = set(re.findall(r"#include <(.*)>", path.read_text("ascii")))
    if path.name == "buffer.c":  # for madvise, of memory that malloc gave; mmap is forbidden there too
        includes.remove("sys/mman.h")
    assert includes & {"fcntl.h", "unistd.h", "locale.h", "sys/mman.h", "sys/stat.h", "ctype.h"} == set()


@pytest.mark.parametrize("path", sorted(CORE.glob("*.[ch]")), ids=lambda path: path.name)
def test_c_has_no_state_of_its_own(path: Path):
    """Variables outside functions, and static ones inside, are constants."""
    variables = re.findall(r"^[ \t]*((?:static|extern)\b[^;(){}=]*)(?:=|;)", code_of(path), re.MULTILINE)
    assert [variable for variable in variables if not re.search(r"\bconst\b", variable)] == []


def test_only_the_binding_and_its_builder_know_python():
    """pyalias.h and what includes it compile without Python.h."""
    assert [path.name for path in CORE.glob("*.[ch]") if re.search(r"\bPy[A-Z]\w+", code_of(path))] == []
