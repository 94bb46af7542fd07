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
#include "bytes16.h"
#include "pci_bytes16.h"
#include "usb_bytes16.h"

const struct variant pci_ssse3 = {"ssse3", match_text, match_numbers, usb_ssse3, row_ends_portable};
#endif
