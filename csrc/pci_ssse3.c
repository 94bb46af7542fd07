/*
 * The variant for SSSE3: every x86-64 since 2006, but for a few.
 */
#include "usb_block.h"

#if defined(__x86_64__)
#include <tmmintrin.h>

#define TARGET __attribute__((target("ssse3")))
#define pick(x, index) (bytes16) _mm_shuffle_epi8((__m128i)(x), (__m128i)(index))
#define less(x, y) (bytes16) _mm_subs_epu8((__m128i)(x), (__m128i)(y))
#define join(values) _mm_maddubs_epi16((__m128i)(values), _mm_set1_epi16(1 << 8 | 16))
#define narrow(x, y) _mm_packus_epi16(x, y)

#define USB_FUNCTION usb_ssse3
#define MARK_NODES mark_by_16
#include "bytes16.h"

/* Four numbers at a time become bytes, which keep their signs. */
TARGET_INLINE uint64_t mark_by_16(const uint32_t *cells)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i += 16) {
        __m128i four[4];
        for (unsigned j = 0; j < 4; j++)
            four[j] = _mm_slli_epi32(_mm_loadu_si128((const void *)(cells + i + j * 4)), 16);
        four[0] = _mm_packs_epi16(_mm_packs_epi32(four[0], four[1]), _mm_packs_epi32(four[2], four[3]));
        nodes |= (uint64_t)(unsigned)_mm_movemask_epi8(four[0]) << i;
    }
    return nodes;
}

#include "pci_bytes16.h"
#include "usb_bytes16.h"

const struct variant pci_ssse3 = {"ssse3", match_text, match_numbers, usb_ssse3, row_ends_portable};
#endif
