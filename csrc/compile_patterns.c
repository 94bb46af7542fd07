#include "compile_patterns.h"

#include <string.h>

#include "format.h"

/* What a line is read from: for one that kmod refuses there is but the text as written. */
static const uint8_t *text_of(const struct alias_line *line, uint32_t *length)
{
    *length = line->refused ? line->length : line->normal_length;
    return line->refused ? line->text : line->normal;
}

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

uint32_t pattern_write(struct bytes_vector *out, const struct alias_line *line, const struct alias_line *head)
{
    uint32_t length, head_length, start = 0, end = 0, most;
    const uint8_t *text = text_of(line, &length), *head_text = text_of(head, &head_length);
    bool written = !line->refused && (line->normal != line->text || line->normal_length != line->length);
    uint8_t shared[2];

    if (line != head && !line->refused) {
        most = length < head_length ? length : head_length;
        start = common_start(text, head_text, most < UINT8_MAX ? most : UINT8_MAX);
        most -= start;
        end = common_end(text + length, head_text + head_length, most < UINT8_MAX ? most : UINT8_MAX);
    }
    shared[0] = (uint8_t)start;
    shared[1] = (uint8_t)end;
    length -= start + end;
    bytes_push(out, shared, sizeof shared);
    if (written) {
        uint8_t room[2] = {(uint8_t)length, (uint8_t)(length >> 8)};
        bytes_push(out, room, sizeof room);
    }
    bytes_push(out, text + start, length);
    if (written)
        bytes_push(out, line->text, line->length);
    return (line->refused ? LINE_REFUSED : 0) | (written ? LINE_WRITTEN : 0);
}
