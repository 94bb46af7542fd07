/*
 * Tests of a class of three bytes, to tables that tell from any class which of the tests it passes
 * (format.h, class tables).
 */
#ifndef PYALIAS_CLASS_TABLES_H
#define PYALIAS_CLASS_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

enum { MOST_CLASS_TESTS = 64, NO_CLASS_TEST = 0xFF };

/* Whole bytes under a mask of 24 bits. */
struct class_tests {
    uint32_t mask[MOST_CLASS_TESTS], words[MOST_CLASS_TESTS];
    uint32_t count;
};

/* The tables, and for each class id the tests that it passes. */
struct class_ids {
    uint8_t tables[CLASS_TABLES_SIZE];
    uint64_t tests[256];
    uint32_t count;
};

/* The number of a test, new or known; NO_CLASS_TEST where it asks for nothing. False: too many. */
bool class_test_number(struct class_tests *tests, uint32_t mask, uint32_t words, uint8_t *test);

/* *ids may hold ids already. False: the tables have no room. */
bool make_class_tables(const struct class_tests *tests, struct class_ids *ids);

#endif
