/*
 * Answers as Arrow arrays. Release callbacks may run on any thread, long after the index is gone:
 * they know their buffers and nothing of Python.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pyalias.h"

enum { MOST_BUFFERS = 4 };

/* What one exported array owns besides its children and dictionary. */
struct owned {
    pya_buffer *held[MOST_BUFFERS];
    const void *bytes[MOST_BUFFERS];
};

static void release_array(struct ArrowArray *array)
{
    struct owned *owned = array->private_data;

    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release)
            array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    free(array->children);
    if (array->dictionary) {
        if (array->dictionary->release)
            array->dictionary->release(array->dictionary);
        free(array->dictionary);
    }
    for (int i = 0; i < MOST_BUFFERS; i++)
        pya_buffer_free(owned->held[i]);
    free(owned);
    array->release = NULL;
}

/* An array over buffers, of which it becomes a user; false, and released, when out of memory. */
static bool export_array(struct ArrowArray *array, int64_t length, int64_t nulls, int64_t buffers,
                         pya_buffer *const held[])
{
    struct owned *owned = calloc(1, sizeof *owned);

    memset(array, 0, sizeof *array);
    if (owned == NULL)
        return false;
    for (int64_t i = 0; i < buffers; i++) {
        owned->held[i] = pya_buffer_use(held[i]);
        owned->bytes[i] = held[i] ? pya_buffer_bytes(held[i]) : NULL;
    }
    *array = (struct ArrowArray){.length = length,
                                 .null_count = nulls,
                                 .n_buffers = buffers,
                                 .buffers = owned->bytes,
                                 .release = release_array,
                                 .private_data = owned};
    return true;
}

static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release)
            schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    free(schema->children);
    if (schema->dictionary) {
        if (schema->dictionary->release)
            schema->dictionary->release(schema->dictionary);
        free(schema->dictionary);
    }
    schema->release = NULL;
}

static void export_schema(struct ArrowSchema *schema, const char *format, const char *name, int64_t flags)
{
    *schema = (struct ArrowSchema){.format = format, .name = name, .flags = flags, .release = release_schema};
}

enum { ARROW_FLAG_NULLABLE = 2 };

static bool answers_schema(struct ArrowSchema *schema)
{
    struct ArrowSchema *list = malloc(sizeof *list), *text = malloc(sizeof *text);
    struct ArrowSchema **children = malloc(sizeof *children);

    if (!list || !text || !children) {
        free(list);
        free(text);
        free(children);
        return false;
    }
    /* No text is null, but then the type would not be the list<utf8> that everybody means. */
    export_schema(text, "u", "item", ARROW_FLAG_NULLABLE);
    export_schema(list, "+l", "", 0);
    *children = text;
    list->children = children;
    list->n_children = 1;
    export_schema(schema, "I", "", ARROW_FLAG_NULLABLE);
    schema->dictionary = list;
    return true;
}

/* The dictionary: lists of texts. */
static bool answers_dictionary(const pya_answer_table *table, struct ArrowArray *list)
{
    struct ArrowArray *text = malloc(sizeof *text), **children = malloc(sizeof *children);

    if (text && children &&
        export_array(text, table->texts, 0, 3,
                     (pya_buffer *const[]){NULL, table->text_offsets, table->text})) {
        if (export_array(list, table->lists, 0, 2, (pya_buffer *const[]){NULL, table->list_offsets})) {
            *children = text;
            list->children = children;
            list->n_children = 1;
            return true;
        }
        text->release(text);
    }
    free(text);
    free(children);
    return false;
}

int pya_arrow_answers(pya_buffer *ids, int64_t rows, pya_buffer *validity, int64_t nulls,
                      const pya_answer_table *table, struct ArrowSchema *schema, struct ArrowArray *array)
{
    struct ArrowArray *list = malloc(sizeof *list);

    memset(schema, 0, sizeof *schema);
    memset(array, 0, sizeof *array);
    if (list == NULL || !answers_dictionary(table, list)) {
        free(list);
        return PYA_ENOMEM;
    }
    if (!export_array(array, rows, nulls, 2, (pya_buffer *const[]){validity, ids}) ||
        !answers_schema(schema)) {
        list->release(list);
        free(list);
        if (array->release)
            array->release(array);
        return PYA_ENOMEM;
    }
    array->dictionary = list;
    return PYA_OK;
}

/* ---- batches: the columns of an input and some more ---------------------------------------------- */

enum { VIEW_BYTES = 16 };

void pya_ids_views(const uint32_t *ids, int64_t rows, const uint8_t *table, uint8_t *views)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy(views + VIEW_BYTES * i, table + (uint64_t)VIEW_BYTES * ids[i], VIEW_BYTES);
}

void pya_ids_count(const uint32_t *ids, int64_t rows, uint64_t *counts)
{
    for (int64_t i = 0; i < rows; i++)
        counts[ids[i]]++;
}

void pya_ids_bits(const uint32_t *ids, int64_t rows, const uint8_t *table, uint8_t *bits)
{
    for (int64_t i = 0; i < rows; i++)
        bits[i / 8] |= (uint8_t)((table[ids[i]] != 0) << i % 8);
}

int pya_arrow_views(pya_buffer *views, int64_t rows, pya_buffer *validity, int64_t nulls, pya_buffer *text,
                    pya_buffer *text_size, struct ArrowArray *array)
{
    return export_array(array, rows, nulls, 4, (pya_buffer *const[]){validity, views, text, text_size})
               ? PYA_OK
               : PYA_ENOMEM;
}

int pya_arrow_numbers(pya_buffer *numbers, int64_t rows, pya_buffer *validity, int64_t nulls,
                      struct ArrowArray *array)
{
    return export_array(array, rows, nulls, 2, (pya_buffer *const[]){validity, numbers}) ? PYA_OK
                                                                                         : PYA_ENOMEM;
}

int pya_arrow_batch(int64_t rows, struct ArrowArray *array)
{
    return export_array(array, rows, 0, 1, (pya_buffer *const[]){NULL}) ? PYA_OK : PYA_ENOMEM;
}

void pya_arrow_schema(const char *format, const char *name, struct ArrowSchema *schema)
{
    export_schema(schema, format, name, ARROW_FLAG_NULLABLE);
}

/* What a wider batch owns: the batch as it came, and the columns behind it. A consumer that moves a
 * column out marks it as released in its place, which is a place in here or in the batch. */
struct wider_array {
    struct ArrowArray batch;
    int64_t added_count;
    struct ArrowArray *added;
    struct ArrowArray *children[];
};

static void release_wider_array(struct ArrowArray *array)
{
    struct wider_array *wider = array->private_data;

    wider->batch.release(&wider->batch);
    for (int64_t i = 0; i < wider->added_count; i++)
        if (wider->added[i].release)
            wider->added[i].release(&wider->added[i]);
    free(wider->added);
    free(wider);
    array->release = NULL;
}

int pya_arrow_widen(struct ArrowArray *batch, struct ArrowArray *added, int64_t count,
                    struct ArrowArray *array)
{
    int64_t children = batch->n_children + count;
    struct wider_array *wider = malloc(sizeof *wider + (size_t)children * sizeof wider->children[0]);
    struct ArrowArray *moved = malloc((size_t)count * sizeof *moved);

    if (!wider || !moved) {
        free(wider);
        free(moved);
        return PYA_ENOMEM;
    }
    *wider = (struct wider_array){.batch = *batch, .added_count = count, .added = moved};
    for (int64_t i = 0; i < batch->n_children; i++)
        wider->children[i] = batch->children[i];
    for (int64_t i = 0; i < count; i++) {
        moved[i] = added[i];
        added[i].release = NULL;
        wider->children[batch->n_children + i] = &moved[i];
    }
    *array = wider->batch;
    array->n_children = children;
    array->children = wider->children;
    array->release = release_wider_array;
    array->private_data = wider;
    batch->release = NULL;
    return PYA_OK;
}

struct wider_schema {
    struct ArrowSchema batch;
    int64_t added_count;
    struct ArrowSchema *added;
    struct ArrowSchema *children[];
};

static void release_wider_schema(struct ArrowSchema *schema)
{
    struct wider_schema *wider = schema->private_data;

    wider->batch.release(&wider->batch);
    for (int64_t i = 0; i < wider->added_count; i++)
        if (wider->added[i].release)
            wider->added[i].release(&wider->added[i]);
    free(wider->added);
    free(wider);
    schema->release = NULL;
}

int pya_arrow_widen_schema(struct ArrowSchema *batch, struct ArrowSchema *added, int64_t count,
                           struct ArrowSchema *schema)
{
    int64_t children = batch->n_children + count;
    struct wider_schema *wider = malloc(sizeof *wider + (size_t)children * sizeof wider->children[0]);
    struct ArrowSchema *moved = malloc((size_t)count * sizeof *moved);

    if (!wider || !moved) {
        free(wider);
        free(moved);
        return PYA_ENOMEM;
    }
    *wider = (struct wider_schema){.batch = *batch, .added_count = count, .added = moved};
    for (int64_t i = 0; i < batch->n_children; i++)
        wider->children[i] = batch->children[i];
    for (int64_t i = 0; i < count; i++) {
        moved[i] = added[i];
        added[i].release = NULL;
        wider->children[batch->n_children + i] = &moved[i];
    }
    *schema = wider->batch;
    schema->n_children = children;
    schema->children = wider->children;
    schema->release = release_wider_schema;
    schema->private_data = wider;
    batch->release = NULL;
    return PYA_OK;
}
