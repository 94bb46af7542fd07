/*
 * From the lines of a builder to an image: the steps in their order (compile.h).
 */
#include "compile.h"

#include <stdlib.h>
#include <string.h>

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

    bytes_extend(&c->fields, (size_t)sources * BUS_COUNT * FIELD_TABLE_WORDS * 4);
    bytes_extend(&c->pci, (size_t)PCI_BUSES * PCI_TABLE_WORDS * 4);
    for (uint32_t b = 0; b < BUS_COUNT; b++) {
        struct bus_input input = {c->rows + b, sources, c->builder->line_count, c->lines, &c->values};
        enum pci_result result = PCI_UNFIT;
        if (b < PCI_BUSES)
            result = pci_table_write(&input, &c->answers, &c->pci, (size_t)b * PCI_TABLE_WORDS * 4);
        else if (b == BUS_USB)
            result = usb_table_write(&input, &c->answers, &c->usb);
        if (result == PCI_NO_MEMORY)
            return false;
        for (uint32_t s = 0; s < sources; s++)
            if (!field_table_write(&c->rows[(size_t)s * BUS_COUNT + b], c->trie.number_of_value,
                                   b < PCI_BUSES && result == PCI_WRITTEN, &c->fields,
                                   ((size_t)s * BUS_COUNT + b) * FIELD_TABLE_WORDS * 4))
                return false;
    }
    return true;
}

/* ---- the steps -------------------------------------------------------------------------------- */

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
    c->ends[source] = (struct source_end){root, high, (uint32_t)(c->sorted.size / 4),
                                          (uint32_t)(c->values.irregular.size / 4)};
    return PYA_OK;
}

/* Values that are matched as text are numbered behind those of the trie. */
static void number_irregular(struct compilation *c)
{
    for (size_t at = 0; at < c->values.irregular.size; at += 4) {
        uint32_t number = c->trie.value_count++;
        c->trie.number_of_value[load_u32(c->values.irregular.data + at)] = number;
        c->trie.tail_of_number[number] = 0;
        bytes_push_u32(&c->irregular, number);
    }
}

/* What no later step needs is let go of at once: what comes is made in the same memory. */
static void free_lists(struct compilation *c)
{
    free(c->texts);
    free(c->items);
    c->texts = c->items = NULL;
}

static void free_strings(struct compilation *c)
{
    free(c->strings);
    c->strings = NULL;
    free(c->trie.queue);
    c->trie.queue = NULL;
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
    free_lists(c);
    if (code == PYA_OK)
        code = trie_build(&c->trie, c->strings);
    free_strings(c);
    if (code != PYA_OK)
        return code;
    number_irregular(c);
    return build_bus_tables(c) ? PYA_OK : PYA_ENOMEM;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void free_compilation(struct compilation *c)
{
    free_lists(c);
    free_strings(c);
    free(c->lines);
    free(c->tokens);
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
    free(c->ends);
    bytes_free(&c->sorted);
    bytes_free(&c->irregular);
    bytes_free(&c->fields);
    bytes_free(&c->pci);
    bytes_free(&c->usb);
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
    c->ends = malloc(((size_t)builder->source_count + 1) * sizeof *c->ends);
    c->rows = calloc((size_t)builder->source_count * BUS_COUNT + 1, sizeof *c->rows);
    c->trie.classes = &c->classes;
    c->trie.number_of_value = malloc(lines * sizeof *c->trie.number_of_value);
    c->trie.tail_of_number = malloc(lines * sizeof *c->trie.tail_of_number);
    if (c->answer_of_module != NULL)
        memset(c->answer_of_module, 0xFF, builder->modules.count * sizeof *c->answer_of_module);
    /* Answer 0 is the empty one. */
    return c->ends && c->texts && c->items && c->lines && c->strings && c->tokens && c->answer_of_module &&
           c->rows && c->trie.number_of_value && c->trie.tail_of_number && intern(&c->answers, "", 0) == 0;
}

int pya_builder_compile(pya_builder *builder, uint8_t **image, size_t *size, pya_error *error)
{
    struct compilation c = {.builder = builder};
    int code = make_room(&c) ? build_sources(&c) : PYA_ENOMEM;

    if (code == PYA_OK)
        code = write_image(&c, image, size);
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
