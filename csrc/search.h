/*
 * The search of one key in the trie of one source: for keys without wildcard bytes, where
 * libkmod's answer is "fnmatch every line" (facts and proof: docs/kmod-parity.md).
 */
#ifndef PYALIAS_SEARCH_H
#define PYALIAS_SEARCH_H

#include "scratch.h"

/* scratch->values gets the values whose pattern matches the normalised key, in no order. */
void search_source(const pya_image *image, struct pya_scratch *scratch, const struct source *source,
                   const uint8_t *key, size_t length);

/* Adds a value whose pattern matches a normalised key when both are compared as text. */
void search_as_text(const pya_image *image, struct pya_scratch *scratch, uint32_t value, const uint8_t *key,
                    size_t length);

#endif
