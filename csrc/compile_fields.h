/*
 * Token strings to the field tables of an image.
 */
#ifndef PYALIAS_COMPILE_FIELDS_H
#define PYALIAS_COMPILE_FIELDS_H

#include "bus.h"
#include "trie.h"

/* The patterns of a source as a table for one bus, in the making. */
struct field_table {
    const struct bus *bus;
    const struct interner *classes;
    bool to_trie;               /* the bus is left to the trie: too much that is no row of fields */
    struct interner signatures; /* FIELD_WORDS words each */
    uint32_t last_mask[FIELD_WORDS], last_signature;
    struct interner rules;           /* signature number and FIELD_WORDS words each */
    struct bytes_vector rule_values; /* u32 a rule */
    struct bytes_vector residue;     /* u32 value */
    bool has_others;                 /* patterns that match no key of the fixed form, but others */
    bool failed;
};

/* Sorts a pattern into the table of a bus. */
void field_table_add(struct field_table *table, const struct token_string *string);

/* The same for a pattern that only text comparison can match. */
void field_table_add_text(struct field_table *table, const uint8_t *pattern, size_t length, uint32_t value);

/* The bits that a rule asks for, and what they must be; returns its value. */
uint32_t field_rule(const struct field_table *table, uint32_t id, uint32_t mask[FIELD_WORDS],
                    uint32_t words[FIELD_WORDS]);

void field_table_free(struct field_table *table);

/* Appends what the table points to, writes the FIELD_TABLE at byte `place`, frees; false when out
 * of memory. */
bool field_table_write(struct field_table *table, struct bytes_vector *out, size_t place);

#endif
