/*
 * What the checks of the pci tables and the usb table have in common.
 */
#ifndef PYALIAS_CHECK_PARTS_H
#define PYALIAS_CHECK_PARTS_H

#include "image.h"

/* `count` things of `size` bytes from a byte of the section on; NULL where they lie outside. Two bytes
 * more must be there: a gather of u16 reads u32. */
static inline const uint8_t *part_of(const pya_image *image, enum section section, uint32_t at,
                                     uint64_t count, uint32_t size)
{
    uint32_t room = image->size[section];

    return at <= room && count * size + 2 <= room - at ? image->section[section] + at : NULL;
}

static inline uint32_t most_u16(const uint8_t *p, uint32_t count)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = load_u16(p + (size_t)i * 2);
        most = number > most ? number : most;
    }
    return most;
}

static inline uint32_t most_u32(const uint8_t *p, uint32_t count)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = load_u32(p + (size_t)i * 4);
        most = number > most ? number : most;
    }
    return most;
}

/* Answers below `answers`, nodes below `nodes`, or PCI_ASK. */
static inline bool cells_fit(const uint8_t *cells, uint32_t count, uint32_t answers, uint32_t nodes)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t cell = load_u16(cells + (size_t)i * 2), limit = cell & PCI_NODE ? nodes : answers;
        bad |= ((cell & (PCI_NODE - 1u)) >= limit) & (cell != PCI_ASK);
    }
    return !bad;
}

static inline bool class_ids_fit(const uint8_t *class_tables, uint32_t limit)
{
    for (unsigned i = 0; i < 256; i++)
        if (class_tables[CLASS_IDS + i] >= limit)
            return false;
    return true;
}

static inline bool bits_fit(uint32_t slot_bits, uint32_t bucket_bits)
{
    return slot_bits >= 1 && slot_bits <= 16 && bucket_bits >= 1 && bucket_bits <= 32 - slot_bits;
}

#endif
