/*
 * Memory with a count of users: an Arrow consumer may drop the last use on any thread.
 */
#define _GNU_SOURCE /* madvise */
#include <stdatomic.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "pyalias.h"

enum { PAGE = 4096, LARGE = 1 << 22 };

struct pya_buffer {
    atomic_size_t users;
    max_align_t bytes[];
};

/* Asks for large pages: the first touch of each page takes two microseconds in a virtual machine, which
 * for ids in small pages is half as long as it takes to find them. */
static void advise(const pya_buffer *buffer, size_t size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t start = ((uintptr_t)buffer + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

    if (size >= LARGE)
        (void)madvise((void *)start, (size - PAGE) & ~(size_t)(PAGE - 1), MADV_HUGEPAGE);
#else
    (void)buffer, (void)size;
#endif
}

pya_buffer *pya_buffer_new(size_t size)
{
    pya_buffer *buffer = calloc(1, sizeof *buffer + size);

    if (buffer == NULL)
        return NULL;
    atomic_init(&buffer->users, 1);
    advise(buffer, size);
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
