/*
 * What the rows of all buses have in common under AVX-512 with byte permutes: digits to numbers, looks
 * into small tables of bytes, looks into tables in memory.
 */
#ifndef PYALIAS_AVX512_ROWS_H
#define PYALIAS_AVX512_ROWS_H

#include "pci_block.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,bmi,bmi2,popcnt")))
#define TARGET_INLINE static inline __attribute__((always_inline)) TARGET

enum { STEP = 16, STEPS = PCI_BLOCK / STEP };

/* By the low six bits of a character: 0x3n for '0' to '9', 0x4n for 'A' (1) to 'F' (6), and for
 * others an upper half with other bits 4 and 5 than any character has that comes here. */
#define NONE(n) (uint8_t)(~(n) & 0x30)
static const uint8_t digit_values[64] = {
    NONE(0),    0x4A,       0x4B,       0x4C,       0x4D,       0x4E,       0x4F,       NONE(0x07),
    NONE(0x08), NONE(0x09), NONE(0x0A), NONE(0x0B), NONE(0x0C), NONE(0x0D), NONE(0x0E), NONE(0x0F),
    NONE(0x10), NONE(0x11), NONE(0x12), NONE(0x13), NONE(0x14), NONE(0x15), NONE(0x16), NONE(0x17),
    NONE(0x18), NONE(0x19), NONE(0x1A), NONE(0x1B), NONE(0x1C), NONE(0x1D), NONE(0x1E), NONE(0x1F),
    NONE(0x20), NONE(0x21), NONE(0x22), NONE(0x23), NONE(0x24), NONE(0x25), NONE(0x26), NONE(0x27),
    NONE(0x28), NONE(0x29), NONE(0x2A), NONE(0x2B), NONE(0x2C), NONE(0x2D), NONE(0x2E), NONE(0x2F),
    0x30,       0x31,       0x32,       0x33,       0x34,       0x35,       0x36,       0x37,
    0x38,       0x39,       NONE(0x3A), NONE(0x3B), NONE(0x3C), NONE(0x3D), NONE(0x3E), NONE(0x3F)};

/* What stays the same for all rows: `digits` says where the digits of two rows go, upper digits of all
 * bytes to the first half, lower to the second. */
struct row_constants {
    __m512i form, mask, digits, values;
};

/* What must be zero where its mask has bits. */
struct differences {
    __m512i form, digits;
};

TARGET_INLINE struct row_constants row_constants_of(const struct row_form *form, const uint8_t digits[64])
{
    return (struct row_constants){_mm512_loadu_si512(form->text), _mm512_loadu_si512(form->mask),
                                  _mm512_loadu_si512(digits), _mm512_loadu_si512(digit_values)};
}

/* a | (b ^ c) */
TARGET_INLINE __m512i or_difference(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0xF6);
}

TARGET_INLINE __m512i read_two_rows(const uint8_t *first, const uint8_t *second,
                                    const struct row_constants *k, struct differences *different)
{
    __m512i x = _mm512_loadu_si512(first), y = _mm512_loadu_si512(second), digits, values;

    different->form = or_difference(different->form, k->form, x);
    different->form = or_difference(different->form, k->form, y);
    digits = _mm512_permutex2var_epi8(x, k->digits, y);
    values = _mm512_permutexvar_epi8(digits, k->values);
    different->digits = or_difference(different->digits, digits, values);
    return values;
}

/* Four rows: from each pair 16 bytes of keys and sub-ids, then 16 of class bytes. */
TARGET_INLINE __m512i read_four_rows(const struct text_rows *rows, size_t index, bool listed,
                                     const struct row_constants *k, struct differences *different)
{
    __m512i low = read_two_rows(row_of(rows, index, listed), row_of(rows, index + 1, listed), k, different);
    __m512i high =
        read_two_rows(row_of(rows, index + 2, listed), row_of(rows, index + 3, listed), k, different);
    __m512i upper = _mm512_shuffle_i64x2(low, high, 0x44), lower = _mm512_shuffle_i64x2(low, high, 0xEE);

    for (unsigned i = 0; i < 4; i++)
        fetch_ahead(row_of(rows, index + i, listed));
    /* bits of the mask from the first, the others from the second */
    return _mm512_ternarylogic_epi64(_mm512_set1_epi8((char)0xF0), _mm512_slli_epi16(upper, 4), lower, 0xCA);
}

TARGET_INLINE bool differ(const struct row_constants *k, const struct differences *different)
{
    __m512i bad = _mm512_or_si512(_mm512_and_si512(different->form, k->mask),
                                  _mm512_and_si512(different->digits, _mm512_set1_epi8((char)0xF0)));

    return _mm512_test_epi64_mask(bad, bad) != 0;
}

/* 64 looks into a table of 256 bytes. */
TARGET_INLINE __m512i look_up(const uint8_t *table, __m512i index)
{
    __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), index, _mm512_loadu_si512(table + 64));
    __m512i high =
        _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), index, _mm512_loadu_si512(table + 192));

    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
}

TARGET_INLINE __m512i class_ids(const uint8_t *tables, __m512i base, __m512i sub, __m512i interface)
{
    __m512i pair = _mm512_add_epi8(look_up(tables + CLASS_BASE, base), look_up(tables + CLASS_SUB, sub));
    __m512i group =
        _mm512_and_si512(look_up(tables + CLASS_INTERFACE, interface), look_up(tables + CLASS_MASK, pair));

    return look_up(tables + CLASS_IDS, _mm512_add_epi8(look_up(tables + CLASS_START, pair), group));
}

enum looks { PLAIN_LOADS, GATHERS };

/* 16 looks into a table of u16, or u32. Hardware gathers win on Zen 4 by a fifth of the whole; on
 * Intel's CPUs with the microcode against Downfall they lose to plain loads by more than that. */
TARGET_INLINE void look_16(const uint8_t *table, enum looks how, uint32_t *looks)
{
    if (how == GATHERS) {
        __m512i found = _mm512_i32gather_epi32(_mm512_loadu_si512(looks), table, 2);
        _mm512_storeu_si512(looks, _mm512_and_si512(found, _mm512_set1_epi32(0xFFFF)));
        return;
    }
#pragma GCC unroll 16
    for (unsigned i = 0; i < STEP; i++) {
        uint32_t found = load_u16(table + (size_t)looks[i] * 2);
        PLAIN(found);
        looks[i] = found;
    }
}

TARGET_INLINE void look_32(const uint8_t *table, enum looks how, uint32_t *looks)
{
    if (how == GATHERS) {
        _mm512_storeu_si512(looks, _mm512_i32gather_epi32(_mm512_loadu_si512(looks), table, 4));
        return;
    }
#pragma GCC unroll 16
    for (unsigned i = 0; i < STEP; i++) {
        uint32_t found = load_u32(table + (size_t)looks[i] * 4);
        PLAIN(found);
        looks[i] = found;
    }
}

#endif
#endif
