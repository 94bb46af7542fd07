/*
 * From the lines of a builder to an image: the steps in their order (compile.h), and the sections.
 */
#include "compile.h"

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "compile_patterns.h"
#include "compile_pci.h"
#include "compile_usb.h"
#include "error.h"
#include "field_tables.h"
#include "glob.h"
#include "tokens.h"

/* ---- the buses -------------------------------------------------------------------------------- */

/* A row of fields is literal where it begins, or may begin like any bus. */
static bool may_begin(const struct bus *bus, const struct token_string *string)
{
    return string->count > 0 &&
           (string->tokens[0] == (uint8_t)bus->prefix[0] || !is_plain_token(string->tokens[0]));
}

/* The patterns of a source as rows of fields: strings and irregular ones from some on. */
static void gather_rows(struct compilation *c, uint32_t source, uint32_t string, size_t irregular)
{
    const struct values *values = &c->values;
    struct field_rows *rows = c->rows + (size_t)source * BUS_COUNT;

    for (uint32_t b = 0; b < BUS_COUNT; b++) {
        field_rows_start(&rows[b], &buses[b], &c->classes);
        for (uint32_t i = string; i < c->string_count; i++)
            if (may_begin(&buses[b], &c->strings[i]))
                field_rows_add(&rows[b], &c->strings[i]);
        for (size_t at = irregular; at < values->irregular.size; at += 4) {
            uint32_t value = load_u32(values->irregular.data + at);
            const struct alias_line *line = c->lines[value_line(values, value_lines_from(values, value))];
            field_rows_add_text(&rows[b], line->normal, line->normal_length, value);
        }
    }
}

/* A pci bus as one table of all sources, or where it does not fit that, as field tables; usb as both; hid as
 * field tables. */
static bool build_bus_tables(struct compilation *c)
{
    uint32_t sources = c->builder->source_count;
    struct bytes_vector *fields = &c->sections[SECTION_FIELDS], *pci = &c->sections[SECTION_PCI];

    bytes_extend(fields, (size_t)sources * BUS_COUNT * FIELD_TABLE_WORDS * 4);
    bytes_extend(pci, (size_t)PCI_BUSES * PCI_TABLE_WORDS * 4);
    for (uint32_t b = 0; b < BUS_COUNT; b++) {
        struct bus_input input = {c->rows + b, sources, c->builder->line_count, c->lines, &c->values};
        enum pci_result result = PCI_UNFIT;
        if (b < PCI_BUSES)
            result = pci_table_write(&input, &c->answers, pci, (size_t)b * PCI_TABLE_WORDS * 4);
        else if (b == BUS_USB)
            result = usb_table_write(&input, &c->answers, &c->sections[SECTION_USB]);
        if (result == PCI_NO_MEMORY)
            return false;
        for (uint32_t s = 0; s < sources; s++)
            if (!field_table_write(&c->rows[(size_t)s * BUS_COUNT + b], c->trie.number_of_value,
                                   b < PCI_BUSES && result == PCI_WRITTEN, fields,
                                   ((size_t)s * BUS_COUNT + b) * FIELD_TABLE_WORDS * 4))
                return false;
    }
    return true;
}

/* ---- sections --------------------------------------------------------------------------------- */

static uint32_t put_string(struct compilation *c, const uint8_t *text, size_t length)
{
    struct bytes_vector *strings = &c->sections[SECTION_STRINGS];
    uint32_t offset = (uint32_t)strings->size;

    bytes_push(strings, text, length);
    return offset;
}

static void put_lines(struct compilation *c)
{
    struct bytes_vector *places = &c->sections[SECTION_LINE_PLACES],
                        *patterns = &c->sections[SECTION_PATTERNS];
    size_t lines = c->builder->line_count;

    bytes_reserve(&c->sections[SECTION_LINES], lines * 4);
    bytes_reserve(&c->sections[SECTION_LINE_NUMBERS], lines * 4);
    bytes_reserve(places, (lines + 1) * 4);
    bytes_reserve(&c->sections[SECTION_LINE_SHARES], lines * SHARES_ENTRY);
    bytes_reserve(patterns, c->text_size);
    for (uint32_t i = 0; i < c->builder->line_count; i++) {
        const struct alias_line *line = c->lines[i];
        uint8_t shares[SHARES_ENTRY];
        uint32_t flags;
        bytes_push_u32(places, (uint32_t)patterns->size);
        flags = pattern_write(patterns, line, c->lines[i - i % LINES_A_HEAD], shares);
        bytes_push(&c->sections[SECTION_LINE_SHARES], shares, SHARES_ENTRY);
        bytes_push_u32(&c->sections[SECTION_LINES], flags | line->module);
        bytes_push_u32(&c->sections[SECTION_LINE_NUMBERS], line->number);
    }
    bytes_push_u32(places, (uint32_t)patterns->size);
}

static void put_interned(struct compilation *c, const struct interner *names, enum section section)
{
    for (uint32_t id = 0; id < names->count; id++) {
        const struct interned *name = &names->strings[id];
        bytes_push_u32(&c->sections[section], put_string(c, names->text.data + name->offset, name->length));
        bytes_push_u32(&c->sections[section], name->length);
    }
}

static void put_answers(struct compilation *c)
{
    for (uint32_t id = 0; id < c->answers.count; id++)
        bytes_push_u32(&c->sections[SECTION_ANSWERS],
                       (c->answers.strings[id].offset + c->answers.strings[id].length) / 4);
}

static void put_source(struct compilation *c, const struct builder_source *source, uint32_t root,
                       uint32_t lines_end)
{
    const struct interned *name = &c->builder->names.strings[source->name];
    struct bytes_vector *out = &c->sections[SECTION_SOURCES];

    bytes_push_u32(out, put_string(c, c->builder->names.text.data + name->offset, name->length));
    bytes_push_u32(out, name->length);
    bytes_push_u32(out, root);
    bytes_push_u32(out, lines_end);
    bytes_push_u32(out, (uint32_t)(c->sections[SECTION_SORTED].size / 4));
    bytes_push_u32(out, (uint32_t)(c->values.irregular.size / 4));
    bytes_push_u32(out, (uint32_t)source->order);
}

/* All steps of one source; its root is the next one, if it has any. */
static int build_source(struct compilation *c, uint32_t source, uint32_t low, uint32_t high)
{
    const struct builder_source *made_of = &c->builder->sources[source];
    uint32_t strings = c->string_count, kept, root = NEVER;
    size_t irregular = c->values.irregular.size;
    int code;

    if (!order_lines(c, low, high, made_of->order, &kept))
        return PYA_ENOMEM;
    code = make_values(c, kept);
    if (code != PYA_OK)
        return code;
    gather_rows(c, source, strings, irregular);
    if (c->string_count > strings) {
        root = (uint32_t)c->trie.queued;
        if (!trie_add_root(&c->trie, strings, c->string_count))
            return PYA_ENOMEM;
    }
    put_source(c, made_of, root, high);
    return PYA_OK;
}

/* Values that are matched as text are numbered behind those of the trie. */
static void number_irregular(struct compilation *c)
{
    for (size_t at = 0; at < c->values.irregular.size; at += 4) {
        uint32_t number = c->trie.value_count++;
        c->trie.number_of_value[load_u32(c->values.irregular.data + at)] = number;
        c->trie.tail_of_number[number] = 0;
        bytes_push_u32(&c->sections[SECTION_IRREGULAR], number);
    }
}

static int build_sources(struct compilation *c)
{
    const struct pya_builder *builder = c->builder;
    int code = PYA_OK;

    if (builder->source_count > UINT16_MAX)
        return PYA_ELIMIT;
    for (uint32_t s = 0, low = 0, high = 0; s < builder->source_count && code == PYA_OK; s++, low = high) {
        while (high < builder->line_count && builder->lines[high].source == s)
            high++;
        code = build_source(c, s, low, high);
    }
    if (code == PYA_OK)
        code = trie_build(&c->trie, c->strings);
    if (code != PYA_OK)
        return code;
    number_irregular(c);
    return build_bus_tables(c) ? PYA_OK : PYA_ENOMEM;
}

static uint32_t longest_module(const struct interner *modules)
{
    uint32_t longest = 0;

    for (uint32_t id = 0; id < modules->count; id++)
        if (modules->strings[id].length > longest)
            longest = modules->strings[id].length;
    return longest;
}

static void put_header(const struct compilation *c, uint8_t *image, size_t size)
{
    memcpy(image + HEADER_MAGIC, IMAGE_MAGIC, 8);
    store_u32(image + HEADER_VERSION, IMAGE_VERSION);
    store_u32(image + HEADER_SECTION_COUNT, SECTION_COUNT);
    store_u64(image + HEADER_SIZE, size);
    store_u32(image + HEADER_LONGEST_MODULE, longest_module(&c->builder->modules));
    store_u64(image + HEADER_CHECKSUM, image_checksum(image, size));
}

static size_t rounded(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static int write_image(const struct compilation *c, uint8_t **image, size_t *size)
{
    size_t total = IMAGE_START, at = IMAGE_START;

    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        if (c->sections[s].failed)
            return PYA_ENOMEM;
        total += rounded(c->sections[s].size, 8);
    }
    total = rounded(total, CHECKSUM_STRIPE);
    if (total > INT32_MAX)
        return PYA_ELIMIT;
    *image = calloc(1, total);
    if (*image == NULL)
        return PYA_ENOMEM;
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        uint8_t *entry = *image + HEADER_SECTIONS + (size_t)s * SECTION_ENTRY;
        store_u64(entry, at);
        store_u64(entry + 8, c->sections[s].size);
        if (c->sections[s].size > 0)
            memcpy(*image + at, c->sections[s].data, c->sections[s].size);
        at += rounded(c->sections[s].size, 8);
    }
    put_header(c, *image, total);
    *size = total;
    return PYA_OK;
}

/* By the numbers that values have in the image. Nearly all are one line, and name it themselves. */
static bool put_values(struct compilation *c)
{
    struct bytes_vector *lists = &c->sections[SECTION_VALUE_LINES];
    const struct values *values = &c->values;
    size_t size = (size_t)values->count * 4;
    uint8_t *of_value = bytes_extend(&c->sections[SECTION_VALUES], size),
            *tails = bytes_extend(&c->sections[SECTION_VALUE_TAILS], size),
            *answers = bytes_extend(&c->sections[SECTION_VALUE_ANSWERS], size);

    if (of_value == NULL || tails == NULL || answers == NULL)
        return false;
    for (uint32_t value = 0, low = 0, high; value < values->count; value++, low = high) {
        size_t at = (size_t)c->trie.number_of_value[value] * 4;
        high = value_lines_to(values, value);
        store_u32(of_value + at,
                  high - low == 1 ? value_line(values, low) | LAST_LINE : (uint32_t)(lists->size / 4));
        store_u32(tails + at, c->trie.tail_of_number[at / 4]);
        store_u32(answers + at, load_u32(values->answers.data + (size_t)value * 4));
        for (uint32_t i = low; i < high && high - low > 1; i++)
            bytes_push_u32(lists, value_line(values, i) | (i + 1 == high ? LAST_LINE : 0));
    }
    return true;
}

/* What needs no change becomes a section. */
static void move_bytes(struct bytes_vector *section, struct bytes_vector *from)
{
    *section = *from;
    *from = (struct bytes_vector){0};
}

static bool put_sections(struct compilation *c)
{
    put_lines(c);
    put_interned(c, &c->builder->modules, SECTION_MODULES);
    put_answers(c);
    move_bytes(&c->sections[SECTION_ANSWER_MODULES], &c->answers.text);
    move_bytes(&c->sections[SECTION_CLASSES], &c->classes.text);
    move_bytes(&c->sections[SECTION_TAILS], &c->trie.tails.text);
    bytes_extend(&c->sections[SECTION_TAILS], TAILS_PADDING);
    move_bytes(&c->sections[SECTION_NODES], &c->trie.nodes);
    move_bytes(&c->sections[SECTION_LABELS], &c->trie.labels);
    return put_values(c);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void free_compilation(struct compilation *c)
{
    free(c->texts);
    free(c->items);
    free(c->lines);
    free(c->tokens);
    free(c->strings);
    free(c->answer_of_module);
    for (size_t i = 0; c->rows != NULL && i < (size_t)c->builder->source_count * BUS_COUNT; i++)
        field_rows_free(&c->rows[i]);
    free(c->rows);
    bytes_free(&c->values.ends);
    bytes_free(&c->values.lines);
    bytes_free(&c->values.answers);
    bytes_free(&c->values.irregular);
    bytes_free(&c->values.modules);
    trie_free(&c->trie);
    intern_free(&c->classes);
    intern_free(&c->answers);
    for (unsigned s = 0; s < SECTION_COUNT; s++)
        bytes_free(&c->sections[s]);
}

static bool make_room(struct compilation *c)
{
    const struct pya_builder *builder = c->builder;
    size_t lines = (size_t)builder->line_count + 1, tokens = 1;

    for (uint32_t i = 0; i < builder->line_count; i++) {
        const struct alias_line *line = &builder->lines[i];
        tokens += line->own_tokens ? 0 : (size_t)line->normal_length * TOKENS_A_BYTE;
        c->text_size += line->length;
    }
    c->texts = malloc(lines * sizeof *c->texts);
    c->items = malloc(lines * sizeof *c->items);
    c->lines = malloc(lines * sizeof *c->lines);
    c->strings = malloc(lines * sizeof *c->strings);
    c->tokens = c->free_tokens = malloc(tokens);
    c->answer_of_module = malloc((size_t)(builder->modules.count + 1) * sizeof *c->answer_of_module);
    c->rows = calloc((size_t)builder->source_count * BUS_COUNT + 1, sizeof *c->rows);
    c->trie.classes = &c->classes;
    c->trie.number_of_value = malloc(lines * sizeof *c->trie.number_of_value);
    c->trie.tail_of_number = malloc(lines * sizeof *c->trie.tail_of_number);
    if (c->answer_of_module != NULL)
        memset(c->answer_of_module, 0xFF, builder->modules.count * sizeof *c->answer_of_module);
    /* Answer 0 is the empty one. */
    return c->texts && c->items && c->lines && c->strings && c->tokens && c->answer_of_module && c->rows &&
           c->trie.number_of_value && c->trie.tail_of_number && intern(&c->answers, "", 0) == 0;
}

int pya_builder_compile(pya_builder *builder, uint8_t **image, size_t *size, pya_error *error)
{
    struct compilation c = {.builder = builder};
    int code = make_room(&c) ? build_sources(&c) : PYA_ENOMEM;

    if (code == PYA_OK)
        code = put_sections(&c) ? write_image(&c, image, size) : PYA_ENOMEM;
    free_compilation(&c);
    if (code == PYA_ENOMEM)
        return fail(error, code, 0, "out of memory while compiling %u aliases", builder->line_count);
    if (code == PYA_ELIMIT)
        return fail(error, code, 0, "%u aliases make an image of more than 2 GiB", builder->line_count);
    return code;
}

void pya_bytes_free(uint8_t *bytes)
{
    free(bytes);
}
