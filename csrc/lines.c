#include "lines.h"

#include <stdlib.h>

enum { FEW_LINES = 24 };

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void sort_lines(struct pya_scratch *scratch)
{
    uint32_t *lines = scratch->lines;

    if (scratch->line_count > FEW_LINES) {
        qsort(lines, scratch->line_count, sizeof *lines, by_number);
        return;
    }
    for (uint32_t i = 1; i < scratch->line_count; i++) {
        uint32_t line = lines[i], j = i;
        for (; j > 0 && lines[j - 1] > line; j--)
            lines[j] = lines[j - 1];
        lines[j] = line;
    }
}

void reverse_lines(struct pya_scratch *scratch)
{
    for (uint32_t i = 0, j = scratch->line_count; i + 1 < j; i++) {
        uint32_t line = scratch->lines[i];
        scratch->lines[i] = scratch->lines[--j];
        scratch->lines[j] = line;
    }
}

bool gather_lines(const pya_image *image, struct pya_scratch *scratch)
{
    scratch->line_count = 0;
    for (uint32_t i = 0; i < scratch->value_count; i++) {
        const uint8_t *p = lines_of_value(image, scratch->values[i]);
        uint32_t line;
        do {
            line = load_u32(p);
            p += sizeof line;
            if (!scratch_add_line(scratch, line & ~LAST_LINE))
                return false;
        } while (!(line & LAST_LINE));
    }
    sort_lines(scratch);
    return true;
}
