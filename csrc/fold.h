/* The step of our hashes of text. */
#ifndef PYALIAS_FOLD_H
#define PYALIAS_FOLD_H

#include <stdint.h>

/* The two halves of a product, which every bit of both factors has a say in. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX), high = (a >> 32) * (b >> 32),
             first = (a >> 32) * (b & UINT32_MAX), second = (a & UINT32_MAX) * (b >> 32),
             middle = (low >> 32) + (first & UINT32_MAX) + (second & UINT32_MAX);
    return (middle << 32 | (low & UINT32_MAX)) ^ (high + (first >> 32) + (second >> 32) + (middle >> 32));
#endif
}

#endif
