/*
 * Blocks of pci rows and usb rows to answer ids by their tables: one contract, and a variant for each
 * kind of CPU.
 *
 * A variant takes rows in blocks of PCI_BLOCK, and refuses a row that is no canonical key (bus.h), of
 * pci with ids of 16 bits, or that the table does not know. Behind a block of text with rows of another
 * form it stops; of usb also behind one with several that nobody has answered yet, so that these may be
 * remembered. Who calls settles refused rows by the generic matcher. All variants refuse the same rows.
 */
#ifndef PYALIAS_PCI_ENGINE_H
#define PYALIAS_PCI_ENGINE_H

#include <stddef.h>

#include "pci_table.h"
#include "usb_memory.h"

/* A text variant may read PCI_READ bytes from where a row starts. */
enum {
    PCI_BLOCK = 64,
    MOST_BLOCKS = 256,
    ENDS_CHUNK = 64,
    PCI_READ = 64,
    PCI_LENGTH = 53,
    VFIO_PCI_LENGTH = 58,
    USB_LENGTH = 49,
    USB_SHORT_LENGTH = 45
};

/* What a row must be where it has no digits: text and mask; zero where digits stand, and behind the
 * row, where anything may. And bytes of ones where digits stand. */
struct row_form {
    uint8_t text[PCI_READ], mask[PCI_READ], digits[PCI_READ];
    unsigned length;
};

/* Rows that lie `stride` bytes apart, or where `at` says. */
struct text_rows {
    const uint8_t *first;
    size_t stride;
    const uint8_t *const *at;
    const struct row_form *form;
};

struct pci_numbers {
    const uint32_t *vendor, *device, *subvendor, *subdevice, *class_code;
};

/* All take up to MOST_BLOCKS blocks and return how many they did; refused[b]: bits of the rows of a
 * block, whose ids mean nothing. */
typedef size_t match_pci_text(const struct pci_table *table, const struct text_rows *rows, size_t blocks,
                              uint32_t *ids, uint64_t *refused);
typedef size_t match_usb_text(const struct usb_table *table, const struct usb_memory *memory,
                              const struct text_rows *rows, size_t blocks, uint32_t *ids, uint64_t *refused);
typedef size_t match_pci_numbers(const struct pci_table *table, const struct pci_numbers *numbers,
                                 size_t blocks, uint32_t *ids, uint64_t *refused);

/* Where separators stand in a text: at least `most`, if there are so many among whole chunks of
 * ENDS_CHUNK bytes; ends has room for as many as a chunk has bytes more. Returns how many were found. */
typedef size_t find_row_ends(const uint8_t *text, size_t size, uint8_t separator, size_t most,
                             uint64_t *ends);

struct variant {
    const char *name;
    match_pci_text *text;
    match_pci_numbers *numbers;
    match_usb_text *usb;
    find_row_ends *ends;
};

match_usb_text usb_portable;
find_row_ends row_ends_portable;
extern const struct variant pci_portable;
#if defined(__x86_64__)
match_usb_text usb_ssse3, usb_avx2, usb_avx512, usb_avx512_gather;
find_row_ends row_ends_avx2, row_ends_avx512;
extern const struct variant pci_ssse3, pci_avx2, pci_avx512, pci_avx512_gather;
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
match_usb_text usb_neon;
extern const struct variant pci_neon;
#endif

#endif
