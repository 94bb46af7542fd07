/*
 * Rows of fields to the FIELD_TABLEs of an image.
 */
#ifndef PYALIAS_FIELD_TABLES_H
#define PYALIAS_FIELD_TABLES_H

#include "compile_fields.h"

/* Appends what the table points to and writes the FIELD_TABLE at byte `place`; left out, it sends keys to
 * the trie. Values get the numbers that the image has for them. False when out of memory. */
bool field_table_write(struct field_rows *rows, const uint32_t *number_of_value, bool left_out,
                       struct bytes_vector *out, size_t place);

#endif
