/*
 * Many byte strings in order, in time linear in what tells them apart, whatever they hold.
 */
#ifndef PYALIAS_SORT_H
#define PYALIAS_SORT_H

#include <stdbool.h>
#include <stdint.h>

struct sort_text {
    uint64_t key; /* the sort's own */
    const uint8_t *text;
    uint32_t length;
    uint32_t id;
};

/* Sorts by bytes, the end of a text after every byte; equal texts keep their order. False when out
 * of memory. */
bool sort_texts(struct sort_text *texts, uint32_t count);

#endif
