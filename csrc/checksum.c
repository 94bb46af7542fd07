#include "checksum.h"

#include "bytes.h"
#include "cpu.h"
#include "format.h"

enum { CHECKSUM_LANES = CHECKSUM_STRIPE / 4 };

static inline __attribute__((always_inline)) void add_stripe(uint32_t lanes[CHECKSUM_LANES], const uint8_t *p)
{
    for (unsigned i = 0; i < CHECKSUM_LANES; i++)
        lanes[i] = (lanes[i] ^ load_u32(p + (size_t)i * 4)) * 0x9E3779B1u;
}

static inline __attribute__((always_inline)) uint64_t multiply_lanes(const uint8_t *image, size_t size)
{
    uint32_t lanes[CHECKSUM_LANES];
    uint8_t first[CHECKSUM_STRIPE];
    uint64_t sum = size;

    for (unsigned i = 0; i < CHECKSUM_LANES; i++)
        lanes[i] = i + 1;
    memcpy(first, image, CHECKSUM_STRIPE);
    store_u64(first + HEADER_CHECKSUM, 0);
    add_stripe(lanes, first);
    for (size_t at = CHECKSUM_STRIPE; at < size; at += CHECKSUM_STRIPE)
        add_stripe(lanes, image + at);
    for (unsigned i = 0; i < CHECKSUM_LANES; i++) {
        sum = (sum ^ lanes[i]) * 0x9E3779B97F4A7C15u;
        sum ^= sum >> 29;
    }
    return sum;
}

uint64_t image_checksum_portable(const uint8_t *image, size_t size)
{
    return multiply_lanes(image, size);
}

#if defined(__x86_64__)
static __attribute__((target("avx2"))) uint64_t image_checksum_avx2(const uint8_t *image, size_t size)
{
    return multiply_lanes(image, size);
}
#endif

uint64_t image_checksum(const uint8_t *image, size_t size)
{
#if defined(__x86_64__)
    if (cpu_has_avx2())
        return image_checksum_avx2(image, size);
#endif
    return image_checksum_portable(image, size);
}
