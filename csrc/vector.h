/*
 * Growable arrays for the compiler. A failed growth is remembered in `failed` and makes later
 * pushes do nothing, so that callers check once, at the end.
 */
#ifndef PYALIAS_VECTOR_H
#define PYALIAS_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_vector {
    uint8_t *data;
    size_t size, room;
    bool failed;
};

/* Room for `more` zeroed bytes at the end, which count as used; NULL when out of memory. */
uint8_t *bytes_extend(struct bytes_vector *vector, size_t more);
void bytes_push(struct bytes_vector *vector, const void *bytes, size_t size);
void bytes_push_u32(struct bytes_vector *vector, uint32_t number);
void bytes_free(struct bytes_vector *vector);

#endif
