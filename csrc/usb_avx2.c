/*
 * Rows of usb for AVX2: a row's digits fill one vector of 16 bytes twice, so longer ones would only have
 * to be put together. What AVX2 gives is the lookup in vectors of eight.
 */
#include "usb_block.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,bmi")))
#define pick(x, index) (bytes16) _mm_shuffle_epi8((__m128i)(x), (__m128i)(index))
#define less(x, y) (bytes16) _mm_subs_epu8((__m128i)(x), (__m128i)(y))
#define join(values) _mm_maddubs_epi16((__m128i)(values), _mm_set1_epi16(1 << 8 | 16))
#define narrow(x, y) _mm_packus_epi16(x, y)

#define USB_FUNCTION usb_avx2
#include "bytes16.h"
#include "usb_bytes16.h"
#endif
