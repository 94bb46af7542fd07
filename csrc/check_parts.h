/*
 * What the checks of the pci tables and the usb table have in common.
 */
#ifndef PYALIAS_CHECK_PARTS_H
#define PYALIAS_CHECK_PARTS_H

#include "check.h"

/* `count` things of `size` bytes from a byte of the section on; NULL where they lie outside. Two bytes
 * more must be there: a gather of u16 reads u32. */
CHECK const uint8_t *part_of(const pya_image *image, enum section section, uint32_t at, uint64_t count,
                             uint32_t size)
{
    uint32_t room = image->size[section];

    return at <= room && count * size + 2 <= room - at ? image->section[section] + at : NULL;
}

/* Whether numbers have no bits above some. */
CHECK bool bits_below_u16(const uint8_t *p, uint32_t count, uint32_t bits)
{
    uint16_t any = 0;

    for (uint32_t i = 0; i < count; i++)
        any |= load_u16(p + (size_t)i * 2);
    return any >> bits == 0;
}

/* Whether the rows above the tags of slots are below `rows`. */
CHECK bool slots_fit(const uint8_t *slots, uint32_t slot_bits, uint32_t rows)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < 1u << slot_bits; i++)
        bad |= not_below(load_u32(slots + (size_t)i * 4) >> (32 - slot_bits), rows);
    return !is_bad(bad);
}

/* Answers below `answers`, nodes below `nodes`, or PCI_ASK, the only number of which that is not taken off
 * to something negative. */
CHECK bool cells_fit(const uint8_t *cells, uint32_t count, uint32_t answers, uint32_t nodes)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t cell = load_u16(cells + (size_t)i * 2), is_node = 0 - cell / PCI_NODE,
                 limit = answers ^ ((answers ^ nodes) & is_node);
        bad |= (limit - 1 - (cell & (PCI_NODE - 1u))) & (cell - PCI_ASK);
    }
    return !is_bad(bad);
}

CHECK bool class_ids_fit(const uint8_t *class_tables, uint32_t limit)
{
    uint8_t most = 0;

    for (unsigned i = 0; i < 256; i++)
        most = class_tables[CLASS_IDS + i] > most ? class_tables[CLASS_IDS + i] : most;
    return most < limit;
}

CHECK bool bits_fit(uint32_t slot_bits, uint32_t bucket_bits)
{
    return slot_bits >= 1 && slot_bits <= 16 && bucket_bits >= 1 && bucket_bits <= 32 - slot_bits;
}

#endif
