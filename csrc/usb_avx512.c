/*
 * Rows of usb for AVX-512 with byte permutes: as pci_avx512.c.
 */
#include "avx512_rows.h"
#include "usb_block.h"

#if defined(__x86_64__)

/* Where the digits of two rows go: upper digits of all bytes in the first half, lower in the second.
 * Bytes of a row: its packed words, each lower byte first; of the last word only the lowest counts. */
#define ROW(r, n)                                                                                            \
    r + 12 + n, r + 10 + n, r + 7 + n, r + 5 + n, r + 26 + n, r + 21 + n, r + 17 + n, r + 15 + n,            \
        r + 43 + n, r + 39 + n, r + 34 + n, r + 30 + n, r + 47 + n, r + 47 + n, r + 47 + n, r + 47 + n

static const uint8_t pick_digits[64] = {ROW(0, 0), ROW(64, 0), ROW(0, 1), ROW(64, 1)};

/* From two times four rows of four words: one word of all, then the next. */
#define WORDS(w)                                                                                             \
    w, w + 4, w + 8, w + 12, w + 16, w + 20, w + 24, w + 28, w + 1, w + 5, w + 9, w + 13, w + 17, w + 21,    \
        w + 25, w + 29
static const uint32_t pick_first_words[16] = {WORDS(0)}, pick_last_words[16] = {WORDS(2)};

/* The class bytes of a block. */
struct class_bytes {
    uint8_t device[3][PCI_BLOCK], interface[3][PCI_BLOCK];
};

TARGET_INLINE void store_bytes(uint8_t *out, __m512i words, unsigned shift)
{
    _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtepi32_epi8(_mm512_srli_epi32(words, shift)));
}

/* Sixteen rows: their words and class bytes, from row i of the block on. */
TARGET_INLINE void read_step(const struct text_rows *rows, size_t index, bool listed,
                             const struct row_constants *k, struct differences *different,
                             struct usb_block *block, struct class_bytes *bytes, unsigned i)
{
    __m512i first = _mm512_loadu_si512(pick_first_words), last = _mm512_loadu_si512(pick_last_words);
    __m512i a = read_four_rows(rows, index + i, listed, k, different);
    __m512i b = read_four_rows(rows, index + i + 4, listed, k, different);
    __m512i c = read_four_rows(rows, index + i + 8, listed, k, different);
    __m512i d = read_four_rows(rows, index + i + 12, listed, k, different);
    __m512i low = _mm512_permutex2var_epi32(a, first, b), high = _mm512_permutex2var_epi32(c, first, d);
    __m512i device = _mm512_shuffle_i64x2(low, high, 0xEE), interface;

    _mm512_storeu_si512(block->words[0] + i, _mm512_shuffle_i64x2(low, high, 0x44));
    _mm512_storeu_si512(block->words[1] + i, device);
    low = _mm512_permutex2var_epi32(a, last, b);
    high = _mm512_permutex2var_epi32(c, last, d);
    interface = _mm512_shuffle_i64x2(low, high, 0x44);
    _mm512_storeu_si512(block->words[2] + i, interface);
    _mm512_storeu_si512(block->words[3] + i,
                        _mm512_and_si512(_mm512_shuffle_i64x2(low, high, 0xEE), _mm512_set1_epi32(0xFF)));
    store_bytes(bytes->device[0] + i, device, 8);
    store_bytes(bytes->device[1] + i, device, 0);
    store_bytes(bytes->device[2] + i, interface, 24);
    store_bytes(bytes->interface[0] + i, interface, 16);
    store_bytes(bytes->interface[1] + i, interface, 8);
    store_bytes(bytes->interface[2] + i, interface, 0);
}

TARGET_INLINE __m512i ids_of_bytes(const uint8_t *tables, uint8_t bytes[3][PCI_BLOCK])
{
    return class_ids(tables, _mm512_loadu_si512(bytes[0]), _mm512_loadu_si512(bytes[1]),
                     _mm512_loadu_si512(bytes[2]));
}

TARGET_INLINE bool read_rows(const struct usb_table *table, const struct text_rows *rows, size_t index,
                             bool listed, struct usb_block *block)
{
    struct row_constants k = row_constants_of(rows->form, pick_digits);
    struct differences different = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    struct class_bytes bytes;

    for (unsigned i = 0; i < PCI_BLOCK; i += STEP)
        read_step(rows, index, listed, &k, &different, block, &bytes, i);
    _mm512_storeu_si512(block->interface_class, ids_of_bytes(table->interface_tables, bytes.interface));
    _mm512_storeu_si512(block->device_class, ids_of_bytes(table->device_tables, bytes.device));
    return differ(&k, &different);
}

TARGET_INLINE void gather_u16(const uint8_t *table, uint32_t *looks)
{
    for (unsigned i = 0; i < PCI_BLOCK; i += STEP)
        look_16(table, GATHERS, looks + i);
}

TARGET_INLINE void gather_u32(const uint8_t *table, uint32_t *looks)
{
    for (unsigned i = 0; i < PCI_BLOCK; i += STEP)
        look_32(table, GATHERS, looks + i);
}

TARGET_INLINE uint64_t marks(const uint32_t *numbers)
{
    uint64_t marked = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i += STEP)
        marked |= (uint64_t)_mm512_movepi32_mask(_mm512_loadu_si512(numbers + i)) << i;
    return marked;
}

static const struct looks_of_block loads = {look_u16, look_u32, marks};
static const struct looks_of_block gathers = {gather_u16, gather_u32, marks};

TARGET size_t usb_avx512(const struct usb_table *table, const struct usb_memory *memory,
                         const struct text_rows *rows, size_t blocks, uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return usb_to_ids(table, memory, rows, blocks, ids, refused, true, read_rows, loads);
    return usb_to_ids(table, memory, rows, blocks, ids, refused, false, read_rows, loads);
}

TARGET size_t usb_avx512_gather(const struct usb_table *table, const struct usb_memory *memory,
                                const struct text_rows *rows, size_t blocks, uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return usb_to_ids(table, memory, rows, blocks, ids, refused, true, read_rows, gathers);
    return usb_to_ids(table, memory, rows, blocks, ids, refused, false, read_rows, gathers);
}
#endif
