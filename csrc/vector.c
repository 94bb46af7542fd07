#include "vector.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

uint8_t *bytes_extend(struct bytes_vector *vector, size_t more)
{
    uint8_t *start;

    if (vector->failed)
        return NULL;
    if (more > vector->room - vector->size || vector->data == NULL) {
        size_t room = vector->room < 1024 ? 1024 : vector->room * 2;
        uint8_t *data;
        while (room - vector->size < more)
            room *= 2;
        data = realloc(vector->data, room);
        if (data == NULL) {
            vector->failed = true;
            return NULL;
        }
        vector->data = data;
        vector->room = room;
    }
    start = vector->data + vector->size;
    if (more > 0) /* there may be no memory yet */
        memset(start, 0, more);
    vector->size += more;
    return start;
}

void bytes_push(struct bytes_vector *vector, const void *bytes, size_t size)
{
    uint8_t *to = size > 0 ? bytes_extend(vector, size) : NULL;

    if (to != NULL)
        memcpy(to, bytes, size);
}

void bytes_push_u32(struct bytes_vector *vector, uint32_t number)
{
    uint8_t *to = bytes_extend(vector, sizeof number);

    if (to != NULL)
        store_u32(to, number);
}

void bytes_free(struct bytes_vector *vector)
{
    free(vector->data);
    memset(vector, 0, sizeof *vector);
}
