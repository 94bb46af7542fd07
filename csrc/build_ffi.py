"""Builds pyalias._native: the C core behind cffi's API mode, from the text of pyalias.h itself."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from cffi import FFI

HERE = Path("csrc")

# The one piece of C that knows Python: PyCapsules that own Arrow structs. A capsule that nobody
# consumed still owns what it holds.
CAPSULES = """
#include "pyalias.h"

static void release_schema_capsule(void *capsule)
{
    struct ArrowSchema *schema = PyCapsule_GetPointer((PyObject *)capsule, "arrow_schema");
    if (schema != NULL && schema->release != NULL)
        schema->release(schema);
    free(schema);
}

static void release_array_capsule(void *capsule)
{
    struct ArrowArray *array = PyCapsule_GetPointer((PyObject *)capsule, "arrow_array");
    if (array != NULL && array->release != NULL)
        array->release(array);
    free(array);
}

static struct ArrowSchema *new_schema(void) { return calloc(1, sizeof(struct ArrowSchema)); }
static struct ArrowArray *new_array(void) { return calloc(1, sizeof(struct ArrowArray)); }
"""

CAPSULE_DECLARATIONS = """
void release_schema_capsule(void *capsule);
void release_array_capsule(void *capsule);
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


ffi = FFI()
ffi.cdef(declarations((HERE / "pyalias.h").read_text(encoding="utf-8")) + CAPSULE_DECLARATIONS)
ffi.set_source(
    "pyalias._native",
    CAPSULES,
    sources=sorted(str(path) for path in HERE.glob("*.c")),
    include_dirs=[str(HERE)],
    depends=sorted(str(path) for path in HERE.glob("*.h")),
    # PYALIAS_CFLAGS is how CI adds -Werror and the sanitizers.
    extra_compile_args=[
        "-std=c11",
        "-O3",
        "-fvisibility=hidden",
        *shlex.split(os.environ.get("PYALIAS_CFLAGS", "")),
    ],
    extra_link_args=shlex.split(os.environ.get("PYALIAS_LDFLAGS", "")),
)
