/*
 * A PCI_TABLE of an opened image (format.h), ready to be asked. What its numbers lead to was checked
 * at open: no look leaves the image, whatever the ids are.
 */
#ifndef PYALIAS_PCI_TABLE_H
#define PYALIAS_PCI_TABLE_H

#include <stdbool.h>

#include "bytes.h"
#include "format.h"

struct pci_table {
    bool present;
    uint32_t multiplier, slot_bits, bucket_mask, tag_mask;
    uint32_t rows, classes, nodes;
    uint32_t sub_multiplier, sub_slot_bits, sub_bucket_mask;
    uint32_t vendor_multiplier;
    uint32_t rare[PCI_RARE_DEVICES];
    uint32_t vendor_rows[PCI_VENDORS];
    const uint8_t *displacements, *slots, *cells, *nodes_at, *sub_displacements, *sub_entries;
    const uint8_t *class_tables;
};

static inline uint32_t pci_hash(uint32_t key, uint32_t multiplier)
{
    uint32_t h = key * multiplier;

    return h ^ h >> 16;
}

static inline uint32_t pci_sub_hash(uint32_t sub, uint32_t node, uint32_t multiplier)
{
    uint32_t h = (sub + node * multiplier) * PCI_NODE_FACTOR;

    return h ^ h >> 16;
}

/* The row of a device without a slot of its own. */
static inline uint32_t pci_vendor_row(const struct pci_table *table, uint32_t vendor)
{
    uint32_t entry = table->vendor_rows[vendor * table->vendor_multiplier >> 27];

    return entry >> 16 == vendor ? entry & 0xFFFF : 0;
}

static inline uint32_t pci_cell(const struct pci_table *table, uint32_t row, uint32_t class_id)
{
    return load_u16(table->cells + ((size_t)row * table->classes + class_id) * 2);
}

/* The id of a class of three bytes, by class tables. */
static inline uint32_t class_id_of(const uint8_t *t, uint32_t class_code)
{
    uint8_t pair =
        (uint8_t)(t[CLASS_BASE + (class_code >> 16 & 0xFF)] + t[CLASS_SUB + (class_code >> 8 & 0xFF)]);
    uint8_t interface = t[CLASS_INTERFACE + (class_code & 0xFF)] & t[CLASS_MASK + pair];

    return t[CLASS_IDS + (uint8_t)(t[CLASS_START + pair] + interface)];
}

/* What following nodes takes of a table: in variables of a loop that stores, registers keep it. */
struct pci_nodes {
    const uint8_t *nodes, *displacements, *entries, *cells;
    uint32_t multiplier, bucket_mask, shift, classes;
};

static inline struct pci_nodes pci_nodes_of(const struct pci_table *table)
{
    return (struct pci_nodes){
        table->nodes_at,       table->sub_displacements, table->sub_entries,        table->cells,
        table->sub_multiplier, table->sub_bucket_mask,   32 - table->sub_slot_bits, table->classes};
}

/* Where a node leads: the next cell. Without branches: whether a node has a row for the sub-ids cannot be
 * foretold. */
static inline uint32_t pci_next_cell(const struct pci_nodes *t, uint32_t number, uint32_t sub,
                                     uint32_t class_id)
{
    const uint8_t *node = t->nodes + (size_t)number * 8;
    uint32_t known = sub & load_u32(node), h = pci_sub_hash(known, number, t->multiplier);
    uint32_t displacement = load_u16(t->displacements + (size_t)(h & t->bucket_mask) * 2);
    uint64_t entry = load_u64(t->entries + (size_t)(h >> t->shift ^ displacement) * 8);
    uint32_t other = -(uint32_t)((entry ^ ((uint64_t)number << 32 | known)) << 16 != 0);
    uint32_t row = ((uint32_t)(entry >> 48) & ~other) | (load_u32(node + 4) & other);

    return load_u16(t->cells + ((size_t)row * t->classes + class_id) * 2);
}

/* Follows nodes; PCI_ASK where there are more than the format allows. */
static inline uint32_t pci_settle(const struct pci_table *table, uint32_t cell, uint32_t sub,
                                  uint32_t class_id)
{
    struct pci_nodes nodes = pci_nodes_of(table);

    for (unsigned step = 0; cell & PCI_NODE && cell != PCI_ASK; step++)
        cell = step < PCI_STEPS ? pci_next_cell(&nodes, cell & ~PCI_NODE, sub, class_id) : PCI_ASK;
    return cell;
}

/* The answer of one device by its packed words (bus.h); false: ask the generic matcher. */
static inline bool pci_answer(const struct pci_table *table, const uint32_t words[FIELD_WORDS],
                              uint32_t *answer)
{
    uint32_t key = words[0] << 16 | words[1], sub = words[2] << 16 | words[3], h, slot, row, class_id;

    if (!table->present || (words[0] | words[1] | words[2] | words[3]) > 0xFFFF)
        return false;
    h = pci_hash(key, table->multiplier);
    slot =
        h >> (32 - table->slot_bits) ^ load_u16(table->displacements + (size_t)(h & table->bucket_mask) * 2);
    slot = load_u32(table->slots + (size_t)slot * 4);
    row = slot >> (32 - table->slot_bits);
    if ((slot ^ h) & table->tag_mask) {
        for (unsigned i = 0; i < PCI_RARE_DEVICES; i++)
            if (table->rare[i] == words[1])
                return false;
        row = pci_vendor_row(table, words[0]);
    }
    class_id = class_id_of(table->class_tables, words[4]);
    *answer = pci_settle(table, pci_cell(table, row, class_id), sub, class_id);
    return *answer != PCI_ASK;
}

#endif
