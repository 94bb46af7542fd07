/* Eight hexadecimal digits at a time in a word of 64 bits, for the variant for any CPU. */
#ifndef PYALIAS_DIGITS8_H
#define PYALIAS_DIGITS8_H

#include "pci_block.h"

#define ONES 0x0101010101010101u

/* Eight hexadecimal digits in upper case to a number; *bad collects bits of what is none. */
INLINE uint32_t parse_eight(uint64_t x, uint64_t *bad)
{
    /* 'A' is 0x41: bit 6 tells letters, whose low four bits count from 1. */
    uint64_t letter = x >> 6 & ONES, nibble = (x & 0x0F * ONES) + letter * 9;

    /* A digit is the character of its value and no other: 0 to 9, or 10 to 15 with the letter bit. */
    *bad |= x ^ (nibble + '0' * ONES + letter * 7);
    *bad |= ((nibble + 0x76 * ONES) & 0x80 * ONES) ^ letter << 7;
    *bad |= nibble & 0xF0 * ONES;
    nibble = __builtin_bswap64(nibble);
    nibble = (nibble | nibble >> 4) & 0x00FF00FF00FF00FFu;
    nibble = (nibble | nibble >> 8) & 0x0000FFFF0000FFFFu;
    return (uint32_t)(nibble | nibble >> 16);
}

#endif
