/*
 * Memory with a count of users: an Arrow consumer may drop the last use on any thread.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "pyalias.h"

struct pya_buffer {
    atomic_size_t users;
    max_align_t bytes[];
};

pya_buffer *pya_buffer_new(size_t size)
{
    pya_buffer *buffer = calloc(1, sizeof *buffer + size);

    if (buffer != NULL)
        atomic_init(&buffer->users, 1);
    return buffer;
}

pya_buffer *pya_buffer_resize(pya_buffer *buffer, size_t size)
{
    return realloc(buffer, sizeof *buffer + size);
}

uint8_t *pya_buffer_bytes(pya_buffer *buffer)
{
    return (uint8_t *)buffer->bytes;
}

pya_buffer *pya_buffer_use(pya_buffer *buffer)
{
    if (buffer != NULL)
        atomic_fetch_add(&buffer->users, 1);
    return buffer;
}

void pya_buffer_free(pya_buffer *buffer)
{
    if (buffer != NULL && atomic_fetch_sub(&buffer->users, 1) == 1)
        free(buffer);
}
