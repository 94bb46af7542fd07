/*
 * An opened image: where its sections lie, and typed access to their entries.
 *
 * pya_image_open is the one gate. It checks that every offset, index and length that the accessors
 * and the matcher follow stays inside (check.c), so that these need no checks of their own.
 */
#ifndef PYALIAS_IMAGE_H
#define PYALIAS_IMAGE_H

#include "bytes.h"
#include "format.h"
#include "pci_table.h"
#include "pyalias.h"
#include "usb_table.h"

struct pya_image {
    const uint8_t *section[SECTION_COUNT];
    uint32_t size[SECTION_COUNT];  /* bytes */
    uint32_t count[SECTION_COUNT]; /* entries, of the sections that are tables */
    uint32_t longest_module;
    uint32_t star_count, wild_count; /* edges by stars and by wildcards that lead to nodes; at most */
    struct pci_table pci[PCI_BUSES];
    struct usb_table usb;
};

static inline const uint8_t *entry(const pya_image *image, enum section section, uint32_t size,
                                   uint32_t index)
{
    return image->section[section] + (size_t)size * index;
}

static inline uint32_t number(const pya_image *image, enum section section, uint32_t index)
{
    return load_u32(entry(image, section, 4, index));
}

/* A field of an entry whose predecessor holds where this one starts: the start. */
static inline uint32_t start_of(const pya_image *image, enum section section, uint32_t size, uint32_t index,
                                uint32_t field)
{
    return index == 0 ? 0 : load_u32(entry(image, section, size, index - 1) + field);
}

struct source {
    uint32_t root, order;
    uint32_t sorted, sorted_end;
    uint32_t irregular, irregular_end;
};

static inline struct source source_at(const pya_image *image, uint32_t index)
{
    const uint8_t *p = entry(image, SECTION_SOURCES, SOURCE_ENTRY, index);

    return (struct source){
        .root = load_u32(p + 8),
        .order = load_u32(p + 24),
        .sorted = start_of(image, SECTION_SOURCES, SOURCE_ENTRY, index, 16),
        .sorted_end = load_u32(p + 16),
        .irregular = start_of(image, SECTION_SOURCES, SOURCE_ENTRY, index, 20),
        .irregular_end = load_u32(p + 20),
    };
}

static inline uint32_t answer_of_value(const pya_image *image, uint32_t value)
{
    return number(image, SECTION_VALUE_ANSWERS, value);
}

static inline uint32_t tail_of_value(const pya_image *image, uint32_t value)
{
    return number(image, SECTION_VALUE_TAILS, value);
}

/* The first of a value's lines, which go on up to the one marked LAST_LINE. */
static inline const uint8_t *lines_of_value(const pya_image *image, uint32_t value)
{
    const uint8_t *own = entry(image, SECTION_VALUES, 4, value);

    return load_u32(own) & LAST_LINE ? own : entry(image, SECTION_VALUE_LINES, 4, load_u32(own));
}

/* check.c: PYA_OK if every number in the sections is one that may be followed. Counts the stars. */
int check_sections(pya_image *image, pya_error *error);

/* check_pci.c: the same for the pci tables, which it opens on the way. */
int open_pci_tables(pya_image *image, pya_error *error);

/* check_usb.c: and for the usb table. */
int open_usb_table(pya_image *image, pya_error *error);

#endif
