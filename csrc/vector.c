#include "vector.h"

#include <stdlib.h>

static bool resize(struct bytes_vector *vector, size_t room)
{
    uint8_t *data = realloc(vector->data, room);

    if (data == NULL) {
        vector->failed = true;
        vector->room = vector->size; /* so that every push comes here */
        return false;
    }
    vector->data = data;
    vector->room = room;
    return true;
}

bool bytes_grow(struct bytes_vector *vector, size_t more)
{
    size_t room = vector->room < 1024 ? 1024 : vector->room * 2;

    if (vector->failed)
        return false;
    while (room - vector->size <= more)
        room *= 2;
    return resize(vector, room);
}

void bytes_reserve(struct bytes_vector *vector, size_t room)
{
    if (!vector->failed && vector->room <= room)
        resize(vector, room + 1);
}

uint8_t *bytes_extend(struct bytes_vector *vector, size_t more)
{
    uint8_t *start = bytes_room(vector, more);

    if (start == NULL)
        return NULL;
    memset(start, 0, more);
    vector->size += more;
    return start;
}

void bytes_free(struct bytes_vector *vector)
{
    free(vector->data);
    memset(vector, 0, sizeof *vector);
}
