/*
 * Little-endian loads and stores. Everything in an image is little-endian and is read through
 * these, so that the same input gives the same bytes, and the same answers, on every machine.
 */
#ifndef PYALIAS_BYTES_H
#define PYALIAS_BYTES_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PYA_LE16(x) __builtin_bswap16(x)
#define PYA_LE32(x) __builtin_bswap32(x)
#define PYA_LE64(x) __builtin_bswap64(x)
#else
#define PYA_LE16(x) (x)
#define PYA_LE32(x) (x)
#define PYA_LE64(x) (x)
#endif

static inline uint32_t load_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return PYA_LE32(v);
}

static inline uint64_t load_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return PYA_LE64(v);
}

static inline void store_u32(uint8_t *p, uint32_t v)
{
    v = PYA_LE32(v);
    memcpy(p, &v, sizeof v);
}

static inline void store_u64(uint8_t *p, uint64_t v)
{
    v = PYA_LE64(v);
    memcpy(p, &v, sizeof v);
}

static inline uint32_t load_u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return PYA_LE16(v);
}

#endif
