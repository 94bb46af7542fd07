/*
 * The buses whose device strings are rows of numbers in a fixed form, as the kernel prints them:
 * prefix, then for each field a separator in lower case and hexadecimal digits in upper case.
 *
 * Why fields may be compared instead of text, for such a key K and a pattern P that has the same
 * separators with digits, ? [...] or a last * between: each lower-case letter of P must meet one of
 * K, in order; both have equally many; so they meet one to one, separators lie on separators, and
 * each field of P meets exactly the digits of that field.
 */
#ifndef PYALIAS_BUS_H
#define PYALIAS_BUS_H

#include <stdint.h>

#include "format.h"

enum { MOST_FIELDS = 10 };

struct field {
    char separator[4];
    uint8_t digits;
    uint8_t word, shift; /* where its number lies in the packed words */
};

struct bus {
    char prefix[12];
    uint8_t prefix_length, key_length, field_count;
    struct field fields[MOST_FIELDS];
    uint8_t gate_word[2];              /* the packed words that gates look at */
    uint32_t gate_mask[GATE_KINDS][2]; /* and the bits of them: both fields, the first, the second */
};

enum { BUS_PCI, BUS_VFIO_PCI, BUS_USB, BUS_HID, BUS_COUNT };

/* drivers/pci/pci-sysfs.c, modalias_show; the class is one number of 24 bits */
#define PCI_FIELDS                                                                                           \
    {                                                                                                        \
        {"v", 8, 0, 0},   {"d", 8, 1, 0},  {"sv", 8, 2, 0}, {"sd", 8, 3, 0},                                 \
        {"bc", 2, 4, 16}, {"sc", 2, 4, 8}, {"i", 2, 4, 0},                                                   \
    }
#define PCI_GATES                                                                                            \
    {                                                                                                        \
        {0xFFFFFFFF, 0xFFFFFFFF},                                                                            \
        {0xFFFFFFFF, 0},                                                                                     \
        {0, 0xFFFFFFFF},                                                                                     \
    }

static const struct bus buses[BUS_COUNT] = {
    [BUS_PCI] = {"pci:", 4, 53, 7, PCI_FIELDS, {0, 1}, PCI_GATES},
    [BUS_VFIO_PCI] = {"vfio_pci:", 9, 58, 7, PCI_FIELDS, {0, 1}, PCI_GATES},
    /* drivers/usb/core/sysfs.c, modalias_show */
    [BUS_USB] = {"usb:",
                 4,
                 49,
                 10,
                 {{"v", 4, 0, 16},
                  {"p", 4, 0, 0},
                  {"d", 4, 1, 16},
                  {"dc", 2, 1, 8},
                  {"dsc", 2, 1, 0},
                  {"dp", 2, 2, 24},
                  {"ic", 2, 2, 16},
                  {"isc", 2, 2, 8},
                  {"ip", 2, 2, 0},
                  {"in", 2, 3, 0}},
                 {0, 0},
                 {{0xFFFFFFFF, 0}, {0xFFFF0000, 0}, {0x0000FFFF, 0}}},
    /* drivers/hid/hid-core.c, modalias_show */
    [BUS_HID] = {"hid:",
                 4,
                 32,
                 4,
                 {{"b", 4, 0, 16}, {"g", 4, 0, 0}, {"v", 8, 1, 0}, {"p", 8, 2, 0}},
                 {1, 2},
                 PCI_GATES},
};

/* A key as packed words. */
struct fields {
    int bus; /* BUS_..., or -1: no key in a bus's fixed form */
    uint32_t words[FIELD_WORDS];
};

#endif
