/*
 * Text columns: rows between separators, whose number nobody knows before the text was read. It is
 * read once from memory: rows of one length are matched where they lie, as many as there are, and tell
 * by that how many they were; others come in blocks that are counted and then matched while in the cache.
 */
#define _GNU_SOURCE /* memrchr */
#include "error.h"
#include "pci_column.h"

enum { LANES = 32, STEPS = 255 };

/* The bytes of a counted block: few behind rows of one length, so that a line among them costs little
 * more than itself, and more the longer no such rows come. A row has one byte at least. */
enum { FEWEST = 64, MOST = PYA_TEXT_ROWS };

/* Counts of up to 255 in bytes, side by side: compilers make vectors of it. */
uint64_t pya_count_rows(const uint8_t *text, size_t size, int separator)
{
    const uint8_t wanted = (uint8_t)separator;
    uint64_t rows = size > 0 && text[size - 1] != wanted;
    size_t at = 0;

    while (size - at >= LANES) {
        uint8_t counts[LANES] = {0};
        for (unsigned step = 0; step < STEPS && size - at >= LANES; step++, at += LANES)
            for (unsigned i = 0; i < LANES; i++)
                counts[i] += text[at + i] == wanted;
        for (unsigned i = 0; i < LANES; i++)
            rows += counts[i];
    }
    for (; at < size; at++)
        rows += text[at] == wanted;
    return rows;
}

size_t pya_row_end(const uint8_t *text, size_t size, size_t at, int separator)
{
    const uint8_t *end = at < size ? memchr(text + at, separator, size - at) : NULL;

    return end == NULL ? size : (size_t)(end - text) + 1;
}

/* The end of a block of whole rows: of one row where that is longer than the block may be. */
static size_t block_end(const uint8_t *text, size_t size, int separator, size_t most)
{
    const uint8_t *last;

    if (size <= most)
        return size;
    last = memrchr(text, separator, most);
    return last == NULL ? pya_row_end(text, size, most, separator) : (size_t)(last - text) + 1;
}

/* Rows of one length, as many as there are and fit: how many it answered, -1 when out of memory. Adds to
 * *matched. */
static int64_t match_one_length(const pya_image *image, pya_scratch *scratch, const uint8_t *text,
                                size_t size, int separator, uint32_t *ids, uint64_t room,
                                pya_matched *matched)
{
    unsigned length = text_stride(text, size, (uint8_t)separator);
    uint64_t rows = size / (length + 1);
    int64_t answered;

    if (length == 0)
        return 0;
    answered =
        match_strided(image, scratch, length, text, separator, rows < room ? rows : room, text + size, ids);
    if (answered > 0) {
        matched->rows += (uint64_t)answered;
        matched->bytes += (uint64_t)answered * (length + 1);
    }
    return answered;
}

/* A block of any rows, unless there is no room for it: PYA_OK, or an error. Adds to *matched. */
static int match_counted(const pya_image *image, pya_scratch *scratch, const uint8_t *text, size_t size,
                         int separator, uint32_t *ids, uint64_t room, pya_matched *matched, pya_error *error)
{
    pya_column column = {
        .rows_layout = PYA_ROWS_SEPARATED,
        .separator = (uint8_t)separator,
        .rows = pya_count_rows(text, size, separator),
        .data = text,
        .data_size = size,
    };
    int code;

    if (column.rows > room)
        return PYA_OK;
    code = pya_match_column(image, scratch, &column, ids, error);
    if (code == PYA_OK) {
        matched->rows += column.rows;
        matched->bytes += size;
    }
    return code;
}

int pya_match_text(const pya_image *image, pya_scratch *scratch, const uint8_t *text, size_t size,
                   int separator, uint32_t *ids, uint64_t room, pya_matched *matched, pya_error *error)
{
    size_t most = 0;

    *matched = (pya_matched){0, 0};
    while (matched->bytes < size) {
        const uint8_t *rest = text + matched->bytes;
        size_t left = size - matched->bytes;
        uint64_t rows = matched->rows;
        int64_t answered =
            match_one_length(image, scratch, rest, left, separator, ids + rows, room - rows, matched);
        int code;
        if (answered < 0)
            return fail(error, PYA_ENOMEM, rows, "out of memory at row %llu", (unsigned long long)rows);
        if (answered > 0) {
            most = 0;
            continue;
        }
        code = match_counted(image, scratch, rest, block_end(rest, left, separator, most), separator,
                             ids + rows, room - rows, matched, error);
        if (code != PYA_OK || matched->rows == rows)
            return code;
        most = most < FEWEST ? FEWEST : most < MOST ? 2 * most : MOST;
    }
    return PYA_OK;
}
