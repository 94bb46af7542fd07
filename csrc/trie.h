/*
 * Token strings to the NODES and TAILS of an image.
 */
#ifndef PYALIAS_TRIE_H
#define PYALIAS_TRIE_H

#include "intern.h"

struct token_string {
    const uint32_t *tokens;
    uint32_t count;
    uint32_t value;
};

struct trie {
    struct bytes_vector nodes;
    struct interner tails;          /* a tail's offset is that of its interned string */
    const struct interner *classes; /* the sets that TOKEN_CLASS tokens name */
    uint32_t *tail_of_value;        /* filled for the values that became leaves */
    uint32_t star_count, wild_count;
    struct bytes_vector tail;    /* room for the one in the making */
    const uint32_t *last_tokens; /* those of the leaf before, and its tail: neighbours end alike */
    size_t last_count;
    uint32_t last_tail;
};

/* Adds one trie over distinct strings in ascending order (a prefix after what it starts);
 * *root is its REF. Returns PYA_OK, PYA_ENOMEM or PYA_ELIMIT. Linear in the tokens. */
int trie_add(struct trie *trie, const struct token_string *strings, uint32_t count, uint32_t *root);
void trie_free(struct trie *trie);

#endif
