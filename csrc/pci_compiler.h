/*
 * A PCI_TABLE in the making: compile_pci.c makes rows, nodes and cells of rules, pci_write.c writes them.
 */
#ifndef PYALIAS_PCI_COMPILER_H
#define PYALIAS_PCI_COMPILER_H

#include "pci_rules.h"

/* What the format's numbers have room for, and where time and memory would run away. Of the answers that
 * cells have room for some are left to usb. */
enum { MOST_ROWS = 0xFFFF, MOST_NODES = 0x7FFE, MOST_ANSWERS = 0x6FFF };
enum { MOST_CELLS = 1 << 21, MOST_ITEMS = 1024, MOST_WORK = 1 << 23 };

/* A rule as part of a row. What a row answers depends on nothing but its items: equal rows are one. */
struct item {
    uint32_t position, module;
    uint32_t kind; /* class_test | sub_names << 8 | source << 16 */
    uint32_t sub;
};

/* The rules that name the same ids, as a list by line. */
struct group {
    uint32_t names, key;
    uint32_t first, last; /* rules */
};

struct node {
    uint32_t mask, row;
};

struct pci_compiler {
    struct pci_rules rules;
    struct interner *answers;
    struct interner group_ids, rows;
    struct group *groups;
    uint32_t *next;              /* of each rule: the next of its group, or NEVER */
    struct bytes_vector cells;   /* u16 */
    struct bytes_vector nodes;   /* mask u32, row u32 */
    struct bytes_vector entries; /* sub u32, node u32, row u32 */
    struct bytes_vector keys;    /* key u32, row u32: devices with a row of their own */
    struct item items[MOST_ITEMS], kept[MOST_ITEMS];
    uint32_t vendors[PCI_VENDORS], vendor_count; /* vendor << 16 | row */
    uint32_t rare[PCI_RARE_DEVICES], rare_count;
    const struct group *vendor_groups[PCI_VENDORS], *rare_groups[PCI_RARE_DEVICES];
    uint32_t key_rows; /* rows that keys and vendors have: the first of all */
    uint32_t work;
    enum pci_result result; /* the first thing that went wrong */
};

/* The first thing that goes wrong is what the result is. */
static inline void give_up(struct pci_compiler *c, enum pci_result result)
{
    if (c->result == PCI_WRITTEN)
        c->result = result;
}

/* pci_write.c: appends all parts; what the table's words are. */
void write_pci_parts(struct pci_compiler *c, struct bytes_vector *out, uint32_t *header);

#endif
