"""Builds pyalias._native: the C core behind cffi's API mode, from the text of pyalias.h itself."""

from __future__ import annotations

import os
import re
import shlex
import sysconfig
from pathlib import Path

from cffi import FFI

HERE = Path("csrc")

# The one piece of C that knows Python.
PYTHON = (HERE / "python" / "module.c").read_text(encoding="ascii")

PYTHON_DECLARATIONS = """
#define ROWS_READ 0
#define ROWS_TOO_LONG 1
#define ROWS_WRONG 2
int read_rows(void *list, int64_t first, int64_t count, uint8_t *text, int64_t room, int64_t *offsets,
              int64_t *read);
#define LONGEST_REMEMBERED 256
#define SHARED_NAMES 0
#define SHARED_IMAGE 2
int append_lookup(void *list);
void release_schema_capsule(void *capsule);
void release_array_capsule(void *capsule);
void release_stream_capsule(void *capsule);
void release_lent_schema(struct ArrowSchema *schema);
void release_lent_array(struct ArrowArray *array);
struct ArrowArrayStream *new_python_stream(void *producer);
struct ArrowSchema *new_schema(void);
struct ArrowArray *new_array(void);
"""


def declarations(header: str) -> str:
    """What cffi reads of the header: all but comments, conditionals and includes."""
    without_comments = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    wanted = [
        line
        for line in without_comments.splitlines()
        if not re.match(r"\s*#\s*(include|ifndef|endif|pragma|define PYALIAS_H)", line)
    ]
    # cffi takes "#define NAME number" without parentheses.
    return re.sub(r"\((-\d+)\)", r"\1", "\n".join(wanted))


# cffi asks for the limited API of Python 3.2, which has no PyUnicode_AsUTF8AndSize. Neither debug builds
# nor free-threaded ones of 3.11 to 3.14 have any.
limited_api = not (sysconfig.get_config_var("Py_DEBUG") or sysconfig.get_config_var("Py_GIL_DISABLED"))

ffi = FFI()
ffi.cdef(declarations((HERE / "pyalias.h").read_text(encoding="utf-8")) + PYTHON_DECLARATIONS)
ffi.set_source(
    "pyalias._native",
    PYTHON,
    sources=sorted(str(path) for path in HERE.glob("*.c")),
    include_dirs=[str(HERE)],
    depends=sorted(str(path) for path in (*HERE.glob("*.h"), *HERE.glob("python/*.c"))),
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited_api else [],
    # PYALIAS_CFLAGS is how CI adds -Werror and the sanitizers.
    extra_compile_args=[
        "-std=c11",
        "-O3",
        "-fvisibility=hidden",
        *shlex.split(os.environ.get("PYALIAS_CFLAGS", "")),
    ],
    extra_link_args=shlex.split(os.environ.get("PYALIAS_LDFLAGS", "")),
)
