/*
 * A normalised pattern as tokens: what the trie is made of.
 *
 * Most patterns are their own tokens: a byte stands for itself, ? for any byte, * for any bytes. What
 * else a pattern may hold is a class, a [ and CLASS_ID bytes that name a set of bytes: a [...], and also
 * a byte of * ? [ that stands for itself. No token is the beginning of another one.
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

enum { TOKEN_ANY = '?', TOKEN_STAR = '*', TOKEN_CLASS = '[' };

enum { CLASS_ID = 4, CLASS_TOKEN = 1 + CLASS_ID };

/* The most bytes that tokenise makes of one: \* is a class. */
enum { TOKENS_A_BYTE = 3 };

enum tokenised {
    TOKENS,           /* the tokens say all */
    TOKENS_NEVER,     /* nothing matches (a trailing backslash, an empty set) */
    TOKENS_IRREGULAR, /* a bracket expression ends at different places for different bytes */
    TOKENS_NO_MEMORY
};

static inline uint32_t token_width(uint8_t first)
{
    return first == TOKEN_CLASS ? CLASS_TOKEN : 1;
}

/* The class that a token names. */
static inline uint32_t class_of_token(const uint8_t *token)
{
    return load_u32(token + 1);
}

static inline bool is_plain_token(uint8_t first)
{
    return first != TOKEN_ANY && first != TOKEN_STAR && first != TOKEN_CLASS;
}

/* Whether a pattern is its own tokens; "no" may be wrong. */
bool is_own_tokens(const uint8_t *pattern, size_t length);

/* Writes at most TOKENS_A_BYTE * length bytes; classes (32-byte sets) are interned. */
enum tokenised tokenise(const uint8_t *pattern, size_t length, struct interner *classes, uint8_t *tokens,
                        size_t *count);

#endif
