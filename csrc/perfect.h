/*
 * Perfect hash tables: every key of a fixed set has a slot of its own, found with one look into a
 * small table of displacements, so a search compares one entry and never probes on. (Hash and
 * displace: Belazzougui, Botelho, Dietzfelbinger, ESA 2009.)
 */
#ifndef PYALIAS_PERFECT_H
#define PYALIAS_PERFECT_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "format.h"

static inline uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    return hash * 0xD6E8FEB86659FD93u;
}

static inline uint64_t gate_hash(uint64_t key)
{
    return mix(key * 0x9E3779B97F4A7C15u);
}

static inline uint64_t rule_hash(uint32_t signature, const uint32_t words[FIELD_WORDS])
{
    uint64_t low = (uint64_t)words[1] << 32 | words[0], high = (uint64_t)words[3] << 32 | words[2];
    uint64_t last = (uint64_t)signature << 32 | words[4];

    return mix(low * 0x9E3779B97F4A7C15u + high * 0xC2B2AE3D27D4EB4Fu + last * 0x165667B19E3779F9u);
}

static inline uint32_t bucket_of(uint64_t hash, uint32_t buckets)
{
    return (uint32_t)((hash >> 32) * buckets >> 32);
}

static inline uint32_t slot_of(uint64_t hash, uint32_t displacement, uint32_t size)
{
    uint32_t h = ((uint32_t)(hash >> 16) ^ displacement * 0x9E3779B1u) * 0x85EBCA6Bu;

    return (uint32_t)((uint64_t)(h ^ h >> 15) * size >> 32);
}

struct perfect {
    uint32_t size, buckets;
    uint32_t *displacements; /* one a bucket */
    uint32_t *slots;         /* of each key */
};

enum perfect_result { PERFECT, PERFECT_IMPOSSIBLE, PERFECT_NO_MEMORY };

/* Places keys, given by their hashes. Impossible where hashes are equal, or keys were chosen to
 * collide. Free what it made with perfect_free. */
enum perfect_result perfect_build(const uint64_t *hashes, uint32_t count, struct perfect *perfect);
void perfect_free(struct perfect *perfect);

#endif
