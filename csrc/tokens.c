#include "tokens.h"

#include <string.h>

#include "format.h"
#include "glob.h"

/* Bytes that do not stand for themselves: a backslash does up to the first wildcard. */
enum { WILDCARD = 1, BACKSLASH = 2 };

static const uint8_t special[256] = {
    ['*'] = WILDCARD, ['?'] = WILDCARD, ['['] = WILDCARD, ['\\'] = BACKSLASH};

/* The set of bytes that the bracket expression behind pattern[at - 1] takes, and where it ends. */
static enum tokenised bracket_set(const uint8_t *pattern, size_t length, size_t at, uint8_t set[CLASS_ENTRY],
                                  size_t *after)
{
    *after = 0;
    memset(set, 0, CLASS_ENTRY);
    for (unsigned byte = 1; byte < 256; byte++) {
        size_t end = at;
        enum bracket taken = bracket_match(pattern, length, at, (uint8_t)byte, &end);
        if (taken == BRACKET_REFUSES || (taken == BRACKET_LITERAL && byte != '['))
            continue;
        if (taken == BRACKET_LITERAL)
            end = at;
        if (*after != 0 && *after != end)
            return TOKENS_IRREGULAR;
        *after = end;
        set[byte / 8] |= (uint8_t)(1u << byte % 8);
    }
    return *after == 0 ? TOKENS_NEVER : TOKENS;
}

/* ? before * in a run of both, and one * for many: equal meanings get equal tokens. */
static size_t order_run(uint32_t *tokens, size_t count)
{
    size_t start = count, any = 0, stars = 0;

    while (start > 0 && (tokens[start - 1] == TOKEN_ANY || tokens[start - 1] == TOKEN_STAR))
        start--;
    for (size_t i = start; i < count; i++)
        *(tokens[i] == TOKEN_ANY ? &any : &stars) += 1;
    for (size_t i = 0; i < any; i++)
        tokens[start + i] = TOKEN_ANY;
    if (stars == 0)
        return start + any;
    tokens[start + any] = TOKEN_STAR;
    return start + any + 1;
}

enum tokenised tokenise(const uint8_t *pattern, size_t length, struct interner *classes, uint32_t *tokens,
                        size_t *count)
{
    size_t at = 0, n = 0;
    size_t run = 0; /* of * and ?, up to here */

    while (at < length && !(special[pattern[at]] & WILDCARD))
        tokens[n++] = pattern[at++];
    while (at < length) {
        uint8_t c;
        if (!special[pattern[at]]) {
            n = run > 1 ? order_run(tokens, n) : n;
            run = 0;
            do
                tokens[n++] = pattern[at++];
            while (at < length && !special[pattern[at]]);
            continue;
        }
        c = pattern[at++];
        bool of_run = c == '*' || c == '?';
        if (run > 1 && !of_run)
            n = order_run(tokens, n);
        run = of_run ? run + 1 : 0;
        if (of_run) {
            tokens[n++] = c == '*' ? TOKEN_STAR : TOKEN_ANY;
        } else if (c == '[') {
            uint8_t set[CLASS_ENTRY];
            uint32_t id;
            enum tokenised result = bracket_set(pattern, length, at, set, &at);
            if (result != TOKENS)
                return result;
            id = intern(classes, set, CLASS_ENTRY);
            if (id == INTERN_FAILED)
                return TOKENS_NO_MEMORY;
            tokens[n++] = TOKEN_CLASS + id;
        } else {
            if (at == length)
                return TOKENS_NEVER;
            tokens[n++] = pattern[at++]; /* behind a backslash */
        }
    }
    *count = run > 1 ? order_run(tokens, n) : n;
    return TOKENS;
}
