#include "compile_patterns.h"

static uint32_t common_start(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t length = 0;

    while (length < most && a[length] == b[length])
        length++;
    return length;
}

/* a and b point behind the ends. */
static uint32_t common_end(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t length = 0;

    while (length < most && *--a == *--b)
        length++;
    return length;
}

uint32_t pattern_write(struct bytes_vector *out, const struct alias_line *line, const struct alias_line *head,
                       uint8_t shares[SHARES_ENTRY])
{
    uint32_t length = line->normal_length, most;
    bool cut = !line->refused && length < line->length;
    bool written = !line->refused && !cut && line->normal != line->text;

    shares[0] = shares[1] = 0;
    if (line->refused) {
        bytes_push(out, line->text, line->length);
        return LINE_REFUSED;
    }
    if (line != head && !head->refused && !cut) {
        most = length < head->normal_length ? length : head->normal_length;
        shares[0] = (uint8_t)common_start(line->normal, head->normal, most < UINT8_MAX ? most : UINT8_MAX);
        most -= shares[0];
        shares[1] = (uint8_t)common_end(line->normal + length, head->normal + head->normal_length,
                                        most < UINT8_MAX ? most : UINT8_MAX);
    }
    bytes_push(out, line->normal + shares[0], length - shares[0] - shares[1]);
    if (written || cut)
        bytes_push(out, line->text, line->length);
    return (written ? LINE_WRITTEN : 0) | (cut ? LINE_CUT : 0);
}
