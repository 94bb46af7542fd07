/*
 * Token strings to the NODES, LABELS and TAILS of an image.
 */
#ifndef PYALIAS_TRIE_H
#define PYALIAS_TRIE_H

#include "intern.h"

struct token_string {
    const uint8_t *tokens;
    uint32_t count;
    uint32_t shared; /* how many bytes of whole tokens it shares with the string before */
    uint32_t value;
};

/* Strings from low to high that share their first `depth` bytes. */
struct string_range {
    uint32_t low, high, depth;
    bool after_star;
};

struct trie {
    struct interner *classes; /* the sets that class tokens name; those of first bytes are added */
    struct bytes_vector nodes, labels;
    struct bytes_vector tails;
    struct interner rests;          /* the tokens that tails were made of */
    struct bytes_vector rest_tails; /* u32: the tail of each */
    uint32_t *number_of_value;      /* to be filled: in the order of the nodes, from 0 on */
    uint32_t *tail_of_number;       /* likewise, for the values that become leaves */
    uint32_t value_count, node_count;
    struct string_range *queue; /* the ranges that become nodes, in their order */
    size_t queued, room;
    const uint8_t *last_tokens; /* those of the leaf before, and its tail: neighbours end alike */
    size_t last_count;
    uint32_t last_tail;
};

/* Adds a root, for distinct strings in ascending order (a prefix after what it starts). False when out
 * of memory. */
bool trie_add_root(struct trie *trie, uint32_t low, uint32_t high);

/* Lays out all roots and what is below. Returns PYA_OK, PYA_ENOMEM or PYA_ELIMIT. Linear in the tokens. */
int trie_build(struct trie *trie, const struct token_string *strings);
void trie_free(struct trie *trie);

#endif
