/*
 * The perfect hash of the pci tables: as in perfect.h, but with sizes that are powers of two and a
 * displacement that is only XORed, which is what a vector of hashes can be put through cheaply.
 */
#ifndef PYALIAS_DISPLACE_H
#define PYALIAS_DISPLACE_H

#include <stdbool.h>
#include <stdint.h>

struct displaced {
    uint32_t slot_bits, bucket_bits;
    uint16_t *displacements; /* one a bucket: the low bucket_bits of a hash */
    uint32_t *key_of_slot;   /* key + 1, or 0: free */
};

enum displace_result { DISPLACED, DISPLACE_COLLISION, DISPLACE_NO_MEMORY };

enum { MOST_SLOT_BITS = 16 };

/* How many bits leave one slot in sixteen free. */
uint32_t slot_bits_for(uint32_t keys);

/* A slot for each key at (hash >> (32 - slot_bits)) ^ displacement. A collision calls for hashes
 * with another multiplier. Free what it made with displace_free. */
enum displace_result displace(const uint32_t *hashes, uint32_t count, uint32_t slot_bits,
                              struct displaced *displaced);
void displace_free(struct displaced *displaced);

#endif
