#include "displace.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_IN_A_BUCKET = 32 };

uint32_t slot_bits_for(uint32_t keys)
{
    uint32_t bits = 5;

    while (bits < 31 && keys > (1u << bits) - (1u << (bits - 4)))
        bits++;
    return bits;
}

/* The keys bucket by bucket, and the buckets from the fullest to the emptiest. */
struct work {
    uint32_t *start, *keys, *order;
    uint64_t *taken; /* bits: slots */
};

static bool sort_keys(struct work *work, const uint32_t *hashes, uint32_t count, uint32_t buckets)
{
    uint32_t place[MOST_IN_A_BUCKET + 2] = {0};

    for (uint32_t i = 0; i < count; i++)
        work->start[(hashes[i] & (buckets - 1)) + 2]++;
    for (uint32_t b = 0; b < buckets; b++) {
        uint32_t keys = work->start[b + 2];
        if (keys > MOST_IN_A_BUCKET)
            return false;
        place[MOST_IN_A_BUCKET - keys + 1]++;
        work->start[b + 2] += work->start[b + 1];
    }
    for (uint32_t i = 0; i < count; i++)
        work->keys[work->start[(hashes[i] & (buckets - 1)) + 1]++] = i;
    for (unsigned i = 1; i < MOST_IN_A_BUCKET + 2; i++)
        place[i] += place[i - 1];
    for (uint32_t b = 0; b < buckets; b++)
        work->order[place[MOST_IN_A_BUCKET - (work->start[b + 1] - work->start[b])]++] = b;
    return true;
}

/* Whether the slots of all keys of a bucket are free under one displacement. */
static bool fits(const uint64_t *taken, const uint32_t *tops, uint32_t count, uint32_t displacement)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = tops[i] ^ displacement;
        if (taken[slot / 64] >> slot % 64 & 1)
            return false;
    }
    return true;
}

/* Two keys of a bucket that meet do so under every displacement. */
static bool meet(const uint32_t *tops, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (tops[i] == tops[j])
                return true;
    return false;
}

/* The first slot from one on that is not taken, or a number that is none. */
static uint32_t next_free(const uint64_t *taken, uint32_t slot, uint32_t slots)
{
    while (slot < slots) {
        uint64_t free_bits = ~taken[slot / 64] >> slot % 64;
        if (free_bits != 0)
            return slot + (uint32_t)__builtin_ctzll(free_bits);
        slot = (slot / 64 + 1) * 64;
    }
    return slots;
}

static void take(uint64_t *taken, struct displaced *out, uint32_t bucket, const uint32_t *keys,
                 const uint32_t *tops, uint32_t count, uint32_t displacement)
{
    out->displacements[bucket] = (uint16_t)displacement;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = tops[i] ^ displacement;
        taken[slot / 64] |= (uint64_t)1 << slot % 64;
        out->key_of_slot[slot] = keys[i] + 1;
    }
}

/* The first key goes to each free slot in turn: for buckets of one, the first is good. */
static bool place_all(const struct work *work, struct displaced *out, const uint32_t *hashes)
{
    uint32_t slots = 1u << out->slot_bits, first_free = 0, tops[MOST_IN_A_BUCKET];

    for (uint32_t i = 0; i < 1u << out->bucket_bits; i++) {
        uint32_t bucket = work->order[i], slot;
        const uint32_t *keys = work->keys + work->start[bucket];
        uint32_t count = work->start[bucket + 1] - work->start[bucket];
        if (count == 0)
            break;
        for (uint32_t k = 0; k < count; k++)
            tops[k] = hashes[keys[k]] >> (32 - out->slot_bits);
        if (meet(tops, count))
            return false;
        slot = first_free = next_free(work->taken, first_free, slots);
        while (slot < slots && !fits(work->taken, tops, count, tops[0] ^ slot))
            slot = next_free(work->taken, slot + 1, slots);
        if (slot >= slots)
            return false;
        take(work->taken, out, bucket, keys, tops, count, tops[0] ^ slot);
    }
    return true;
}

enum displace_result displace(const uint32_t *hashes, uint32_t count, uint32_t slot_bits,
                              struct displaced *displaced)
{
    uint32_t buckets = 1u << (slot_bits - 1);
    struct work work = {calloc((size_t)buckets + 2, sizeof(uint32_t)),
                        malloc(((size_t)count + 1) * sizeof(uint32_t)), malloc(buckets * sizeof(uint32_t)),
                        calloc(((size_t)1 << slot_bits) / 64 + 1, sizeof(uint64_t))};
    enum displace_result result = DISPLACE_NO_MEMORY;

    *displaced = (struct displaced){slot_bits, slot_bits - 1, calloc(buckets, sizeof(uint16_t)),
                                    calloc((size_t)1 << slot_bits, sizeof(uint32_t))};
    if (work.start && work.keys && work.order && work.taken && displaced->displacements &&
        displaced->key_of_slot)
        result = sort_keys(&work, hashes, count, buckets) && place_all(&work, displaced, hashes)
                     ? DISPLACED
                     : DISPLACE_COLLISION;
    free(work.start);
    free(work.keys);
    free(work.order);
    free(work.taken);
    if (result != DISPLACED)
        displace_free(displaced);
    return result;
}

void displace_free(struct displaced *displaced)
{
    free(displaced->displacements);
    free(displaced->key_of_slot);
    memset(displaced, 0, sizeof *displaced);
}
