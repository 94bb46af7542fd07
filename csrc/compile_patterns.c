#include "compile_patterns.h"

#include <stddef.h>

#include "bytes.h"

static uint32_t common_start(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t length = 0;

    for (; length + 8 <= most; length += 8) {
        uint64_t different = load_u64(a + length) ^ load_u64(b + length);
        if (different != 0)
            return length + (uint32_t)__builtin_ctzll(different) / 8;
    }
    while (length < most && a[length] == b[length])
        length++;
    return length;
}

/* a and b point behind the ends. */
static uint32_t common_end(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t length = 0;

    for (; length + 8 <= most; length += 8) {
        uint64_t different = load_u64(a - length - 8) ^ load_u64(b - length - 8);
        if (different != 0)
            return length + (uint32_t)__builtin_clzll(different) / 8;
    }
    while (length < most && a[-1 - (ptrdiff_t)length] == b[-1 - (ptrdiff_t)length])
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
