/*
 * The USB_TABLE of an opened image (format.h), ready to be asked. What its numbers lead to was checked
 * at open: no look leaves the image, whatever the fields are.
 */
#ifndef PYALIAS_USB_TABLE_H
#define PYALIAS_USB_TABLE_H

#include <stdbool.h>

#include "pci_table.h"

struct usb_table {
    bool present, short_unknown;
    uint32_t multiplier, slot_bits, bucket_mask, tag_mask;
    uint32_t rows, nodes;
    uint32_t rest_multiplier, rest_slot_bits, rest_bucket_mask;
    uint32_t vendor_multiplier, vendor_bits;
    const uint8_t *displacements, *slots, *vendors, *cells, *nodes_at, *rest_displacements, *rest_entries;
    const uint8_t *interface_tables, *device_tables;
};

/* The rows that answer a device: equal ones, equal answers. */
struct usb_rows {
    uint16_t product, vendor, interface_class, device_class;
};

static inline uint32_t usb_rest_hash(uint64_t rest, uint32_t node, uint32_t multiplier)
{
    uint64_t x = (rest + node * 0x9E3779B97F4A7C15u) * ((uint64_t)multiplier << 32 | 0xD6E8FEB9u);
    uint32_t h = (uint32_t)(x >> 32);

    return h ^ h >> 16;
}

/* What nodes ask of a device, from its packed words (bus.h). */
static inline uint64_t usb_rest(const uint32_t words[FIELD_WORDS])
{
    return (words[2] & 0xFFFFFF) | (words[3] & 0xFF) << 24 | (uint64_t)words[1] << 32;
}

static inline uint32_t usb_product_row(const struct usb_table *table, uint32_t key)
{
    uint32_t h = pci_hash(key, table->multiplier);
    uint32_t slot =
        h >> (32 - table->slot_bits) ^ load_u16(table->displacements + (size_t)(h & table->bucket_mask) * 2);

    slot = load_u32(table->slots + (size_t)slot * 4);
    return (slot ^ h) & table->tag_mask ? 0 : slot >> (32 - table->slot_bits);
}

static inline uint32_t usb_vendor_row(const struct usb_table *table, uint32_t vendor)
{
    uint32_t place = vendor * table->vendor_multiplier >> (32 - table->vendor_bits);
    uint32_t entry = load_u32(table->vendors + (size_t)place * 4);

    return entry >> 16 == vendor ? entry & 0xFFFF : 0;
}

static inline uint32_t usb_cell(const struct usb_table *table, uint32_t row)
{
    return load_u16(table->cells + (size_t)row * 2);
}

static inline bool usb_is_node(uint32_t cell)
{
    return (cell & USB_NODE) && cell != USB_ASK;
}

/* The row behind a node. Without a branch for whether the node knows the device: nothing foretells it. */
static inline uint32_t usb_step(const struct usb_table *table, uint64_t rest, uint32_t cell)
{
    uint32_t number = cell & ~USB_NODE, h, displacement, missing;
    const uint8_t *node = table->nodes_at + (size_t)number * USB_NODE_ENTRY, *found;
    uint64_t known = rest & load_u64(node);

    h = usb_rest_hash(known, number, table->rest_multiplier);
    displacement = load_u16(table->rest_displacements + (size_t)(h & table->rest_bucket_mask) * 2);
    found = table->rest_entries + (size_t)(h >> (32 - table->rest_slot_bits) ^ displacement) * USB_ENTRY;
    missing = -(uint32_t)(((load_u64(found) ^ known) | (load_u16(found + 8) ^ number)) != 0);
    return (load_u16(found + 10) & ~missing) | (load_u32(node + 8) & missing);
}

/* Follows the nodes of a row to a row that has an answer; false: ask the generic matcher. */
static inline bool usb_follow(const struct usb_table *table, uint64_t rest, uint32_t *row)
{
    uint32_t cell = usb_cell(table, *row);

    for (unsigned step = 0; usb_is_node(cell) && step < USB_STEPS; step++) {
        *row = usb_step(table, rest, cell);
        cell = usb_cell(table, *row);
    }
    return !(cell & USB_NODE);
}

/* The rows of a device by its packed words; false: ask the generic matcher. */
static inline bool usb_find_rows(const struct usb_table *table, const uint32_t words[FIELD_WORDS],
                                 struct usb_rows *rows)
{
    uint32_t product, vendor;
    uint64_t rest = usb_rest(words);

    if (!table->present)
        return false;
    product = usb_product_row(table, words[0]);
    vendor = usb_vendor_row(table, words[0] >> 16);
    rows->interface_class = (uint16_t)class_id_of(table->interface_tables, words[2] & 0xFFFFFF);
    rows->device_class = (uint16_t)class_id_of(
        table->device_tables, (words[1] & 0xFF00) << 8 | (words[1] & 0xFF) << 8 | words[2] >> 24);
    if (!usb_follow(table, rest, &product) || !usb_follow(table, rest, &vendor))
        return false;
    rows->product = (uint16_t)product;
    rows->vendor = (uint16_t)vendor;
    return true;
}

/* The answer of a device, where it is foreseen. */
static inline bool usb_answer(const struct usb_table *table, const uint32_t words[FIELD_WORDS],
                              uint32_t *answer)
{
    struct usb_rows rows;

    if (!usb_find_rows(table, words, &rows) ||
        (rows.product != 0) + (rows.vendor != 0) + (rows.interface_class != 0) + (rows.device_class != 0) > 1)
        return false;
    *answer = usb_cell(table, rows.product | rows.vendor | rows.interface_class | rows.device_class);
    return true;
}

#endif
