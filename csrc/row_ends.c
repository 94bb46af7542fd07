/*
 * Where the rows of a text end: a CPU compares 64 bytes at once with the separator, and gives a bit for
 * each.
 */
#include "pci_block.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#endif

typedef uint64_t ends_of_chunk(const uint8_t *text, uint8_t separator);

/* Rows have some fifty bytes: how many end in a chunk cannot be foretold, but more than two seldom do.
 * So two are written, found or not; what is none is written over. */
INLINE size_t row_ends(const uint8_t *text, size_t size, uint8_t separator, size_t most, uint64_t *ends,
                       ends_of_chunk *ends_of)
{
    const uint64_t last = 1ull << (ENDS_CHUNK - 1);
    size_t count = 0, chunks = size / ENDS_CHUNK * ENDS_CHUNK;

    for (size_t at = 0; at < chunks && count < most; at += ENDS_CHUNK) {
        uint64_t found = ends_of(text + at, separator), rest = found & (found - 1);
        size_t next = count + (size_t)__builtin_popcountll(found);
        fetch_ahead(text + at);
        ends[count] = at + (unsigned)__builtin_ctzll(found | last);
        ends[count + 1] = at + (unsigned)__builtin_ctzll(rest | last);
        for (count += 2; count < next; count++) {
            rest &= rest - 1;
            ends[count] = at + (unsigned)__builtin_ctzll(rest);
        }
        count = next;
    }
    return count;
}

#if defined(__x86_64__)

INLINE uint64_t ends_16(const uint8_t *text, __m128i separator)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const void *)text), separator));
}

INLINE uint64_t ends_by_16(const uint8_t *text, uint8_t separator)
{
    __m128i wanted = _mm_set1_epi8((char)separator);

    return ends_16(text, wanted) | ends_16(text + 16, wanted) << 16 | ends_16(text + 32, wanted) << 32 |
           ends_16(text + 48, wanted) << 48;
}

#define AVX2 __attribute__((target("avx2,bmi,popcnt")))

AVX2 INLINE uint64_t ends_by_32(const uint8_t *text, uint8_t separator)
{
    __m256i wanted = _mm256_set1_epi8((char)separator);
    __m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)text), wanted);
    __m256i high = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)(text + 32)), wanted);

    return (unsigned)_mm256_movemask_epi8(low) | (uint64_t)(unsigned)_mm256_movemask_epi8(high) << 32;
}

AVX2 size_t row_ends_avx2(const uint8_t *text, size_t size, uint8_t separator, size_t most, uint64_t *ends)
{
    return row_ends(text, size, separator, most, ends, ends_by_32);
}

#define AVX512 __attribute__((target("avx512f,avx512bw,bmi,popcnt")))

AVX512 INLINE uint64_t ends_by_64(const uint8_t *text, uint8_t separator)
{
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(text), _mm512_set1_epi8((char)separator));
}

AVX512 size_t row_ends_avx512(const uint8_t *text, size_t size, uint8_t separator, size_t most,
                              uint64_t *ends)
{
    return row_ends(text, size, separator, most, ends, ends_by_64);
}

#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* A bit of each byte, and sums of neighbours until eight are one. */
INLINE uint64_t ends_by_16(const uint8_t *text, uint8_t separator)
{
    const uint8x16_t bits = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t wanted = vdupq_n_u8(separator), found[4];

    for (unsigned i = 0; i < 4; i++)
        found[i] = vandq_u8(vceqq_u8(vld1q_u8(text + i * 16), wanted), bits);
    found[0] = vpaddq_u8(vpaddq_u8(found[0], found[1]), vpaddq_u8(found[2], found[3]));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(found[0], found[0])), 0);
}

#else

/* The highest bit of each byte that is zero, then the eight of them side by side. */
INLINE uint64_t zero_bytes(uint64_t x)
{
    const uint64_t low = 0x7F7F7F7F7F7F7F7Fu;
    uint64_t zero = ~(((x & low) + low) | x | low);

    return (zero >> 7) * 0x0102040810204080u >> 56;
}

INLINE uint64_t ends_by_16(const uint8_t *text, uint8_t separator)
{
    uint64_t found = 0;

    for (unsigned i = 0; i < 8; i++)
        found |= zero_bytes(load_u64(text + i * 8) ^ separator * 0x0101010101010101u) << i * 8;
    return found;
}
#endif

size_t row_ends_portable(const uint8_t *text, size_t size, uint8_t separator, size_t most, uint64_t *ends)
{
    return row_ends(text, size, separator, most, ends, ends_by_16);
}
