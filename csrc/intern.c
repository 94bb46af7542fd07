#include "intern.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

uint32_t intern_hash(const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    uint64_t h = 0x9E3779B97F4A7C15u ^ length;

    for (; length >= 8; p += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    for (; length > 0; p++, length--)
        h = (h ^ *p) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    return (uint32_t)(h * 0xD6E8FEB86659FD93u >> 32);
}

static bool grow(struct interner *interner)
{
    uint32_t room = interner->room ? interner->room * 2 : FIRST_ROOM;
    struct interned *strings;
    uint32_t *slots;

    if (room > 0x20000000)
        return false;
    strings = realloc(interner->strings, room * sizeof *strings);
    if (strings == NULL)
        return false;
    interner->strings = strings;
    slots = calloc((size_t)room * 2, sizeof *slots);
    if (slots == NULL)
        return false;
    free(interner->slots);
    interner->slots = slots;
    interner->slot_mask = room * 2 - 1;
    interner->room = room;
    for (uint32_t id = 0; id < interner->count; id++) {
        uint32_t slot = strings[id].hash & interner->slot_mask;
        while (slots[slot] != 0)
            slot = (slot + 1) & interner->slot_mask;
        slots[slot] = id + 1;
    }
    return true;
}

/* The slot of a known string, or the free one where a new one belongs. */
static uint32_t slot_of(const struct interner *interner, uint32_t hash, const void *bytes, size_t length)
{
    uint32_t slot = hash & interner->slot_mask;

    for (; interner->slots[slot] != 0; slot = (slot + 1) & interner->slot_mask) {
        const struct interned *known = &interner->strings[interner->slots[slot] - 1];
        if (known->hash == hash && known->length == length &&
            (length == 0 || memcmp(interner->text.data + known->offset, bytes, length) == 0))
            break;
    }
    return slot;
}

uint32_t intern_known(const struct interner *interner, const void *bytes, size_t length)
{
    uint32_t slot;

    if (interner->count == 0)
        return INTERN_FAILED;
    slot = slot_of(interner, intern_hash(bytes, length), bytes, length);
    return interner->slots[slot] == 0 ? INTERN_FAILED : interner->slots[slot] - 1;
}

uint32_t intern(struct interner *interner, const void *bytes, size_t length)
{
    uint32_t hash = intern_hash(bytes, length), slot, offset;

    if (interner->count == interner->room && !grow(interner))
        return INTERN_FAILED;
    slot = slot_of(interner, hash, bytes, length);
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
