/*
 * Glob patterns as fnmatch(3) with no flags reads them in the C locale, byte by byte.
 */
#ifndef PYALIAS_GLOB_H
#define PYALIAS_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_wildcard(uint8_t byte)
{
    return byte == '*' || byte == '?' || byte == '[';
}

enum bracket {
    BRACKET_TAKES,   /* the byte is one of the set: go on behind the closing bracket */
    BRACKET_REFUSES, /* it is not, or the expression is one that fnmatch never matches */
    BRACKET_LITERAL  /* never closed: the [ stands for itself */
};

/* Does the bracket expression whose inside starts at pattern[at] take a byte? On BRACKET_TAKES
 * *after is the index behind it. As glibc's fnmatch_loop.c, case '[', without collation rules. */
enum bracket bracket_match(const uint8_t *pattern, size_t length, size_t at, uint8_t byte, size_t *after);

/* fnmatch(pattern, text, 0) == 0. Backtracks to the last star only: O(length x size) at worst. */
bool glob_match(const uint8_t *pattern, size_t length, const uint8_t *text, size_t size);

/* The same in at most *steps comparisons, which are taken off: false with *steps at 0 means that
 * they did not suffice. For patterns that nobody vouches for. */
bool glob_match_within(const uint8_t *pattern, size_t length, const uint8_t *text, size_t size,
                       uint64_t *steps);

#endif
