/*
 * The variant for any CPU: eight digits at a time in a word of 64 bits.
 */
#include "digits8.h"
#include "usb_block.h"

INLINE uint64_t two_fields(const uint8_t *first, const uint8_t *second)
{
    return load_u32(first) | (uint64_t)load_u32(second) << 32;
}

INLINE bool read_block(const struct text_rows *rows, size_t index, bool listed, struct pci_block *block,
                       uint32_t *sub)
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
        sub[i] = parse_eight(two_fields(row + 28, row + 38), &bad);
        block->class_code[i] = parse_eight(class_digits, &bad);
    }
    return bad != 0;
}

static size_t match_text(const struct pci_table *table, const struct text_rows *rows, size_t blocks,
                         uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return text_to_ids(table, rows, blocks, ids, refused, true, read_block, NULL);
    return text_to_ids(table, rows, blocks, ids, refused, false, read_block, NULL);
}

static size_t match_numbers(const struct pci_table *table, const struct pci_numbers *numbers, size_t blocks,
                            uint32_t *ids, uint64_t *refused)
{
    return numbers_to_ids(table, numbers, blocks, ids, refused, NULL);
}

const struct variant pci_portable = {"portable", match_text, match_numbers, usb_portable, row_ends_portable};
