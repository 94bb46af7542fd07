/* The one piece of C that knows Python, put before what cffi writes: PyCapsules that own Arrow structs (one
 * that nobody consumed still owns what it holds), rows read out of a list without a Python object each, and
 * single lookups without a Python frame. */
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
static void release_lent_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}
static void release_lent_array(struct ArrowArray *array)
{
    array->release = NULL;
}

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

static struct ArrowSchema *new_schema(void)
{
    return calloc(1, sizeof(struct ArrowSchema));
}
static struct ArrowArray *new_array(void)
{
    return calloc(1, sizeof(struct ArrowArray));
}

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
static int read_rows(void *list, int64_t first, int64_t count, uint8_t *text, int64_t room, int64_t *offsets,
                     int64_t *read)
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

/* ---- one lookup ------------------------------------------------------------------------------ */

/* What stands where in the list that is the function's self, and in the one that it shares with its maker. */
enum { REMEMBERED, SHARED, MISSING, ROOM };
#define SHARED_NAMES 0
#define SHARED_MODULES 1
#define SHARED_IMAGE 2
#define SHARED_SCRATCH 3

#define LONGEST_REMEMBERED 256
#define MOST_NAMES 16

/* The name of a module, made once. A new reference, or NULL. */
static PyObject *module_name(const pya_image *image, PyObject *modules, uint32_t module)
{
    PyObject *name = PyList_GetItem(modules, (Py_ssize_t)module);
    pya_text text;

    if (name != NULL && name == Py_None) {
        text = pya_image_module(image, module);
        name = PyUnicode_DecodeUTF8((const char *)text.bytes, (Py_ssize_t)text.length, "surrogateescape");
        if (name == NULL)
            return NULL;
        Py_INCREF(name);
        PyList_SetItem(modules, (Py_ssize_t)module, name);
        return name;
    }
    Py_XINCREF(name);
    return name;
}

/* The tuple of names of a stored answer: a new reference, or NULL. */
static PyObject *answer_names(const pya_image *image, PyObject *modules, uint32_t answer)
{
    uint32_t ids[MOST_NAMES], count = pya_image_answer(image, answer, ids, MOST_NAMES);
    PyObject *names = count > MOST_NAMES ? NULL : PyTuple_New((Py_ssize_t)count);

    for (uint32_t i = 0; names != NULL && i < count; i++) {
        PyObject *name = module_name(image, modules, ids[i]);
        if (name == NULL) {
            Py_DECREF(names);
            return NULL;
        }
        PyTuple_SetItem(names, (Py_ssize_t)i, name);
    }
    return names;
}

/* The names of an answer, from the list of those that are known. A new reference, or NULL. */
static PyObject *known_names(PyObject *shared, const pya_image *image, int64_t answer)
{
    PyObject *known = PyList_GetItem(shared, SHARED_NAMES),
             *names = PyList_GetItem(known, (Py_ssize_t)answer);

    if (names == NULL || names != Py_None) {
        Py_XINCREF(names);
        return names;
    }
    names = answer_names(image, PyList_GetItem(shared, SHARED_MODULES), (uint32_t)answer);
    if (names != NULL) {
        Py_INCREF(names);
        PyList_SetItem(known, (Py_ssize_t)answer, names);
    }
    return names;
}

/* The answer of a short text that is nobody's exception: a new reference, or NULL, with an error maybe. */
static PyObject *find_names(PyObject *self, PyObject *remembered, PyObject *modalias)
{
    PyObject *shared = PyList_GetItem(self, SHARED), *names;
    const pya_image *image = PyLong_AsVoidPtr(PyList_GetItem(shared, SHARED_IMAGE));
    pya_scratch *scratch = PyLong_AsVoidPtr(PyList_GetItem(shared, SHARED_SCRATCH));
    Py_ssize_t size, room = PyLong_AsSsize_t(PyList_GetItem(self, ROOM));
    const char *text;
    int64_t answer;

    if (image == NULL || scratch == NULL || PyDict_Size(remembered) >= room)
        return NULL;
    text = PyUnicode_AsUTF8AndSize(modalias, &size);
    if (text == NULL || size > LONGEST_REMEMBERED)
        return NULL;
    answer = pya_lookup(image, scratch, text, (size_t)size);
    names = answer < 0 ? NULL : known_names(shared, image, answer);
    if (names != NULL && PyDict_SetItem(remembered, modalias, names) < 0)
        PyErr_Clear(); /* not remembered */
    return names;
}

/* AliasIndex.lookup: what is remembered, or else what is found, and remembered then. Whatever is not the
 * common case is left to Python. Short keys take less time than giving the GIL away and taking it back;
 * holding it makes the one scratch this call's own. */
static PyObject *lookup(PyObject *self, PyObject *modalias)
{
    PyObject *remembered = PyList_GetItem(self, REMEMBERED), *missing, *names;

    names = PyDict_GetItemWithError(remembered, modalias);
    if (names != NULL) {
        Py_INCREF(names);
        return names;
    }
#ifndef Py_GIL_DISABLED
    if (!PyErr_Occurred() && PyUnicode_CheckExact(modalias) &&
        (names = find_names(self, remembered, modalias)) != NULL)
        return names;
#endif
    PyErr_Clear(); /* Python comes by it again, and says it better */
    missing = PyList_GetItem(self, MISSING);
    Py_INCREF(missing);
    names = PyObject_CallFunctionObjArgs(missing, modalias, NULL);
    Py_DECREF(missing);
    return names;
}

/* Puts a function whose self is a list of the above to the end of that list. False: out of memory. */
static int append_lookup(void *list)
{
    static PyMethodDef method = {"lookup", lookup, METH_O,
                                 "lookup($self, modalias, /)\n--\n\nAs AliasIndex.lookup."};
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *function = PyCFunction_New(&method, list);
    int done = function != NULL && PyList_Append(list, function) == 0;

    Py_XDECREF(function);
    PyErr_Clear();
    PyGILState_Release(state);
    return done;
}
