/*
 * Whole columns: rows in, ids out.
 */
#include "distinct.h"
#include "error.h"
#include "mixed_rows.h"
#include "views.h"

enum { MIXED_BLOCK = 256 };

/* ---- rows ------------------------------------------------------------------------------------- */

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
static bool read_rows(const pya_column *column, uint64_t index, unsigned count, uint64_t *at,
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

/* Where reading must end: behind the last byte of the rows. NULL where there is no one end. */
static const uint8_t *end_of_rows(const pya_column *column)
{
    uint64_t end = column->first + column->rows;

    switch (column->rows_layout) {
    case PYA_ROWS_SEPARATED:
        return column->data + column->data_size;
    case PYA_ROWS_OFFSETS32:
        return column->data + ((const int32_t *)column->offsets)[end];
    case PYA_ROWS_OFFSETS64:
        return column->data + ((const int64_t *)column->offsets)[end];
    default:
        return NULL;
    }
}

static int64_t offset_at(const pya_column *column, uint64_t index)
{
    return column->rows_layout == PYA_ROWS_OFFSETS32 ? ((const int32_t *)column->offsets)[index]
                                                     : ((const int64_t *)column->offsets)[index];
}

/* Whether no row of a block is null. */
static bool block_is_valid(const uint8_t *validity, uint64_t index)
{
    const uint8_t *p = validity + index / 8;
    unsigned shift = index % 8;

    if (validity == NULL)
        return true;
    return (load_u64(p) >> shift | (shift == 0 ? 0 : (uint64_t)p[8] << (64 - shift))) == UINT64_MAX;
}

/* Whether a block's rows are all of one length and follow each other. A compiler makes vectors of it. */
static bool block_in_stride(const pya_column *column, uint64_t index, uint64_t length)
{
    uint64_t differ = 0;

    if (column->rows_layout == PYA_ROWS_OFFSETS32) {
        const int32_t *offsets = (const int32_t *)column->offsets + index;
        uint32_t differ32 = 0;
        for (unsigned i = 0; i < PCI_BLOCK; i++)
            differ32 |= ((uint32_t)offsets[i + 1] - (uint32_t)offsets[i]) ^ (uint32_t)length;
        differ = differ32;
    } else {
        const int64_t *offsets = (const int64_t *)column->offsets + index;
        for (unsigned i = 0; i < PCI_BLOCK; i++)
            differ |= ((uint64_t)offsets[i + 1] - (uint64_t)offsets[i]) ^ length;
    }
    return differ == 0 && offset_at(column, index) >= 0 &&
           offset_at(column, index + PCI_BLOCK) > offset_at(column, index);
}

/* Likewise by offsets: the length, and how many blocks of such rows there are. Null rows may hold
 * anything, so that they have no part in this. */
static unsigned offsets_stride(const pya_column *column, uint64_t index, uint64_t left, uint64_t *blocks)
{
    uint64_t length = (uint64_t)offset_at(column, index + 1) - (uint64_t)offset_at(column, index);
    uint64_t most = left / PCI_BLOCK < MOST_BLOCKS ? left / PCI_BLOCK : MOST_BLOCKS;

    *blocks = 0;
    if (length != PCI_LENGTH && length != USB_LENGTH)
        return 0;
    while (*blocks < most && block_is_valid(column->validity, index + *blocks * PCI_BLOCK) &&
           block_in_stride(column, index + *blocks * PCI_BLOCK, length))
        ++*blocks;
    return (unsigned)length;
}

/* Rows of one length that follow each other, as many as there are in whole blocks: how many it
 * answered, -1 when out of memory. Moves *at. */
static int64_t match_run(const pya_image *image, struct pya_scratch *scratch, const pya_column *column,
                         uint64_t done, uint64_t *at, uint32_t *ids)
{
    uint64_t left = column->rows - done, index = column->first + done, blocks;
    const uint8_t *readable = end_of_rows(column), *first;
    int64_t answered;
    unsigned length;

    if (left < PCI_BLOCK)
        return 0;
    if (column->rows_layout == PYA_ROWS_SEPARATED) {
        length =
            text_stride(column->data + *at, (size_t)(column->data_size - *at), (uint8_t)column->separator);
        if (length == 0)
            return 0;
        answered = match_strided(image, scratch, length, column->data + *at, (int)column->separator, left,
                                 readable, ids);
        *at += answered > 0 ? (uint64_t)answered * (length + 1) : 0;
        return answered;
    }
    length = offsets_stride(column, index, left, &blocks);
    if (blocks == 0)
        return 0;
    first = column->data + offset_at(column, index);
    return first > readable
               ? 0
               : match_strided(image, scratch, length, first, -1, blocks * PCI_BLOCK, readable, ids);
}

/* The next rows of a text without null rows, as far as whole chunks of it can be read; moves *at.
 * Returns how many; -1 when out of memory. */
static int add_text(struct mixed_rows *mixed, const pya_column *column, unsigned count, uint64_t *at,
                    uint32_t *ids)
{
    const uint8_t *text = column->data + *at;
    uint64_t ends[MIXED_BLOCK + ENDS_CHUNK];
    size_t found = mixed->scratch->variant->ends(text, (size_t)(column->data_size - *at),
                                                 (uint8_t)column->separator, count, ends);

    count = found < count ? (unsigned)found : count;
    *at += count == 0 ? 0 : ends[count - 1] + 1;
    return mixed_add_text(mixed, text, ends, count, ids) ? (int)count : -1;
}

/* The next rows, of any kind; *added: how many. */
static int add_rows(struct mixed_rows *mixed, const pya_column *column, uint64_t done, uint64_t *at,
                    uint32_t *ids, int64_t *added, pya_error *error)
{
    unsigned count = column->rows - done < MIXED_BLOCK ? (unsigned)(column->rows - done) : MIXED_BLOCK;
    struct row rows[MIXED_BLOCK];

    if (column->rows_layout == PYA_ROWS_SEPARATED && column->validity == NULL && column->data != NULL)
        *added = add_text(mixed, column, count, at, ids);
    if (*added != 0)
        return *added > 0 ? PYA_OK : no_memory(done, error);
    if (!read_rows(column, column->first + done, count, at, rows))
        return fail(error, PYA_ECOLUMN, done, "a row behind row %llu lies outside the column's data",
                    (unsigned long long)done);
    *added = count;
    return mixed_add(mixed, rows, count, ids) ? PYA_OK : no_memory(done, error);
}

int pya_match_column(const pya_image *image, pya_scratch *scratch, const pya_column *column, uint32_t *ids,
                     pya_error *error)
{
    struct mixed_rows mixed;
    uint64_t at = 0, done = 0;

    if (column->rows_layout == PYA_ROWS_VIEWS)
        return match_views(image, scratch, column, ids, error);
    mixed_start(&mixed, image, scratch, end_of_rows(column));
    while (done < column->rows) {
        int64_t run = match_run(image, scratch, column, done, &at, ids + done);
        int code = run < 0    ? no_memory(done, error)
                   : run == 0 ? add_rows(&mixed, column, done, &at, ids + done, &run, error)
                              : PYA_OK;
        if (code != PYA_OK)
            return code;
        done += (uint64_t)run;
    }
    return mixed_finish(&mixed) ? PYA_OK : no_memory(done, error);
}

int pya_match_pci_ids(const pya_image *image, pya_scratch *scratch, const uint32_t *vendor,
                      const uint32_t *device, const uint32_t *subvendor, const uint32_t *subdevice,
                      const uint32_t *class_code, uint64_t rows, uint32_t *ids, pya_error *error)
{
    struct pci_numbers numbers = {vendor, device, subvendor, subdevice, class_code};

    return match_numbers(image, scratch, &numbers, rows, ids, error);
}

int pya_distinct_column(pya_distinct *distinct, const pya_column *column, uint32_t *numbers, pya_error *error)
{
    uint64_t at = 0;

    for (uint64_t i = 0; i < column->rows; i++) {
        struct row row;
        if (!read_rows(column, column->first + i, 1, &at, &row))
            return fail(error, PYA_ECOLUMN, i, "row %llu lies outside the column's data",
                        (unsigned long long)i);
        numbers[i] = row.text ? intern(&distinct->rows, row.text, row.length) : PYA_ID_NULL;
        if (row.text && numbers[i] == INTERN_FAILED)
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
