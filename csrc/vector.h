/*
 * Growable arrays for the compiler. A failed growth is remembered in `failed` and makes later
 * pushes do nothing, so that callers check once, at the end.
 */
#ifndef PYALIAS_VECTOR_H
#define PYALIAS_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"

struct bytes_vector {
    uint8_t *data;
    size_t size, room;
    bool failed;
};

/* Makes room for `more` bytes behind the end; false when out of memory. */
bool bytes_grow(struct bytes_vector *vector, size_t more);

/* Makes room for so many bytes in all: what is not used costs nothing but addresses. */
void bytes_reserve(struct bytes_vector *vector, size_t room);

/* Room for `more` bytes at the end, which do not count as used; NULL when out of memory. */
static inline uint8_t *bytes_room(struct bytes_vector *vector, size_t more)
{
    /* A vector without memory has no room, not even for nothing: so the result is no NULL. */
    if (more >= vector->room - vector->size && !bytes_grow(vector, more))
        return NULL;
    return vector->data + vector->size;
}

static inline void bytes_push(struct bytes_vector *vector, const void *bytes, size_t size)
{
    uint8_t *to = bytes_room(vector, size);

    if (to == NULL || size == 0)
        return;
    memcpy(to, bytes, size);
    vector->size += size;
}

static inline void bytes_push_u32(struct bytes_vector *vector, uint32_t number)
{
    uint8_t *to = bytes_room(vector, sizeof number);

    if (to == NULL)
        return;
    store_u32(to, number);
    vector->size += sizeof number;
}

/* Room for `more` zeroed bytes at the end, which count as used; NULL when out of memory. */
uint8_t *bytes_extend(struct bytes_vector *vector, size_t more);
void bytes_free(struct bytes_vector *vector);

#endif
