/*
 * The working memory of lookups: sized once from the image, so that no lookup allocates unless its
 * answer holds many lines.
 */
#ifndef PYALIAS_SCRATCH_H
#define PYALIAS_SCRATCH_H

#include <stdbool.h>

#include "image.h"
#include "intern.h"
#include "normalise.h"
#include "pci_engine.h"
#include "repeats.h"

/* A node to go on from, and the place in the key. */
struct place {
    uint32_t node, at;
};

struct pya_scratch {
    uint32_t *marks; /* per value, then per node behind a star: the generation in which it was settled */
    uint32_t generation;
    uint32_t *values; /* found by the last search */
    uint32_t value_count;
    struct place *branches; /* wildcard edges to try */
    struct place *stars;    /* stars entered and not yet searched behind */
    uint32_t star_count;
    uint32_t *lines; /* of the last answer that was gathered */
    uint32_t line_count, line_room;
    struct interner combinations; /* of lines, as bytes of numbers in this machine's order */
    struct repeats repeats;       /* rows answered before; not for single lookups */
    struct usb_memory usb_memory; /* likewise, usb rows by what the table knows of them */
    uint64_t views_rest;          /* rows to let pass before views are remembered again */
    uint8_t key[KEY_ROOM];
    uint8_t pattern[NAME_ROOM]; /* one that is matched as text */
    uint8_t pci_text[64];
    const struct variant *variant;
};

/* Adds a line to the answer; false when out of memory. */
bool scratch_add_line(struct pya_scratch *scratch, uint32_t line);

#endif
