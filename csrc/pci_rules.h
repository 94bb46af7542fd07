/*
 * What a PCI_TABLE is compiled from: one rule for each line of each row of fields.
 */
#ifndef PYALIAS_PCI_RULES_H
#define PYALIAS_PCI_RULES_H

#include "compile_pci.h"

enum { MOST_CLASS_TESTS = 64, NO_CLASS_TEST = 0xFF, MOST_DEFAULTS = 64, MOST_RULES = 1 << 20 };

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
    uint32_t class_mask[MOST_CLASS_TESTS], class_words[MOST_CLASS_TESTS];
    uint32_t class_test_count;
    /* the rules that name no id, and for each class id those that it meets */
    const struct pci_rule *defaults[MOST_DEFAULTS];
    uint32_t default_count;
    /* the class tables, and for each class id the tests that it passes */
    uint8_t class_tables[CLASS_TABLES_SIZE];
    uint64_t tests_of_class[256], defaults_of_class[256];
    uint32_t class_count;
};

enum pci_result pci_rules_gather(const struct pci_input *input, struct pci_rules *rules);
void pci_rules_free(struct pci_rules *rules);

#endif
