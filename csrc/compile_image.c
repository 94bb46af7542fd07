/*
 * The sections of an image, one behind the other into the memory that becomes the image. Most of them stand
 * in vectors by now; those of lines and values are written here only.
 */
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "compile.h"
#include "compile_patterns.h"
#include "pyalias.h"

struct writer {
    const struct compilation *c;
    struct bytes_vector out;
    uint8_t table[SECTION_COUNT * SECTION_ENTRY]; /* where the sections are */
};

static void fill_up(struct bytes_vector *out, size_t unit)
{
    bytes_extend(out, (unit - out->size % unit) % unit);
}

/* Starts a section here: `size` bytes of zeros. NULL when out of memory. */
static uint8_t *start_section(struct writer *w, enum section section, size_t size)
{
    uint8_t *entry = w->table + (size_t)section * SECTION_ENTRY;

    fill_up(&w->out, 8);
    store_u64(entry, w->out.size);
    store_u64(entry + 8, size);
    return bytes_extend(&w->out, size);
}

/* A section that is written bit by bit has ended. */
static void end_section(struct writer *w, enum section section)
{
    uint8_t *entry = w->table + (size_t)section * SECTION_ENTRY;

    store_u64(entry + 8, w->out.size - load_u64(entry));
}

static void copy_section(struct writer *w, enum section section, const struct bytes_vector *from)
{
    start_section(w, section, 0);
    bytes_push(&w->out, from->data, from->size);
    w->out.failed |= from->failed;
    end_section(w, section);
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* What precedes the patterns is of known size; it is reached by offsets, since memory moves. */
static void put_lines(struct writer *w)
{
    const struct compilation *c = w->c;
    struct bytes_vector *out = &w->out;
    uint32_t count = c->builder->line_count;
    size_t lines, numbers, places, shares, patterns;

    start_section(w, SECTION_LINES, (size_t)count * 4);
    start_section(w, SECTION_LINE_NUMBERS, (size_t)count * 4);
    start_section(w, SECTION_LINE_PLACES, (size_t)(count + 1) * 4);
    start_section(w, SECTION_LINE_SHARES, (size_t)count * SHARES_ENTRY);
    start_section(w, SECTION_PATTERNS, 0);
    lines = load_u64(w->table + SECTION_LINES * SECTION_ENTRY);
    numbers = load_u64(w->table + SECTION_LINE_NUMBERS * SECTION_ENTRY);
    places = load_u64(w->table + SECTION_LINE_PLACES * SECTION_ENTRY);
    shares = load_u64(w->table + SECTION_LINE_SHARES * SECTION_ENTRY);
    patterns = out->size;
    for (uint32_t i = 0; i < count && !out->failed; i++) {
        const struct alias_line *line = c->lines[i];
        uint8_t shared[SHARES_ENTRY];
        uint32_t place = (uint32_t)(out->size - patterns);
        uint32_t flags = pattern_write(out, line, c->lines[i - i % LINES_A_HEAD], shared);
        store_u32(out->data + places + (size_t)i * 4, place);
        store_u32(out->data + lines + (size_t)i * 4, flags | line->module);
        store_u32(out->data + numbers + (size_t)i * 4, line->number);
        memcpy(out->data + shares + (size_t)i * SHARES_ENTRY, shared, SHARES_ENTRY);
    }
    end_section(w, SECTION_PATTERNS);
    if (!out->failed)
        store_u32(out->data + places + (size_t)count * 4, (uint32_t)(out->size - patterns));
}

/* ---- values ----------------------------------------------------------------------------------- */

/* By the numbers that values have in the image. Nearly all are one line, and name it themselves. */
static void put_values(struct writer *w)
{
    const struct compilation *c = w->c;
    const struct values *values = &c->values;
    struct bytes_vector lists = {0};
    size_t size = (size_t)values->count * 4, of_value, tails, answers;

    start_section(w, SECTION_VALUES, size);
    start_section(w, SECTION_VALUE_TAILS, size);
    start_section(w, SECTION_VALUE_ANSWERS, size);
    of_value = load_u64(w->table + SECTION_VALUES * SECTION_ENTRY);
    tails = load_u64(w->table + SECTION_VALUE_TAILS * SECTION_ENTRY);
    answers = load_u64(w->table + SECTION_VALUE_ANSWERS * SECTION_ENTRY);
    for (uint32_t value = 0, low = 0, high; value < values->count && !w->out.failed; value++, low = high) {
        size_t number = c->trie.number_of_value[value];
        uint32_t line = value_line(values, low);
        high = value_lines_to(values, value);
        store_u32(w->out.data + of_value + number * 4,
                  high - low == 1 ? line | LAST_LINE : (uint32_t)(lists.size / 4));
        store_u32(w->out.data + tails + number * 4, c->trie.tail_of_number[number]);
        store_u32(w->out.data + answers + number * 4, load_u32(values->answers.data + (size_t)value * 4));
        for (uint32_t i = low; i < high && high - low > 1; i++)
            bytes_push_u32(&lists, value_line(values, i) | (i + 1 == high ? LAST_LINE : 0));
    }
    copy_section(w, SECTION_VALUE_LINES, &lists);
    bytes_free(&lists);
}

/* ---- names and answers ------------------------------------------------------------------------ */

/* Names of modules, then of sources. */
static void put_names(struct writer *w)
{
    const struct pya_builder *builder = w->c->builder;
    size_t sources = builder->modules.text.size;
    uint8_t *out;

    start_section(w, SECTION_STRINGS, 0);
    bytes_push(&w->out, builder->modules.text.data, sources);
    bytes_push(&w->out, builder->names.text.data, builder->names.text.size);
    end_section(w, SECTION_STRINGS);
    out = start_section(w, SECTION_MODULES, (size_t)builder->modules.count * MODULE_ENTRY);
    for (uint32_t id = 0; id < builder->modules.count && out != NULL; id++, out += MODULE_ENTRY) {
        store_u32(out, builder->modules.strings[id].offset);
        store_u32(out + 4, builder->modules.strings[id].length);
    }
    out = start_section(w, SECTION_SOURCES, (size_t)builder->source_count * SOURCE_ENTRY);
    for (uint32_t s = 0; s < builder->source_count && out != NULL; s++, out += SOURCE_ENTRY) {
        const struct interned *name = &builder->names.strings[builder->sources[s].name];
        const struct source_end *end = &w->c->ends[s];
        const uint32_t fields[] = {(uint32_t)sources + name->offset,
                                   name->length,
                                   end->root,
                                   end->lines,
                                   end->sorted,
                                   end->irregular,
                                   (uint32_t)builder->sources[s].order};
        for (unsigned i = 0; i < SOURCE_ENTRY / 4; i++)
            store_u32(out + (size_t)i * 4, fields[i]);
    }
}

static void put_answers(struct writer *w)
{
    const struct interner *answers = &w->c->answers;
    uint8_t *ends = start_section(w, SECTION_ANSWERS, (size_t)answers->count * 4);

    for (uint32_t id = 0; id < answers->count && ends != NULL; id++)
        store_u32(ends + (size_t)id * 4, (answers->strings[id].offset + answers->strings[id].length) / 4);
    copy_section(w, SECTION_ANSWER_MODULES, &answers->text);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void put_sections(struct writer *w)
{
    const struct compilation *c = w->c;

    put_names(w);
    put_lines(w);
    copy_section(w, SECTION_SORTED, &c->sorted);
    put_values(w);
    copy_section(w, SECTION_IRREGULAR, &c->irregular);
    put_answers(w);
    copy_section(w, SECTION_CLASSES, &c->classes.text);
    copy_section(w, SECTION_TAILS, &c->trie.tails);
    bytes_extend(&w->out, TAILS_PADDING);
    end_section(w, SECTION_TAILS);
    copy_section(w, SECTION_NODES, &c->trie.nodes);
    copy_section(w, SECTION_LABELS, &c->trie.labels);
    copy_section(w, SECTION_FIELDS, &c->fields);
    copy_section(w, SECTION_PCI, &c->pci);
    copy_section(w, SECTION_USB, &c->usb);
    fill_up(&w->out, CHECKSUM_STRIPE);
}

static uint32_t longest_module(const struct interner *modules)
{
    uint32_t longest = 0;

    for (uint32_t id = 0; id < modules->count; id++)
        if (modules->strings[id].length > longest)
            longest = modules->strings[id].length;
    return longest;
}

static void put_header(struct writer *w)
{
    uint8_t *image = w->out.data;

    memcpy(image + HEADER_MAGIC, IMAGE_MAGIC, 8);
    store_u32(image + HEADER_VERSION, IMAGE_VERSION);
    store_u32(image + HEADER_SECTION_COUNT, SECTION_COUNT);
    store_u64(image + HEADER_SIZE, w->out.size);
    store_u32(image + HEADER_LONGEST_MODULE, longest_module(&w->c->builder->modules));
    memcpy(image + HEADER_SECTIONS, w->table, sizeof w->table);
    store_u64(image + HEADER_CHECKSUM, image_checksum(image, w->out.size));
}

/* About as much as the image will have: neighbouring patterns share most of their text. What is too much
 * is never written to, and costs nothing but addresses. */
static size_t likely_size(const struct compilation *c)
{
    return c->text_size / 2 + (size_t)c->builder->line_count * 32 + c->builder->modules.text.size +
           (size_t)c->builder->modules.count * MODULE_ENTRY + c->answers.text.size +
           (size_t)c->answers.count * 4 + c->trie.tails.size + c->trie.nodes.size + c->trie.labels.size +
           c->fields.size + c->pci.size + c->usb.size;
}

int write_image(const struct compilation *c, uint8_t **image, size_t *size)
{
    struct writer w = {.c = c};

    bytes_reserve(&w.out, likely_size(c));
    bytes_extend(&w.out, IMAGE_START);
    put_sections(&w);
    if (w.out.failed || w.out.size > INT32_MAX) {
        bytes_free(&w.out);
        return w.out.failed ? PYA_ENOMEM : PYA_ELIMIT;
    }
    put_header(&w);
    *image = w.out.data;
    *size = w.out.size;
    return PYA_OK;
}
