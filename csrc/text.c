/*
 * Text columns: rows between separators, whose number nobody knows before the text was read. It is
 * read once from memory: a block is counted and then matched while it is in the cache.
 */
#define _GNU_SOURCE /* memrchr */
#include <string.h>

#include "pyalias.h"

enum { LANES = 32, STEPS = 255, TEXT_BLOCK = PYA_TEXT_ROWS }; /* a row has one byte at least */

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

/* The end of a block of whole rows: of one row where that is longer than a block. */
static size_t block_end(const uint8_t *text, size_t size, int separator)
{
    const uint8_t *last;

    if (size <= TEXT_BLOCK)
        return size;
    last = memrchr(text, separator, TEXT_BLOCK);
    return last == NULL ? pya_row_end(text, size, TEXT_BLOCK, separator) : (size_t)(last - text) + 1;
}

int pya_match_text(const pya_image *image, pya_scratch *scratch, const uint8_t *text, size_t size,
                   int separator, uint32_t *ids, uint64_t room, pya_matched *matched, pya_error *error)
{
    *matched = (pya_matched){0, 0};
    while (matched->bytes < size) {
        const uint8_t *block = text + matched->bytes;
        size_t length = block_end(block, size - matched->bytes, separator);
        pya_column column = {
            .rows_layout = PYA_ROWS_SEPARATED,
            .separator = (uint8_t)separator,
            .rows = pya_count_rows(block, length, separator),
            .data = block,
            .data_size = length,
        };
        int code;
        if (column.rows > room - matched->rows)
            return PYA_OK;
        code = pya_match_column(image, scratch, &column, ids + matched->rows, error);
        if (code != PYA_OK)
            return code;
        matched->rows += column.rows;
        matched->bytes += length;
    }
    return PYA_OK;
}
