/*
 * The variant for NEON: every 64-bit ARM.
 */
#include "usb_block.h"

#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>

#define TARGET
#define pick(x, index) (bytes16) vqtbl1q_u8((uint8x16_t)(x), (uint8x16_t)(index))
#define less(x, y) (bytes16) vqsubq_u8((uint8x16_t)(x), (uint8x16_t)(y))
#define join(values) join_words((uint16x8_t)(values))
#define narrow(x, y) vuzp1q_u8(vreinterpretq_u8_u16(x), vreinterpretq_u8_u16(y))

/* The even value is the lower byte of a word. */
static inline uint16x8_t join_words(uint16x8_t values)
{
    return vorrq_u16(vshlq_n_u16(values, 4), vshrq_n_u16(values, 8));
}

#define USB_FUNCTION usb_neon
#define MARK_NODES NULL
#include "bytes16.h"
#include "pci_bytes16.h"
#include "usb_bytes16.h"

const struct variant pci_neon = {"neon", match_text, match_numbers, usb_neon, row_ends_portable};
#endif
