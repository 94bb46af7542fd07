#include "displace.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_IN_A_BUCKET = 32, LEAST_SLOT_BITS = 6 /* a word of them */ };

uint32_t slot_bits_for(uint32_t keys)
{
    uint32_t bits = LEAST_SLOT_BITS;

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

/* Bit i of the result is bit i ^ distance. */
static uint64_t exchange_bits(uint64_t bits, uint32_t distance)
{
    static const uint64_t lower[6] = {0x5555555555555555u, 0x3333333333333333u, 0x0F0F0F0F0F0F0F0Fu,
                                      0x00FF00FF00FF00FFu, 0x0000FFFF0000FFFFu, 0x00000000FFFFFFFFu};

    for (unsigned i = 0; i < 6; i++)
        if (distance >> i & 1)
            bits = (bits & lower[i]) << (1u << i) | (bits >> (1u << i) & lower[i]);
    return bits;
}

/* Of 64 slots those that suit the first key of a bucket: they are free, and so are the slots that the other
 * keys get then, which are as far from it as tops are. */
static uint64_t suiting(const uint64_t *taken, uint32_t word, const uint32_t *tops, uint32_t count)
{
    uint64_t suit = ~taken[word];

    for (uint32_t i = 1; i < count && suit != 0; i++) {
        uint32_t distance = tops[i] ^ tops[0];
        suit &= exchange_bits(~taken[word ^ distance / 64], distance % 64);
    }
    return suit;
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

/* The first key goes to the first slot that suits. */
static bool place_all(const struct work *work, struct displaced *out, const uint32_t *hashes)
{
    uint32_t words = (1u << out->slot_bits) / 64, first_free = 0, tops[MOST_IN_A_BUCKET];

    for (uint32_t i = 0; i < 1u << out->bucket_bits; i++) {
        uint32_t bucket = work->order[i], word;
        const uint32_t *keys = work->keys + work->start[bucket];
        uint32_t count = work->start[bucket + 1] - work->start[bucket];
        uint64_t suit = 0;
        if (count == 0)
            break;
        for (uint32_t k = 0; k < count; k++)
            tops[k] = hashes[keys[k]] >> (32 - out->slot_bits);
        if (meet(tops, count))
            return false;
        while (first_free < words && work->taken[first_free] == UINT64_MAX)
            first_free++;
        for (word = first_free; word < words && suit == 0; word++)
            suit = suiting(work->taken, word, tops, count);
        if (suit == 0)
            return false;
        take(work->taken, out, bucket, keys, tops, count,
             tops[0] ^ ((word - 1) * 64 + (uint32_t)__builtin_ctzll(suit)));
    }
    return true;
}

enum displace_result displace(const uint32_t *hashes, uint32_t count, uint32_t slot_bits,
                              struct displaced *displaced)
{
    uint32_t buckets = 1u << (slot_bits - 1);
    struct work work = {calloc((size_t)buckets + 2, sizeof(uint32_t)),
                        malloc(((size_t)count + 1) * sizeof(uint32_t)), malloc(buckets * sizeof(uint32_t)),
                        calloc(((size_t)1 << slot_bits) / 64, sizeof(uint64_t))};
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
