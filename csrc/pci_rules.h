/*
 * What a PCI_TABLE is compiled from: one rule for each line of each row of fields.
 */
#ifndef PYALIAS_PCI_RULES_H
#define PYALIAS_PCI_RULES_H

#include "class_tables.h"
#include "compile_pci.h"

enum { MOST_DEFAULTS = 64, MOST_RULES = 1 << 20 };

/* Which of the ids a rule names. */
enum { NAMES_NONE, NAMES_VENDOR, NAMES_DEVICE, NAMES_BOTH };
enum { SUB_NONE, SUB_VENDOR, SUB_DEVICE, SUB_BOTH };

struct pci_rule {
    uint32_t line, module, source;
    uint32_t key;      /* vendor << 16 | device, 0 where not named */
    uint32_t sub;      /* likewise */
    uint32_t position; /* how many rules that name no id stand before it */
    uint8_t names, sub_names, class_test;
};

struct pci_rules {
    struct pci_rule *rules; /* by line id */
    uint32_t count;
    struct class_tests tests;
    struct class_ids classes;
    /* the rules that name no id, and for each class id those that it meets */
    const struct pci_rule *defaults[MOST_DEFAULTS];
    uint32_t default_count;
    uint64_t defaults_of_class[256];
};

enum pci_result pci_rules_gather(const struct bus_input *input, struct pci_rules *rules);
void pci_rules_free(struct pci_rules *rules);

#endif
