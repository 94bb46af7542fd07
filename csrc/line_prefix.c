/*
 * The lines of one bus: those whose pattern starts with some text.
 */
#include <stdbool.h>

#include "image.h"

/* Both stand for the same in a normalised alias (kmod's alias_normalize). */
static uint8_t dash_as_underscore(uint8_t c)
{
    return c == '-' ? '_' : c;
}

static bool starts_with(pya_text text, const uint8_t *prefix, size_t length)
{
    if (text.length < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (dash_as_underscore(text.bytes[i]) != dash_as_underscore(prefix[i]))
            return false;
    return true;
}

uint32_t pya_lines_with_prefix(const pya_image *image, const char *prefix, size_t length, uint32_t *lines)
{
    uint8_t room[PYA_PATTERN_ROOM];
    uint32_t count = pya_image_counts(image).lines, found = 0;

    for (uint32_t line = 0; line < count; line++) {
        if (!starts_with(pya_image_line(image, line, room).pattern, (const uint8_t *)prefix, length))
            continue;
        lines[found++] = line;
    }
    return found;
}
