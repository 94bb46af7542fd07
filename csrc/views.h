/*
 * Columns of Arrow's string views: 16 bytes a row, which say where its text lies. What was read from a
 * dictionary (Parquet) has few distinct views, so that a row whose view was answered before needs no look
 * at its text.
 */
#ifndef PYALIAS_VIEWS_H
#define PYALIAS_VIEWS_H

#include <stdbool.h>

#include "pyalias.h"
#include "repeats.h"

/* By Arrow's bitmap; without one no row is null. */
static inline bool row_is_null(const uint8_t *validity, uint64_t index)
{
    return validity != NULL && !(validity[index / 8] >> index % 8 & 1);
}

/* The text of a row, if it lies inside the column's buffers. */
bool view_row(const pya_column *column, uint64_t index, struct row *row);

/* pya_match_column for views. */
int match_views(const pya_image *image, pya_scratch *scratch, const pya_column *column, uint32_t *ids,
                pya_error *error);

#endif
