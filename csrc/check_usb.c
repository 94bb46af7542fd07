/*
 * The check of the usb table at open, as check_pci.c's.
 */
#include "check_parts.h"

static int table_damaged(pya_error *error, const char *what)
{
    return fail(error, PYA_EIMAGE, 0, "damaged: %s (section %d)", what, SECTION_USB);
}

CHECK const uint8_t *part(const pya_image *image, uint32_t at, uint64_t count, uint32_t size)
{
    return part_of(image, SECTION_USB, at, count, size);
}

/* Reads the numbers of the table; false where its parts have no place. */
CHECK bool place_table(const pya_image *image, const uint32_t word[USB_TABLE_WORDS], struct usb_table *table)
{
    if (!bits_fit(word[USB_SLOT_BITS], word[USB_BUCKET_BITS]) ||
        !bits_fit(word[USB_REST_SLOT_BITS], word[USB_REST_BUCKET_BITS]) || word[USB_VENDOR_BITS] == 0 ||
        word[USB_VENDOR_BITS] > 16 || word[USB_ROWS] == 0 || word[USB_ROWS] > 0x10000 ||
        word[USB_NODES] > USB_NODE)
        return false;
    *table = (struct usb_table){
        .present = true,
        .short_unknown = word[USB_SHORT_UNKNOWN] != 0,
        .multiplier = word[USB_MULTIPLIER],
        .slot_bits = word[USB_SLOT_BITS],
        .bucket_mask = (1u << word[USB_BUCKET_BITS]) - 1,
        .tag_mask = (1u << (32 - word[USB_SLOT_BITS])) - 1,
        .rows = word[USB_ROWS],
        .nodes = word[USB_NODES],
        .rest_multiplier = word[USB_REST_MULTIPLIER],
        .rest_slot_bits = word[USB_REST_SLOT_BITS],
        .rest_bucket_mask = (1u << word[USB_REST_BUCKET_BITS]) - 1,
        .vendor_multiplier = word[USB_VENDOR_MULTIPLIER],
        .vendor_bits = word[USB_VENDOR_BITS],
        .displacements = part(image, word[USB_AT_DISPLACEMENTS], 1u << word[USB_BUCKET_BITS], 2),
        .slots = part(image, word[USB_AT_SLOTS], 1u << word[USB_SLOT_BITS], 4),
        .vendors = part(image, word[USB_AT_VENDORS], 1u << word[USB_VENDOR_BITS], 4),
        .cells = part(image, word[USB_AT_CELLS], word[USB_ROWS], 2),
        .nodes_at = part(image, word[USB_AT_NODES], word[USB_NODES], USB_NODE_ENTRY),
        .rest_displacements =
            part(image, word[USB_AT_REST_DISPLACEMENTS], 1u << word[USB_REST_BUCKET_BITS], 2),
        .rest_entries = part(image, word[USB_AT_REST_ENTRIES], 1u << word[USB_REST_SLOT_BITS], USB_ENTRY),
        .interface_tables = part(image, word[USB_AT_INTERFACE_TABLES], 1, CLASS_TABLES_SIZE),
        .device_tables = part(image, word[USB_AT_DEVICE_TABLES], 1, CLASS_TABLES_SIZE),
    };
    return table->displacements && table->slots && table->vendors && table->cells && table->nodes_at &&
           table->rest_displacements && table->rest_entries && table->interface_tables &&
           table->device_tables;
}

/* Rows behind nodes, entries and vendors. */
CHECK bool rows_fit(const struct usb_table *table)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < table->nodes; i++)
        bad |= not_below(load_u32(table->nodes_at + (size_t)i * USB_NODE_ENTRY + 8), table->rows);
    for (uint32_t i = 0; i < 1u << table->rest_slot_bits; i++)
        bad |= not_below(load_u16(table->rest_entries + (size_t)i * USB_ENTRY + 10), table->rows);
    for (uint32_t i = 0; i < 1u << table->vendor_bits; i++)
        bad |= not_below(load_u32(table->vendors + (size_t)i * 4) & 0xFFFF, table->rows);
    return !is_bad(bad) && class_ids_fit(table->interface_tables, table->rows) &&
           class_ids_fit(table->device_tables, table->rows);
}

/* A class's row needs no node: its cell is looked at as it is. */
CHECK bool class_rows_answer(const struct usb_table *table, const uint8_t *class_tables)
{
    for (unsigned i = 0; i < 256; i++)
        if (usb_cell(table, class_tables[CLASS_IDS + i]) & USB_NODE)
            return false;
    return true;
}

CHECK int look_at_usb_table(pya_image *image, pya_error *error)
{
    struct usb_table *table = &image->usb;
    uint32_t word[USB_TABLE_WORDS];
    bool fit;

    if (image->size[SECTION_USB] < sizeof word)
        return table_damaged(error, "there is no usb table");
    for (unsigned i = 0; i < USB_TABLE_WORDS; i++)
        word[i] = load_u32(image->section[SECTION_USB] + (size_t)i * 4);
    if (word[USB_PRESENT] == 0)
        return PYA_OK;
    if (!place_table(image, word, table))
        return table_damaged(error, "the usb table lies outside");
    /* All of it in any case, as check_pci.c. */
    fit = bits_below_u16(table->displacements, table->bucket_mask + 1, table->slot_bits);
    fit &= slots_fit(table->slots, table->slot_bits, table->rows);
    fit &= bits_below_u16(table->rest_displacements, table->rest_bucket_mask + 1, table->rest_slot_bits);
    fit &= rows_fit(table);
    if (!fit)
        return table_damaged(error, "the usb table names no row");
    if (!cells_fit(table->cells, table->rows, image->count[SECTION_ANSWERS], table->nodes) ||
        !class_rows_answer(table, table->interface_tables) || !class_rows_answer(table, table->device_tables))
        return table_damaged(error, "the usb table names no answer");
    return PYA_OK;
}

CHECK_BY_CPU(open_usb_table, look_at_usb_table)
