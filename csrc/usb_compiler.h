/*
 * The USB_TABLE in the making: compile_usb.c makes rows, nodes and cells of rules, usb_write.c writes them.
 */
#ifndef PYALIAS_USB_COMPILER_H
#define PYALIAS_USB_COMPILER_H

#include "class_tables.h"
#include "compile_pci.h"

/* What the format's numbers have room for, and where time and memory would run away. */
enum { MOST_ROWS = 0xFFFF, MOST_NODES = 0x7FFE, MOST_ANSWERS = 0x7FFF, MOST_DEFAULT_ROWS = 256 };
enum { MOST_ITEMS = 1024, MOST_WORK = 1 << 21, MOST_USB_RULES = 1 << 20 };
enum { LEAST_VENDOR_BITS = 5, MOST_VENDOR_BITS = 12, VENDOR_SEEDS = 256 };

/* A rule as part of a row. Lines of one module that follow each other are a segment: which of them a
 * rule is makes no difference to an answer, so rows of equal items are one. */
struct item {
    uint32_t segment, unfit; /* unfit: it asks for what nodes do not know */
    uint64_t mask, rest;
};

/* The rules that ask for the same vendor and product, or the same class, as a list. */
struct group {
    uint32_t names, key;
    uint32_t first;
};

struct rule {
    struct item item;
    uint32_t next;
};

enum { NAMES_VENDOR, NAMES_BOTH, NAMES_INTERFACE, NAMES_DEVICE };

struct usb_compiler {
    const struct bus_input *input;
    struct interner *answers;
    uint32_t *segments; /* of each line */
    struct rule *rules;
    uint32_t rule_count;
    struct interner group_ids, rows;
    struct group *groups;
    struct class_tests tests[2]; /* of interfaces and of devices */
    struct class_ids classes[2];
    struct bytes_vector cells;   /* u16 */
    struct bytes_vector nodes;   /* mask u64, row u32 */
    struct bytes_vector entries; /* rest u64, node u32, row u32 */
    struct bytes_vector keys;    /* key u32, row u32 */
    struct bytes_vector vendors; /* vendor << 16 | row */
    struct item items[MOST_ITEMS], kept[MOST_ITEMS];
    uint32_t class_rows, key_rows; /* rows of classes come first, then those of vendors and products */
    uint32_t work;
    enum pci_result result; /* the first thing that went wrong */
};

/* The first thing that goes wrong is what the result is. */
static inline void give_up(struct usb_compiler *c, enum pci_result result)
{
    if (c->result == PCI_WRITTEN)
        c->result = result;
}

/* usb_write.c: appends all parts; what the table's words are. */
void write_usb_parts(struct usb_compiler *c, struct bytes_vector *out, uint32_t *header);

#endif
