#include "class_tables.h"

#include <string.h>

bool class_test_number(struct class_tests *tests, uint32_t mask, uint32_t words, uint8_t *test)
{
    uint32_t i = 0;

    *test = NO_CLASS_TEST;
    if (mask == 0)
        return true;
    while (i < tests->count && (tests->mask[i] != mask || tests->words[i] != words))
        i++;
    if (i == MOST_CLASS_TESTS)
        return false;
    if (i == tests->count) {
        tests->mask[i] = mask;
        tests->words[i] = words;
        tests->count++;
    }
    *test = (uint8_t)i;
    return true;
}

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

static void group_byte(const struct class_tests *tests, unsigned shift, struct class_byte *byte)
{
    byte->count = 0;
    for (unsigned value = 0; value < 256; value++) {
        uint64_t set = 0;
        for (uint32_t i = 0; i < tests->count; i++) {
            bool asks = tests->mask[i] >> shift & 0xFF;
            set |= (uint64_t)(!asks || (tests->words[i] >> shift & 0xFF) == value) << i;
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
static bool place_interfaces(struct class_ids *ids, uint64_t set, const struct class_byte *interface,
                             uint32_t *used, uint8_t *start, uint8_t *mask)
{
    uint8_t numbers[256];
    uint32_t places;
    bool same = true;

    for (uint32_t i = 0; i < interface->count; i++) {
        numbers[i] = (uint8_t)number_set(ids->tests, &ids->count, set & interface->sets[i]);
        same = same && numbers[i] == numbers[0];
    }
    places = same ? 1 : interface->count;
    if (*used + places > 256)
        return false;
    memcpy(ids->tables + CLASS_IDS + *used, numbers, places);
    *start = (uint8_t)*used;
    *mask = same ? 0 : 0xFF;
    *used += places;
    return true;
}

bool make_class_tables(const struct class_tests *tests, struct class_ids *ids)
{
    struct class_byte base, sub, interface;
    uint8_t *tables = ids->tables, numbers[256] = {0}, start[256] = {0}, mask[256] = {0};
    uint64_t sets[256];
    uint32_t set_count, used = 0;

    group_byte(tests, 16, &base);
    group_byte(tests, 8, &sub);
    group_byte(tests, 0, &interface);
    if (!pair_groups(&base, &sub, numbers, sets, &set_count))
        return false;
    for (uint32_t i = 0; i < set_count; i++)
        if (!place_interfaces(ids, sets[i], &interface, &used, &start[i], &mask[i]))
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
