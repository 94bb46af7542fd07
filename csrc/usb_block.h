/*
 * What the variants share: from the fields of a block of usb rows to its answers.
 */
#ifndef PYALIAS_USB_BLOCK_H
#define PYALIAS_USB_BLOCK_H

#include "pci_block.h"

/* More rows than these refused for want of an answer, and a variant stops so that they be answered. */
enum { MOST_UNANSWERED = 4 };

struct usb_block {
    uint32_t words[4][PCI_BLOCK];                                /* packed words (bus.h), word by word */
    uint8_t interface_class[PCI_BLOCK], device_class[PCI_BLOCK]; /* rows */
    uint64_t refused;
};

/* A look into a table for each row of a block: from places to what is there. */
typedef void look_block(const uint8_t *table, uint32_t *looks);

/* The rows of a block whose number has its highest bit. */
typedef uint64_t mark_block(const uint32_t *numbers);

struct looks_of_block {
    look_block *u16, *u32;
    mark_block *marked;
};

INLINE uint64_t marked_rows(const uint32_t *numbers)
{
    uint64_t marked = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i++)
        marked |= (uint64_t)(numbers[i] >> 31) << i;
    return marked;
}

INLINE void look_u16(const uint8_t *table, uint32_t *looks)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t found = load_u16(table + (size_t)looks[i] * 2);
        PLAIN(found);
        looks[i] = found;
    }
}

INLINE void look_u32(const uint8_t *table, uint32_t *looks)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t found = load_u32(table + (size_t)looks[i] * 4);
        PLAIN(found);
        looks[i] = found;
    }
}

INLINE void find_product_rows(const struct usb_table *table, struct looks_of_block look, const uint32_t *keys,
                              uint32_t *rows)
{
    uint32_t hashes[PCI_BLOCK], shift = 32 - table->slot_bits;

    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        hashes[i] = pci_hash(keys[i], table->multiplier);
        rows[i] = hashes[i] & table->bucket_mask;
    }
    look.u16(table->displacements, rows);
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        rows[i] ^= hashes[i] >> shift;
    look.u32(table->slots, rows);
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        rows[i] = rows[i] >> shift & -(uint32_t)(((rows[i] ^ hashes[i]) & table->tag_mask) == 0);
}

INLINE void find_usb_vendor_rows(const struct usb_table *table, struct looks_of_block look,
                                 const uint32_t *keys, uint32_t *rows)
{
    uint32_t shift = 32 - table->vendor_bits;

    for (unsigned i = 0; i < PCI_BLOCK; i++)
        rows[i] = (keys[i] >> 16) * table->vendor_multiplier >> shift;
    look.u32(table->vendors, rows);
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        rows[i] = rows[i] & 0xFFFF & -(uint32_t)(rows[i] >> 16 == keys[i] >> 16);
}

/* The rows of a block whose cell is a node. */
INLINE uint64_t rows_with_nodes(const struct usb_table *table, struct looks_of_block look,
                                const uint32_t *rows)
{
    uint32_t cells[PCI_BLOCK];

    memcpy(cells, rows, sizeof cells);
    look.u16(table->cells, cells);
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        cells[i] <<= 16; /* USB_NODE is the highest bit */
    return look.marked(cells);
}

/* The rows of a block for which there is another row than the empty one. */
INLINE uint64_t rows_with_some(struct looks_of_block look, const uint32_t *rows)
{
    uint32_t some[PCI_BLOCK];

    for (unsigned i = 0; i < PCI_BLOCK; i++)
        some[i] = -rows[i]; /* a row has sixteen bits */
    return look.marked(some);
}

INLINE void follow_nodes(const struct usb_table *table, struct usb_block *block, uint64_t nodes,
                         uint32_t *rows)
{
    for (; nodes != 0; nodes &= nodes - 1) {
        unsigned i = (unsigned)__builtin_ctzll(nodes);
        uint32_t words[FIELD_WORDS] = {block->words[0][i], block->words[1][i], block->words[2][i],
                                       block->words[3][i]};
        if (!usb_follow(table, usb_rest(words), &rows[i]))
            block->refused |= 1ull << i;
    }
}

/* The rows in which several rows of the table meet: what was answered before, or refused. */
INLINE void recall_several(const struct usb_memory *memory, struct usb_block *block, uint64_t several,
                           const uint32_t *products, const uint32_t *vendors, uint32_t *ids)
{
    for (several &= ~block->refused; several != 0; several &= several - 1) {
        unsigned i = (unsigned)__builtin_ctzll(several);
        struct usb_rows rows = {(uint16_t)products[i], (uint16_t)vendors[i], block->interface_class[i],
                                block->device_class[i]};
        if (!usb_recall(memory, usb_rows_key(&rows), &ids[i]))
            block->refused |= 1ull << i;
    }
}

/* From fields to answers. */
INLINE void answer_usb_block(const struct usb_table *table, const struct usb_memory *memory,
                             struct looks_of_block look, struct usb_block *block, uint32_t *ids)
{
    uint32_t products[PCI_BLOCK], vendors[PCI_BLOCK], several[PCI_BLOCK];

    find_product_rows(table, look, block->words[0], products);
    follow_nodes(table, block, rows_with_nodes(table, look, products), products);
    find_usb_vendor_rows(table, look, block->words[0], vendors);
    /* Nearly all rows of vendors are nodes, so that it is not worth a look which. */
    follow_nodes(table, block, rows_with_some(look, vendors), vendors);
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t interface = block->interface_class[i], device = block->device_class[i];
        uint32_t met = (products[i] != 0) + (vendors[i] != 0) + (interface != 0) + (device != 0);
        ids[i] = (products[i] | vendors[i] | interface | device) & -(uint32_t)(met < 2);
        several[i] = 1 - met; /* its highest bit is set from two on */
    }
    look.u16(table->cells, ids);
    recall_several(memory, block, look.marked(several), products, vendors, ids);
}

INLINE void find_class_rows(const struct usb_table *table, struct usb_block *block)
{
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t device = (block->words[1][i] & 0xFFFF) << 8 | block->words[2][i] >> 24;
        block->interface_class[i] =
            (uint8_t)class_id_of(table->interface_tables, block->words[2][i] & 0xFFFFFF);
        block->device_class[i] = (uint8_t)class_id_of(table->device_tables, device);
    }
}

static const struct looks_of_block plain_looks = {look_u16, look_u32, marked_rows};

/* As read_pci_block; class rows too. */
typedef bool read_usb_block(const struct usb_table *table, const struct text_rows *rows, size_t index,
                            bool listed, struct usb_block *block);

INLINE size_t usb_to_ids(const struct usb_table *table, const struct usb_memory *memory,
                         const struct text_rows *rows, size_t blocks, uint32_t *ids, uint64_t *refused,
                         bool listed, read_usb_block *read_rows, struct looks_of_block look)
{
    struct usb_block block;

    for (size_t b = 0; b < blocks; b++) {
        bool bad = read_rows(table, rows, b * PCI_BLOCK, listed, &block);
        block.refused = bad ? rows_without_form(rows, b * PCI_BLOCK, listed) : 0;
        answer_usb_block(table, memory, look, &block, ids + b * PCI_BLOCK);
        refused[b] = block.refused;
        if (bad || __builtin_popcountll(block.refused) > MOST_UNANSWERED)
            return b + 1;
    }
    return blocks;
}

#endif
