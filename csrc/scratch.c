#include "scratch.h"

#include <stdlib.h>

#include "cpu.h"

pya_scratch *pya_scratch_new(const pya_image *image, unsigned variant)
{
    pya_scratch *scratch = cpu_variant(variant) == NULL ? NULL : calloc(1, sizeof *scratch);
    size_t values = image->count[SECTION_VALUES];

    if (scratch == NULL)
        return NULL;
    repeats_start(&scratch->repeats);
    scratch->variant = cpu_variant(variant);
    scratch->marks = calloc(values + image->count[SECTION_NODES] + 1, sizeof *scratch->marks);
    /* Field tables may name a value once a gate, a signature and a residue. */
    scratch->values =
        malloc((values + GATE_KINDS + MOST_SIGNATURES + MOST_RESIDUE) * sizeof *scratch->values);
    scratch->branches = malloc(((size_t)image->wild_count + 1) * sizeof *scratch->branches);
    scratch->stars = malloc(((size_t)image->star_count + 1) * sizeof *scratch->stars);
    if (!scratch->marks || !scratch->values || !scratch->branches || !scratch->stars) {
        pya_scratch_free(scratch);
        return NULL;
    }
    return scratch;
}

void pya_scratch_free(pya_scratch *scratch)
{
    if (scratch == NULL)
        return;
    free(scratch->marks);
    free(scratch->values);
    free(scratch->branches);
    free(scratch->stars);
    free(scratch->lines);
    intern_free(&scratch->combinations);
    repeats_free(&scratch->repeats);
    usb_memory_free(&scratch->usb_memory);
    free(scratch);
}

uint32_t pya_scratch_lines(const pya_scratch *scratch, const uint32_t **lines)
{
    *lines = scratch->lines;
    return scratch->line_count;
}

bool scratch_add_line(struct pya_scratch *scratch, uint32_t line)
{
    if (scratch->line_count == scratch->line_room) {
        uint32_t room = scratch->line_room ? scratch->line_room * 2 : 256;
        uint32_t *lines = room > 0x40000000 ? NULL : realloc(scratch->lines, room * sizeof *lines);
        if (lines == NULL)
            return false;
        scratch->lines = lines;
        scratch->line_room = room;
    }
    scratch->lines[scratch->line_count++] = line;
    return true;
}

void pya_combinations_clear(pya_scratch *scratch)
{
    intern_clear(&scratch->combinations);
    repeats_forget_combinations(&scratch->repeats);
    usb_forget_combinations(&scratch->usb_memory);
}

uint32_t pya_combination_count(const pya_scratch *scratch)
{
    return scratch->combinations.count;
}

uint32_t pya_combination_lines(const pya_scratch *scratch, uint32_t number, const uint32_t **lines)
{
    const struct interned *combination = &scratch->combinations.strings[number];

    /* Offsets are multiples of 4 in malloc'ed memory: only whole numbers are ever interned here. */
    *lines = (const uint32_t *)(const void *)(scratch->combinations.text.data + combination->offset);
    return combination->length / (uint32_t)sizeof(uint32_t);
}
