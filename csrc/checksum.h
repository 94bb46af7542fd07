/*
 * The image's checksum: eight independent lanes of multiply and xor, so that it runs at several
 * bytes a cycle. Every step is a bijection of its lane: a change of any one word, hence of any one
 * byte, always changes the result. It guards against damage, not against forgery: image.c checks
 * every offset besides.
 */
#ifndef PYALIAS_CHECKSUM_H
#define PYALIAS_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "format.h"

enum { CHECKSUM_LANES = 8, CHECKSUM_STRIPE = CHECKSUM_LANES * 8 };

/* size is a multiple of CHECKSUM_STRIPE; the checksum's own field counts as zero. */
static inline uint64_t image_checksum(const uint8_t *image, size_t size)
{
    const uint64_t odd = 0x9E3779B97F4A7C15u;
    uint64_t lanes[CHECKSUM_LANES], sum = size;

    for (unsigned i = 0; i < CHECKSUM_LANES; i++) {
        uint64_t word = i * 8 == HEADER_CHECKSUM ? 0 : load_u64(image + (size_t)i * 8);
        lanes[i] = (word ^ (i + 1)) * odd;
    }
    for (size_t at = CHECKSUM_STRIPE; at < size; at += CHECKSUM_STRIPE)
        for (unsigned i = 0; i < CHECKSUM_LANES; i++)
            lanes[i] = (lanes[i] ^ load_u64(image + at + (size_t)i * 8)) * odd;
    for (unsigned i = 0; i < CHECKSUM_LANES; i++) {
        sum = (sum ^ lanes[i] ^ lanes[i] >> 32) * odd;
        sum ^= sum >> 29;
    }
    return sum;
}

#endif
