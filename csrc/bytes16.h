/*
 * Hexadecimal digits by vectors of 16 bytes, for the variants that have no longer ones. An includer says
 * what its CPU calls a few things:
 *
 *   TARGET                     attributes of its functions
 *   pick(x, index)             bytes of x; zero where the index is ZERO
 *   less(x, y)                 x - y, not below 0
 *   join(values)               16 * even + odd values, as eight words
 *   narrow(x, y)               sixteen words below 256 as bytes
 */
#include "usb_block.h"

typedef int8_t signed16 __attribute__((vector_size(16)));
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint32_t numbers4 __attribute__((vector_size(16)));

#define TARGET_INLINE static inline __attribute__((always_inline)) TARGET
#define ZERO 0x80
#define EIGHT_ZEROS ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO

TARGET_INLINE bytes16 load16(const uint8_t *p)
{
    bytes16 x;

    memcpy(&x, p, sizeof x);
    return x;
}

TARGET_INLINE bool any_bit(bytes16 x)
{
    uint64_t words[2];

    memcpy(words, &x, sizeof words);
    return (words[0] | words[1]) != 0;
}

/* Values of sixteen digits; *bad collects bits of what is none: above 15, or a letter below 10. */
TARGET_INLINE bytes16 values_of(bytes16 digits, bytes16 *bad)
{
    const bytes16 most = (bytes16){0} + 15, letters_from = (bytes16){0} + 10;
    bytes16 letter = (bytes16)((signed16)digits > '9'), value = digits - '0' - (letter & 7);

    *bad |= less(value, most) | (less(letters_from, value) & letter);
    return value;
}
