/*
 * What the checks of an image share. Each reads a section once without branches, so that gcc and clang
 * make vector code of it, and gathers what is wrong in the top bit of a number: counts, offsets and
 * ids are below 2^31, so a difference has that bit if and only if it is negative.
 */
#ifndef PYALIAS_CHECK_H
#define PYALIAS_CHECK_H

#include <stdbool.h>

#include "cpu.h"
#include "error.h"
#include "image.h"

/* A part of a check. All parts of one are a single function, which CHECK_BY_CPU compiles twice where AVX2
 * may be, as checksum.c does; the test compares the two. */
#define CHECK static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define AVX2_CHECK(name, check)                                                                              \
    static __attribute__((target("avx2"))) int name##_avx2(pya_image *image, pya_error *error)               \
    {                                                                                                        \
        return check(image, error);                                                                          \
    }
#else
#define AVX2_CHECK(name, check) static int (*const name##_avx2)(pya_image *, pya_error *) = name##_portable;
#endif

#define CHECK_BY_CPU(name, check)                                                                            \
    int name##_portable(pya_image *image, pya_error *error)                                                  \
    {                                                                                                        \
        return check(image, error);                                                                          \
    }                                                                                                        \
    AVX2_CHECK(name, check)                                                                                  \
    int name(pya_image *image, pya_error *error)                                                             \
    {                                                                                                        \
        return cpu_has_avx2() ? name##_avx2(image, error) : name##_portable(image, error);                   \
    }

int check_sections_portable(pya_image *image, pya_error *error);
int check_tries_portable(pya_image *image, pya_error *error);
int open_pci_tables_portable(pya_image *image, pya_error *error);
int open_usb_table_portable(pya_image *image, pya_error *error);

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
