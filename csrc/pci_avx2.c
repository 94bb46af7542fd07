/*
 * The variant for AVX2: two rows in a vector, one in each half.
 */
#include "pci_block.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,bmi")))
#define TARGET_INLINE static inline __attribute__((always_inline)) TARGET
#define ZERO -128
#define EIGHT_ZEROS ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO

enum { SECOND_HALF = 22 }; /* of a row: 32 bytes from here end with its separator */

struct shape {
    __m256i text[2], different[2], bad_digits;
};

TARGET_INLINE __m256i load32(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* 16 bytes of each of two rows. */
TARGET_INLINE __m256i load_halves(const uint8_t *low, const uint8_t *high)
{
    __m128i x = _mm_loadu_si128((const void *)low), y = _mm_loadu_si128((const void *)high);

    return _mm256_inserti128_si256(_mm256_castsi128_si256(x), y, 1);
}

/* Values of digits; *bad collects bits of what is none: above 15, or a letter below 10. */
TARGET_INLINE __m256i values_of(__m256i digits, __m256i *bad)
{
    __m256i letter = _mm256_cmpgt_epi8(digits, _mm256_set1_epi8('9')), few;
    __m256i value = _mm256_sub_epi8(_mm256_sub_epi8(digits, _mm256_set1_epi8('0')),
                                    _mm256_and_si256(letter, _mm256_set1_epi8(7)));

    few = _mm256_and_si256(_mm256_subs_epu8(_mm256_set1_epi8(10), value), letter);
    *bad = _mm256_or_si256(*bad, _mm256_or_si256(_mm256_subs_epu8(value, _mm256_set1_epi8(15)), few));
    return value;
}

/* 16 * even + odd values */
TARGET_INLINE __m256i join(__m256i values)
{
    return _mm256_maddubs_epi16(values, _mm256_set1_epi16(1 << 8 | 16));
}

TARGET_INLINE void check_form(const uint8_t *row, struct shape *shape)
{
    shape->different[0] = _mm256_or_si256(shape->different[0], _mm256_xor_si256(shape->text[0], load32(row)));
    shape->different[1] =
        _mm256_or_si256(shape->different[1], _mm256_xor_si256(shape->text[1], load32(row + SECOND_HALF)));
}

/* The digits of two rows' keys and sub-ids, as words. */
TARGET_INLINE __m256i read_two_rows(const uint8_t *low, const uint8_t *high, struct shape *shape)
{
    const __m256i keys =
        _mm256_setr_epi8(14, 15, 12, 13, 5, 6, 3, 4, EIGHT_ZEROS, 14, 15, 12, 13, 5, 6, 3, 4, EIGHT_ZEROS);
    const __m256i subs =
        _mm256_setr_epi8(EIGHT_ZEROS, 12, 13, 10, 11, 2, 3, 0, 1, EIGHT_ZEROS, 12, 13, 10, 11, 2, 3, 0, 1);

    fetch_ahead(low);
    fetch_ahead(high);
    check_form(low, shape);
    check_form(high, shape);
    return join(values_of(_mm256_or_si256(_mm256_shuffle_epi8(load_halves(low + 6, high + 6), keys),
                                          _mm256_shuffle_epi8(load_halves(low + 28, high + 28), subs)),
                          &shape->bad_digits));
}

TARGET_INLINE void read_four_rows(const struct text_rows *rows, size_t index, bool listed,
                                  struct shape *shape, struct pci_block *block, uint32_t *sub, unsigned i)
{
    const __m256i first_class = _mm256_setr_epi8(13, 14, 10, 11, 6, 7, 13, 14, EIGHT_ZEROS, 13, 14, 10, 11, 6,
                                                 7, 13, 14, EIGHT_ZEROS);
    const __m256i second_class = _mm256_setr_epi8(EIGHT_ZEROS, 13, 14, 10, 11, 6, 7, 13, 14, EIGHT_ZEROS, 13,
                                                  14, 10, 11, 6, 7, 13, 14);
    const uint8_t *a = row_of(rows, index, listed), *b = row_of(rows, index + 1, listed);
    const uint8_t *c = row_of(rows, index + 2, listed), *d = row_of(rows, index + 3, listed);
    __m256i ids = _mm256_packus_epi16(read_two_rows(a, b, shape), read_two_rows(c, d, shape)), classes;

    /* halves: key a, sub a, key c, sub c; and those of b and d */
    ids = _mm256_permutevar8x32_epi32(ids, _mm256_setr_epi32(0, 4, 2, 6, 1, 5, 3, 7));
    _mm_storeu_si128((void *)(block->key + i), _mm256_castsi256_si128(ids));
    _mm_storeu_si128((void *)(sub + i), _mm256_extracti128_si256(ids, 1));
    classes = join(values_of(_mm256_or_si256(_mm256_shuffle_epi8(load_halves(a + 38, b + 38), first_class),
                                             _mm256_shuffle_epi8(load_halves(c + 38, d + 38), second_class)),
                             &shape->bad_digits));
    classes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(classes, classes),
                                          _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
    _mm_storeu_si128((void *)(block->class_code + i), _mm256_castsi256_si128(classes));
}

TARGET_INLINE bool read_block(const struct text_rows *rows, size_t index, bool listed,
                              struct pci_block *block, uint32_t *sub)
{
    const uint8_t *text = rows->form->text, *mask = rows->form->mask;
    struct shape shape = {{load32(text), load32(text + SECOND_HALF)},
                          {_mm256_setzero_si256(), _mm256_setzero_si256()},
                          _mm256_setzero_si256()};
    __m256i bad;

    for (unsigned i = 0; i < PCI_BLOCK; i += 4)
        read_four_rows(rows, index + i, listed, &shape, block, sub, i);
    bad = _mm256_or_si256(_mm256_and_si256(shape.different[0], load32(mask)),
                          _mm256_and_si256(shape.different[1], load32(mask + SECOND_HALF)));
    bad = _mm256_or_si256(bad, shape.bad_digits);
    return !_mm256_testz_si256(bad, bad);
}

TARGET_INLINE uint64_t mark_by_8(const uint32_t *cells)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i += 8) {
        __m256i highest = _mm256_slli_epi32(load32(cells + i), 16);
        nodes |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(highest)) << i;
    }
    return nodes;
}

TARGET static size_t match_text(const struct pci_table *table, const struct text_rows *rows, size_t blocks,
                                uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return text_to_ids(table, rows, blocks, ids, refused, true, read_block, mark_by_8);
    return text_to_ids(table, rows, blocks, ids, refused, false, read_block, mark_by_8);
}

TARGET static size_t match_numbers(const struct pci_table *table, const struct pci_numbers *numbers,
                                   size_t blocks, uint32_t *ids, uint64_t *refused)
{
    return numbers_to_ids(table, numbers, blocks, ids, refused, mark_by_8);
}

const struct variant pci_avx2 = {"avx2", match_text, match_numbers, usb_avx2, row_ends_avx2};
#endif
