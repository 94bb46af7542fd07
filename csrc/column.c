/*
 * Whole columns: rows in, ids out.
 */
#include "error.h"
#include "lookup.h"
#include "rows.h"

/* ---- rows ------------------------------------------------------------------------------------- */

static bool row_is_null(const uint8_t *validity, uint64_t index)
{
    return validity != NULL && !(validity[index / 8] >> index % 8 & 1);
}

/* The next row of a text; *at is moved behind its separator. */
static struct row separated_row(const pya_column *column, uint64_t *at)
{
    const uint8_t *text = column->data + *at;
    size_t left = (size_t)(column->data_size - *at);
    const uint8_t *end = left ? memchr(text, (int)column->separator, left) : NULL;
    struct row row = {text, end ? (size_t)(end - text) : left};

    *at += row.length + (end != NULL);
    return row;
}

static bool offsets_row(const pya_column *column, uint64_t index, struct row *row)
{
    int64_t start, end;

    if (column->rows_layout == PYA_ROWS_OFFSETS32) {
        const int32_t *offsets = column->offsets;
        start = offsets[index];
        end = offsets[index + 1];
    } else {
        const int64_t *offsets = column->offsets;
        start = offsets[index];
        end = offsets[index + 1];
    }
    if (start < 0 || end < start)
        return false;
    *row = (struct row){column->data + start, (size_t)(end - start)};
    return true;
}

/* Arrow's view: length; then up to 12 bytes, or a prefix of 4, a buffer and an offset in it. */
static bool view_row(const pya_column *column, uint64_t index, struct row *row)
{
    const uint8_t *view = (const uint8_t *)column->offsets + index * 16;
    int32_t length, buffer, offset;

    memcpy(&length, view, 4);
    if (length < 0)
        return false;
    if (length <= 12) {
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

static int no_memory(uint64_t row, pya_error *error)
{
    return fail(error, PYA_ENOMEM, row, "out of memory at row %llu", (unsigned long long)row);
}

/* Reads one row; *at is where the next row of a separated text starts. */
static bool read_row(const pya_column *column, uint64_t index, uint64_t *at, struct row *row)
{
    if (column->rows_layout == PYA_ROWS_SEPARATED) {
        *row = separated_row(column, at);
        return true;
    }
    return column->rows_layout == PYA_ROWS_VIEWS ? view_row(column, index, row)
                                                 : offsets_row(column, index, row);
}

/* Null rows have no text. */
static bool read_block(const pya_column *column, uint64_t index, unsigned count, uint64_t *at,
                       struct row *rows)
{
    for (unsigned i = 0; i < count; i++) {
        rows[i] = (struct row){NULL, 0};
        if (row_is_null(column->validity, index + i))
            continue;
        if (!read_row(column, index + i, at, &rows[i]))
            return false;
        if (rows[i].text == NULL) /* a column of empty strings may have no data at all */
            rows[i].text = (const uint8_t *)"";
    }
    return true;
}

int pya_match_column(const pya_image *image, pya_scratch *scratch, const pya_column *column, uint32_t *ids,
                     pya_error *error)
{
    struct row rows[ROWS_BLOCK];
    uint64_t at = 0;

    for (uint64_t done = 0; done < column->rows; done += ROWS_BLOCK) {
        unsigned count = column->rows - done < ROWS_BLOCK ? (unsigned)(column->rows - done) : ROWS_BLOCK;
        if (!read_block(column, column->first + done, count, &at, rows))
            return fail(error, PYA_ECOLUMN, done, "a row behind row %llu lies outside the column's data",
                        (unsigned long long)done);
        if (!match_rows(image, scratch, rows, count, ids + done))
            return no_memory(done, error);
    }
    return PYA_OK;
}

/* ---- PCI ids ---------------------------------------------------------------------------------- */

int pya_match_pci_ids(const pya_image *image, pya_scratch *scratch, const uint32_t *vendor,
                      const uint32_t *device, const uint32_t *subvendor, const uint32_t *subdevice,
                      const uint32_t *class_code, uint64_t rows, uint32_t *ids, pya_error *error)
{
    const struct bus *pci = &buses[BUS_PCI];

    for (uint64_t i = 0; i < rows; i++) {
        struct fields fields = {BUS_PCI, {vendor[i], device[i], subvendor[i], subdevice[i], class_code[i]}};
        int code;
        if (class_code[i] > 0xFFFFFF)
            return fail(error, PYA_ECOLUMN, i, "class %08X of row %llu has more than 24 bits", class_code[i],
                        (unsigned long long)i);
        print_fields(&fields, scratch->pci_text);
        code = find_parsed_answer(image, scratch, &fields, scratch->pci_text, pci->key_length, &ids[i]);
        if (!settle_code(scratch, code, &ids[i]))
            return no_memory(i, error);
    }
    return PYA_OK;
}

/* ---- dictionaries ----------------------------------------------------------------------------- */

static bool index_at(const void *indices, int size, uint64_t at, uint64_t *index)
{
    switch (size) {
    case 1:
        *index = ((const uint8_t *)indices)[at];
        return true;
    case 2:
        *index = ((const uint16_t *)indices)[at];
        return true;
    case 4:
        *index = ((const uint32_t *)indices)[at];
        return true;
    case 8:
        *index = ((const uint64_t *)indices)[at];
        return true;
    default:
        return false;
    }
}

int pya_ids_gather(uint32_t *ids, const uint32_t *values, uint64_t value_count, const void *indices,
                   int index_size, uint64_t first, uint64_t rows, const uint8_t *validity, pya_error *error)
{
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t index;
        ids[i] = PYA_ID_NULL;
        if (row_is_null(validity, first + i))
            continue;
        if (!index_at(indices, index_size, first + i, &index) || index >= value_count)
            return fail(error, PYA_ECOLUMN, i, "row %llu names no value of the dictionary",
                        (unsigned long long)i);
        ids[i] = values[index];
    }
    return PYA_OK;
}
