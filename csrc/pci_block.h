/*
 * What the variants but AVX-512 share: the second half, from the ids of a block to its answers, in
 * loops that a compiler turns into the vectors of whichever variant they are inlined in.
 */
#ifndef PYALIAS_PCI_BLOCK_H
#define PYALIAS_PCI_BLOCK_H

#include "pci_engine.h"

#define INLINE static inline __attribute__((always_inline))

struct pci_block {
    uint32_t key[PCI_BLOCK], class_code[PCI_BLOCK];
    uint64_t refused;
};

/* Blocks whose nodes are followed together. One row in twenty leads to some, which cannot be foretold: a
 * loop over those of each block would end with a wrong guess each time, that waits for all their looks. */
enum { GROUP = 16, GROUP_ROWS = GROUP * PCI_BLOCK };

struct pci_group {
    uint32_t sub[GROUP_ROWS], nodes[GROUP_ROWS + 16]; /* rows; variants write sixteen at once */
    uint8_t classes[GROUP_ROWS];
    unsigned node_count;
};

/* Keeps a table look what it is. Hardware gathers lose to plain loads on every CPU measured. */
#define PLAIN(number) __asm__("" : "+r"(number))

/* Devices without a slot of their own: the rows of their vendors. And the rare ones are refused. */
INLINE void find_vendor_rows(const struct pci_table *table, struct pci_block *block, const uint32_t *unknown,
                             uint32_t *rows)
{
    uint32_t looks[PCI_BLOCK], rare[PCI_BLOCK], any = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i++)
        looks[i] = (block->key[i] >> 16) * table->vendor_multiplier >> 27;
#pragma GCC unroll 8
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t entry = table->vendor_rows[looks[i]];
        PLAIN(entry);
        looks[i] = entry;
    }
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t device = block->key[i] & 0xFFFF;
        uint32_t known = -(uint32_t)(looks[i] >> 16 == block->key[i] >> 16) & 0xFFFF;
        rows[i] = (rows[i] & ~unknown[i]) | (looks[i] & known & unknown[i]);
        rare[i] = unknown[i] & -(uint32_t)((table->rare[0] == device) | (table->rare[1] == device) |
                                           (table->rare[2] == device) | (table->rare[3] == device));
        any |= rare[i];
    }
    for (unsigned i = 0; any && i < PCI_BLOCK; i++)
        block->refused |= (uint64_t)(rare[i] & 1) << i;
}

INLINE void find_rows(const struct pci_table *table, struct pci_block *block, uint32_t *rows)
{
    uint32_t hashes[PCI_BLOCK], looks[PCI_BLOCK], different = 0, shift = 32 - table->slot_bits;
    uint32_t unknown[PCI_BLOCK];

    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        hashes[i] = pci_hash(block->key[i], table->multiplier);
        looks[i] = hashes[i] & table->bucket_mask;
    }
#pragma GCC unroll 8
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t displacement = load_u16(table->displacements + (size_t)looks[i] * 2);
        PLAIN(displacement);
        looks[i] = displacement;
    }
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        looks[i] ^= hashes[i] >> shift;
#pragma GCC unroll 8
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t slot = load_u32(table->slots + (size_t)looks[i] * 4);
        PLAIN(slot);
        looks[i] = slot;
    }
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t differs = (looks[i] ^ hashes[i]) & table->tag_mask;
        rows[i] = looks[i] >> shift;
        unknown[i] = -(uint32_t)(differs != 0);
        different |= differs;
    }
    if (different)
        find_vendor_rows(table, block, unknown, rows);
}

/* class_id_of, of a class that lies in memory: its bytes need no taking apart. */
INLINE uint32_t class_of_bytes(const uint8_t *t, const uint8_t *class_code)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    enum { BASE = 1, SUB = 2, INTERFACE = 3 };
#else
    enum { BASE = 2, SUB = 1, INTERFACE = 0 };
#endif
    uint8_t pair = (uint8_t)(t[CLASS_BASE + class_code[BASE]] + t[CLASS_SUB + class_code[SUB]]);
    uint8_t interface = t[CLASS_INTERFACE + class_code[INTERFACE]] & t[CLASS_MASK + pair];

    return t[CLASS_IDS + (uint8_t)(t[CLASS_START + pair] + interface)];
}

/* The rows of a block whose cells are nodes; NULL where a CPU has no quick way to tell. */
typedef uint64_t mark_nodes(const uint32_t *cells);

/* From ids to cells; *block's refused rows get more where the table does not know. `first` is the place of
 * the block's first row in the group. */
INLINE void find_cells(const struct pci_table *table, struct pci_block *block, struct pci_group *group,
                       unsigned first, uint32_t *ids, mark_nodes *mark)
{
    uint8_t *classes = group->classes + first;
    uint32_t looks[PCI_BLOCK];
    uint64_t nodes = 0;

    find_rows(table, block, looks);
#pragma GCC unroll 4
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        classes[i] = (uint8_t)class_of_bytes(table->class_tables, (const uint8_t *)&block->class_code[i]);
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        looks[i] = looks[i] * table->classes + classes[i];
#pragma GCC unroll 8
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t cell = load_u16(table->cells + (size_t)looks[i] * 2);
        PLAIN(cell);
        ids[i] = cell;
        nodes |= mark == NULL ? (uint64_t)(cell >> 15) << i : 0;
    }
    for (nodes = mark == NULL ? nodes : mark(ids); nodes != 0; nodes &= nodes - 1)
        group->nodes[group->node_count++] = first + (unsigned)__builtin_ctzll(nodes);
}

/* From cells that are nodes to answers: one step of all rows, then the next of those that need it. Looks
 * come first: where the list is written depends on what they find, and no look may wait for that. */
INLINE void follow_pci_nodes(const struct pci_table *table, struct pci_group *group, uint32_t *ids,
                             uint64_t *refused)
{
    const struct pci_nodes nodes = pci_nodes_of(table);
    unsigned count = group->node_count;
    uint32_t cells[GROUP_ROWS];

    for (unsigned step = 0; step < PCI_STEPS && count > 0; step++) {
        unsigned left = 0;
        for (unsigned n = 0; n < count; n++) {
            uint32_t row = group->nodes[n], cell = ids[row];
            cells[n] = cell == PCI_ASK
                           ? cell
                           : pci_next_cell(&nodes, cell & ~PCI_NODE, group->sub[row], group->classes[row]);
        }
        for (unsigned n = 0; n < count; n++) {
            uint32_t row = group->nodes[n];
            ids[row] = cells[n];
            group->nodes[left] = row;
            left += cells[n] >> 15;
        }
        count = left;
    }
    for (unsigned n = 0; n < count; n++)
        refused[group->nodes[n] / PCI_BLOCK] |= 1ull << group->nodes[n] % PCI_BLOCK;
}

INLINE const uint8_t *row_of(const struct text_rows *rows, size_t index, bool listed)
{
    return listed ? rows->at[index] : rows->first + index * rows->stride;
}

/* Fetches what the loop will come to, into the second cache: a column in memory is read at the speed
 * of its bus only if somebody asks early enough, and hardware does not ask beyond a page. Measured on
 * Zen 4: 16 KiB ahead takes a fifth off; into the first cache, or 1 to 3 KiB ahead, gives less. Past
 * the end it is harmless. */
INLINE void fetch_ahead(const void *p)
{
    __builtin_prefetch((const void *)((uintptr_t)p + 16384), 0, 2);
}

/* Fetches a line of each page that the loop will come to. Where a page lies is found out by a walk
 * through tables, which takes as long as a look into memory or, in a virtual machine, several; a CPU
 * makes a few at once, but the lines of a row ask for one at a time. Measured on Zen 4: 0.9 ns a row,
 * a sixth of the whole. */
INLINE void fetch_pages(const void *p, size_t size)
{
    for (size_t at = 0; at < size; at += 4096)
        __builtin_prefetch((const void *)((uintptr_t)p + 32768 + at), 0, 2);
}

INLINE void read_numbers(const struct pci_numbers *numbers, size_t at, struct pci_block *block, uint32_t *sub)
{
    uint8_t high[PCI_BLOCK];
    uint32_t any = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t v = numbers->vendor[at + i], d = numbers->device[at + i];
        uint32_t sv = numbers->subvendor[at + i], sd = numbers->subdevice[at + i];
        uint32_t class_code = numbers->class_code[at + i];
        uint32_t beyond = (v | d | sv | sd) >> 16 | class_code >> 24;
        block->key[i] = v << 16 | (d & 0xFFFF);
        sub[i] = sv << 16 | (sd & 0xFFFF);
        block->class_code[i] = class_code;
        high[i] = beyond != 0;
        any |= beyond;
    }
    block->refused = 0;
    for (unsigned i = 0; any && i < PCI_BLOCK; i++)
        block->refused |= (uint64_t)high[i] << i;
}

INLINE size_t numbers_to_ids(const struct pci_table *table, const struct pci_numbers *numbers, size_t blocks,
                             uint32_t *ids, uint64_t *refused, mark_nodes *mark)
{
    struct pci_block block;
    struct pci_group group;

    for (size_t b = 0; b < blocks;) {
        size_t start = b, end = blocks - b < GROUP ? blocks : b + GROUP;
        group.node_count = 0;
        for (; b < end; b++) {
            unsigned first = (unsigned)(b - start) * PCI_BLOCK;
            read_numbers(numbers, b * PCI_BLOCK, &block, group.sub + first);
            find_cells(table, &block, &group, first, ids + b * PCI_BLOCK, mark);
            refused[b] = block.refused;
        }
        follow_pci_nodes(table, &group, ids + start * PCI_BLOCK, refused + start);
    }
    return blocks;
}

/* Whether a row has the form: how refused rows are told from their neighbours. A loop over all bytes
 * that may be read, so that a compiler makes a few vectors of it: one odd row is to cost little more than
 * itself, and this is asked of all rows of its block. */
INLINE bool has_form(const struct row_form *form, const uint8_t *row)
{
    uint8_t bad = 0;

    for (unsigned i = 0; i < PCI_READ; i++) {
        uint8_t c = row[i], figure = (uint8_t)(c - '0') < 10, letter = (uint8_t)(c - 'A') < 6;
        bad |= (uint8_t)(((c ^ form->text[i]) & form->mask[i]) |
                         ((uint8_t)(figure + letter - 1) & form->digits[i]));
    }
    return bad == 0;
}

INLINE uint64_t rows_without_form(const struct text_rows *rows, size_t index, bool listed)
{
    uint64_t bad = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i++)
        bad |= (uint64_t)!has_form(rows->form, row_of(rows, index + i, listed)) << i;
    return bad;
}

/* Reads a block; true if some row of it has not the form: then what was read of it is any number. */
typedef bool read_pci_block(const struct text_rows *rows, size_t index, bool listed, struct pci_block *block,
                            uint32_t *sub);

INLINE size_t text_to_ids(const struct pci_table *table, const struct text_rows *rows, size_t blocks,
                          uint32_t *ids, uint64_t *refused, bool listed, read_pci_block *read_rows,
                          mark_nodes *mark)
{
    struct pci_block block;
    struct pci_group group;

    for (size_t b = 0; b < blocks;) {
        size_t start = b, end = blocks - b < GROUP ? blocks : b + GROUP;
        group.node_count = 0;
        if (!listed)
            fetch_pages(row_of(rows, b * PCI_BLOCK, listed), (end - b) * PCI_BLOCK * rows->stride);
        for (; b < end; b++) {
            unsigned first = (unsigned)(b - start) * PCI_BLOCK;
            bool bad = read_rows(rows, b * PCI_BLOCK, listed, &block, group.sub + first);
            block.refused = bad ? rows_without_form(rows, b * PCI_BLOCK, listed) : 0;
            find_cells(table, &block, &group, first, ids + b * PCI_BLOCK, mark);
            refused[b] = block.refused;
            if (bad)
                blocks = end = b + 1;
        }
        follow_pci_nodes(table, &group, ids + start * PCI_BLOCK, refused + start);
    }
    return blocks;
}

#endif
