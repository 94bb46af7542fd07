/*
 * The text of patterns, which neighbouring lines share most of: only what differs from the first line
 * of a block is kept (format.h, PATTERNS). Any byte is found without putting the text together.
 */
#ifndef PYALIAS_PATTERNS_H
#define PYALIAS_PATTERNS_H

#include <stdbool.h>

#include "image.h"

/* A normalised pattern in three pieces. */
struct pattern {
    const uint8_t *start, *middle, *end;
    uint32_t start_length, middle_length, end_length;
};

static inline const uint8_t *pattern_record(const pya_image *image, uint32_t line, uint32_t *size)
{
    uint32_t place = load_u32(entry(image, SECTION_LINES, LINE_ENTRY, line));
    uint32_t next = line + 1 < image->count[SECTION_LINES]
                        ? load_u32(entry(image, SECTION_LINES, LINE_ENTRY, line + 1))
                        : image->size[SECTION_PATTERNS];

    *size = next - place;
    return image->section[SECTION_PATTERNS] + place;
}

static inline uint32_t line_flags(const pya_image *image, uint32_t line)
{
    return load_u32(entry(image, SECTION_LINES, LINE_ENTRY, line) + 4) & ~LINE_MODULE;
}

/* What a line's record holds of its own, and behind it the pattern as written where it is kept. */
static inline struct pattern own_part(const pya_image *image, uint32_t line, pya_text *written)
{
    uint32_t size, before = 2;
    const uint8_t *p = pattern_record(image, line, &size);
    struct pattern own = {
        .middle = p + 2, .start_length = p[0], .middle_length = size - 2, .end_length = p[1]};

    if (line_flags(image, line) & LINE_WRITTEN) {
        own.middle = p + 4;
        own.middle_length = load_u16(p + 2);
        before = 4 + own.middle_length;
    }
    *written = (pya_text){p + before, size - before};
    return own;
}

static inline struct pattern pattern_of_line(const pya_image *image, uint32_t line)
{
    pya_text written;
    struct pattern pattern = own_part(image, line, &written);
    struct pattern head = own_part(image, line & ~(uint32_t)(LINES_A_HEAD - 1), &written);

    pattern.start = head.middle;
    pattern.end = head.middle + head.middle_length - pattern.end_length;
    return pattern;
}

static inline uint32_t pattern_length(const struct pattern *pattern)
{
    return pattern->start_length + pattern->middle_length + pattern->end_length;
}

static inline uint8_t pattern_byte(const struct pattern *pattern, uint32_t at)
{
    if (at < pattern->start_length)
        return pattern->start[at];
    at -= pattern->start_length;
    return at < pattern->middle_length ? pattern->middle[at] : pattern->end[at - pattern->middle_length];
}

/* Writes the text: at most NAME_MAX_LENGTH bytes, for a line that is not refused. */
static inline void pattern_copy(const struct pattern *pattern, uint8_t *out)
{
    memcpy(out, pattern->start, pattern->start_length);
    memcpy(out + pattern->start_length, pattern->middle, pattern->middle_length);
    memcpy(out + pattern->start_length + pattern->middle_length, pattern->end, pattern->end_length);
}

#endif
