"""Builds pyalias._native: the C core behind cffi's API mode, from the text of pyalias.h itself."""

from __future__ import annotations

import os
import re
import shlex
import sysconfig
from pathlib import Path

from cffi import FFI

HERE = Path("csrc")

# The one piece of C that knows Python: PyCapsules that own Arrow structs (one that nobody consumed
# still owns what it holds), and rows read out of a list without a Python object each.
PYTHON = """
#include <string.h>

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

static void release_stream_capsule(void *capsule)
{
    struct ArrowArrayStream *stream = PyCapsule_GetPointer((PyObject *)capsule, "arrow_array_stream");
    if (stream != NULL && stream->release != NULL)
        stream->release(stream);
    free(stream);
}

/* Structs that only look at what somebody else keeps. */
static void release_lent_schema(struct ArrowSchema *schema) { schema->release = NULL; }
static void release_lent_array(struct ArrowArray *array) { array->release = NULL; }

/* A stream whose batches a Python object makes: its methods fill in the struct at an address and return
 * 0, or return the bytes of a message. Consumers call from any thread; each call takes the GIL. */
struct python_stream {
    PyObject *producer;
    PyObject *message;
};

static int ask_producer(struct ArrowArrayStream *stream, const char *method, void *struct_to_fill)
{
    struct python_stream *own = stream->private_data;
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *answer = PyObject_CallMethod(own->producer, method, "n", (Py_ssize_t)struct_to_fill);
    int failed = answer == NULL || PyBytes_Check(answer);

    PyErr_Clear();
    if (failed) {
        Py_XDECREF(own->message);
        own->message = answer;
    } else {
        Py_DECREF(answer);
    }
    PyGILState_Release(state);
    return failed ? 5 /* EIO */ : 0;
}

static int python_stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *schema)
{
    return ask_producer(stream, "fill_schema", schema);
}

static int python_stream_next(struct ArrowArrayStream *stream, struct ArrowArray *array)
{
    return ask_producer(stream, "fill_next", array);
}

/* Bytes objects do not change, and this one lives until the next failure: no GIL is needed. */
static const char *python_stream_error(struct ArrowArrayStream *stream)
{
    struct python_stream *own = stream->private_data;

    return own->message != NULL ? PyBytes_AsString(own->message) : "the stream failed";
}

static void release_python_stream(struct ArrowArrayStream *stream)
{
    struct python_stream *own = stream->private_data;

    /* Who holds a stream beyond the end of Python leaves it to the end of the process. */
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        Py_DECREF(own->producer);
        Py_XDECREF(own->message);
        PyGILState_Release(state);
        free(own);
    }
    stream->release = NULL;
}

/* NULL when out of memory. The producer is an object's address; the stream holds a reference to it. */
static struct ArrowArrayStream *new_python_stream(void *producer)
{
    struct ArrowArrayStream *stream = calloc(1, sizeof *stream);
    struct python_stream *own = calloc(1, sizeof *own);

    if (stream == NULL || own == NULL) {
        free(stream);
        free(own);
        return NULL;
    }
    PyGILState_STATE state = PyGILState_Ensure();
    own->producer = producer;
    Py_INCREF(own->producer);
    PyGILState_Release(state);
    *stream = (struct ArrowArrayStream){python_stream_schema, python_stream_next, python_stream_error,
                                        release_python_stream, own};
    return stream;
}

static struct ArrowSchema *new_schema(void) { return calloc(1, sizeof(struct ArrowSchema)); }
static struct ArrowArray *new_array(void) { return calloc(1, sizeof(struct ArrowArray)); }

#define ROWS_READ 0     /* all of them, or as many as there was room for */
#define ROWS_TOO_LONG 1 /* the next row is longer than all the room there is */
#define ROWS_WRONG 2    /* the next row is neither str nor bytes */
#define ROWS_NO_MEMORY 3

/* The bytes of one row. What UTF-8 cannot hold is encoded with surrogateescape, to *made; what even
 * that cannot becomes a NUL, which no device string holds. False: neither str nor bytes, or no memory. */
static int row_bytes(PyObject *row, PyObject **made, const char **bytes, Py_ssize_t *size)
{
    *made = NULL;
    if (PyBytes_Check(row))
        return PyBytes_AsStringAndSize(row, (char **)bytes, size) == 0;
    if (!PyUnicode_Check(row))
        return 0;
    *bytes = PyUnicode_AsUTF8AndSize(row, size);
    if (*bytes != NULL)
        return 1;
    PyErr_Clear();
    *made = PyUnicode_AsEncodedString(row, "utf-8", "surrogateescape");
    if (*made != NULL)
        return PyBytes_AsStringAndSize(*made, (char **)bytes, size) == 0;
    *bytes = "";
    *size = 1;
    return PyErr_ExceptionMatches(PyExc_UnicodeEncodeError);
}

static int read_row(PyObject *row, uint8_t *text, int64_t room, int64_t *used)
{
    PyObject *made;
    const char *bytes;
    Py_ssize_t size;
    int result = ROWS_READ;

    if (!row_bytes(row, &made, &bytes, &size))
        result = PyErr_Occurred() ? ROWS_NO_MEMORY : ROWS_WRONG;
    else if (size > room - *used)
        result = ROWS_TOO_LONG;
    else
        memcpy(text + *used, bytes, (size_t)size), *used += size;
    PyErr_Clear();
    Py_XDECREF(made);
    return result;
}

/* Rows of a list that nobody else holds, from one on: their bytes one after the other to text, where
 * each starts and the last ends to offsets. *read: how many. Takes the GIL, which cffi let go of. */
static int read_rows(void *list, int64_t first, int64_t count, uint8_t *text, int64_t room,
                     int64_t *offsets, int64_t *read)
{
    PyGILState_STATE state = PyGILState_Ensure();
    int64_t used = 0, done = 0;
    int result = ROWS_READ;

    for (offsets[0] = 0; done < count && result == ROWS_READ;) {
        result = read_row(PyList_GetItem(list, (Py_ssize_t)(first + done)), text, room, &used);
        if (result == ROWS_READ)
            offsets[++done] = used;
    }
    PyGILState_Release(state);
    *read = done;
    return done > 0 ? ROWS_READ : result;
}
"""

PYTHON_DECLARATIONS = """
#define ROWS_READ 0
#define ROWS_TOO_LONG 1
#define ROWS_WRONG 2
int read_rows(void *list, int64_t first, int64_t count, uint8_t *text, int64_t room, int64_t *offsets,
              int64_t *read);
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
    depends=sorted(str(path) for path in HERE.glob("*.h")),
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
