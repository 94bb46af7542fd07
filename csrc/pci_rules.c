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

static bool number_class_test(struct pci_rules *rules, uint32_t mask, uint32_t words, uint8_t *test)
{
    uint32_t i = 0;

    *test = NO_CLASS_TEST;
    if (mask == 0)
        return true;
    while (i < rules->class_test_count && (rules->class_mask[i] != mask || rules->class_words[i] != words))
        i++;
    if (i == MOST_CLASS_TESTS)
        return false;
    if (i == rules->class_test_count) {
        rules->class_mask[i] = mask;
        rules->class_words[i] = words;
        rules->class_test_count++;
    }
    *test = (uint8_t)i;
    return true;
}

static uint32_t value_lines_from(const struct pci_input *input, uint32_t value)
{
    return value == 0 ? 0 : load_u32(input->value_ends->data + (size_t)(value - 1) * 4);
}

static uint32_t value_lines_to(const struct pci_input *input, uint32_t value)
{
    return load_u32(input->value_ends->data + (size_t)value * 4);
}

/* A rule of a source's table: one for each line of its value. Ids above 16 bits belong to keys that
 * are none of this table's. */
static bool add_rule(const struct pci_input *input, struct pci_rules *rules, uint32_t source, uint32_t id)
{
    const struct field_table *table = &input->tables[source];
    const uint8_t *rule = table->rules.text.data + (size_t)id * (FIELD_WORDS + 1) * 4;
    const uint8_t *signature = table->signatures.text.data + (size_t)load_u32(rule) * FIELD_WORDS * 4;
    uint32_t mask[FIELD_WORDS], words[FIELD_WORDS],
        value = load_u32(table->rule_values.data + (size_t)id * 4);
    struct pci_rule made = {.source = source};

    for (unsigned i = 0; i < FIELD_WORDS; i++) {
        mask[i] = load_u32(signature + (size_t)i * 4);
        words[i] = load_u32(rule + 4 + (size_t)i * 4);
    }
    if (!pack_ids(mask, words, &made.names, &made.key) ||
        !pack_ids(mask + 2, words + 2, &made.sub_names, &made.sub) || !whole_bytes(mask[4]))
        return false;
    if ((words[0] | words[1] | words[2] | words[3]) > 0xFFFF)
        return true;
    if (!number_class_test(rules, mask[4], words[4], &made.class_test))
        return false;
    for (uint32_t i = value_lines_from(input, value); i < value_lines_to(input, value); i++) {
        made.line = load_u32(input->value_lines->data + (size_t)i * 4);
        made.module = input->lines[made.line]->module;
        rules->rules[rules->count++] = made;
    }
    return true;
}

static uint64_t count_rules(const struct pci_input *input)
{
    uint64_t count = 0;

    for (uint32_t s = 0; s < input->source_count; s++)
        for (uint32_t id = 0; id < input->tables[s].rules.count; id++) {
            uint32_t value = load_u32(input->tables[s].rule_values.data + (size_t)id * 4);
            count += value_lines_to(input, value) - value_lines_from(input, value);
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

/* ---- classes ---------------------------------------------------------------------------------- */

/* The tests that a byte of the class passes, by byte; and its distinct sets, numbered in groups. */
struct class_byte {
    uint64_t sets[256];
    uint32_t count;
    uint8_t group[256];
};

static uint32_t number_set(uint64_t *sets, uint32_t *count, uint64_t set)
{
    uint32_t i = 0;

    while (i < *count && sets[i] != set)
        i++;
    if (i == *count && *count < 256)
        sets[(*count)++] = set;
    return i;
}

static void group_byte(const struct pci_rules *rules, unsigned shift, struct class_byte *byte)
{
    byte->count = 0;
    for (unsigned value = 0; value < 256; value++) {
        uint64_t set = 0;
        for (uint32_t i = 0; i < rules->class_test_count; i++) {
            bool asks = rules->class_mask[i] >> shift & 0xFF;
            set |= (uint64_t)(!asks || (rules->class_words[i] >> shift & 0xFF) == value) << i;
        }
        byte->group[value] = (uint8_t)number_set(byte->sets, &byte->count, set);
    }
}

/* The distinct sets of two groups met in pairs: a number for each pair. False: too many pairs. */
static bool pair_groups(const struct class_byte *first, const struct class_byte *second, uint8_t *numbers,
                        uint64_t *sets, uint32_t *set_count)
{
    *set_count = 0;
    if (first->count * second->count > 256)
        return false;
    for (uint32_t i = 0; i < first->count; i++)
        for (uint32_t j = 0; j < second->count; j++)
            numbers[i * second->count + j] =
                (uint8_t)number_set(sets, set_count, first->sets[i] & second->sets[j]);
    return true;
}

/* The class ids behind one set of tests, by group of the interface: one place where these are all the
 * same, else a place a group. False: no room. */
static bool place_interfaces(struct pci_rules *rules, uint64_t set, const struct class_byte *interface,
                             uint32_t *used, uint8_t *start, uint8_t *mask)
{
    uint8_t ids[256];
    uint32_t places;
    bool same = true;

    for (uint32_t i = 0; i < interface->count; i++) {
        ids[i] = (uint8_t)number_set(rules->tests_of_class, &rules->class_count, set & interface->sets[i]);
        same = same && ids[i] == ids[0];
    }
    places = same ? 1 : interface->count;
    if (*used + places > 256)
        return false;
    memcpy(rules->class_tables + CLASS_IDS + *used, ids, places);
    *start = (uint8_t)*used;
    *mask = same ? 0 : 0xFF;
    *used += places;
    return true;
}

static bool make_class_tables(struct pci_rules *rules)
{
    struct class_byte base, sub, interface;
    uint8_t *tables = rules->class_tables, numbers[256] = {0}, start[256] = {0}, mask[256] = {0};
    uint64_t sets[256];
    uint32_t set_count, used = 0;

    group_byte(rules, 16, &base);
    group_byte(rules, 8, &sub);
    group_byte(rules, 0, &interface);
    if (!pair_groups(&base, &sub, numbers, sets, &set_count))
        return false;
    for (uint32_t i = 0; i < set_count; i++)
        if (!place_interfaces(rules, sets[i], &interface, &used, &start[i], &mask[i]))
            return false;
    for (unsigned i = 0; i < 256; i++) {
        tables[CLASS_BASE + i] = (uint8_t)(base.group[i] * sub.count);
        tables[CLASS_SUB + i] = sub.group[i];
        tables[CLASS_INTERFACE + i] = interface.group[i];
        tables[CLASS_START + i] = start[numbers[i]];
        tables[CLASS_MASK + i] = mask[numbers[i]];
    }
    return true;
}

static void ask_defaults(struct pci_rules *rules)
{
    for (uint32_t class = 0; class < rules->class_count; class++)
        for (uint32_t i = 0; i < rules->default_count; i++) {
            uint8_t test = rules->defaults[i]->class_test;
            bool meets = test == NO_CLASS_TEST || (rules->tests_of_class[class] >> test & 1);
            rules->defaults_of_class[class] |= (uint64_t)meets << i;
        }
}

enum pci_result pci_rules_gather(const struct pci_input *input, struct pci_rules *rules)
{
    memset(rules, 0, sizeof *rules);
    for (uint32_t s = 0; s < input->source_count; s++)
        if (input->tables[s].to_trie || input->tables[s].residue.size > 0)
            return PCI_UNFIT;
    if (count_rules(input) > MOST_RULES)
        return PCI_UNFIT;
    rules->rules = malloc(((size_t)count_rules(input) + 1) * sizeof *rules->rules);
    if (rules->rules == NULL)
        return PCI_NO_MEMORY;
    for (uint32_t s = 0; s < input->source_count; s++)
        for (uint32_t id = 0; id < input->tables[s].rules.count; id++)
            if (!add_rule(input, rules, s, id))
                return PCI_UNFIT;
    if (!sort_rules(rules, input->line_count))
        return PCI_NO_MEMORY;
    if (!find_defaults(rules) || !make_class_tables(rules))
        return PCI_UNFIT;
    ask_defaults(rules);
    return PCI_WRITTEN;
}

void pci_rules_free(struct pci_rules *rules)
{
    free(rules->rules);
}
