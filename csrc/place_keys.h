/*
 * Tables that are looked into by hash, in the making: what those of all buses have in common.
 */
#ifndef PYALIAS_PLACE_KEYS_H
#define PYALIAS_PLACE_KEYS_H

#include "compile_pci.h"
#include "displace.h"

typedef uint32_t hash_function(const uint8_t *key, uint32_t multiplier);

struct keys_to_place {
    const struct bytes_vector *keys; /* `width` bytes each */
    uint32_t width;
    hash_function *hash;
    uint32_t least_bits; /* of slots: where their upper bits hold a number, it must fit */
};

/* How many bits hold the numbers below a count. */
uint32_t bits_of(uint32_t count);

/* Seeks a multiplier under which all keys find a place. Free what it made with displace_free. */
enum pci_result place_keys(const struct keys_to_place *keys, struct displaced *displaced,
                           uint32_t *multiplier);

/* The id of an answer that a cell has room for: a known one or, while there are fewer than `most`, a new
 * one. NEVER: there is none, or no memory. */
uint32_t answer_below(struct interner *answers, const void *modules, size_t size, uint32_t most,
                      bool *no_memory);

/* Appends from the next multiple of 8 on; returns where. */
uint32_t put_aligned(struct bytes_vector *out, const void *bytes, size_t size);
uint32_t put_displacements(struct bytes_vector *out, const struct displaced *displaced);

#endif
