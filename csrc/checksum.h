/*
 * The image's checksum: independent lanes of multiply and xor, 32 bits each, which vector units do at
 * the speed of memory. Every step is a bijection of its lane, and of the sum of all: a change of any
 * one word, hence of any one byte, always changes the result. It guards against damage, not against
 * forgery: check.c goes through every offset besides.
 */
#ifndef PYALIAS_CHECKSUM_H
#define PYALIAS_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum { CHECKSUM_STRIPE = 128 };

/* size is a multiple of CHECKSUM_STRIPE; the checksum's own field counts as zero. */
uint64_t image_checksum(const uint8_t *image, size_t size);

/* The same in portable C, whatever the CPU can do. */
uint64_t image_checksum_portable(const uint8_t *image, size_t size);

#endif
