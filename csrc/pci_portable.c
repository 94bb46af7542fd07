/*
 * The variant for any CPU: eight digits at a time in a word of 64 bits.
 */
#include "pci_block.h"

#define ONES 0x0101010101010101u

/* Eight hexadecimal digits in upper case to a number; *bad collects bits of what is none. */
INLINE uint32_t parse_eight(uint64_t x, uint64_t *bad)
{
    /* 'A' is 0x41: bit 6 tells letters, whose low four bits count from 1. */
    uint64_t letter = x >> 6 & ONES, nibble = (x & 0x0F * ONES) + letter * 9;

    /* A digit is the character of its value and no other: 0 to 9, or 10 to 15 with the letter bit. */
    *bad |= x ^ (nibble + '0' * ONES + letter * 7);
    *bad |= ((nibble + 0x76 * ONES) & 0x80 * ONES) ^ letter << 7;
    *bad |= nibble & 0xF0 * ONES;
    nibble = __builtin_bswap64(nibble);
    nibble = (nibble | nibble >> 4) & 0x00FF00FF00FF00FFu;
    nibble = (nibble | nibble >> 8) & 0x0000FFFF0000FFFFu;
    return (uint32_t)(nibble | nibble >> 16);
}

INLINE uint64_t two_fields(const uint8_t *first, const uint8_t *second)
{
    return load_u32(first) | (uint64_t)load_u32(second) << 32;
}

INLINE bool read_block(const struct pci_rows *rows, size_t index, bool listed, struct pci_block *block)
{
    uint64_t bad = 0, text[7], mask[7];

    for (unsigned w = 0; w < 7; w++) {
        text[w] = load_u64(rows->form->text + (size_t)w * 8);
        mask[w] = load_u64(rows->form->mask + (size_t)w * 8);
    }
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        const uint8_t *row = row_of(rows, index + i, listed);
        uint64_t class_digits = 0x3030 | (uint64_t)load_u16(row + 44) << 16 |
                                (uint64_t)load_u16(row + 48) << 32 | (uint64_t)load_u16(row + 51) << 48;
        fetch_ahead(row);
        for (unsigned w = 0; w < 7; w++)
            bad |= (load_u64(row + (size_t)w * 8) ^ text[w]) & mask[w];
        block->key[i] = parse_eight(two_fields(row + 9, row + 18), &bad);
        block->sub[i] = parse_eight(two_fields(row + 28, row + 38), &bad);
        block->class_code[i] = parse_eight(class_digits, &bad);
    }
    return bad != 0;
}

static size_t match_text(const struct pci_table *table, const struct pci_rows *rows, size_t blocks,
                         uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return text_to_ids(table, rows, blocks, ids, refused, true, read_block);
    return text_to_ids(table, rows, blocks, ids, refused, false, read_block);
}

static size_t match_numbers(const struct pci_table *table, const struct pci_numbers *numbers, size_t blocks,
                            uint32_t *ids, uint64_t *refused)
{
    return numbers_to_ids(table, numbers, blocks, ids, refused);
}

const struct pci_variant pci_portable = {"portable", match_text, match_numbers};
