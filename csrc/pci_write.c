#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "displace.h"
#include "pci_compiler.h"
#include "pci_table.h"
#include "place_keys.h"

static uint32_t hash_device(const uint8_t *key, uint32_t multiplier)
{
    return pci_hash(load_u32(key), multiplier);
}

static uint32_t hash_entry(const uint8_t *key, uint32_t multiplier)
{
    return pci_sub_hash(load_u32(key), load_u32(key + 4), multiplier);
}

/* False: gave up. */
static bool place(struct pci_compiler *c, const struct keys_to_place *keys, struct displaced *displaced,
                  uint32_t *multiplier)
{
    enum pci_result result = place_keys(keys, displaced, multiplier);

    if (result != PCI_WRITTEN)
        give_up(c, result);
    return c->result == PCI_WRITTEN;
}

/* All 32 bits of 1 / odd, by Newton's iteration. */
static uint32_t inverse(uint32_t odd)
{
    uint32_t x = odd;

    for (unsigned i = 0; i < 4; i++)
        x *= 2 - odd * x;
    return x;
}

static uint32_t vendor_row(const uint32_t *header, uint32_t vendor)
{
    uint32_t entry = header[PCI_VENDOR_ROWS + (vendor * header[PCI_VENDOR_MULTIPLIER] >> 27)];

    return entry >> 16 == vendor ? entry & 0xFFFF : 0;
}

static bool is_rare(const struct pci_compiler *c, uint32_t device)
{
    for (uint32_t i = 0; i < c->rare_count; i++)
        if (c->rare[i] == device)
            return true;
    return false;
}

/* A free slot names a device that no pattern does, with the row that the device has anyway. */
static uint32_t free_slot(const struct pci_compiler *c, const uint32_t *header,
                          const struct displaced *displaced, uint32_t slot)
{
    uint32_t shift = 32 - displaced->slot_bits, again = inverse(header[PCI_MULTIPLIER]);

    for (uint32_t tag = 0;; tag++) {
        uint32_t bucket = tag & ((1u << displaced->bucket_bits) - 1);
        uint32_t h = (slot ^ displaced->displacements[bucket]) << shift | tag;
        uint32_t key = (h ^ h >> 16) * again;
        if (!is_rare(c, key & 0xFFFF))
            return vendor_row(header, key >> 16) << shift | tag;
    }
}

static void put_devices(struct pci_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    struct keys_to_place keys = {&c->keys, 8, hash_device, bits_of(c->key_rows)};
    struct displaced displaced;
    uint32_t shift;
    uint8_t *slots;

    if (!place(c, &keys, &displaced, &header[PCI_MULTIPLIER]))
        return;
    header[PCI_SLOT_BITS] = displaced.slot_bits;
    header[PCI_BUCKET_BITS] = displaced.bucket_bits;
    header[PCI_AT_DISPLACEMENTS] = put_displacements(out, &displaced);
    header[PCI_AT_SLOTS] = put_aligned(out, NULL, 0);
    shift = 32 - displaced.slot_bits;
    slots = bytes_extend(out, (size_t)4 << displaced.slot_bits);
    for (uint32_t slot = 0; slots != NULL && slot < 1u << displaced.slot_bits; slot++) {
        uint32_t key = displaced.key_of_slot[slot], word;
        if (key == 0) {
            word = free_slot(c, header, &displaced, slot);
        } else {
            const uint8_t *pair = c->keys.data + ((size_t)key - 1) * 8;
            word = load_u32(pair + 4) << shift |
                   (pci_hash(load_u32(pair), header[PCI_MULTIPLIER]) & ((1u << shift) - 1));
        }
        store_u32(slots + (size_t)slot * 4, word);
    }
    displace_free(&displaced);
}

static void put_entries(struct pci_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    struct keys_to_place keys = {&c->entries, 12, hash_entry, 0};
    struct displaced displaced;
    uint8_t *entries;

    if (!place(c, &keys, &displaced, &header[PCI_SUB_MULTIPLIER]))
        return;
    header[PCI_SUB_SLOT_BITS] = displaced.slot_bits;
    header[PCI_SUB_BUCKET_BITS] = displaced.bucket_bits;
    header[PCI_AT_SUB_DISPLACEMENTS] = put_displacements(out, &displaced);
    header[PCI_AT_SUB_ENTRIES] = put_aligned(out, NULL, 0);
    entries = bytes_extend(out, (size_t)8 << displaced.slot_bits);
    for (uint32_t slot = 0; entries != NULL && slot < 1u << displaced.slot_bits; slot++) {
        uint32_t key = displaced.key_of_slot[slot];
        uint64_t word = 0xFFFFull << 32;
        if (key != 0) {
            const uint8_t *entry = c->entries.data + ((size_t)key - 1) * 12;
            word =
                load_u32(entry) | (uint64_t)load_u32(entry + 4) << 32 | (uint64_t)load_u32(entry + 8) << 48;
        }
        store_u64(entries + (size_t)slot * 8, word);
    }
    displace_free(&displaced);
}

/* Seeks a multiplier under which no two vendors meet. Free ones stay zero: vendor 0 has row 0, too,
 * where it is not among them. */
static void place_vendors(struct pci_compiler *c, uint32_t *header)
{
    uint32_t multiplier = 0x9E3779B1u, placed = 0;

    for (unsigned seed = 0; seed < 1u << 16; seed++, multiplier = multiplier * 0x915F77F5u + 0x2C1B3C6Eu) {
        uint32_t *rows = header + PCI_VENDOR_ROWS;
        uint32_t used = 0;
        memset(rows, 0, PCI_VENDORS * sizeof *rows);
        for (placed = 0; placed < c->vendor_count; placed++) {
            uint32_t place = (c->vendors[placed] >> 16) * multiplier >> 27;
            if (used >> place & 1)
                break;
            used |= 1u << place;
            rows[place] = c->vendors[placed];
        }
        header[PCI_VENDOR_MULTIPLIER] = multiplier;
        if (placed == c->vendor_count)
            return;
    }
    give_up(c, PCI_UNFIT);
}

void write_pci_parts(struct pci_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    header[PCI_PRESENT] = 1;
    header[PCI_ROWS] = c->rows.count;
    header[PCI_CLASSES] = c->rules.classes.count;
    header[PCI_NODES] = (uint32_t)(c->nodes.size / sizeof(struct node));
    for (unsigned i = 0; i < PCI_RARE_DEVICES; i++)
        header[PCI_RARE + i] = i < c->rare_count ? c->rare[i] : NEVER;
    place_vendors(c, header);
    put_devices(c, out, header);
    put_entries(c, out, header);
    header[PCI_AT_CELLS] = put_aligned(out, c->cells.data, c->cells.size);
    header[PCI_AT_NODES] = put_aligned(out, c->nodes.data, c->nodes.size);
    header[PCI_AT_CLASS_TABLES] = put_aligned(out, c->rules.classes.tables, sizeof c->rules.classes.tables);
    put_aligned(out, "\0\0", 2); /* room behind the last part (check_pci.c) */
    if (c->cells.failed || c->nodes.failed || out->failed)
        give_up(c, PCI_NO_MEMORY);
}
