#include "normalise.h"

#include <string.h>

#include "glob.h"

enum { STEP = 16 };

/* Text with brackets, byte by byte as kmod does it; out already holds a copy. */
static struct normalised normalise_brackets(const uint8_t *text, size_t length, uint8_t *out)
{
    struct normalised result = {length, false, false};

    for (size_t i = 0; i < length; i++) {
        result.wild |= is_wildcard(text[i]);
        if (text[i] == '-') {
            out[i] = '_';
        } else if (text[i] == ']' || text[i] == 0) {
            result.refused = true;
            break;
        } else if (text[i] == '[') {
            const uint8_t *close = memchr(text + i, ']', length - i);
            if (close == NULL || memchr(text + i, 0, (size_t)(close - text) - i) != NULL) {
                result.refused = true;
                break;
            }
            memcpy(out + i, text + i, (size_t)(close - text) - i + 1);
            i = (size_t)(close - text);
        }
    }
    return result;
}

/* gcc and clang make of it what the machine has. */
typedef uint8_t step __attribute__((vector_size(STEP)));

static bool any_bit(step bits)
{
    uint64_t words[STEP / 8];

    memcpy(words, &bits, STEP);
    return (words[0] | words[1]) != 0;
}

/* What the steps of a text have shown so far. */
struct seen {
    step special, wild;
};

static inline step normalise_step(step c, struct seen *seen)
{
    seen->special |= (step)((c == '[') | (c == ']') | (c == 0));
    seen->wild |= (step)((c == '*') | (c == '?'));
    return c ^ ((step)(c == '-') & ('-' ^ '_'));
}

/* Text of less than a step. */
static void normalise_short(const uint8_t *text, size_t length, uint8_t *out, struct seen *seen)
{
    uint8_t padded[STEP];
    step c;

    memset(padded, '_', STEP); /* a byte that shows nothing */
    memcpy(padded, text, length);
    memcpy(&c, padded, STEP);
    c = normalise_step(c, seen);
    memcpy(out, &c, STEP);
}

/* The last step overlaps the one before where the length is no multiple: nothing is copied first and
 * read again at another width, for which processors would wait. */
struct normalised normalise(const uint8_t *text, size_t length, uint8_t *out)
{
    struct seen seen = {{0}, {0}};

    if (length > NAME_MAX_LENGTH)
        length = NAME_MAX_LENGTH;
    if (length < STEP)
        normalise_short(text, length, out, &seen);
    for (size_t i = 0; length >= STEP; i = i + STEP > length - STEP ? length - STEP : i + STEP) {
        step c;
        memcpy(&c, text + i, STEP);
        c = normalise_step(c, &seen);
        memcpy(out + i, &c, STEP);
        if (i == length - STEP)
            break;
    }
    if (any_bit(seen.special)) {
        memcpy(out, text, length);
        return normalise_brackets(text, length, out);
    }
    return (struct normalised){length, false, any_bit(seen.wild)};
}
