/*
 * A normalised pattern as tokens: what the trie is made of.
 *
 * kmod finds a pattern's first wildcard without regard to backslashes (it is a byte of a trie
 * prefix) and hands what starts there to fnmatch: so a backslash is a plain byte before the first
 * wildcard, and an escape behind it.
 */
#ifndef PYALIAS_TOKENS_H
#define PYALIAS_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "intern.h"

/* A token: a byte below 256; TOKEN_ANY (?); TOKEN_STAR (*); TOKEN_CLASS + class id ([...]). */
enum { TOKEN_ANY = 256, TOKEN_STAR = 257, TOKEN_CLASS = 258 };

enum tokenised {
    TOKENS,           /* the tokens say all */
    TOKENS_NEVER,     /* nothing matches (a trailing backslash, an empty set) */
    TOKENS_IRREGULAR, /* a bracket expression ends at different places for different bytes */
    TOKENS_NO_MEMORY
};

/* Writes at most length tokens; classes (32-byte sets) are interned. */
enum tokenised tokenise(const uint8_t *pattern, size_t length, struct interner *classes, uint32_t *tokens,
                        size_t *count);

#endif
