/*
 * Keys that are rows of numbers, answered from the field tables of an image (format.h).
 */
#ifndef PYALIAS_FIELDS_H
#define PYALIAS_FIELDS_H

#include "bus.h"
#include "scratch.h"

/* The fields of a key in a bus's fixed form; .bus is -1 for any other text. */
struct fields parse_fields(const uint8_t *key, size_t length);

/* Whether a key of USB_SHORT_LENGTH bytes is one of usb but for the interface's number at its end. */
bool is_short_usb_key(const uint8_t *key);

/* Writes the key that fields stand for: key_length bytes of its bus. */
void print_fields(const struct fields *fields, uint8_t *out);

/* Starts loading what search_fields will read first. */
void prefetch_fields(const pya_image *image, const struct fields *fields);

/* scratch->values gets the values that match; false: this source has no table for the bus, and the
 * trie must be asked. The key's text is for patterns that are no rows of fields. */
bool search_fields(const pya_image *image, struct pya_scratch *scratch, uint32_t source,
                   const struct fields *fields, const uint8_t *key, size_t length);

#endif
