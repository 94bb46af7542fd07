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

struct normalised normalise(const uint8_t *text, size_t length, uint8_t *out)
{
    uint8_t special = 0, wild = 0;

    if (length > NAME_MAX_LENGTH)
        length = NAME_MAX_LENGTH;
    memcpy(out, text, length);
    memset(out + length, '_', STEP); /* a byte that is not special, so that whole steps can be read */
    for (size_t i = 0; i < length; i += STEP) {
        for (size_t j = 0; j < STEP; j++) {
            uint8_t c = out[i + j];
            special |= (uint8_t)((c == '[') | (c == ']') | (c == 0));
            wild |= (uint8_t)((c == '*') | (c == '?'));
            out[i + j] = c == '-' ? '_' : c;
        }
    }
    if (special)
        return normalise_brackets(text, length, out);
    return (struct normalised){length, false, wild != 0};
}
