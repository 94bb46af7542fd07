/*
 * An image in the making, and the steps by which it is made: order the lines of a source
 * (compile_order.c), group equal patterns to values (compile_values.c), lay out the tries (trie.c), make the
 * tables of the buses (compile_fields.c, field_tables.c, compile_pci.c, compile_usb.c), write the sections
 * (compile_image.c).
 */
#ifndef PYALIAS_COMPILE_H
#define PYALIAS_COMPILE_H

#include "builder.h"
#include "compile_fields.h"
#include "format.h"
#include "sort.h"
#include "trie.h"

/* Values are numbered twice: as they are made, source by source, and as the image has them, in the order
 * of the trie's nodes (trie.number_of_value). */
struct values {
    uint32_t count;
    struct bytes_vector ends, lines; /* u32: where the lines of a value end; lines, ascending */
    struct bytes_vector answers;     /* u32 */
    struct bytes_vector irregular;   /* u32: those that are matched as text */
    struct bytes_vector modules;     /* room for an answer in the making */
};

/* The root of a source's trie, or NEVER, and how many lines and so on there are up to its end. */
struct source_end {
    uint32_t root, lines, sorted, irregular;
};

struct compilation {
    const struct pya_builder *builder;
    size_t text_size;                /* of all patterns */
    const struct alias_line **lines; /* by line id */
    struct sort_text *texts, *items; /* of a source, one a line each */
    uint8_t *tokens, *free_tokens;   /* of patterns that are not their own */
    struct token_string *strings;    /* distinct ones, source by source */
    uint32_t string_count;
    struct values values;
    uint32_t *answer_of_module; /* the answer of this module alone, or NEVER */
    struct trie trie;
    struct interner classes, answers;
    struct field_rows *rows;                                 /* for each source and bus */
    struct source_end *ends;                                 /* of each source */
    struct bytes_vector sorted, irregular, fields, pci, usb; /* sections */
};

static inline uint32_t value_lines_from(const struct values *values, uint32_t value)
{
    return value == 0 ? 0 : load_u32(values->ends.data + (size_t)(value - 1) * 4);
}

static inline uint32_t value_lines_to(const struct values *values, uint32_t value)
{
    return load_u32(values->ends.data + (size_t)value * 4);
}

static inline uint32_t value_line(const struct values *values, uint32_t place)
{
    return load_u32(values->lines.data + (size_t)place * 4);
}

/* compile_order.c: gives the lines of a source, from low to high of the builder's, their ids, and writes
 * its part of SORTED; c->texts are the *kept lines that kmod keeps, by text. False when out of memory. */
bool order_lines(struct compilation *c, uint32_t low, uint32_t high, int order, uint32_t *kept);

/* compile_values.c: the values of the *kept lines of a source; its strings go to c->strings. Returns PYA_OK
 * or PYA_ENOMEM. */
int make_values(struct compilation *c, uint32_t kept);

/* compile_image.c: everything to an image, malloc'ed. Returns PYA_OK, PYA_ENOMEM or PYA_ELIMIT. */
int write_image(const struct compilation *c, uint8_t **image, size_t *size);

#endif
