/*
 * The order of a source's lines: that of answers, which gives them their ids, and that of their text.
 */
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "glob.h"
#include "pyalias.h"

typedef int comparison(const void *, const void *);

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* ---- answers ---------------------------------------------------------------------------------- */

static const struct alias_line *line_at(const void *place)
{
    return *(const struct alias_line *const *)place;
}

/* Priorities are depmod's module indexes, and modules.alias is written in that order. */
static int by_priority(const void *a, const void *b)
{
    const struct alias_line *x = line_at(a), *y = line_at(b);

    return compare_numbers((uint64_t)x->rank << 32 | x->sequence, (uint64_t)y->rank << 32 | y->sequence);
}

/* The first place where two normalised patterns differ; *wild: a wildcard stands before it. */
static uint32_t difference(const struct alias_line *x, const struct alias_line *y, bool *wild)
{
    uint32_t at = 0;

    *wild = false;
    while (at < x->normal_length && at < y->normal_length && x->normal[at] == y->normal[at])
        *wild |= is_wildcard(x->normal[at++]);
    return at;
}

/* A byte of a pattern as a trie of libkmod's is walked below a wildcard: children first. */
static unsigned byte_or_end(const struct alias_line *line, uint32_t at)
{
    return at < line->normal_length ? line->normal[at] : 256u;
}

/* Values without priorities (modules.builtin.alias.bin) come out last visited first. libkmod visits
 * wildcard children before all else on its literal way down (index_mm_searchwild_node), and below
 * a wildcard each node after its children (index_mm_searchwild_all). */
static int by_visit(const void *a, const void *b)
{
    const struct alias_line *x = line_at(a), *y = line_at(b);
    bool wild;
    uint32_t at = difference(x, y, &wild);
    unsigned p = byte_or_end(x, at), q = byte_or_end(y, at);

    if (p == q)
        return compare_numbers(x->sequence, y->sequence);
    if (!wild) {
        p = p < 256 && is_wildcard((uint8_t)p) ? p : 256 + p;
        q = q < 256 && is_wildcard((uint8_t)q) ? q : 256 + q;
    }
    return -compare_numbers(p, q);
}

/* Already ordered input, which is what depmod writes, costs one pass. */
static void sort_lines(const struct alias_line **lines, uint32_t count, comparison *compare)
{
    for (uint32_t i = 1; i < count; i++)
        if (compare(&lines[i - 1], &lines[i]) > 0) {
            qsort(lines, count, sizeof *lines, compare);
            return;
        }
}

/* Where each module's first line of a source stands. */
static bool rank_lines(const struct pya_builder *builder, uint32_t low, uint32_t high)
{
    uint32_t *first = malloc((builder->modules.count + 1) * sizeof *first);

    if (first == NULL)
        return false;
    memset(first, 0xFF, builder->modules.count * sizeof *first);
    for (uint32_t i = low; i < high; i++) {
        struct alias_line *line = &builder->lines[i];
        if (first[line->module] == NEVER)
            first[line->module] = i;
        line->rank = first[line->module];
    }
    free(first);
    return true;
}

/* ---- text ------------------------------------------------------------------------------------- */

static int by_addition(const void *a, const void *b)
{
    return compare_numbers(((const struct sort_text *)a)->key, ((const struct sort_text *)b)->key);
}

/* Equal patterns stand in order of addition in SORTED. Lines come in the order of their ids, which is
 * another one where a module's lines are not together. */
static bool sort_kept(struct compilation *c, uint32_t kept)
{
    struct bytes_vector *sorted = &c->sorted;
    bool in_order = true;

    for (uint32_t i = 0; i < kept; i++) {
        c->texts[i].key = c->lines[c->texts[i].id]->sequence;
        in_order = in_order && (i == 0 || c->texts[i - 1].key < c->texts[i].key);
    }
    if (!in_order)
        qsort(c->texts, kept, sizeof *c->texts, by_addition);
    if (!sort_texts(c->texts, kept))
        return false;
    for (uint32_t i = 0; i < kept; i++)
        bytes_push_u32(sorted, c->texts[i].id);
    return !sorted->failed;
}

bool order_lines(struct compilation *c, uint32_t low, uint32_t high, int order, uint32_t *kept)
{
    if (!rank_lines(c->builder, low, high))
        return false;
    for (uint32_t i = low; i < high; i++)
        c->lines[i] = &c->builder->lines[i];
    sort_lines(c->lines + low, high - low, order == PYA_ORDER_VISIT ? by_visit : by_priority);
    *kept = 0;
    for (uint32_t i = low; i < high; i++) {
        const struct alias_line *line = c->lines[i];
        if (!line->refused)
            c->texts[(*kept)++] = (struct sort_text){0, line->normal, line->normal_length, i};
    }
    return sort_kept(c, *kept);
}
