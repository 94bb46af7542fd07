#define _GNU_SOURCE /* memmem: linear for plain bytes, in glibc and musl alike */
#include "tail.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "format.h"

static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* Matches operations up to the next star or the end; returns where that is, or NULL. The key has
 * room for the segment, or, for a segment that no star announced, *at tells how far it came. */
static const uint8_t *segment_match(const uint8_t *tail, const uint8_t *key, size_t *at, size_t size)
{
    for (;;) {
        switch (*tail) {
        case TAIL_LITERAL:
            if (size - *at < tail[1] || !same_bytes(tail + 2, key + *at, tail[1]))
                return NULL;
            *at += tail[1];
            tail += 2 + tail[1];
            break;
        case TAIL_ANY:
            if (size - *at < tail[1])
                return NULL;
            *at += tail[1];
            tail += 2;
            break;
        case TAIL_CLASS:
            if (*at == size || !(tail[1 + key[*at] / 8] >> key[*at] % 8 & 1))
                return NULL;
            ++*at;
            tail += 1 + CLASS_ENTRY;
            break;
        default:
            return tail;
        }
    }
}

enum { LONG_LITERAL = 32 };

/* The first place from *at where a segment of a width matches; *at is moved behind it. */
static const uint8_t *segment_find(const uint8_t *tail, size_t width, const uint8_t *key, size_t *at,
                                   size_t size)
{
    if (tail[0] == TAIL_LITERAL && tail[1] == width && width >= LONG_LITERAL) {
        const uint8_t *place = memmem(key + *at, size - *at, tail + 2, width);
        if (place == NULL)
            return NULL;
        *at = (size_t)(place - key) + width;
        return tail + 2 + width;
    }
    for (size_t start = *at; start + width <= size; start++) {
        const uint8_t *after;
        if (tail[0] == TAIL_LITERAL) {
            const uint8_t *place = memchr(key + start, tail[2], size - width - start + 1);
            if (place == NULL)
                return NULL;
            start = (size_t)(place - key);
        }
        *at = start;
        after = segment_match(tail, key, at, size);
        if (after != NULL)
            return after;
    }
    return NULL;
}

enum tail_result tail_match(const uint8_t *tail, const uint8_t *key, size_t at, size_t size)
{
    tail = segment_match(tail, key, &at, size);
    if (tail == NULL)
        return TAIL_FAILS;
    if (*tail == TAIL_END)
        return at == size ? TAIL_MATCHES : TAIL_FAILS;
    for (;;) {
        size_t width;
        if (*tail == TAIL_STAR_END)
            return TAIL_MATCHES;
        width = load_u16(tail + 1);
        /* A star without a segment, or none where one is due, is not the compiler's. */
        if (width == 0 || width > size - at || *tail < TAIL_STAR_END)
            return TAIL_FAILS_EVERYWHERE;
        if (*tail == TAIL_STAR_LAST) {
            at = size - width;
            return segment_match(tail + 3, key, &at, size) ? TAIL_MATCHES : TAIL_FAILS_EVERYWHERE;
        }
        tail = segment_find(tail + 3, width, key, &at, size);
        if (tail == NULL)
            return TAIL_FAILS_EVERYWHERE;
    }
}
