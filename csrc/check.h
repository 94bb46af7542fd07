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

static inline bool is_bad(uint32_t bits)
{
    return bits >> 31;
}

/* check_trie.c: the records of all tries. *value_uses: how many values they name. */
int check_tries(const pya_image *image, uint32_t *value_uses, pya_error *error);

#endif
