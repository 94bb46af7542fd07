/*
 * A table from a view to the id that its row was given, for the time of one call: the same view is the
 * same text only among the same buffers. Where views do not repeat there is none for sixteen times as many
 * rows as have shown it, in later calls too: columns come in chunks.
 */
#include "views.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mixed_rows.h"

enum {
    VIEW_SIZE = 16,
    INLINE = 12,
    VIEWS_BLOCK = 128,
    SLOT_BITS = 14,
    SLOTS = 1 << SLOT_BITS,
    /* Below this many rows clearing the table costs more than it saves. */
    FEWEST_ROWS = SLOTS,
    LOOK = SLOTS,
    REST = 16 * LOOK,
    MOST_MISSED = 50 /* percent of a look */
};

struct answered_view {
    uint64_t place;  /* buffer and offset, as they stand in the view */
    uint32_t length; /* 0: free */
    uint32_t id;
};

/* Rows of a block that the table does not know. */
struct unknown_views {
    struct row rows[VIEWS_BLOCK];
    uint8_t index[VIEWS_BLOCK];
    unsigned count;
};

bool view_row(const pya_column *column, uint64_t index, struct row *row)
{
    const uint8_t *view = (const uint8_t *)column->offsets + index * VIEW_SIZE;
    int32_t length, buffer, offset;

    memcpy(&length, view, 4);
    if (length < 0)
        return false;
    if (length <= INLINE) {
        *row = (struct row){view + 4, (size_t)length};
        return true;
    }
    memcpy(&buffer, view + 8, 4);
    memcpy(&offset, view + 12, 4);
    if (buffer < 0 || (uint64_t)buffer >= column->buffer_count || offset < 0 ||
        column->buffer_sizes[buffer] - offset < length)
        return false;
    *row = (struct row){column->buffers[buffer] + offset, (size_t)length};
    return true;
}

static struct answered_view view_at(const pya_column *column, uint64_t index)
{
    const uint8_t *bytes = (const uint8_t *)column->offsets + index * VIEW_SIZE;
    struct answered_view view = {.id = 0};

    memcpy(&view.length, bytes, 4);
    memcpy(&view.place, bytes + 8, 8);
    return view;
}

static struct answered_view *slot_of(struct answered_view *table, const struct answered_view *view)
{
    return &table[(view->place * 0x9E3779B97F4A7C15u) >> (64 - SLOT_BITS)];
}

/* Whether the table knows the row. A short view holds its text where a long one has its place: those are
 * not in the table, and their length is none of it. */
static bool recall(struct answered_view *table, const pya_column *column, uint64_t index, uint32_t *id)
{
    struct answered_view view = view_at(column, index), *slot = slot_of(table, &view);

    *id = slot->id;
    return (slot->place == view.place) & (slot->length == view.length) & (view.length > INLINE);
}

/* Answers what the table knows of a block and null rows; false where a row lies outside the buffers. */
static bool sift(struct answered_view *table, const pya_column *column, uint64_t first, unsigned count,
                 uint32_t *ids, struct unknown_views *unknown)
{
    unknown->count = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t index = first + i;
        if (row_is_null(column->validity, index)) {
            ids[i] = PYA_ID_NULL;
            continue;
        }
        if (table != NULL && recall(table, column, index, &ids[i]))
            continue;
        if (!view_row(column, index, &unknown->rows[unknown->count]))
            return false;
        unknown->index[unknown->count++] = (uint8_t)i;
    }
    return true;
}

static bool answer(const pya_image *image, pya_scratch *scratch, const struct unknown_views *unknown,
                   uint32_t *ids)
{
    uint32_t found[VIEWS_BLOCK];
    struct mixed_rows mixed;

    mixed_start(&mixed, image, scratch, NULL);
    if (!mixed_add(&mixed, unknown->rows, unknown->count, found) || !mixed_finish(&mixed))
        return false;
    for (unsigned i = 0; i < unknown->count; i++)
        ids[unknown->index[i]] = found[i];
    return true;
}

static void remember(struct answered_view *table, const pya_column *column, uint64_t first,
                     const struct unknown_views *unknown, const uint32_t *ids)
{
    for (unsigned i = 0; i < unknown->count; i++) {
        struct answered_view view = view_at(column, first + unknown->index[i]);
        if (view.length <= INLINE)
            continue;
        view.id = ids[unknown->index[i]];
        *slot_of(table, &view) = view;
    }
}

/* Whether the table, in the rows since it was last asked, has answered enough to be asked again. */
static bool pays(uint64_t *asked, uint64_t *missed)
{
    bool enough = *asked < LOOK || *missed * 100 <= *asked * MOST_MISSED;

    if (*asked >= LOOK)
        *asked = *missed = 0;
    return enough;
}

static int match_with(struct answered_view *table, const pya_image *image, pya_scratch *scratch,
                      const pya_column *column, uint32_t *ids, pya_error *error)
{
    struct unknown_views unknown;
    uint64_t asked = 0, missed = 0;
    unsigned count;

    for (uint64_t done = 0; done < column->rows; done += count) {
        uint64_t first = column->first + done;
        count = column->rows - done < VIEWS_BLOCK ? (unsigned)(column->rows - done) : VIEWS_BLOCK;
        if (!sift(table, column, first, count, ids + done, &unknown))
            return fail(error, PYA_ECOLUMN, done, "a row behind row %llu lies outside the column's data",
                        (unsigned long long)done);
        if (!answer(image, scratch, &unknown, ids + done))
            return fail(error, PYA_ENOMEM, done, "out of memory at row %llu", (unsigned long long)done);
        if (table == NULL)
            continue;
        remember(table, column, first, &unknown, ids + done);
        asked += count;
        missed += unknown.count;
        if (!pays(&asked, &missed)) {
            table = NULL;
            scratch->views_rest = REST;
        }
    }
    return PYA_OK;
}

int match_views(const pya_image *image, pya_scratch *scratch, const pya_column *column, uint32_t *ids,
                pya_error *error)
{
    struct answered_view *table = NULL;
    int code;

    /* Without memory for it there is no table; nothing else changes. */
    if (column->rows >= FEWEST_ROWS && scratch->views_rest == 0)
        table = calloc(SLOTS, sizeof *table);
    else
        scratch->views_rest -= column->rows < scratch->views_rest ? column->rows : scratch->views_rest;
    code = match_with(table, image, scratch, column, ids, error);
    free(table);
    return code;
}
