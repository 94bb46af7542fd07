/*
 * What partial ids are solved from: the lines that may match keys of which only the start is known,
 * their normalised patterns, and how fnmatch reads a bracket in one.
 */
#include <stdbool.h>

#include "glob.h"
#include "patterns.h"

/* Whether the pattern may match a key with this start: they agree up to the first wildcard. */
static bool may_start_with(const struct pattern *pattern, const uint8_t *start, size_t length)
{
    uint32_t size = pattern_length(pattern);

    for (uint32_t i = 0; i < length; i++) {
        uint8_t c = i < size ? pattern_byte(pattern, i) : 0;
        if (is_wildcard(c))
            return true;
        if (c != start[i])
            return false;
    }
    return true;
}

uint32_t pya_lines_possible(const pya_image *image, const char *start, size_t length, uint32_t *lines)
{
    uint32_t count = image->count[SECTION_LINES], found = 0;

    for (uint32_t line = 0; line < count; line++) {
        struct pattern pattern = pattern_of_line(image, line);
        if (line_flags(image, line) & LINE_REFUSED ||
            !may_start_with(&pattern, (const uint8_t *)start, length))
            continue;
        lines[found++] = line;
    }
    return found;
}

uint32_t pya_line_normalised(const pya_image *image, uint32_t line, uint8_t *room)
{
    struct pattern pattern = pattern_of_line(image, line);

    pattern_copy(&pattern, room);
    return pattern_length(&pattern);
}

uint32_t pya_image_line_source(const pya_image *image, uint32_t line)
{
    uint32_t source = 0;

    while (line >= load_u32(entry(image, SECTION_SOURCES, SOURCE_ENTRY, source) + 12))
        source++;
    return source;
}

size_t pya_bracket_end(const char *pattern, size_t length, size_t at, int byte)
{
    size_t after;

    return bracket_match((const uint8_t *)pattern, length, at, (uint8_t)byte, &after) == BRACKET_TAKES ? after
                                                                                                       : 0;
}
