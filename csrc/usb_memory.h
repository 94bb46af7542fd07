/*
 * What the generic matcher answered where several rows of the usb table meet: by the rows, which
 * decide the answer. Which rows meet is not foreseen at compile, but few do in one column.
 */
#ifndef PYALIAS_USB_MEMORY_H
#define PYALIAS_USB_MEMORY_H

#include "usb_table.h"

enum { USB_MEMORY_BITS = 13 };

struct usb_known {
    uint64_t rows; /* zero: free */
    uint32_t id;
};

struct usb_memory {
    struct usb_known *known; /* 1 << USB_MEMORY_BITS; NULL until there is something to remember */
    bool holds_combinations;
};

static inline uint64_t usb_rows_key(const struct usb_rows *rows)
{
    return rows->product | (uint64_t)rows->vendor << 16 | (uint64_t)rows->interface_class << 32 |
           (uint64_t)rows->device_class << 48;
}

static inline uint32_t usb_memory_place(uint64_t key)
{
    return (uint32_t)((key ^ key >> 25) * 0x9E3779B97F4A7C15u >> (64 - USB_MEMORY_BITS));
}

/* False: not known. */
static inline bool usb_recall(const struct usb_memory *memory, uint64_t key, uint32_t *id)
{
    const struct usb_known *known;

    if (memory->known == NULL)
        return false;
    known = &memory->known[usb_memory_place(key)];
    *id = known->id;
    return known->rows == key && key != 0;
}

/* Without memory for it nothing is remembered; nothing else changes. */
void usb_remember(struct usb_memory *memory, uint64_t key, uint32_t id);

/* The numbers of combinations mean nothing any more. */
void usb_forget_combinations(struct usb_memory *memory);
void usb_memory_free(struct usb_memory *memory);

#endif
