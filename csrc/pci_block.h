/*
 * What the variants but AVX-512 share: the second half, from the ids of a block to its answers, in
 * loops that a compiler turns into the vectors of whichever variant they are inlined in.
 */
#ifndef PYALIAS_PCI_BLOCK_H
#define PYALIAS_PCI_BLOCK_H

#include "pci_engine.h"

#define INLINE static inline __attribute__((always_inline))

struct pci_block {
    uint32_t key[PCI_BLOCK], sub[PCI_BLOCK], class_code[PCI_BLOCK];
    uint64_t refused;
};

/* Keeps a table look what it is. Hardware gathers lose to plain loads on every CPU measured. */
#define PLAIN(number) __asm__("" : "+r"(number))

INLINE bool is_rare(const struct pci_table *table, uint32_t device)
{
    bool rare = false;

    for (unsigned i = 0; i < PCI_RARE_DEVICES; i++)
        rare |= table->rare[i] == device;
    return rare;
}

/* Devices without a slot of their own: their rows. */
INLINE void answer_unknown(const struct pci_table *table, struct pci_block *block, const uint8_t *unknown,
                           uint32_t *rows)
{
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        if (!unknown[i])
            continue;
        rows[i] = pci_vendor_row(table, block->key[i] >> 16);
        block->refused |= (uint64_t)is_rare(table, block->key[i] & 0xFFFF) << i;
    }
}

INLINE void find_rows(const struct pci_table *table, struct pci_block *block, uint32_t *rows)
{
    uint32_t hashes[PCI_BLOCK], looks[PCI_BLOCK], different = 0, shift = 32 - table->slot_bits;
    uint8_t unknown[PCI_BLOCK];

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
        unknown[i] = differs != 0;
        different |= differs;
    }
    if (different)
        answer_unknown(table, block, unknown, rows);
}

/* From ids to answers; *block's refused rows get more where the table does not know. */
INLINE void answer_block(const struct pci_table *table, struct pci_block *block, uint32_t *ids)
{
    uint32_t looks[PCI_BLOCK], classes[PCI_BLOCK];
    uint64_t nodes = 0;

    find_rows(table, block, looks);
#pragma GCC unroll 4
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        classes[i] = pci_class_id(table, block->class_code[i]);
    for (unsigned i = 0; i < PCI_BLOCK; i++)
        looks[i] = looks[i] * table->classes + classes[i];
#pragma GCC unroll 8
    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t cell = load_u16(table->cells + (size_t)looks[i] * 2);
        PLAIN(cell);
        ids[i] = cell;
        nodes |= (uint64_t)(cell >> 15) << i;
    }
    for (; nodes != 0; nodes &= nodes - 1) {
        unsigned i = (unsigned)__builtin_ctzll(nodes);
        ids[i] = pci_settle(table, ids[i], block->sub[i], classes[i]);
        block->refused |= (uint64_t)(ids[i] == PCI_ASK) << i;
    }
}

INLINE const uint8_t *row_of(const struct pci_rows *rows, size_t index, bool listed)
{
    return listed ? rows->at[index] : rows->first + index * rows->stride;
}

/* Fetches what the loop will come to: a column in memory is read at the speed of its bus only if
 * somebody asks for it early enough. Past the end it is harmless. */
INLINE void fetch_ahead(const void *p)
{
    __builtin_prefetch((const void *)((uintptr_t)p + 4096));
}

INLINE void read_numbers(const struct pci_numbers *numbers, size_t at, struct pci_block *block)
{
    uint8_t high[PCI_BLOCK];
    uint32_t any = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i++) {
        uint32_t v = numbers->vendor[at + i], d = numbers->device[at + i];
        uint32_t sv = numbers->subvendor[at + i], sd = numbers->subdevice[at + i];
        uint32_t class_code = numbers->class_code[at + i];
        uint32_t beyond = (v | d | sv | sd) >> 16 | class_code >> 24;
        block->key[i] = v << 16 | (d & 0xFFFF);
        block->sub[i] = sv << 16 | (sd & 0xFFFF);
        block->class_code[i] = class_code;
        high[i] = beyond != 0;
        any |= beyond;
    }
    block->refused = 0;
    for (unsigned i = 0; any && i < PCI_BLOCK; i++)
        block->refused |= (uint64_t)high[i] << i;
}

INLINE size_t numbers_to_ids(const struct pci_table *table, const struct pci_numbers *numbers, size_t blocks,
                             uint32_t *ids, uint64_t *refused)
{
    struct pci_block block;

    *refused = 0;
    for (size_t done = 0; done < blocks; done++) {
        read_numbers(numbers, done * PCI_BLOCK, &block);
        answer_block(table, &block, ids + done * PCI_BLOCK);
        if (block.refused) {
            *refused = block.refused;
            return done + 1;
        }
    }
    return blocks;
}

/* Whether a row has the form, byte by byte: how refused rows are told from their neighbours. */
INLINE bool has_form(const struct pci_form *form, const uint8_t *row)
{
    static const uint8_t digits[] = {9,  10, 11, 12, 18, 19, 20, 21, 28, 29, 30,
                                     31, 38, 39, 40, 41, 44, 45, 48, 49, 51, 52};
    uint64_t bad = 0;

    for (unsigned i = 0; i <= PCI_LENGTH; i++)
        bad |= (row[i] ^ form->text[i]) & form->mask[i];
    for (unsigned i = 0; i < sizeof digits; i++) {
        uint8_t digit = row[digits[i]];
        bad |= !((digit >= '0' && digit <= '9') | (digit >= 'A' && digit <= 'F'));
    }
    return !bad;
}

INLINE uint64_t rows_without_form(const struct pci_rows *rows, size_t index, bool listed)
{
    uint64_t bad = 0;

    for (unsigned i = 0; i < PCI_BLOCK; i++)
        bad |= (uint64_t)!has_form(rows->form, row_of(rows, index + i, listed)) << i;
    return bad;
}

/* Reads a block; true if some row of it has not the form: then what was read of it is any number. */
typedef bool read_pci_block(const struct pci_rows *rows, size_t index, bool listed, struct pci_block *block);

INLINE size_t text_to_ids(const struct pci_table *table, const struct pci_rows *rows, size_t blocks,
                          uint32_t *ids, uint64_t *refused, bool listed, read_pci_block *read_block)
{
    struct pci_block block;

    *refused = 0;
    for (size_t done = 0; done < blocks; done++) {
        bool bad = read_block(rows, done * PCI_BLOCK, listed, &block);
        block.refused = bad ? rows_without_form(rows, done * PCI_BLOCK, listed) : 0;
        answer_block(table, &block, ids + done * PCI_BLOCK);
        if (block.refused) {
            *refused = block.refused;
            return done + 1;
        }
    }
    return blocks;
}

#endif
