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
    uint32_t place = number(image, SECTION_LINE_PLACES, line);

    *size = number(image, SECTION_LINE_PLACES, line + 1) - place;
    return image->section[SECTION_PATTERNS] + place;
}

static inline uint32_t line_flags(const pya_image *image, uint32_t line)
{
    return number(image, SECTION_LINES, line) & ~LINE_MODULE;
}

/* How much of a record of `size` bytes is middle. Text as written is as long as the pattern. */
static inline uint32_t middle_length(uint32_t flags, uint32_t size, uint32_t shared)
{
    if (flags & LINE_REFUSED)
        return 0;
    if (flags & LINE_CUT)
        return NAME_MAX_LENGTH;
    return flags & LINE_WRITTEN ? (size - shared) / 2 : size;
}

/* What a line's record holds of its own, and behind it the pattern as written where it is kept. */
static inline struct pattern own_part(const pya_image *image, uint32_t line, pya_text *written)
{
    const uint8_t *shares = entry(image, SECTION_LINE_SHARES, SHARES_ENTRY, line), *p;
    uint32_t size, length;

    p = pattern_record(image, line, &size);
    length = middle_length(line_flags(image, line), size, (uint32_t)shares[0] + shares[1]);
    *written = (pya_text){p + length, size - length};
    return (struct pattern){
        .middle = p, .start_length = shares[0], .middle_length = length, .end_length = shares[1]};
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
