#include "pci_rules.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/* ---- rules ------------------------------------------------------------------------------------ */

/* Two ids that are each named whole or not at all: which, and packed. False: neither. */
static bool pack_ids(const uint32_t mask[2], const uint32_t words[2], uint8_t *names, uint32_t *packed)
{
    if ((mask[0] != 0 && mask[0] != UINT32_MAX) || (mask[1] != 0 && mask[1] != UINT32_MAX))
        return false;
    *names = (uint8_t)((mask[0] ? 1 : 0) | (mask[1] ? 2 : 0));
    *packed = words[0] << 16 | words[1];
    return true;
}

static bool whole_bytes(uint32_t mask)
{
    for (unsigned shift = 0; shift < 24; shift += 8)
        if ((mask >> shift & 0xFF) != 0 && (mask >> shift & 0xFF) != 0xFF)
            return false;
    return true;
}

/* Rules of a source's row: one for each line of its value. Ids above 16 bits belong to keys that are none
 * of this table's. */
static bool add_rules(const struct bus_input *input, struct pci_rules *rules, uint32_t source,
                      const struct field_row *row)
{
    struct pci_rule made = {.source = source};

    if (!pack_ids(row->mask, row->words, &made.names, &made.key) ||
        !pack_ids(row->mask + 2, row->words + 2, &made.sub_names, &made.sub) || !whole_bytes(row->mask[4]))
        return false;
    if ((row->words[0] | row->words[1] | row->words[2] | row->words[3]) > 0xFFFF)
        return true;
    if (!class_test_number(&rules->tests, row->mask[4], row->words[4], &made.class_test))
        return false;
    for (uint32_t i = value_lines_from(input->values, row->value);
         i < value_lines_to(input->values, row->value); i++) {
        made.line = value_line(input->values, i);
        made.module = input->lines[made.line]->module;
        rules->rules[rules->count++] = made;
    }
    return true;
}

static uint64_t count_rules(const struct bus_input *input)
{
    uint64_t count = 0;

    for (uint32_t s = 0; s < input->source_count; s++)
        for (size_t i = 0; i < field_row_count(rows_of_source(input, s)); i++) {
            uint32_t value = field_row_at(rows_of_source(input, s), i)->value;
            count += value_lines_to(input->values, value) - value_lines_from(input->values, value);
        }
    return count;
}

/* Counting sort by line. */
static bool sort_rules(struct pci_rules *rules, uint32_t line_count)
{
    uint32_t *start = calloc((size_t)line_count + 1, sizeof *start);
    struct pci_rule *sorted = malloc(((size_t)rules->count + 1) * sizeof *sorted);
    bool done = start != NULL && sorted != NULL;

    if (done) {
        for (uint32_t i = 0; i < rules->count; i++)
            start[rules->rules[i].line + 1]++;
        for (uint32_t line = 1; line < line_count; line++)
            start[line] += start[line - 1];
        for (uint32_t i = 0; i < rules->count; i++)
            sorted[start[rules->rules[i].line]++] = rules->rules[i];
        free(rules->rules);
        rules->rules = sorted;
    } else {
        free(sorted);
    }
    free(start);
    return done;
}

/* Rules that name no id are asked of every device: a row holds them by class alone. */
static bool find_defaults(struct pci_rules *rules)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        struct pci_rule *rule = &rules->rules[i];
        rule->position = rules->default_count;
        if (rule->names != NAMES_NONE)
            continue;
        if (rule->sub_names != SUB_NONE || rules->default_count == MOST_DEFAULTS)
            return false;
        rules->defaults[rules->default_count++] = rule;
    }
    return true;
}

static void ask_defaults(struct pci_rules *rules)
{
    for (uint32_t class = 0; class < rules->classes.count; class++)
        for (uint32_t i = 0; i < rules->default_count; i++) {
            uint8_t test = rules->defaults[i]->class_test;
            bool meets = test == NO_CLASS_TEST || (rules->classes.tests[class] >> test & 1);
            rules->defaults_of_class[class] |= (uint64_t)meets << i;
        }
}

enum pci_result pci_rules_gather(const struct bus_input *input, struct pci_rules *rules)
{
    memset(rules, 0, sizeof *rules);
    for (uint32_t s = 0; s < input->source_count; s++)
        if (rows_of_source(input, s)->to_trie || rows_of_source(input, s)->residue.size > 0)
            return PCI_UNFIT;
    if (count_rules(input) > MOST_RULES)
        return PCI_UNFIT;
    rules->rules = malloc(((size_t)count_rules(input) + 1) * sizeof *rules->rules);
    if (rules->rules == NULL)
        return PCI_NO_MEMORY;
    for (uint32_t s = 0; s < input->source_count; s++)
        for (size_t i = 0; i < field_row_count(rows_of_source(input, s)); i++)
            if (!add_rules(input, rules, s, field_row_at(rows_of_source(input, s), i)))
                return PCI_UNFIT;
    if (!sort_rules(rules, input->line_count))
        return PCI_NO_MEMORY;
    if (!find_defaults(rules) || !make_class_tables(&rules->tests, &rules->classes))
        return PCI_UNFIT;
    ask_defaults(rules);
    return PCI_WRITTEN;
}

void pci_rules_free(struct pci_rules *rules)
{
    free(rules->rules);
}
