/*
 * From the lines of a builder to an image: order and number the lines, group equal patterns to
 * values, lay out a trie a source, intern the answers, write the sections.
 */
#include <stdlib.h>
#include <string.h>

#include "builder.h"
#include "bytes.h"
#include "checksum.h"
#include "compile_fields.h"
#include "compile_patterns.h"
#include "compile_pci.h"
#include "compile_usb.h"
#include "error.h"
#include "format.h"
#include "glob.h"
#include "normalise.h"
#include "sort.h"
#include "tokens.h"
#include "trie.h"

/* What a line is sorted by, whichever the order. */
struct sort_item {
    const struct alias_line *line;
    const uint32_t *tokens;
    uint32_t token_count;
    uint32_t line_id;
};

/* pci, vfio_pci and usb have tables of all sources. */
enum { KEPT_BUSES = BUS_USB + 1 };

struct compilation {
    const struct pya_builder *builder;
    struct sort_text *texts;          /* the lines of a source that kmod keeps */
    struct sort_item *items, *second; /* scratch, one a line each */
    const struct alias_line **lines;  /* by line id */
    uint32_t *tokens;                 /* of all lines of a source */
    struct token_string *strings;     /* distinct ones of a source */
    uint32_t value_count;
    struct bytes_vector value_ends, value_lines; /* u32: where the lines of a value end; lines */
    uint32_t *answer_of_module;                  /* the answer of this module alone, or NEVER */
    struct trie trie;
    struct interner classes, answers;
    struct field_table *kept_tables[KEPT_BUSES]; /* one a source, kept until all sources are known */
    struct bytes_vector sections[SECTION_COUNT];
};

typedef int comparison(const void *, const void *);

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* ---- the order of lines ----------------------------------------------------------------------- */

/* Priorities are depmod's module indexes, and modules.alias is written in that order. */
static int by_priority(const void *a, const void *b)
{
    const struct alias_line *x = ((const struct sort_item *)a)->line,
                            *y = ((const struct sort_item *)b)->line;

    return compare_numbers((uint64_t)x->rank << 32 | x->sequence, (uint64_t)y->rank << 32 | y->sequence);
}

/* The first place where two normalised patterns differ; *wild: a wildcard stands before it. */
static uint32_t difference(const struct alias_line *x, const struct alias_line *y, bool *wild)
{
    uint32_t at = 0;

    *wild = false;
    while (at < x->normal_length && at < y->normal_length && x->normal[at] == y->normal[at])
        *wild |= is_wildcard(x->normal[at++]);
    return at;
}

/* A byte of a pattern as a trie of libkmod's is walked below a wildcard: children first. */
static unsigned byte_or_end(const struct alias_line *line, uint32_t at)
{
    return at < line->normal_length ? line->normal[at] : 256u;
}

/* Values without priorities (modules.builtin.alias.bin) come out last visited first. libkmod visits
 * wildcard children before all else on its literal way down (index_mm_searchwild_node), and below
 * a wildcard each node after its children (index_mm_searchwild_all). */
static int by_visit(const void *a, const void *b)
{
    const struct alias_line *x = ((const struct sort_item *)a)->line,
                            *y = ((const struct sort_item *)b)->line;
    bool wild;
    uint32_t at = difference(x, y, &wild);
    unsigned p = byte_or_end(x, at), q = byte_or_end(y, at);

    if (p == q)
        return compare_numbers(x->sequence, y->sequence);
    if (!wild) {
        p = p < 256 && is_wildcard((uint8_t)p) ? p : 256 + p;
        q = q < 256 && is_wildcard((uint8_t)q) ? q : 256 + q;
    }
    return -compare_numbers(p, q);
}

/* Already ordered input, which is what depmod writes, costs one pass. */
static void sort_items(struct sort_item *items, uint32_t count, comparison *compare)
{
    for (uint32_t i = 1; i < count; i++)
        if (compare(&items[i - 1], &items[i]) > 0) {
            qsort(items, count, sizeof *items, compare);
            return;
        }
}

/* Where each module's first line of a source stands. */
static bool rank_lines(const struct pya_builder *builder, uint32_t low, uint32_t high)
{
    uint32_t *first = malloc((builder->modules.count + 1) * sizeof *first);

    if (first == NULL)
        return false;
    memset(first, 0xFF, builder->modules.count * sizeof *first);
    for (uint32_t i = low; i < high; i++) {
        struct alias_line *line = &builder->lines[i];
        if (first[line->module] == NEVER)
            first[line->module] = i;
        line->rank = first[line->module];
    }
    free(first);
    return true;
}

static int by_addition(const void *a, const void *b)
{
    return compare_numbers(((const struct sort_text *)a)->key, ((const struct sort_text *)b)->key);
}

/* Equal patterns stand in order of addition in SORTED. Lines come in the order of their ids, which is
 * another one where a module's lines are not together. */
static bool sort_kept(struct compilation *c, uint32_t kept)
{
    bool in_order = true;

    for (uint32_t i = 0; i < kept; i++) {
        c->texts[i].key = c->lines[c->texts[i].id]->sequence;
        in_order = in_order && (i == 0 || c->texts[i - 1].key < c->texts[i].key);
    }
    if (!in_order)
        qsort(c->texts, kept, sizeof *c->texts, by_addition);
    if (!sort_texts(c->texts, kept))
        return false;
    for (uint32_t i = 0; i < kept; i++)
        bytes_push_u32(&c->sections[SECTION_SORTED], c->texts[i].id);
    return true;
}

/* Line ids of one source, and its part of SORTED; c->texts are the lines that kmod keeps, in that order. */
static bool order_source(struct compilation *c, uint32_t low, uint32_t high, int order, uint32_t *kept)
{
    if (!rank_lines(c->builder, low, high))
        return false;
    for (uint32_t i = low; i < high; i++)
        c->items[i - low] = (struct sort_item){.line = &c->builder->lines[i]};
    sort_items(c->items, high - low, order == PYA_ORDER_VISIT ? by_visit : by_priority);
    *kept = 0;
    for (uint32_t i = low; i < high; i++) {
        const struct alias_line *line = c->items[i - low].line;
        c->lines[i] = line;
        if (!line->refused)
            c->texts[(*kept)++] = (struct sort_text){0, line->normal, line->normal_length, i};
    }
    return sort_kept(c, *kept);
}

/* ---- values ----------------------------------------------------------------------------------- */

/* Tokens in the order of the bytes that they are written as: so patterns that need no second look are
 * sorted by tokens when they are sorted as text. */
static uint64_t token_rank(const struct sort_item *item, uint32_t at)
{
    uint32_t token;

    if (at == item->token_count)
        return UINT64_MAX;
    token = item->tokens[at];
    if (token < TOKEN_ANY)
        return (uint64_t)token << 32;
    if (token == TOKEN_ANY)
        return (uint64_t)'?' << 32 | 1;
    if (token == TOKEN_STAR)
        return (uint64_t)'*' << 32 | 1;
    return (uint64_t)'[' << 32 | token;
}

static int by_tokens(const void *a, const void *b)
{
    const struct sort_item *x = a, *y = b;
    uint32_t at = 0;
    int order;

    while (at + 2 <= x->token_count && at + 2 <= y->token_count &&
           memcmp(x->tokens + at, y->tokens + at, 2 * sizeof *x->tokens) == 0)
        at += 2;
    while (at < x->token_count && at < y->token_count && x->tokens[at] == y->tokens[at])
        at++;
    order = compare_numbers(token_rank(x, at), token_rank(y, at));
    return order ? order : compare_numbers(x->line_id, y->line_id);
}

/* The answer of some items' modules. Most have one, and one module has many values. */
static uint32_t answer_of(struct compilation *c, const struct sort_item *items, uint32_t count)
{
    struct bytes_vector modules = {0};
    uint32_t *known = count == 1 ? &c->answer_of_module[items->line->module] : NULL, answer;

    if (known != NULL && *known != NEVER)
        return *known;
    for (uint32_t i = 0; i < count; i++)
        bytes_push_u32(&modules, items[i].line->module);
    answer = modules.failed ? INTERN_FAILED : intern(&c->answers, modules.data, modules.size);
    bytes_free(&modules);
    if (known != NULL)
        *known = answer;
    return answer;
}

/* A new value of the lines of some items, which are in line order. */
static bool add_value(struct compilation *c, const struct sort_item *items, uint32_t count)
{
    uint32_t answer = answer_of(c, items, count);

    if (answer == INTERN_FAILED)
        return false;
    for (uint32_t i = 0; i < count; i++)
        bytes_push_u32(&c->value_lines, items[i].line_id);
    bytes_push_u32(&c->sections[SECTION_VALUE_ANSWERS], answer);
    bytes_push_u32(&c->value_ends, (uint32_t)(c->value_lines.size / 4));
    c->value_count++;
    return !c->value_ends.failed && !c->value_lines.failed;
}

/* Takes one line's tokens: to *kept, the end of a list of items, those that the trie will hold; an
 * irregular one gets a value of its own. */
static int tokenise_line(struct compilation *c, uint32_t line_id, uint32_t **free_tokens,
                         struct sort_item **kept)
{
    const struct alias_line *line = c->lines[line_id];
    struct sort_item item = {line, *free_tokens, 0, line_id};
    size_t count = 0;

    switch (tokenise(line->normal, line->normal_length, &c->classes, *free_tokens, &count)) {
    case TOKENS:
        item.token_count = (uint32_t)count;
        *free_tokens += count;
        *(*kept)++ = item;
        break;
    case TOKENS_IRREGULAR:
        bytes_push_u32(&c->sections[SECTION_IRREGULAR], c->value_count);
        if (!add_value(c, &item, 1))
            return PYA_ENOMEM;
        break;
    case TOKENS_NEVER:
        break;
    case TOKENS_NO_MEMORY:
        return PYA_ENOMEM;
    }
    return PYA_OK;
}

/* Two sorted lists to one: the second lies behind the first in c->items, which takes both. */
static void merge_items(struct compilation *c, uint32_t first, uint32_t count)
{
    struct sort_item *moved = c->second;
    uint32_t left = first, right = count - first;

    memcpy(moved, c->items + first, right * sizeof *moved);
    while (right > 0) {
        if (left > 0 && by_tokens(&c->items[left - 1], &moved[right - 1]) > 0) {
            left--;
            c->items[left + right] = c->items[left];
        } else {
            right--;
            c->items[left + right] = moved[right];
        }
    }
}

/* The lines of a source by tokens, *kept of them. Those whose tokens are their bytes come sorted; the
 * others are few, and sorted apart. */
static int tokenise_source(struct compilation *c, uint32_t texts, uint32_t *kept)
{
    uint32_t *free_tokens = c->tokens, in_order;
    struct sort_item *items = c->items, *others = c->second;
    int code = PYA_OK;

    for (uint32_t i = 0; i < texts && code == PYA_OK; i++) {
        struct sort_item *before = items;
        code = tokenise_line(c, c->texts[i].id, &free_tokens, &items);
        if (items > before && before > c->items && by_tokens(before - 1, before) > 0)
            *others++ = *--items;
    }
    in_order = (uint32_t)(items - c->items);
    *kept = in_order + (uint32_t)(others - c->second);
    qsort(c->second, *kept - in_order, sizeof *c->second, by_tokens);
    memcpy(c->items + in_order, c->second, (*kept - in_order) * sizeof *c->items);
    merge_items(c, in_order, *kept);
    return code;
}

static size_t field_table_place(uint32_t source, uint32_t bus)
{
    return (size_t)(source * BUS_COUNT + bus) * FIELD_TABLE_WORDS * 4;
}

/* The field tables of one source: of `distinct` strings and the irregular patterns from one on. */
static bool build_field_tables(struct compilation *c, uint32_t source, uint32_t distinct, size_t irregular)
{
    const struct bytes_vector *all = &c->sections[SECTION_IRREGULAR];

    for (uint32_t b = 0; b < BUS_COUNT; b++) {
        struct field_table table = {.bus = &buses[b], .classes = &c->classes};
        for (uint32_t i = 0; i < distinct; i++)
            if (c->strings[i].count > 0 && (c->strings[i].tokens[0] == (uint8_t)buses[b].prefix[0] ||
                                            c->strings[i].tokens[0] >= TOKEN_ANY))
                field_table_add(&table, &c->strings[i]);
        for (size_t at = irregular; at < all->size && !all->failed; at += 4) {
            uint32_t value = load_u32(all->data + at);
            uint32_t end = load_u32(c->value_ends.data + (size_t)value * 4);
            uint32_t line = load_u32(c->value_lines.data + ((size_t)end - 1) * 4);
            field_table_add_text(&table, c->lines[line]->normal, c->lines[line]->normal_length, value);
        }
        if (b < KEPT_BUSES)
            c->kept_tables[b][source] = table;
        else if (!field_table_write(&table, &c->sections[SECTION_FIELDS], field_table_place(source, b)))
            return false;
    }
    return true;
}

/* The field tables of a bus that are kept; none where `left_out` stands in for them. */
static bool write_kept_tables(struct compilation *c, uint32_t bus, bool left_out)
{
    for (uint32_t s = 0; s < c->builder->source_count; s++) {
        c->kept_tables[bus][s].to_trie |= left_out;
        if (!field_table_write(&c->kept_tables[bus][s], &c->sections[SECTION_FIELDS],
                               field_table_place(s, bus)))
            return false;
    }
    return true;
}

/* A pci bus as one table of all sources, or where it does not fit that, as field tables; usb as both. */
static bool build_bus_tables(struct compilation *c)
{
    bytes_extend(&c->sections[SECTION_PCI], (size_t)PCI_BUSES * PCI_TABLE_WORDS * 4);
    for (uint32_t b = 0; b < KEPT_BUSES; b++) {
        struct pci_input input = {c->kept_tables[b], c->builder->source_count, c->builder->line_count,
                                  c->lines,          &c->value_ends,           &c->value_lines};
        enum pci_result result = b == BUS_USB
                                     ? usb_table_write(&input, &c->answers, &c->sections[SECTION_USB])
                                     : pci_table_write(&input, &c->answers, &c->sections[SECTION_PCI],
                                                       (size_t)b * PCI_TABLE_WORDS * 4);
        if (result == PCI_NO_MEMORY || !write_kept_tables(c, b, b != BUS_USB && result == PCI_WRITTEN))
            return false;
    }
    return true;
}

/* Values, trie and field tables of one source. */
static int build_source(struct compilation *c, uint32_t source, uint32_t texts, uint32_t *root)
{
    uint32_t kept, distinct = 0;
    size_t irregular = c->sections[SECTION_IRREGULAR].size;
    int code = tokenise_source(c, texts, &kept);

    if (code != PYA_OK)
        return code;
    for (uint32_t i = 0, end; i < kept; i = end) {
        const struct sort_item *item = &c->items[i];
        for (end = i + 1; end < kept; end++)
            if (c->items[end].token_count != item->token_count ||
                memcmp(c->items[end].tokens, item->tokens, item->token_count * sizeof *item->tokens) != 0)
                break;
        c->strings[distinct++] = (struct token_string){item->tokens, item->token_count, c->value_count};
        if (!add_value(c, item, end - i))
            return PYA_ENOMEM;
    }
    if (!build_field_tables(c, source, distinct, irregular))
        return PYA_ENOMEM;
    return trie_add(&c->trie, c->strings, distinct, root);
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
    bytes_push(&c->sections[SECTION_ANSWER_MODULES], c->answers.text.data, c->answers.text.size);
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
    bytes_push_u32(out, (uint32_t)(c->sections[SECTION_IRREGULAR].size / 4));
    bytes_push_u32(out, (uint32_t)source->order);
}

static int build_sources(struct compilation *c)
{
    const struct pya_builder *builder = c->builder;

    if (builder->source_count > UINT16_MAX)
        return PYA_ELIMIT;
    bytes_extend(&c->sections[SECTION_FIELDS],
                 (size_t)builder->source_count * BUS_COUNT * FIELD_TABLE_WORDS * 4);
    for (uint32_t s = 0, low = 0, high = 0; s < builder->source_count; s++, low = high) {
        uint32_t root, kept;
        int code;
        while (high < builder->line_count && builder->lines[high].source == s)
            high++;
        if (!order_source(c, low, high, builder->sources[s].order, &kept))
            return PYA_ENOMEM;
        code = build_source(c, s, kept, &root);
        if (code != PYA_OK)
            return code;
        put_source(c, &builder->sources[s], root, high);
    }
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
    store_u32(image + HEADER_STAR_COUNT, c->trie.star_count);
    store_u32(image + HEADER_WILD_COUNT, c->trie.wild_count);
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

/* Nearly all values are one line, and name it themselves. */
static void put_values(struct compilation *c)
{
    struct bytes_vector *lists = &c->sections[SECTION_VALUE_LINES];
    uint32_t start = 0, end;

    for (uint32_t value = 0; value < c->value_count; value++, start = end) {
        const uint8_t *lines = c->value_lines.data + (size_t)start * 4;
        end = load_u32(c->value_ends.data + (size_t)value * 4);
        bytes_push_u32(&c->sections[SECTION_VALUES],
                       end - start == 1 ? load_u32(lines) | LAST_LINE : (uint32_t)(lists->size / 4));
        for (uint32_t i = start; i < end && end - start > 1; i++, lines += 4)
            bytes_push_u32(lists, load_u32(lines) | (i + 1 == end ? LAST_LINE : 0));
        bytes_push_u32(&c->sections[SECTION_VALUE_TAILS], c->trie.tail_of_value[value]);
    }
}

static void free_compilation(struct compilation *c)
{
    free(c->texts);
    free(c->items);
    free(c->second);
    free(c->lines);
    free(c->tokens);
    free(c->strings);
    free(c->answer_of_module);
    for (unsigned b = 0; b < KEPT_BUSES; b++) {
        for (uint32_t s = 0; c->kept_tables[b] != NULL && s < c->builder->source_count; s++)
            field_table_free(&c->kept_tables[b][s]);
        free(c->kept_tables[b]);
    }
    bytes_free(&c->value_ends);
    bytes_free(&c->value_lines);
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

    for (uint32_t i = 0; i < builder->line_count; i++)
        tokens += builder->lines[i].normal_length;
    c->texts = malloc(lines * sizeof *c->texts);
    c->items = malloc(lines * sizeof *c->items);
    c->second = malloc(lines * sizeof *c->second);
    c->lines = malloc(lines * sizeof *c->lines);
    c->strings = malloc(lines * sizeof *c->strings);
    c->tokens = malloc(tokens * sizeof *c->tokens);
    c->answer_of_module = malloc((size_t)(builder->modules.count + 1) * sizeof *c->answer_of_module);
    if (c->answer_of_module == NULL)
        return false;
    memset(c->answer_of_module, 0xFF, builder->modules.count * sizeof *c->answer_of_module);
    c->trie.tail_of_value = calloc(lines, sizeof *c->trie.tail_of_value);
    c->trie.classes = &c->classes;
    for (unsigned b = 0; b < KEPT_BUSES; b++) {
        c->kept_tables[b] = calloc((size_t)builder->source_count + 1, sizeof *c->kept_tables[b]);
        if (c->kept_tables[b] == NULL)
            return false;
    }
    /* Answer 0 is the empty one. */
    return c->texts && c->items && c->second && c->lines && c->strings && c->tokens &&
           c->trie.tail_of_value && intern(&c->answers, "", 0) == 0;
}

int pya_builder_compile(pya_builder *builder, uint8_t **image, size_t *size, pya_error *error)
{
    struct compilation c = {.builder = builder};
    int code = make_room(&c) ? build_sources(&c) : PYA_ENOMEM;

    if (code == PYA_OK) {
        put_lines(&c);
        put_interned(&c, &builder->modules, SECTION_MODULES);
        put_answers(&c);
        put_values(&c);
        bytes_push(&c.sections[SECTION_CLASSES], c.classes.text.data, c.classes.text.size);
        bytes_push(&c.sections[SECTION_TAILS], c.trie.tails.text.data, c.trie.tails.text.size);
        bytes_extend(&c.sections[SECTION_TAILS], TAILS_PADDING);
        bytes_push(&c.sections[SECTION_NODES], c.trie.nodes.data, c.trie.nodes.size);
        code = write_image(&c, image, size);
    }
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
