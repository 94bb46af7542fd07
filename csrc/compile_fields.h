/*
 * Patterns as rows of the fields of a bus (bus.h).
 */
#ifndef PYALIAS_COMPILE_FIELDS_H
#define PYALIAS_COMPILE_FIELDS_H

#include "bus.h"
#include "trie.h"

/* The bits that a pattern asks for, and what they must be. A pattern with a [...] in it is several rows,
 * which follow each other. */
struct field_row {
    uint32_t mask[FIELD_WORDS], words[FIELD_WORDS];
    uint32_t value;
};

/* The patterns of a source that can match the keys of a bus. */
struct field_rows {
    const struct bus *bus;
    const struct interner *classes;
    struct bytes_vector rows;       /* struct field_row */
    struct bytes_vector residue;    /* u32: values of patterns that are no rows */
    uint8_t stars[MOST_FIELDS * 4]; /* a separator and a star for each field: how most patterns end */
    uint8_t stars_from[MOST_FIELDS + 1];
    bool to_trie;    /* there are too many of those */
    bool has_others; /* patterns that match no key of the fixed form, but others */
};

static inline size_t field_row_count(const struct field_rows *rows)
{
    return rows->rows.size / sizeof(struct field_row);
}

static inline const struct field_row *field_row_at(const struct field_rows *rows, size_t index)
{
    return (const struct field_row *)(const void *)rows->rows.data + index;
}

void field_rows_start(struct field_rows *rows, const struct bus *bus, const struct interner *classes);

/* Adds a pattern, if it can match keys of the bus. */
void field_rows_add(struct field_rows *rows, const struct token_string *string);

/* The same for a pattern that only text comparison can match. */
void field_rows_add_text(struct field_rows *rows, const uint8_t *pattern, size_t length, uint32_t value);

/* One more pattern that is no row. */
void field_rows_add_residue(struct field_rows *rows, uint32_t value);

void field_rows_free(struct field_rows *rows);

#endif
