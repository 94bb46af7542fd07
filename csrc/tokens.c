#include "tokens.h"

#include <string.h>

#include "format.h"
#include "glob.h"

enum { STEP = 16 };

/* gcc and clang make of it what the machine has. */
typedef uint8_t step __attribute__((vector_size(STEP)));

/* Brackets, backslashes, and what follows a * and should stand before it or is not needed. */
static inline step odd_bytes(step before, step byte)
{
    return (step)((byte == '[') | (byte == '\\') | ((before == '*') & ((byte == '*') | (byte == '?'))));
}

bool is_own_tokens(const uint8_t *pattern, size_t length)
{
    step before = {0}, byte = {0}, odd = {0};
    uint64_t words[STEP / 8];

    if (length <= STEP) {
        uint8_t padded[STEP + 1] = {0};
        memcpy(padded + 1, pattern, length < STEP ? length : STEP);
        memcpy(&before, padded, STEP);
        memcpy(&byte, padded + 1, STEP);
        odd = odd_bytes(before, byte);
    } else {
        odd[0] = pattern[0] == '[' || pattern[0] == '\\';
    }
    for (size_t at = 1; length > STEP; at = at + STEP > length - STEP ? length - STEP : at + STEP) {
        memcpy(&before, pattern + at - 1, STEP);
        memcpy(&byte, pattern + at, STEP);
        odd |= odd_bytes(before, byte);
        if (at == length - STEP)
            break;
    }
    memcpy(words, &odd, STEP);
    return (words[0] | words[1]) == 0;
}

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
static uint8_t *order_run(uint8_t *end, size_t run)
{
    uint8_t *start = end - run;
    size_t any = 0;

    if (run < 2)
        return end;
    for (size_t i = 0; i < run; i++)
        any += start[i] == TOKEN_ANY;
    memset(start, TOKEN_ANY, any);
    if (any == run)
        return end;
    start[any] = TOKEN_STAR;
    return start + any + 1;
}

/* False when out of memory. */
static bool put_class(struct interner *classes, const uint8_t set[CLASS_ENTRY], uint8_t **out)
{
    uint32_t id = intern(classes, set, CLASS_ENTRY);

    **out = TOKEN_CLASS;
    store_u32(*out + 1, id);
    *out += CLASS_TOKEN;
    return id != INTERN_FAILED;
}

/* A byte that stands for itself. */
static bool put_byte(struct interner *classes, uint8_t byte, uint8_t **out)
{
    uint8_t set[CLASS_ENTRY] = {0};

    if (is_plain_token(byte)) {
        *(*out)++ = byte;
        return true;
    }
    set[byte / 8] = (uint8_t)(1u << byte % 8);
    return put_class(classes, set, out);
}

enum tokenised tokenise(const uint8_t *pattern, size_t length, struct interner *classes, uint8_t *tokens,
                        size_t *count)
{
    uint8_t *out = tokens, set[CLASS_ENTRY];
    size_t at = 0, run = 0; /* of * and ?, up to here */

    while (at < length && !is_wildcard(pattern[at]))
        *out++ = pattern[at++];
    while (at < length) {
        uint8_t c = pattern[at++];
        if (c == '*' || c == '?') {
            *out++ = c;
            run++;
            continue;
        }
        out = order_run(out, run);
        run = 0;
        if (c == '[') {
            enum tokenised result = bracket_set(pattern, length, at, set, &at);
            if (result != TOKENS)
                return result;
            if (!put_class(classes, set, &out))
                return TOKENS_NO_MEMORY;
            continue;
        }
        if (c == '\\' && at == length)
            return TOKENS_NEVER;
        if (!put_byte(classes, c == '\\' ? pattern[at++] : c, &out))
            return TOKENS_NO_MEMORY;
    }
    *count = (size_t)(order_run(out, run) - tokens);
    return TOKENS;
}
