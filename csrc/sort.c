/*
 * Texts are compared KEY_BYTES at a time: a range whose texts are equal so far is sorted by the next
 * ones, packed into a number, and falls apart into ranges that are equal for longer. Both sorts of
 * numbers are stable and have no bad inputs.
 */
#include "sort.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum { KEY_BYTES = 7, FEW = 10, MANY = 256 };

/* Texts from low to high are equal in their first `depth` bytes. */
struct range {
    uint32_t low, high, depth;
};

struct sorter {
    struct sort_text *texts, *room;
    struct range *stack;
    uint32_t waiting;
};

/* The next bytes, and how many of them are missing: fewer bytes sort after what shares them. */
static uint64_t key_at(const struct sort_text *text, uint32_t depth)
{
    uint32_t left = text->length - depth;
    uint64_t word = ~(uint64_t)0;

    if (left > KEY_BYTES) {
        memcpy(&word, text->text + depth, sizeof word);
        return __builtin_bswap64(PYA_LE64(word)) & ~(uint64_t)0xFF;
    }
    memcpy(&word, text->text + depth, left);
    return (__builtin_bswap64(PYA_LE64(word)) & ~(uint64_t)0xFF) | (KEY_BYTES - left);
}

static bool has_ended(uint64_t key)
{
    return (key & 0xFF) != 0;
}

static void sort_few(struct sort_text *texts, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct sort_text text = texts[i];
        uint32_t j = i;
        for (; j > 0 && texts[j - 1].key > text.key; j--)
            texts[j] = texts[j - 1];
        texts[j] = text;
    }
}

static void merge(const struct sort_text *from, struct sort_text *to, uint32_t low, uint32_t middle,
                  uint32_t high)
{
    uint32_t left = low, right = middle;

    for (uint32_t at = low; at < high; at++)
        to[at] = left < middle && (right == high || from[left].key <= from[right].key) ? from[left++]
                                                                                       : from[right++];
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void sort_by_merging(struct sort_text *texts, struct sort_text *room, uint32_t count)
{
    struct sort_text *from = texts, *to = room;

    for (uint32_t low = 0; low < count; low += FEW)
        sort_few(texts + low, least(FEW, count - low));
    for (uint32_t width = FEW; width < count; width *= 2) {
        struct sort_text *swap = from;
        for (uint32_t low = 0; low < count; low += 2 * width)
            merge(from, to, low, least(low + width, count), least(low + 2 * width, count));
        from = to;
        to = swap;
    }
    if (from != texts)
        memcpy(texts, from, count * sizeof *texts);
}

/* By one byte after the other, the last first; bytes that are the same everywhere cost nothing. */
static void sort_by_bytes(struct sort_text *texts, struct sort_text *room, uint32_t count, uint64_t differ)
{
    struct sort_text *from = texts, *to = room;

    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint32_t places[256] = {0}, sum = 0;
        struct sort_text *swap = from;
        if (!(differ >> shift & 0xFF))
            continue;
        for (uint32_t i = 0; i < count; i++)
            places[from[i].key >> shift & 0xFF]++;
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t texts_here = places[byte];
            places[byte] = sum;
            sum += texts_here;
        }
        for (uint32_t i = 0; i < count; i++)
            to[places[from[i].key >> shift & 0xFF]++] = from[i];
        from = to;
        to = swap;
    }
    if (from != texts)
        memcpy(texts, from, count * sizeof *texts);
}

/* The ranges that are equal still and go on. */
static void push_ranges(struct sorter *sorter, struct range range)
{
    const struct sort_text *texts = sorter->texts;

    for (uint32_t low = range.low, high; low < range.high; low = high) {
        for (high = low + 1; high < range.high && texts[high].key == texts[low].key; high++)
            ;
        if (high - low > 1 && !has_ended(texts[low].key))
            sorter->stack[sorter->waiting++] = (struct range){low, high, range.depth + KEY_BYTES};
    }
}

static void sort_range(struct sorter *sorter, struct range range)
{
    struct sort_text *texts = sorter->texts + range.low;
    uint32_t count = range.high - range.low;
    uint64_t differ = 0;

    for (uint32_t i = 0; i < count; i++) {
        texts[i].key = key_at(&texts[i], range.depth);
        differ |= texts[i].key ^ texts[0].key;
    }
    if (differ != 0) {
        if (count <= FEW)
            sort_few(texts, count);
        else if (count < MANY)
            sort_by_merging(texts, sorter->room, count);
        else
            sort_by_bytes(texts, sorter->room, count, differ);
    }
    push_ranges(sorter, range);
}

bool sort_texts(struct sort_text *texts, uint32_t count)
{
    /* Waiting ranges do not overlap and hold two texts at least. */
    struct sorter sorter = {.texts = texts,
                            .room = malloc(((size_t)count + 1) * sizeof *texts),
                            .stack = malloc(((size_t)count / 2 + 1) * sizeof *sorter.stack)};
    bool done = sorter.room != NULL && sorter.stack != NULL;

    if (done && count > 1)
        sorter.stack[sorter.waiting++] = (struct range){0, count, 0};
    while (done && sorter.waiting > 0)
        sort_range(&sorter, sorter.stack[--sorter.waiting]);
    free(sorter.room);
    free(sorter.stack);
    return done;
}
