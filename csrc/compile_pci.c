#include "compile_pci.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "pci_compiler.h"
#include "place_keys.h"

static uint8_t class_test_of(const struct item *item)
{
    return (uint8_t)item->kind;
}

static uint32_t sub_names_of(const struct item *item)
{
    return item->kind >> 8 & 3;
}

static uint32_t source_of(const struct item *item)
{
    return item->kind >> 16;
}

static uint32_t sub_mask(uint32_t sub_names)
{
    return (sub_names & SUB_VENDOR ? 0xFFFF0000u : 0) | (sub_names & SUB_DEVICE ? 0xFFFF : 0);
}

/* ---- groups and rows -------------------------------------------------------------------------- */

static void group_rules(struct pci_compiler *c)
{
    for (uint32_t i = 0; i < c->rules.count; i++) {
        const struct pci_rule *rule = &c->rules.rules[i];
        uint32_t name[2] = {rule->names, rule->key}, id = intern(&c->group_ids, name, sizeof name);
        c->next[i] = NEVER;
        if (id == INTERN_FAILED) {
            give_up(c, PCI_NO_MEMORY);
            return;
        }
        if (c->groups[id].names == NEVER)
            c->groups[id] = (struct group){rule->names, rule->key, i, i};
        else
            c->next[c->groups[id].last] = i;
        c->groups[id].last = i;
    }
}

static uint32_t intern_row(struct pci_compiler *c, const struct item *items, uint32_t count)
{
    uint32_t row = intern(&c->rows, items, count * sizeof *items);

    if (row == INTERN_FAILED)
        give_up(c, PCI_NO_MEMORY);
    else if (row > MOST_ROWS)
        give_up(c, PCI_UNFIT);
    return row;
}

/* The row of the rules of up to three lists, by line. */
static uint32_t merged_row(struct pci_compiler *c, const uint32_t heads[3])
{
    uint32_t at[3] = {heads[0], heads[1], heads[2]}, count = 0;

    for (;;) {
        uint32_t least = NEVER;
        const struct pci_rule *rule;
        for (unsigned i = 0; i < 3; i++)
            least = at[i] < least ? at[i] : least;
        if (least == NEVER)
            return intern_row(c, c->items, count);
        if (count == MOST_ITEMS) {
            give_up(c, PCI_UNFIT);
            return 0;
        }
        rule = &c->rules.rules[least];
        c->items[count++] =
            (struct item){rule->position, rule->module,
                          rule->class_test | (uint32_t)rule->sub_names << 8 | rule->source << 16, rule->sub};
        for (unsigned i = 0; i < 3; i++)
            at[i] = at[i] == least ? c->next[least] : at[i];
    }
}

static void push_pair(struct bytes_vector *out, uint32_t first, uint32_t second)
{
    bytes_push_u32(out, first);
    bytes_push_u32(out, second);
}

/* The rows of vendors alone; devices alone are few or none. */
static void make_partial_rows(struct pci_compiler *c)
{
    for (uint32_t g = 0; g < c->group_ids.count; g++) {
        const struct group *group = &c->groups[g];
        uint32_t heads[3] = {group->first, NEVER, NEVER};
        if (group->names == NAMES_VENDOR && c->vendor_count < PCI_VENDORS) {
            c->vendor_groups[c->vendor_count] = group;
            c->vendors[c->vendor_count++] = group->key | merged_row(c, heads);
        } else if (group->names == NAMES_DEVICE && c->rare_count < PCI_RARE_DEVICES) {
            c->rare_groups[c->rare_count] = group;
            c->rare[c->rare_count++] = group->key;
        } else if (group->names == NAMES_VENDOR || group->names == NAMES_DEVICE) {
            give_up(c, PCI_UNFIT);
        }
    }
}

static uint32_t first_of(const struct group *const *groups, uint32_t count, uint32_t key)
{
    for (uint32_t i = 0; i < count; i++)
        if (groups[i]->key == key)
            return groups[i]->first;
    return NEVER;
}

static void make_rows(struct pci_compiler *c)
{
    intern_row(c, c->items, 0); /* row 0: no id is known */
    make_partial_rows(c);
    for (uint32_t g = 0; g < c->group_ids.count && c->result == PCI_WRITTEN; g++) {
        const struct group *group = &c->groups[g];
        uint32_t heads[3] = {group->first,
                             first_of(c->vendor_groups, c->vendor_count, group->key & 0xFFFF0000u),
                             first_of(c->rare_groups, c->rare_count, group->key & 0xFFFF)};
        if (group->names == NAMES_BOTH)
            push_pair(&c->keys, group->key, merged_row(c, heads));
    }
    c->key_rows = c->rows.count;
}

/* ---- nodes ------------------------------------------------------------------------------------ */

/* Adds the row that is left of a node's row where the sub-ids under its mask are `sub`; or where
 * they are none that it knows (`sub` is NULL). */
static uint32_t row_behind(struct pci_compiler *c, uint32_t count, uint32_t sub_names, const uint32_t *sub)
{
    uint32_t kept = 0, mask = sub_mask(sub_names);

    for (uint32_t i = 0; i < count; i++) {
        struct item item = c->items[i];
        uint32_t wanted = sub_mask(sub_names_of(&item));
        if (sub == NULL ? wanted == mask : (wanted & mask) == wanted && (*sub & wanted) != item.sub)
            continue;
        if (sub != NULL && (wanted & mask) == wanted) {
            item.kind &= ~0x300u;
            item.sub = 0;
        }
        c->kept[kept++] = item;
    }
    return intern_row(c, c->kept, kept);
}

/* Whether an item before this one asks for the same sub-ids. */
static bool asked_before(const struct pci_compiler *c, uint32_t item)
{
    for (uint32_t i = 0; i < item; i++)
        if (sub_names_of(&c->items[i]) == sub_names_of(&c->items[item]) &&
            c->items[i].sub == c->items[item].sub)
            return true;
    return false;
}

/* A node for the row whose items are in c->items. Both sub-ids come first: whoever is found there
 * has all other items settled too. */
static uint32_t add_node(struct pci_compiler *c, uint32_t count)
{
    uint32_t node = (uint32_t)(c->nodes.size / sizeof(struct node)), sub_names = 0;

    for (uint32_t i = 0; i < count; i++)
        sub_names = sub_names_of(&c->items[i]) > sub_names ? sub_names_of(&c->items[i]) : sub_names;
    push_pair(&c->nodes, sub_mask(sub_names), row_behind(c, count, sub_names, NULL));
    for (uint32_t i = 0; i < count && c->result == PCI_WRITTEN; i++) {
        c->work += count;
        if (c->work > MOST_WORK || node > MOST_NODES)
            give_up(c, PCI_UNFIT);
        if (sub_names_of(&c->items[i]) != sub_names || asked_before(c, i))
            continue;
        push_pair(&c->entries, c->items[i].sub, node);
        bytes_push_u32(&c->entries, row_behind(c, count, sub_names, &c->items[i].sub));
    }
    return node;
}

/* ---- cells ------------------------------------------------------------------------------------ */

/* Modules of an answer in the making; only the first source that has any counts. */
struct answer {
    uint8_t modules[(MOST_ITEMS + MOST_DEFAULTS) * 4];
    uint32_t count, source;
};

static void answer_add(struct answer *answer, uint32_t source, uint32_t module)
{
    if (answer->count == 0)
        answer->source = source;
    if (answer->source == source)
        store_u32(answer->modules + (size_t)answer->count++ * 4, module);
}

static void answer_add_defaults(struct pci_compiler *c, struct answer *answer, uint64_t defaults)
{
    for (; defaults != 0; defaults &= defaults - 1) {
        const struct pci_rule *rule = c->rules.defaults[__builtin_ctzll(defaults)];
        answer_add(answer, rule->source, rule->module);
    }
}

/* The items that a class meets, and the rules that every device is asked, by line. PCI_ASK: there are more
 * answers than cells have room for. */
static uint32_t make_answer(struct pci_compiler *c, uint32_t count, uint64_t tests, uint64_t defaults)
{
    struct answer answer;
    bool no_memory;
    uint32_t id;

    answer.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct item *item = &c->items[i];
        uint64_t before = item->position < 64 ? (1ull << item->position) - 1 : ~0ull;
        if (class_test_of(item) != NO_CLASS_TEST && !(tests >> class_test_of(item) & 1))
            continue;
        answer_add_defaults(c, &answer, defaults & before);
        defaults &= ~before;
        answer_add(&answer, source_of(item), item->module);
    }
    answer_add_defaults(c, &answer, defaults);
    id = answer_below(c->answers, answer.modules, (size_t)answer.count * 4, MOST_ANSWERS, &no_memory);
    if (no_memory)
        give_up(c, PCI_NO_MEMORY);
    return id == NEVER ? PCI_ASK : id;
}

/* What one row gave for classes before: most classes of a row answer alike. */
struct remembered {
    uint64_t tests, defaults;
    uint32_t answer;
};

static uint32_t answer_of_class(struct pci_compiler *c, uint32_t count, uint64_t tests, uint64_t defaults,
                                struct remembered *memory, uint32_t *memory_count)
{
    uint32_t i = 0;

    while (i < *memory_count && (memory[i].tests != tests || memory[i].defaults != defaults))
        i++;
    if (i == *memory_count)
        memory[(*memory_count)++] =
            (struct remembered){tests, defaults, make_answer(c, count, tests, defaults)};
    return memory[i].answer;
}

/* A row's items to c->items; how many. */
static uint32_t read_row(struct pci_compiler *c, uint32_t row)
{
    uint32_t count = c->rows.strings[row].length / (uint32_t)sizeof(struct item);

    if (count > 0)
        memcpy(c->items, c->rows.text.data + c->rows.strings[row].offset, count * sizeof(struct item));
    return count;
}

static void put_cell(struct pci_compiler *c, uint32_t row, uint32_t class, uint32_t number)
{
    uint8_t *cell = c->cells.data + ((size_t)row * c->rules.classes.count + class) * 2;

    cell[0] = (uint8_t)number;
    cell[1] = (uint8_t)(number >> 8);
}

/* The nodes of one row, all classes: the other cells are left to be asked for. */
static void make_node_cells(struct pci_compiler *c, uint32_t row)
{
    uint32_t count = read_row(c, row), node = NEVER;
    uint64_t sub_tests = 0; /* class tests of items with sub-ids */
    bool sub_always = false;

    if (bytes_extend(&c->cells, (size_t)c->rules.classes.count * 2) == NULL) {
        give_up(c, PCI_NO_MEMORY);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t test = class_test_of(&c->items[i]);
        if (sub_names_of(&c->items[i]) == SUB_NONE)
            continue;
        sub_always |= test == NO_CLASS_TEST;
        sub_tests |= test == NO_CLASS_TEST ? 0 : 1ull << test;
    }
    for (uint32_t class = 0; class < c->rules.classes.count && c->result == PCI_WRITTEN; class++) {
        bool asks = sub_always || (c->rules.classes.tests[class] & sub_tests);
        if (asks && node == NEVER)
            node = add_node(c, count);
        put_cell(c, row, class, asks ? PCI_NODE | node : PCI_ASK);
    }
}

/* The answers of one row, of classes that meet some rule of those that every device is asked, or none. */
static void make_answer_cells(struct pci_compiler *c, uint32_t row, bool meet)
{
    struct remembered memory[256];
    uint32_t memory_count = 0, count = read_row(c, row);
    uint64_t asked = 0; /* class tests of all items */

    for (uint32_t i = 0; i < count; i++)
        asked |= class_test_of(&c->items[i]) == NO_CLASS_TEST ? 0 : 1ull << class_test_of(&c->items[i]);
    for (uint32_t class = 0; class < c->rules.classes.count && c->result == PCI_WRITTEN; class++) {
        uint64_t defaults = c->rules.defaults_of_class[class];
        size_t place = ((size_t)row * c->rules.classes.count + class) * 2;
        if ((defaults != 0) == meet && load_u16(c->cells.data + place) == PCI_ASK)
            put_cell(c, row, class,
                     answer_of_class(c, count, c->rules.classes.tests[class] & asked, defaults, memory,
                                     &memory_count));
    }
}

/* Rows are added meanwhile, behind nodes; each has fewer kinds of sub-ids than the row it is from. Where
 * there are too many answers, those of classes that meet nothing else come first: most devices' do. */
static void make_all_cells(struct pci_compiler *c)
{
    for (uint32_t row = 0; row < c->rows.count && c->result == PCI_WRITTEN; row++) {
        if (c->cells.size / 2 > MOST_CELLS)
            give_up(c, PCI_UNFIT);
        make_node_cells(c, row);
    }
    for (unsigned meet = 0; meet < 2; meet++)
        for (uint32_t row = 0; row < c->rows.count && c->result == PCI_WRITTEN; row++)
            make_answer_cells(c, row, meet);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void compile_rules(struct pci_compiler *c, struct bytes_vector *out, uint32_t *header)
{
    c->groups = malloc(((size_t)c->rules.count + 1) * sizeof *c->groups);
    c->next = malloc(((size_t)c->rules.count + 1) * sizeof *c->next);
    if (c->groups == NULL || c->next == NULL) {
        give_up(c, PCI_NO_MEMORY);
        return;
    }
    memset(c->groups, 0xFF, ((size_t)c->rules.count + 1) * sizeof *c->groups);
    group_rules(c);
    if (c->result == PCI_WRITTEN)
        make_rows(c);
    make_all_cells(c);
    if (c->result == PCI_WRITTEN)
        write_pci_parts(c, out, header);
}

static void free_compiler(struct pci_compiler *c)
{
    pci_rules_free(&c->rules);
    intern_free(&c->group_ids);
    intern_free(&c->rows);
    free(c->groups);
    free(c->next);
    bytes_free(&c->cells);
    bytes_free(&c->nodes);
    bytes_free(&c->entries);
    bytes_free(&c->keys);
    free(c);
}

enum pci_result pci_table_write(const struct bus_input *input, struct interner *answers,
                                struct bytes_vector *out, size_t place)
{
    struct pci_compiler *c = calloc(1, sizeof *c);
    uint32_t header[PCI_TABLE_WORDS] = {0};
    size_t start = out->size;
    enum pci_result result;

    if (c == NULL)
        return PCI_NO_MEMORY;
    c->answers = answers;
    c->result = pci_rules_gather(input, &c->rules);
    if (c->result == PCI_WRITTEN)
        compile_rules(c, out, header);
    result = c->result;
    free_compiler(c);
    if (result == PCI_UNFIT && !out->failed)
        out->size = start;
    for (unsigned i = 0; i < PCI_TABLE_WORDS && result == PCI_WRITTEN; i++)
        store_u32(out->data + place + (size_t)i * 4, header[i]);
    return result;
}
