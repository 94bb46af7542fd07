#include "compile_usb.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "place_keys.h"
#include "usb_compiler.h"
#include "usb_table.h"

/* ---- rules ------------------------------------------------------------------------------------ */

static bool whole_bytes(uint32_t mask)
{
    for (unsigned shift = 0; shift < 32; shift += 8)
        if ((mask >> shift & 0xFF) != 0 && (mask >> shift & 0xFF) != 0xFF)
            return false;
    return true;
}

/* A rule for any device: by one of the two classes, and nothing else. */
static bool name_class(struct usb_compiler *c, const uint32_t *mask, const uint32_t *words,
                       struct group *group)
{
    uint32_t device = (mask[1] & 0xFFFF) << 8 | mask[2] >> 24, interface = mask[2] & 0xFFFFFF;
    unsigned which = device != 0;
    uint8_t test;

    if (mask[1] >> 16 != 0 || mask[3] != 0 || (device != 0) == (interface != 0) ||
        !whole_bytes(which ? device : interface))
        return false;
    if (!class_test_number(&c->tests[which], which ? device : interface,
                           which ? (words[1] & 0xFFFF) << 8 | words[2] >> 24 : words[2] & 0xFFFFFF, &test))
        return false;
    *group = (struct group){which ? NAMES_DEVICE : NAMES_INTERFACE, test, NEVER};
    return true;
}

static void add_rule(struct usb_compiler *c, const struct group *group, const struct item *item)
{
    uint32_t name[2] = {group->names, group->key}, id = intern(&c->group_ids, name, sizeof name);

    if (id == INTERN_FAILED) {
        give_up(c, PCI_NO_MEMORY);
        return;
    }
    if (id == c->group_ids.count - 1 && c->groups[id].names == NEVER)
        c->groups[id] = (struct group){group->names, group->key, NEVER};
    c->rules[c->rule_count] = (struct rule){*item, c->groups[id].first};
    c->groups[id].first = c->rule_count++;
}

static void add_rules(struct usb_compiler *c, const struct field_row *row)
{
    const struct values *values = c->input->values;
    struct group group = {NAMES_BOTH, row->words[0], NEVER};
    struct item item = {
        .unfit = row->mask[2] >> 24, .mask = usb_rest(row->mask), .rest = usb_rest(row->words)};

    if (row->mask[0] == 0xFFFF0000u) {
        group.names = NAMES_VENDOR;
    } else if (row->mask[0] != UINT32_MAX) {
        item = (struct item){0};
        if (row->mask[0] != 0 || !name_class(c, row->mask, row->words, &group)) {
            give_up(c, PCI_UNFIT);
            return;
        }
    }
    for (uint32_t i = value_lines_from(values, row->value); i < value_lines_to(values, row->value); i++) {
        item.segment = c->segments[value_line(values, i)];
        add_rule(c, &group, &item);
    }
}

/* How many rules there are: 0 where the table is left out. */
static uint64_t count_rules(const struct bus_input *input)
{
    uint64_t count = 0;

    for (uint32_t s = 0; s < input->source_count; s++) {
        const struct field_rows *rows = rows_of_source(input, s);
        if (rows->to_trie || rows->residue.size > 0)
            return 0;
        for (size_t i = 0; i < field_row_count(rows); i++) {
            uint32_t value = field_row_at(rows, i)->value;
            count += value_lines_to(input->values, value) - value_lines_from(input->values, value);
        }
    }
    return count;
}

static void number_segments(struct usb_compiler *c)
{
    const struct alias_line *const *lines = c->input->lines;

    for (uint32_t i = 0; i < c->input->line_count; i++) {
        bool same =
            i > 0 && lines[i]->module == lines[i - 1]->module && lines[i]->source == lines[i - 1]->source;
        c->segments[i] = i == 0 ? 0 : c->segments[i - 1] + !same;
    }
}

static void gather_rules(struct usb_compiler *c)
{
    number_segments(c);
    for (uint32_t s = 0; s < c->input->source_count; s++)
        for (size_t i = 0; i < field_row_count(rows_of_source(c->input, s)) && c->result == PCI_WRITTEN; i++)
            add_rules(c, field_row_at(rows_of_source(c->input, s), i));
}

/* ---- rows ------------------------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->segment != y->segment)
        return x->segment < y->segment ? -1 : 1;
    if (x->mask != y->mask)
        return x->mask < y->mask ? -1 : 1;
    return (x->rest > y->rest) - (x->rest < y->rest);
}

static uint32_t intern_row(struct usb_compiler *c, struct item *items, uint32_t count)
{
    uint32_t row;

    if (count > 1)
        qsort(items, count, sizeof *items, compare_items);
    row = intern(&c->rows, items, count * sizeof *items);
    if (row == INTERN_FAILED)
        give_up(c, PCI_NO_MEMORY);
    else if (row > MOST_ROWS)
        give_up(c, PCI_UNFIT);
    return row;
}

/* Adds a group's items to c->items; how many there are then. */
static uint32_t add_group(struct usb_compiler *c, const struct group *group, uint32_t count)
{
    for (uint32_t rule = group->first; rule != NEVER; rule = c->rules[rule].next) {
        if (count == MOST_ITEMS) {
            give_up(c, PCI_UNFIT);
            return 0;
        }
        c->items[count++] = c->rules[rule].item;
    }
    return count;
}

/* The rows of the classes come first, so that a byte names them. */
static void make_class_rows(struct usb_compiler *c, unsigned which)
{
    const struct group *by_test[MOST_CLASS_TESTS] = {0};
    struct class_ids *classes = &c->classes[which];
    uint8_t rows[256] = {0};

    for (uint32_t g = 0; g < c->group_ids.count; g++)
        if (c->groups[g].names == (which ? NAMES_DEVICE : NAMES_INTERFACE))
            by_test[c->groups[g].key] = &c->groups[g];
    if (!make_class_tables(&c->tests[which], classes)) {
        give_up(c, PCI_UNFIT);
        return;
    }
    for (uint32_t class = 0; class < classes->count && c->result == PCI_WRITTEN; class++) {
        uint32_t count = 0, row;
        for (uint64_t tests = classes->tests[class]; tests != 0; tests &= tests - 1)
            if (by_test[__builtin_ctzll(tests)] != NULL)
                count = add_group(c, by_test[__builtin_ctzll(tests)], count);
        row = intern_row(c, c->items, count);
        if (row >= MOST_DEFAULT_ROWS)
            give_up(c, PCI_UNFIT);
        rows[class] = (uint8_t)row;
    }
    for (unsigned i = 0; i < 256; i++)
        classes->tables[CLASS_IDS + i] = rows[classes->tables[CLASS_IDS + i]];
}

static void make_rows(struct usb_compiler *c)
{
    intern_row(c, c->items, 0); /* row 0: no pattern */
    make_class_rows(c, 0);
    make_class_rows(c, 1);
    c->class_rows = c->rows.count;
    for (uint32_t g = 0; g < c->group_ids.count && c->result == PCI_WRITTEN; g++) {
        const struct group *group = &c->groups[g];
        uint32_t row;
        if (group->names != NAMES_BOTH && group->names != NAMES_VENDOR)
            continue;
        row = intern_row(c, c->items, add_group(c, group, 0));
        if (group->names == NAMES_VENDOR) {
            bytes_push_u32(&c->vendors, group->key | row);
        } else {
            bytes_push_u32(&c->keys, group->key);
            bytes_push_u32(&c->keys, row);
        }
    }
    c->key_rows = c->rows.count;
}

/* ---- cells ------------------------------------------------------------------------------------ */

/* The row that is left of a node's row where the rest under its mask is as `found` wants it; or where
 * it is none that the row knows (`found` is NULL). */
static uint32_t row_behind(struct usb_compiler *c, uint32_t count, uint64_t mask, const struct item *found)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct item item = c->items[i];
        bool settled = (item.mask & mask) == item.mask;
        if (found == NULL ? item.mask == mask : settled && (found->rest & item.mask) != item.rest)
            continue;
        if (found != NULL && settled)
            item.mask = item.rest = 0;
        c->kept[kept++] = item;
    }
    return intern_row(c, c->kept, kept);
}

/* Whether an item before this one asks for the same. */
static bool asked_before(const struct usb_compiler *c, uint32_t item)
{
    for (uint32_t i = 0; i < item; i++)
        if (c->items[i].mask == c->items[item].mask && c->items[i].rest == c->items[item].rest)
            return true;
    return false;
}

/* A node for the row whose items are in c->items. It asks for as much as any item does: whoever is
 * found there has all items settled that ask for a part of it. */
static uint32_t add_node(struct usb_compiler *c, uint32_t count)
{
    uint32_t node = (uint32_t)(c->nodes.size / USB_NODE_ENTRY);
    uint64_t mask = 0;
    uint8_t bytes[8];

    for (uint32_t i = 0; i < count; i++)
        if (__builtin_popcountll(c->items[i].mask) > __builtin_popcountll(mask))
            mask = c->items[i].mask;
    store_u64(bytes, mask);
    bytes_push(&c->nodes, bytes, sizeof bytes);
    bytes_push_u32(&c->nodes, row_behind(c, count, mask, NULL));
    for (uint32_t i = 0; i < count && c->result == PCI_WRITTEN; i++) {
        c->work += count;
        if (c->work > MOST_WORK || node > MOST_NODES)
            give_up(c, PCI_UNFIT);
        if (c->items[i].mask != mask || asked_before(c, i))
            continue;
        store_u64(bytes, c->items[i].rest);
        bytes_push(&c->entries, bytes, sizeof bytes);
        bytes_push_u32(&c->entries, node);
        bytes_push_u32(&c->entries, row_behind(c, count, mask, &c->items[i]));
    }
    return node;
}

/* The modules of a row; only the first source that has any counts. */
static uint32_t make_answer(struct usb_compiler *c, uint32_t count, const struct alias_line *const *firsts)
{
    uint8_t modules[MOST_ITEMS * 4];
    uint32_t modules_count = 0, id;
    bool no_memory;

    for (uint32_t i = 0; i < count; i++) {
        const struct alias_line *line = firsts[c->items[i].segment];
        if (line->source == firsts[c->items[0].segment]->source)
            store_u32(modules + (size_t)modules_count++ * 4, line->module);
    }
    id = answer_below(c->answers, modules, (size_t)modules_count * 4, MOST_ANSWERS, &no_memory);
    if (no_memory)
        give_up(c, PCI_NO_MEMORY);
    return id == NEVER ? USB_ASK : id;
}

static void make_cell(struct usb_compiler *c, uint32_t row, const struct alias_line *const *firsts)
{
    uint32_t count = c->rows.strings[row].length / (uint32_t)sizeof(struct item), cell;
    bool asks = false, unfit = false;
    uint8_t bytes[2];

    if (count > 0)
        memcpy(c->items, c->rows.text.data + c->rows.strings[row].offset, count * sizeof(struct item));
    for (uint32_t i = 0; i < count; i++) {
        asks |= c->items[i].mask != 0;
        unfit |= c->items[i].unfit != 0;
    }
    cell = unfit ? USB_ASK : asks ? USB_NODE | add_node(c, count) : make_answer(c, count, firsts);
    if (row < c->class_rows && (cell & USB_NODE)) /* nobody would follow it (check_usb.c) */
        give_up(c, PCI_UNFIT);
    bytes[0] = (uint8_t)cell;
    bytes[1] = (uint8_t)(cell >> 8);
    bytes_push(&c->cells, bytes, sizeof bytes);
}

/* Rows are added meanwhile, behind nodes; each asks for less than the row it is from. */
static void make_cells(struct usb_compiler *c)
{
    uint32_t segments = c->input->line_count == 0 ? 0 : c->segments[c->input->line_count - 1] + 1;
    const struct alias_line **firsts = malloc(((size_t)segments + 1) * sizeof *firsts);

    if (firsts == NULL) {
        give_up(c, PCI_NO_MEMORY);
        return;
    }
    for (uint32_t i = 0; i < c->input->line_count; i++)
        firsts[c->segments[i]] = c->input->lines[i];
    for (uint32_t row = 0; row < c->rows.count && c->result == PCI_WRITTEN; row++)
        make_cell(c, row, firsts);
    free(firsts);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void compile_rules(struct usb_compiler *c, uint64_t count, struct bytes_vector *out, uint32_t *header)
{
    c->groups = malloc(((size_t)count + 1) * sizeof *c->groups);
    c->rules = malloc(((size_t)count + 1) * sizeof *c->rules);
    c->segments = malloc(((size_t)c->input->line_count + 1) * sizeof *c->segments);
    if (c->groups == NULL || c->rules == NULL || c->segments == NULL) {
        give_up(c, PCI_NO_MEMORY);
        return;
    }
    memset(c->groups, 0xFF, ((size_t)count + 1) * sizeof *c->groups);
    gather_rules(c);
    if (c->result == PCI_WRITTEN)
        make_rows(c);
    make_cells(c);
    if (c->result == PCI_WRITTEN)
        write_usb_parts(c, out, header);
}

static void free_compiler(struct usb_compiler *c)
{
    intern_free(&c->group_ids);
    intern_free(&c->rows);
    free(c->groups);
    free(c->rules);
    free(c->segments);
    bytes_free(&c->cells);
    bytes_free(&c->nodes);
    bytes_free(&c->entries);
    bytes_free(&c->keys);
    bytes_free(&c->vendors);
    free(c);
}

enum pci_result usb_table_write(const struct bus_input *input, struct interner *answers,
                                struct bytes_vector *out)
{
    uint64_t count = count_rules(input);
    uint32_t header[USB_TABLE_WORDS] = {0};
    struct usb_compiler *c;
    enum pci_result result;
    size_t start;

    bytes_extend(out, sizeof header);
    if (count == 0 || count > MOST_USB_RULES)
        return PCI_UNFIT;
    start = out->size;
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return PCI_NO_MEMORY;
    c->input = input;
    c->answers = answers;
    compile_rules(c, count, out, header);
    result = c->result;
    free_compiler(c);
    if (result == PCI_UNFIT && !out->failed)
        out->size = start;
    for (unsigned i = 0; i < USB_TABLE_WORDS && result == PCI_WRITTEN; i++)
        store_u32(out->data + (size_t)i * 4, header[i]);
    return result;
}
