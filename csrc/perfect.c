#include "perfect.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS_A_BUCKET = 4, MOST_IN_A_BUCKET = 64, MOST_DISPLACEMENTS = 1 << 16 };

/* The keys of each bucket, and the buckets from the fullest to the emptiest. */
struct work {
    uint32_t *start, *keys, *order;
    uint8_t *used; /* slots */
};

static bool make_work(struct work *work, const struct perfect *perfect, uint32_t count)
{
    work->start = calloc((size_t)perfect->buckets + 2, sizeof *work->start);
    work->keys = malloc(((size_t)count + 1) * sizeof *work->keys);
    work->order = malloc((size_t)perfect->buckets * sizeof *work->order);
    work->used = calloc(1, perfect->size);
    return work->start && work->keys && work->order && work->used;
}

static void free_work(struct work *work)
{
    free(work->start);
    free(work->keys);
    free(work->order);
    free(work->used);
}

/* start[b] to start[b + 1]: the keys of bucket b. */
static void fill_buckets(struct work *work, const struct perfect *perfect, const uint64_t *hashes,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        work->start[bucket_of(hashes[i], perfect->buckets) + 2]++;
    for (uint32_t b = 2; b < perfect->buckets + 2; b++)
        work->start[b] += work->start[b - 1];
    for (uint32_t i = 0; i < count; i++)
        work->keys[work->start[bucket_of(hashes[i], perfect->buckets) + 1]++] = i;
}

/* Counting sort by fullness; false: a bucket holds too many. */
static bool order_buckets(struct work *work, const struct perfect *perfect)
{
    uint32_t place[MOST_IN_A_BUCKET + 2] = {0};

    for (uint32_t b = 0; b < perfect->buckets; b++) {
        uint32_t keys = work->start[b + 1] - work->start[b];
        if (keys > MOST_IN_A_BUCKET)
            return false;
        place[MOST_IN_A_BUCKET - keys + 1]++;
    }
    for (unsigned i = 1; i < MOST_IN_A_BUCKET + 2; i++)
        place[i] += place[i - 1];
    for (uint32_t b = 0; b < perfect->buckets; b++)
        work->order[place[MOST_IN_A_BUCKET - (work->start[b + 1] - work->start[b])]++] = b;
    return true;
}

/* Takes slots for all keys of a bucket under one displacement, or none. */
static bool place_bucket(struct work *work, struct perfect *perfect, const uint64_t *hashes, uint32_t bucket,
                         uint32_t displacement)
{
    uint32_t low = work->start[bucket], high = work->start[bucket + 1];

    for (uint32_t i = low; i < high; i++) {
        uint32_t key = work->keys[i], slot = slot_of(hashes[key], displacement, perfect->size);
        if (work->used[slot]) {
            while (i-- > low)
                work->used[perfect->slots[work->keys[i]]] = 0;
            return false;
        }
        work->used[slot] = 1;
        perfect->slots[key] = slot;
    }
    perfect->displacements[bucket] = displacement;
    return true;
}

static bool place_all(struct work *work, struct perfect *perfect, const uint64_t *hashes)
{
    for (uint32_t i = 0; i < perfect->buckets; i++) {
        uint32_t displacement = 0;
        while (!place_bucket(work, perfect, hashes, work->order[i], displacement))
            if (++displacement == MOST_DISPLACEMENTS)
                return false;
    }
    return true;
}

enum perfect_result perfect_build(const uint64_t *hashes, uint32_t count, struct perfect *perfect)
{
    struct work work = {0};
    enum perfect_result result = PERFECT_NO_MEMORY;

    *perfect = (struct perfect){.size = count + count / 4 + 1, .buckets = count / KEYS_A_BUCKET + 1};
    perfect->displacements = calloc(perfect->buckets, sizeof *perfect->displacements);
    perfect->slots = malloc(((size_t)count + 1) * sizeof *perfect->slots);
    if (make_work(&work, perfect, count) && perfect->displacements && perfect->slots) {
        fill_buckets(&work, perfect, hashes, count);
        result =
            order_buckets(&work, perfect) && place_all(&work, perfect, hashes) ? PERFECT : PERFECT_IMPOSSIBLE;
    }
    free_work(&work);
    if (result != PERFECT)
        perfect_free(perfect);
    return result;
}

void perfect_free(struct perfect *perfect)
{
    free(perfect->displacements);
    free(perfect->slots);
    memset(perfect, 0, sizeof *perfect);
}
