#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "place_keys.h"
#include "usb_compiler.h"
#include "usb_table.h"

static uint32_t hash_device(const uint8_t *key, uint32_t multiplier)
{
    return pci_hash(load_u32(key), multiplier);
}

static uint32_t hash_entry(const uint8_t *key, uint32_t multiplier)
{
    return usb_rest_hash(load_u64(key), load_u32(key + 8), multiplier);
}

/* False: gave up. */
static bool place(struct usb_compiler *c, const struct keys_to_place *keys, struct displaced *displaced,
                  uint32_t *multiplier)
{
    enum pci_result result = place_keys(keys, displaced, multiplier);

    if (result != PCI_WRITTEN)
        give_up(c, result);
    return c->result == PCI_WRITTEN;
}

static void put_devices(struct usb_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    struct keys_to_place keys = {&c->keys, 8, hash_device, bits_of(c->key_rows)};
    struct displaced displaced;
    uint32_t shift;
    uint8_t *slots;

    if (!place(c, &keys, &displaced, &header[USB_MULTIPLIER]))
        return;
    header[USB_SLOT_BITS] = displaced.slot_bits;
    header[USB_BUCKET_BITS] = displaced.bucket_bits;
    header[USB_AT_DISPLACEMENTS] = put_displacements(out, &displaced);
    header[USB_AT_SLOTS] = put_aligned(out, NULL, 0);
    shift = 32 - displaced.slot_bits;
    slots = bytes_extend(out, (size_t)4 << displaced.slot_bits);
    for (uint32_t slot = 0; slots != NULL && slot < 1u << displaced.slot_bits; slot++) {
        uint32_t key = displaced.key_of_slot[slot];
        const uint8_t *pair = key == 0 ? NULL : c->keys.data + ((size_t)key - 1) * 8;
        if (key != 0)
            store_u32(slots + (size_t)slot * 4,
                      load_u32(pair + 4) << shift |
                          (pci_hash(load_u32(pair), header[USB_MULTIPLIER]) & ((1u << shift) - 1)));
    }
    displace_free(&displaced);
}

static void put_entries(struct usb_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    struct keys_to_place keys = {&c->entries, 16, hash_entry, 0};
    struct displaced displaced;
    uint8_t *entries;

    if (!place(c, &keys, &displaced, &header[USB_REST_MULTIPLIER]))
        return;
    header[USB_REST_SLOT_BITS] = displaced.slot_bits;
    header[USB_REST_BUCKET_BITS] = displaced.bucket_bits;
    header[USB_AT_REST_DISPLACEMENTS] = put_displacements(out, &displaced);
    header[USB_AT_REST_ENTRIES] = put_aligned(out, NULL, 0);
    entries = bytes_extend(out, (size_t)USB_ENTRY << displaced.slot_bits);
    for (uint32_t slot = 0; entries != NULL && slot < 1u << displaced.slot_bits; slot++) {
        uint32_t key = displaced.key_of_slot[slot];
        const uint8_t *entry = key == 0 ? NULL : c->entries.data + ((size_t)key - 1) * 16;
        uint8_t *to = entries + (size_t)slot * USB_ENTRY;
        if (key != 0)
            memcpy(to, entry, 8);
        store_u32(to + 8, key == 0 ? 0xFFFF : load_u32(entry + 8) | load_u32(entry + 12) << 16);
    }
    displace_free(&displaced);
}

/* Whether no two vendors meet. */
static bool place_vendors(const struct usb_compiler *c, uint32_t bits, uint32_t multiplier, uint8_t *table)
{
    memset(table, 0, (size_t)4 << bits);
    for (size_t at = 0; at < c->vendors.size; at += 4) {
        uint32_t vendor = load_u32(c->vendors.data + at);
        uint8_t *entry = table + (size_t)((vendor >> 16) * multiplier >> (32 - bits)) * 4;
        if (load_u32(entry) != 0)
            return false;
        store_u32(entry, vendor);
    }
    return true;
}

static void put_vendors(struct usb_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    uint8_t table[4 << MOST_VENDOR_BITS];
    uint32_t multiplier = 0x9E3779B1u;

    for (uint32_t bits = LEAST_VENDOR_BITS; bits <= MOST_VENDOR_BITS; bits++)
        for (unsigned seed = 0; seed < VENDOR_SEEDS && c->vendors.size / 4 <= 1u << bits;
             seed++, multiplier = multiplier * 0x915F77F5u + 0x2C1B3C6Eu)
            if (place_vendors(c, bits, multiplier, table)) {
                header[USB_VENDOR_BITS] = bits;
                header[USB_VENDOR_MULTIPLIER] = multiplier;
                header[USB_AT_VENDORS] = put_aligned(out, table, (size_t)4 << bits);
                return;
            }
    give_up(c, PCI_UNFIT);
}

/* Patterns that are rows of fields have the letters of all separators, of which a key without the
 * interface's number has two less. Before Linux 3.9 the kernel printed such keys. */
static bool short_keys_are_unknown(const struct bus_input *input)
{
    bool unknown = true;

    for (uint32_t s = 0; s < input->source_count; s++)
        unknown = unknown && !rows_of_source(input, s)->has_others;
    return unknown;
}

void write_usb_parts(struct usb_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    header[USB_PRESENT] = 1;
    header[USB_SHORT_UNKNOWN] = short_keys_are_unknown(c->input);
    header[USB_ROWS] = c->rows.count;
    header[USB_NODES] = (uint32_t)(c->nodes.size / USB_NODE_ENTRY);
    put_devices(c, out, header);
    put_vendors(c, out, header);
    put_entries(c, out, header);
    header[USB_AT_CELLS] = put_aligned(out, c->cells.data, c->cells.size);
    header[USB_AT_NODES] = put_aligned(out, c->nodes.data, c->nodes.size);
    header[USB_AT_INTERFACE_TABLES] = put_aligned(out, c->classes[0].tables, CLASS_TABLES_SIZE);
    header[USB_AT_DEVICE_TABLES] = put_aligned(out, c->classes[1].tables, CLASS_TABLES_SIZE);
    put_aligned(out, "\0\0", 2); /* room behind the last part (check_parts.h) */
    if (c->cells.failed || c->nodes.failed || c->vendors.failed || out->failed)
        give_up(c, PCI_NO_MEMORY);
}
