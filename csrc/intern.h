/*
 * Byte strings to small numbers, in order of first appearance: the numbers depend on nothing else.
 *
 * The strings may be chosen by somebody who means harm. So the hash has a seed, different in each process
 * where addresses are; and where strings crowd all the same, because their seed was known, they get
 * another one.
 */
#ifndef PYALIAS_INTERN_H
#define PYALIAS_INTERN_H

#include "vector.h"

#define INTERN_FAILED 0xFFFFFFFFu

struct interned {
    uint32_t offset, length, hash;
};

struct interner {
    struct bytes_vector text; /* the strings, one after the other */
    struct interned *strings;
    uint32_t count, room;
    uint32_t *slots; /* open addressing: id + 1, or 0 */
    uint32_t slot_mask;
    uint64_t seed;     /* 0: to be chosen with the first string */
    uint32_t reseeded; /* how many strings there were when it was changed */
};

uint32_t intern_hash(uint64_t seed, const void *bytes, size_t length);

/* The number of a string, new or known; INTERN_FAILED when out of memory or of numbers. */
uint32_t intern(struct interner *interner, const void *bytes, size_t length);

/* The same for a known string; INTERN_FAILED where it is new. */
uint32_t intern_known(const struct interner *interner, const void *bytes, size_t length);

/* Forgets all strings and keeps the memory. */
void intern_clear(struct interner *interner);
void intern_free(struct interner *interner);

#endif
