/*
 * What the checks of an image share. Each reads a section once without branches, so that gcc and clang
 * make vector code of it, and gathers what is wrong in the top bit of a number: counts, offsets and
 * ids are below 2^31, so a difference has that bit if and only if it is negative.
 */
#ifndef PYALIAS_CHECK_H
#define PYALIAS_CHECK_H

#include <stdbool.h>

#include "error.h"
#include "image.h"

static inline int damaged(pya_error *error, enum section section, uint64_t position, const char *what)
{
    return fail(error, PYA_EIMAGE, position, "damaged: %s (section %d, place %llu)", what, (int)section,
                (unsigned long long)position);
}

/* Its top bit is set unless number < limit; limit < 2^31. */
static inline uint32_t not_below(uint32_t number, uint32_t limit)
{
    return number | (limit - 1 - number);
}

/* Its top bit is set unless number <= limit; limit < 2^31. */
static inline uint32_t not_above(uint32_t number, uint32_t limit)
{
    return number | (limit - number);
}

static inline bool is_bad(uint32_t bits)
{
    return bits >> 31;
}

/* check_trie.c: the nodes of all tries; counts those behind stars and wildcards. */
int check_tries(pya_image *image, pya_error *error);

#endif
