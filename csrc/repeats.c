/*
 * A set-associative cache. It costs some ten nanoseconds a row, so it must not be asked where rows do
 * not repeat: it counts, and where more than 40 % miss it rests for sixteen times as many rows as it
 * has looked at. So even a column made to defeat it asks it for one row in seventeen only.
 */
#include "repeats.h"

#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "pyalias.h"

enum {
    WAYS = 4,
    BUCKET_BITS = 12,
    ENTRIES = WAYS << BUCKET_BITS,
    TEXT_ROOM = 1 << 21,
    SHORTEST = 8,
    LONGEST = 1024,
    /* Below this many rows the pages of the table cost more than it saves. */
    FIRST_WAIT = 2048,
    /* All values that the table has room for come up within a long look; by the end of a short one
     * some must have come up twice. */
    SHORT_LOOK = 4096,
    LONG_LOOK = 2 * ENTRIES,
    REST = 16,
    MOST_MISSED_LONG = 40,
    MOST_MISSED_SHORT = 95
};

/* In place of a hash. A row that really has it is not remembered either. */
#define NOT_TAKEN 0u

struct repeat {
    uint32_t tag, length; /* length 0: free */
    uint32_t text, id;
};

void repeats_start(struct repeats *repeats)
{
    *repeats = (struct repeats){.wait = FIRST_WAIT};
}

void repeats_free(struct repeats *repeats)
{
    free(repeats->entries);
    free(repeats->text);
}

static void forget_all(struct repeats *repeats)
{
    memset(repeats->entries, 0, ENTRIES * sizeof *repeats->entries);
    repeats->text_size = 0;
    repeats->holds_combinations = false;
}

/* Without memory for it there is no table; nothing else changes. */
static bool has_memory(struct repeats *repeats)
{
    if (repeats->entries == NULL)
        repeats->entries = calloc(ENTRIES, sizeof *repeats->entries);
    if (repeats->text == NULL)
        repeats->text = malloc(TEXT_ROOM);
    return repeats->entries != NULL && repeats->text != NULL;
}

static bool too_many_missed(const struct repeats *repeats, uint32_t percent)
{
    return (uint64_t)repeats->missed * 100 > (uint64_t)repeats->asked * percent;
}

bool repeats_awake(struct repeats *repeats, unsigned count)
{
    if (repeats->wait > 0) {
        repeats->wait -= repeats->wait < count ? repeats->wait : count;
        return false;
    }
    if (repeats->asked >= LONG_LOOK
            ? too_many_missed(repeats, MOST_MISSED_LONG)
            : repeats->asked >= SHORT_LOOK && too_many_missed(repeats, MOST_MISSED_SHORT)) {
        repeats->wait = (uint64_t)repeats->asked * REST;
        repeats->asked = repeats->missed = 0;
        return false;
    }
    if (repeats->asked >= LONG_LOOK)
        repeats->asked = repeats->missed = 0;
    return has_memory(repeats);
}

static bool takes(const struct row *row)
{
    return row->length >= SHORTEST && row->length <= LONGEST;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

static uint64_t hash_of(const struct row *row)
{
    const uint8_t *p = row->text, *end = row->text + row->length;
    uint64_t hash = 0x9E3779B97F4A7C15u + row->length;

    for (; end - p > 16; p += 16)
        hash = fold(word_at(p) ^ 0xA0761D6478BD642Fu, word_at(p + 8) ^ hash);
    /* The last two words overlap those before, or each other, where the length is no multiple of 16. */
    p = row->length < 16 ? row->text : end - 16;
    hash = fold(word_at(p) ^ 0xE7037ED1A0B428DBu, word_at(end - 8) ^ hash);
    return hash ^ hash >> 32;
}

static struct repeat *bucket_of_hash(const struct repeats *repeats, uint64_t hash)
{
    return &repeats->entries[(hash & ((1u << BUCKET_BITS) - 1)) * WAYS];
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

/* The one entry of a bucket that may be the row's. Without branches: which of the ways it is cannot be
 * foretold, and a wrong guess costs more than all else here. */
static const struct repeat *candidate(const struct repeats *repeats, uint64_t hash)
{
    const struct repeat *bucket = bucket_of_hash(repeats, hash);
    uint32_t tag = tag_of(hash);
    unsigned way = (bucket[1].tag == tag) * 1u | (bucket[2].tag == tag) * 2u | (bucket[3].tag == tag) * 3u;

    return &bucket[way];
}

static bool is_row(const struct repeats *repeats, const struct repeat *entry, const struct row *row)
{
    return entry->length == row->length && memcmp(repeats->text + entry->text, row->text, row->length) == 0;
}

/* All hashes first: the buckets travel to the cache together. */
void repeats_answer(struct repeats *repeats, struct open_rows *open, uint64_t *hashes)
{
    unsigned count = open->count, asked = 0, missed = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct row *row = &open->rows[open->index[i]];
        hashes[i] = takes(row) ? hash_of(row) : NOT_TAKEN;
        __builtin_prefetch(bucket_of_hash(repeats, hashes[i]));
    }
    open->count = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned index = open->index[i];
        const struct repeat *known = candidate(repeats, hashes[i]);
        bool taken = hashes[i] != NOT_TAKEN;
        asked += taken;
        if (taken && is_row(repeats, known, &open->rows[index])) {
            open->ids[index] = known->id;
            continue;
        }
        missed += taken;
        hashes[open->count] = hashes[i];
        open->index[open->count++] = (uint8_t)index;
    }
    repeats->asked += asked;
    repeats->missed += missed;
}

static void add(struct repeats *repeats, uint64_t hash, const struct row *row, uint32_t id)
{
    struct repeat *bucket = bucket_of_hash(repeats, hash);
    unsigned way = 0;

    if (repeats->text_size + row->length > TEXT_ROOM)
        forget_all(repeats);
    while (way < WAYS - 1 && bucket[way].length != 0)
        way++;
    /* A full bucket gives up any of its rows. */
    if (bucket[way].length != 0)
        way = (unsigned)(hash >> 24) % WAYS;
    memcpy(repeats->text + repeats->text_size, row->text, row->length);
    bucket[way] = (struct repeat){tag_of(hash), (uint32_t)row->length, repeats->text_size, id};
    repeats->text_size += (uint32_t)row->length;
    repeats->holds_combinations |= (id & PYA_ID_COMBINATION) && id < PYA_ID_NULL;
}

void repeats_add(struct repeats *repeats, const struct open_rows *open, const uint64_t *hashes)
{
    for (unsigned i = 0; i < open->count; i++) {
        unsigned index = open->index[i];
        if (hashes[i] != NOT_TAKEN)
            add(repeats, hashes[i], &open->rows[index], open->ids[index]);
    }
}

void repeats_forget_combinations(struct repeats *repeats)
{
    if (repeats->holds_combinations)
        forget_all(repeats);
}
