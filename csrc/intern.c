#include "intern.h"

#include <stdlib.h>
#include <string.h>

#include "fold.h"

/* More strings in a row than MOST_CROWD are no chance: half of the slots at least are free. */
enum { FIRST_ROOM = 64, MOST_ROOM = 0x20000000, MOST_CROWD = 128 };
#define FIRST_FACTOR 0xA0761D6478BD642Fu
#define LAST_FACTOR 0xE7037ED1A0B428DBu

/* Up to eight bytes as one number. */
static uint64_t short_word(const uint8_t *p, size_t length)
{
    uint32_t low, high;

    if (length == 8)
        return load_u64(p);
    if (length >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + length - 4, 4);
        return (uint64_t)high << 32 | low;
    }
    return length == 0 ? 0 : p[0] | (uint32_t)p[length / 2] << 8 | (uint32_t)p[length - 1] << 16;
}

/* Neither factor of a product is known to who does not know the seed: so no two strings can be made whose
 * hashes are equal whatever it is. */
uint32_t intern_hash(uint64_t seed, const void *bytes, size_t length)
{
    const uint8_t *p = bytes, *end;
    uint64_t hash = seed ^ length, other = fold(seed, FIRST_FACTOR);

    if (length <= 8)
        return (uint32_t)(fold(short_word(p, length) ^ other, hash ^ LAST_FACTOR) >> 16);
    end = p + length;
    for (; end - p > 16; p += 16)
        hash = fold(load_u64(p) ^ other, load_u64(p + 8) ^ hash);
    p = length < 16 ? bytes : end - 16; /* the last two words overlap those before, or each other */
    hash = fold(load_u64(p) ^ other, load_u64(end - 8) ^ hash ^ LAST_FACTOR);
    return (uint32_t)(hash >> 16);
}

/* Puts all strings into slots that are free. */
static void fill_slots(struct interner *interner)
{
    for (uint32_t id = 0; id < interner->count; id++) {
        uint32_t slot = interner->strings[id].hash & interner->slot_mask;
        while (interner->slots[slot] != 0)
            slot = (slot + 1) & interner->slot_mask;
        interner->slots[slot] = id + 1;
    }
}

static bool grow(struct interner *interner)
{
    uint32_t room = interner->room ? interner->room * 2 : FIRST_ROOM;
    struct interned *strings;
    uint32_t *slots;

    if (room > MOST_ROOM)
        return false;
    strings = realloc(interner->strings, room * sizeof *strings);
    if (strings == NULL)
        return false;
    interner->strings = strings;
    slots = calloc((size_t)room * 2, sizeof *slots);
    if (slots == NULL)
        return false;
    if (interner->seed == 0)
        interner->seed = fold((uintptr_t)slots ^ FIRST_FACTOR, (uintptr_t)interner ^ LAST_FACTOR) | 1;
    free(interner->slots);
    interner->slots = slots;
    interner->slot_mask = room * 2 - 1;
    interner->room = room;
    fill_slots(interner);
    return true;
}

/* Another seed. Once for as many strings as there are, so that all time spent here is linear, whoever
 * chose them. */
static void reseed(struct interner *interner)
{
    interner->reseeded = interner->count;
    interner->seed = fold(interner->seed ^ FIRST_FACTOR, (uintptr_t)interner->strings ^ LAST_FACTOR) | 1;
    for (uint32_t id = 0; id < interner->count; id++) {
        struct interned *string = &interner->strings[id];
        string->hash = intern_hash(interner->seed, interner->text.data + string->offset, string->length);
    }
    memset(interner->slots, 0, ((size_t)interner->slot_mask + 1) * sizeof *interner->slots);
    fill_slots(interner);
}

/* The slot of a known string, or the free one where a new one belongs; *crowd: how many were passed. */
static inline uint32_t find_slot(const struct interner *interner, uint32_t hash, const void *bytes,
                                 size_t length, uint32_t *crowd)
{
    uint32_t slot = hash & interner->slot_mask;

    *crowd = 0;
    for (; interner->slots[slot] != 0; slot = (slot + 1) & interner->slot_mask, ++*crowd) {
        const struct interned *known = &interner->strings[interner->slots[slot] - 1];
        if (known->hash == hash && known->length == length &&
            (length == 0 || memcmp(interner->text.data + known->offset, bytes, length) == 0))
            break;
    }
    return slot;
}

uint32_t intern_known(const struct interner *interner, const void *bytes, size_t length)
{
    uint32_t slot, crowd;

    if (interner->count == 0)
        return INTERN_FAILED;
    slot = find_slot(interner, intern_hash(interner->seed, bytes, length), bytes, length, &crowd);
    return interner->slots[slot] == 0 ? INTERN_FAILED : interner->slots[slot] - 1;
}

uint32_t intern(struct interner *interner, const void *bytes, size_t length)
{
    uint32_t hash, slot, offset, crowd;

    if (interner->count == interner->room && !grow(interner))
        return INTERN_FAILED;
    hash = intern_hash(interner->seed, bytes, length);
    slot = find_slot(interner, hash, bytes, length, &crowd);
    if (crowd > MOST_CROWD && interner->count / 2 >= interner->reseeded) {
        reseed(interner);
        hash = intern_hash(interner->seed, bytes, length);
        slot = find_slot(interner, hash, bytes, length, &crowd);
    }
    if (interner->slots[slot] != 0)
        return interner->slots[slot] - 1;
    if (interner->text.size + length > UINT32_MAX)
        return INTERN_FAILED;
    offset = (uint32_t)interner->text.size;
    bytes_push(&interner->text, bytes, length);
    if (interner->text.failed)
        return INTERN_FAILED;
    interner->strings[interner->count] = (struct interned){offset, (uint32_t)length, hash};
    interner->slots[slot] = interner->count + 1;
    return interner->count++;
}

void intern_clear(struct interner *interner)
{
    interner->text.size = 0;
    interner->count = 0;
    interner->reseeded = 0;
    if (interner->slots != NULL)
        memset(interner->slots, 0, ((size_t)interner->slot_mask + 1) * sizeof *interner->slots);
}

void intern_free(struct interner *interner)
{
    bytes_free(&interner->text);
    free(interner->strings);
    free(interner->slots);
    memset(interner, 0, sizeof *interner);
}
