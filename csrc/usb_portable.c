/*
 * Rows of usb for any CPU: eight digits at a time in a word of 64 bits.
 */
#include "digits8.h"
#include "usb_block.h"

INLINE uint64_t four_bytes(const uint8_t *row, const uint8_t at[4])
{
    return load_u16(row + at[0]) | (uint64_t)load_u16(row + at[1]) << 16 |
           (uint64_t)load_u16(row + at[2]) << 32 | (uint64_t)load_u16(row + at[3]) << 48;
}

INLINE bool read_rows(const struct usb_table *table, const struct text_rows *rows, size_t index, bool listed,
                      struct usb_block *block)
{
    /* where the digits of the words' bytes stand, the highest first */
    static const uint8_t device[4] = {15, 17, 21, 26}, classes[4] = {30, 34, 39, 43};
    uint64_t bad = 0, text[7], mask[7];

    for (unsigned w = 0; w < 7; w++) {
        text[w] = load_u64(rows->form->text + (size_t)w * 8);
        mask[w] = load_u64(rows->form->mask + (size_t)w * 8);
    }
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        const uint8_t *row = row_of(rows, index + i, listed);
        fetch_ahead(row);
        for (unsigned w = 0; w < 7; w++)
            bad |= (load_u64(row + (size_t)w * 8) ^ text[w]) & mask[w];
        block->words[0][i] = parse_eight(load_u32(row + 5) | (uint64_t)load_u32(row + 10) << 32, &bad);
        block->words[1][i] = parse_eight(four_bytes(row, device), &bad);
        block->words[2][i] = parse_eight(four_bytes(row, classes), &bad);
        block->words[3][i] = parse_eight(0x303030303030u | (uint64_t)load_u16(row + 47) << 48, &bad);
    }
    find_class_rows(table, block);
    return bad != 0;
}

size_t usb_portable(const struct usb_table *table, const struct usb_memory *memory,
                    const struct text_rows *rows, size_t blocks, uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return usb_to_ids(table, memory, rows, blocks, ids, refused, true, read_rows, plain_looks);
    return usb_to_ids(table, memory, rows, blocks, ids, refused, false, read_rows, plain_looks);
}
