/*
 * Keys that hold wildcard bytes themselves (char-major-116-*, or a pattern fed as a name): there
 * libkmod's answer depends on how its radix trie splits the patterns, since the search goes on
 * literally through a * ? or [ of the key wherever a trie node starts with one. This is that
 * search, on the sorted patterns: every range of equal prefixes is a subtree.
 */
#ifndef PYALIAS_WILDKEY_H
#define PYALIAS_WILDKEY_H

#include "scratch.h"

/* Adds the lines that one source answers, in answer order with repeats, to scratch->lines; false
 * when out of memory. At worst O(patterns x length) fnmatches, which is libkmod's own cost. */
bool search_wildkey(const pya_image *image, struct pya_scratch *scratch, const struct source *source,
                    const uint8_t *key, size_t length);

#endif
