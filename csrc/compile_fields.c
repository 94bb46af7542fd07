#include "compile_fields.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "glob.h"
#include "perfect.h"
#include "tokens.h"

/* ---- a pattern as rows of fields -------------------------------------------------------------- */

enum { MOST_ROWS = 256, MOST_CHOICES = 40 };

/* FIT_NOTHING: all separators, but digits that no key has. */
enum fit { FIT_ROWS, FIT_NOTHING, FIT_NEVER, FIT_TEXT };

/* What a [...] lets a digit be. */
struct choice {
    uint8_t word, shift;
    uint16_t digits; /* bit n: the digit n */
};

/* The bits that a pattern wants, and the digits that it leaves some choice. */
struct row {
    uint32_t mask[FIELD_WORDS], words[FIELD_WORDS];
    unsigned choice_count;
    struct choice choices[MOST_CHOICES];
};

/* The hexadecimal digits in upper case that a token takes. */
static uint16_t digits_of(const struct field_table *table, uint32_t token)
{
    static const char digits[] = "0123456789ABCDEF";
    uint16_t set = 0;

    if (token == TOKEN_ANY)
        return 0xFFFF;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t digit = (uint8_t)digits[i];
        if (token < TOKEN_ANY)
            set |= (uint16_t)((token == digit) << i);
        else
            set |= (uint16_t)((table->classes->text
                                       .data[(size_t)CLASS_ENTRY * (token - TOKEN_CLASS) + digit / 8] >>
                                   digit % 8 &
                               1)
                              << i);
    }
    return set;
}

static bool is_lower(uint32_t token)
{
    return token >= 'a' && token <= 'z';
}

/* A digit that a token says; 16 or more: it says none, or none in upper case. */
static unsigned digit_of(uint32_t token)
{
    unsigned decimal = token - '0', letter = token - 'A';

    return decimal < 10 ? decimal : letter < 6 ? letter + 10 : 16;
}

static size_t separator_length(const struct field *field)
{
    return field->separator[1] == 0 ? 1 : field->separator[2] == 0 ? 2 : 3;
}

/* One field's digits from tokens[*at] on. */
static enum fit fit_field(const struct field_table *table, const struct field *field,
                          const struct token_string *string, uint32_t *at, struct row *row, bool *starred)
{
    unsigned count = 0;
    bool star = false, never = false, beyond = false;
    uint32_t word = 0;

    /* Most fields are all digits. */
    for (; count < field->digits && *at < string->count; ++*at, ++count) {
        unsigned digit = digit_of(string->tokens[*at]);
        if (digit > 15)
            break;
        word = word << 4 | digit;
    }
    if (count > 0) {
        unsigned shift = field->shift + (field->digits - count) * 4u;
        row->mask[field->word] |= (uint32_t)(((uint64_t)1 << 4 * count) - 1) << shift;
        row->words[field->word] |= word << shift;
    }
    for (; *at < string->count && !is_lower(string->tokens[*at]); ++*at, ++count) {
        uint32_t token = string->tokens[*at];
        unsigned shift;
        uint16_t digits;
        if (token == TOKEN_STAR) {
            *starred = star = true;
            ++*at;
            break;
        }
        if (count >= field->digits) {
            beyond |= token >= TOKEN_ANY;
            continue;
        }
        shift = field->shift + (field->digits - 1 - count) * 4u;
        if (digit_of(token) < 16) {
            row->mask[field->word] |= 0xFu << shift;
            row->words[field->word] |= digit_of(token) << shift;
            continue;
        }
        digits = digits_of(table, token);
        never |= digits == 0;
        if (digits == 0xFFFF)
            continue;
        row->mask[field->word] |= 0xFu << shift;
        row->choices[row->choice_count++] = (struct choice){field->word, (uint8_t)shift, digits};
    }
    if (star && *at < string->count && !is_lower(string->tokens[*at]))
        return FIT_TEXT; /* digits behind a star: no row */
    if (beyond)
        return FIT_TEXT; /* a ? or [...] that may meet the next separator's letter */
    return never || count > field->digits || (count < field->digits && !star) ? FIT_NEVER : FIT_ROWS;
}

/* Whether literal text comes next; moves *at behind it. */
static enum fit fit_literal(const struct token_string *string, const char *text, size_t length, uint32_t *at)
{
    for (size_t i = 0; i < length; i++, ++*at) {
        if (*at == string->count)
            return FIT_NEVER;
        if (string->tokens[*at] >= TOKEN_ANY)
            return FIT_TEXT;
        if (string->tokens[*at] != (uint8_t)text[i])
            return FIT_NEVER;
    }
    return FIT_ROWS;
}

static enum fit fit(const struct field_table *table, const struct token_string *string, struct row *row)
{
    const struct bus *bus = table->bus;
    uint32_t at = 0;
    enum fit result = fit_literal(string, bus->prefix, bus->prefix_length, &at);
    bool never = false, starred = false;

    for (unsigned f = 0; f < bus->field_count && result == FIT_ROWS; f++) {
        const struct field *field = &bus->fields[f];
        result = fit_literal(string, field->separator, separator_length(field), &at);
        /* Behind a star a difference is no proof that the pattern never matches: only of no row. */
        if (result == FIT_NEVER && starred)
            result = FIT_TEXT;
        if (result != FIT_ROWS)
            break;
        result = fit_field(table, field, string, &at, row, &starred);
        if (result == FIT_NEVER) {
            never = true;
            result = FIT_ROWS;
        }
    }
    if (result == FIT_ROWS && at < string->count)
        result = FIT_TEXT;
    return result == FIT_ROWS && never ? FIT_NOTHING : result;
}

/* ---- rows into the table ---------------------------------------------------------------------- */

static void add_residue(struct field_table *table, uint32_t value)
{
    bytes_push_u32(&table->residue, value);
    if (table->residue.size / 4 > MOST_RESIDUE)
        table->to_trie = true;
}

static uint32_t intern_words(struct interner *interner, const uint32_t *words, unsigned count)
{
    uint8_t bytes[(FIELD_WORDS + 1) * 4];

    for (unsigned i = 0; i < count; i++)
        store_u32(bytes + (size_t)i * 4, words[i]);
    return intern(interner, bytes, (size_t)count * 4);
}

/* Neighbouring patterns ask for the same fields. */
static uint32_t signature_of(struct field_table *table, const uint32_t mask[FIELD_WORDS])
{
    if (table->signatures.count == 0 || memcmp(table->last_mask, mask, sizeof table->last_mask) != 0) {
        memcpy(table->last_mask, mask, sizeof table->last_mask);
        table->last_signature = intern_words(&table->signatures, mask, FIELD_WORDS);
    }
    return table->last_signature;
}

/* False where an equal row is there already, of another pattern. */
static bool add_row(struct field_table *table, const struct row *row, uint32_t value)
{
    uint32_t signature = signature_of(table, row->mask), rule;
    uint32_t words[FIELD_WORDS + 1] = {signature};

    memcpy(words + 1, row->words, sizeof row->words);
    rule = intern_words(&table->rules, words, FIELD_WORDS + 1);
    if (signature == INTERN_FAILED || rule == INTERN_FAILED) {
        table->failed = true;
        return true;
    }
    if (table->signatures.count > MOST_SIGNATURES)
        table->to_trie = true;
    if (rule < table->rule_values.size / 4)
        return false;
    bytes_push_u32(&table->rule_values, value);
    return true;
}

/* How many rows the choices make; more than MOST_ROWS are not counted on. */
static unsigned count_rows(const struct row *row)
{
    unsigned rows = 1;

    for (unsigned i = 0; i < row->choice_count && rows <= MOST_ROWS; i++)
        rows *= (unsigned)__builtin_popcount(row->choices[i].digits);
    return rows;
}

static void set_digit(struct row *row, const struct choice *choice, unsigned which)
{
    uint32_t digits = choice->digits;

    while (which-- > 0)
        digits &= digits - 1;
    row->words[choice->word] &= ~(0xFu << choice->shift);
    row->words[choice->word] |= (uint32_t)__builtin_ctz(digits) << choice->shift;
}

/* One row for each way to choose the digits. */
static void add_rows(struct field_table *table, struct row *row, uint32_t value)
{
    unsigned rows = count_rows(row);
    bool new = rows <= MOST_ROWS;

    for (unsigned number = 0; number < rows && new; number++) {
        unsigned rest = number;
        for (unsigned i = 0; i < row->choice_count; i++) {
            unsigned ways = (unsigned)__builtin_popcount(row->choices[i].digits);
            set_digit(row, &row->choices[i], rest % ways);
            rest /= ways;
        }
        new = add_row(table, row, value);
        /* A pattern that shares a row with another would need a list there: text, or the trie. */
        if (!new && number > 0)
            table->to_trie = true;
    }
    if (!new)
        add_residue(table, value);
}

/* Most patterns are of other buses: their first bytes say so. */
static bool may_be_of_bus(const struct bus *bus, const struct token_string *string)
{
    for (uint32_t at = 0; at < bus->prefix_length; at++) {
        if (at == string->count)
            return false;
        if (string->tokens[at] != (uint8_t)bus->prefix[at])
            return string->tokens[at] >= TOKEN_ANY;
    }
    return true;
}

void field_table_add(struct field_table *table, const struct token_string *string)
{
    struct row row;

    if (table->to_trie || !may_be_of_bus(table->bus, string))
        return;
    memset(&row, 0, offsetof(struct row, choices));
    switch (fit(table, string, &row)) {
    case FIT_ROWS:
        add_rows(table, &row, string->value);
        break;
    case FIT_TEXT:
        add_residue(table, string->value);
        break;
    case FIT_NEVER:
        table->has_others = true;
        break;
    case FIT_NOTHING:
        break;
    }
}

void field_table_add_text(struct field_table *table, const uint8_t *pattern, size_t length, uint32_t value)
{
    for (size_t i = 0; i < table->bus->prefix_length && i < length && !is_wildcard(pattern[i]); i++)
        if (pattern[i] != (uint8_t)table->bus->prefix[i])
            return;
    add_residue(table, value);
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* What the gates of one kind gather before they are placed. */
struct gates {
    struct interner keys;         /* u64 */
    struct bytes_vector contents; /* value u32, signatures u64, for each key */
};

static bool covers(const uint32_t *mask, const struct bus *bus, unsigned kind)
{
    const uint32_t *wanted = bus->gate_mask[kind];

    return (mask[bus->gate_word[0]] & wanted[0]) == wanted[0] &&
           (mask[bus->gate_word[1]] & wanted[1]) == wanted[1];
}

/* Asks for the gate's fields and for nothing else. */
static bool is_plain(const uint32_t *mask, const struct bus *bus, unsigned kind)
{
    uint32_t left[FIELD_WORDS], any = 0;

    memcpy(left, mask, sizeof left);
    left[bus->gate_word[0]] &= ~bus->gate_mask[kind][0];
    left[bus->gate_word[1]] &= ~bus->gate_mask[kind][1];
    for (unsigned i = 0; i < FIELD_WORDS; i++)
        any |= left[i];
    return any == 0;
}

static void add_to_gate(struct gates *gates, const struct bus *bus, unsigned kind, const uint32_t *words,
                        uint32_t signature, uint32_t plain_value)
{
    uint64_t key = (uint64_t)(words[bus->gate_word[1]] & bus->gate_mask[kind][1]) << 32 |
                   (words[bus->gate_word[0]] & bus->gate_mask[kind][0]);
    uint8_t bytes[8], *content;
    uint32_t id;

    store_u64(bytes, key);
    id = intern(&gates->keys, bytes, sizeof bytes);
    if (id == INTERN_FAILED) {
        gates->contents.failed = true;
        return;
    }
    if ((size_t)id * 12 == gates->contents.size) {
        content = bytes_extend(&gates->contents, 12);
        if (content != NULL)
            store_u32(content, NEVER);
    }
    if (gates->contents.failed)
        return;
    content = gates->contents.data + (size_t)id * 12;
    if (plain_value != NEVER)
        store_u32(content, plain_value);
    else
        store_u64(content + 4, load_u64(content + 4) | 1ull << signature);
}

/* Room for a part; its place is noted in the header. NULL when out of memory. */
static uint8_t *put_part(struct bytes_vector *out, uint32_t *header, unsigned part, uint32_t buckets,
                         uint32_t size, unsigned words)
{
    uint32_t *place = header + 1 + part * PART_WORDS;

    place[0] = (uint32_t)(out->size / 4);
    place[1] = size;
    place[2] = buckets;
    return bytes_extend(out, ((size_t)size * words + buckets) * 4);
}

/* Entries that are to be found by hash. */
struct keyed_entries {
    struct bytes_vector bytes; /* `words` words each */
    uint64_t *hashes;
    uint32_t count;
    unsigned words, free_word; /* the word that is NEVER in a free entry */
};

/* Writes a part as a perfect hash table; *impossible: its keys collide. False when out of memory. */
static bool put_keyed(const struct keyed_entries *entries, struct bytes_vector *out, uint32_t *header,
                      unsigned part, bool *impossible)
{
    struct perfect perfect;
    enum perfect_result result;
    size_t width = (size_t)entries->words * 4;
    uint8_t *place;

    if (entries->count == 0)
        return put_part(out, header, part, 0, 0, entries->words) != NULL;
    result = perfect_build(entries->hashes, entries->count, &perfect);
    *impossible |= result == PERFECT_IMPOSSIBLE;
    if (result != PERFECT)
        return result == PERFECT_IMPOSSIBLE;
    place = put_part(out, header, part, perfect.buckets, perfect.size, entries->words);
    for (uint32_t b = 0; place != NULL && b < perfect.buckets; b++)
        store_u32(place + (size_t)b * 4, perfect.displacements[b]);
    for (uint32_t i = 0; place != NULL && i < perfect.size; i++)
        store_u32(place + ((size_t)perfect.buckets + entries->free_word) * 4 + i * width, NEVER);
    for (uint32_t i = 0; place != NULL && i < entries->count; i++)
        memcpy(place + (size_t)perfect.buckets * 4 + perfect.slots[i] * width,
               entries->bytes.data + i * width, width);
    perfect_free(&perfect);
    return place != NULL;
}

static bool put_gates(const struct gates *gates, struct bytes_vector *out, uint32_t *header, unsigned kind,
                      bool *impossible)
{
    struct keyed_entries entries = {.count = gates->keys.count, .words = GATE_WORDS, .free_word = 2};
    bool done;

    entries.hashes = malloc(((size_t)entries.count + 1) * sizeof *entries.hashes);
    for (uint32_t id = 0; id < gates->keys.count && entries.hashes != NULL; id++) {
        const uint8_t *key = gates->keys.text.data + (size_t)id * 8;
        entries.hashes[id] = gate_hash(load_u64(key));
        bytes_push(&entries.bytes, key, 8);
        bytes_push(&entries.bytes, gates->contents.data + (size_t)id * 12, 12);
    }
    done = entries.hashes != NULL && !entries.bytes.failed && !gates->contents.failed &&
           put_keyed(&entries, out, header, kind, impossible);
    free(entries.hashes);
    bytes_free(&entries.bytes);
    return done;
}

/* Where a rule went: the plain value of a gate, or one of the two rule parts. */
enum { IN_A_GATE, BEHIND_A_GATE, BEHIND_NO_GATE };

static bool put_rules(const struct field_table *table, const uint8_t *went, unsigned wanted,
                      struct bytes_vector *out, uint32_t *header, unsigned part, bool *impossible)
{
    struct keyed_entries entries = {.words = RULE_WORDS};
    bool done;

    entries.hashes = malloc(((size_t)table->rules.count + 1) * sizeof *entries.hashes);
    for (uint32_t id = 0; id < table->rules.count && entries.hashes != NULL; id++) {
        const uint8_t *rule = table->rules.text.data + (size_t)id * (FIELD_WORDS + 1) * 4;
        uint32_t words[FIELD_WORDS];
        if (went[id] != wanted)
            continue;
        for (unsigned i = 0; i < FIELD_WORDS; i++)
            words[i] = load_u32(rule + 4 + (size_t)i * 4);
        entries.hashes[entries.count++] = rule_hash(load_u32(rule), words);
        bytes_push(&entries.bytes, table->rule_values.data + (size_t)id * 4, 4);
        bytes_push(&entries.bytes, rule, (FIELD_WORDS + 1) * 4);
    }
    done =
        entries.hashes != NULL && !entries.bytes.failed && put_keyed(&entries, out, header, part, impossible);
    free(entries.hashes);
    bytes_free(&entries.bytes);
    return done;
}

uint32_t field_rule(const struct field_table *table, uint32_t id, uint32_t mask[FIELD_WORDS],
                    uint32_t words[FIELD_WORDS])
{
    const uint8_t *rule = table->rules.text.data + (size_t)id * (FIELD_WORDS + 1) * 4;
    const uint8_t *signature = table->signatures.text.data + (size_t)load_u32(rule) * FIELD_WORDS * 4;

    for (unsigned i = 0; i < FIELD_WORDS; i++) {
        mask[i] = load_u32(signature + (size_t)i * 4);
        words[i] = load_u32(rule + 4 + (size_t)i * 4);
    }
    return load_u32(table->rule_values.data + (size_t)id * 4);
}

/* Sends each rule through the most selective gate that it covers. */
static void gate_rules(const struct field_table *table, struct gates *gates, uint8_t *went, uint64_t *ungated)
{
    for (uint32_t id = 0; id < table->rules.count; id++) {
        uint32_t words[FIELD_WORDS], mask[FIELD_WORDS], value = field_rule(table, id, mask, words);
        uint32_t signature = load_u32(table->rules.text.data + (size_t)id * (FIELD_WORDS + 1) * 4);
        unsigned kind = 0;
        bool plain;
        while (kind < GATE_KINDS && !covers(mask, table->bus, kind))
            kind++;
        if (kind == GATE_KINDS) {
            *ungated |= 1ull << signature;
            went[id] = BEHIND_NO_GATE;
            continue;
        }
        plain = is_plain(mask, table->bus, kind);
        went[id] = plain ? IN_A_GATE : BEHIND_A_GATE;
        add_to_gate(&gates[kind], table->bus, kind, words, signature, plain ? value : NEVER);
    }
}

static bool write_parts(const struct field_table *table, struct bytes_vector *out, uint32_t *header,
                        bool *impossible)
{
    struct gates gates[GATE_KINDS] = {0};
    uint8_t *went = calloc(1, (size_t)table->rules.count + 1), *part;
    uint64_t ungated = 0;
    bool done = went != NULL;

    if (done)
        gate_rules(table, gates, went, &ungated);
    for (unsigned kind = 0; kind < GATE_KINDS; kind++) {
        done = done && put_gates(&gates[kind], out, header, kind, impossible);
        intern_free(&gates[kind].keys);
        bytes_free(&gates[kind].contents);
    }
    done = done && put_rules(table, went, BEHIND_A_GATE, out, header, PART_RULES, impossible) &&
           put_rules(table, went, BEHIND_NO_GATE, out, header, PART_UNGATED_RULES, impossible);
    free(went);
    part = put_part(out, header, PART_SIGNATURES, 0, table->signatures.count, FIELD_WORDS);
    if (part != NULL && table->signatures.count)
        memcpy(part, table->signatures.text.data, table->signatures.text.size);
    part = put_part(out, header, PART_RESIDUE, 0, (uint32_t)(table->residue.size / 4), 1);
    if (part != NULL && table->residue.size)
        memcpy(part, table->residue.data, table->residue.size);
    header[FIELD_UNGATED] = (uint32_t)ungated;
    header[FIELD_UNGATED + 1] = (uint32_t)(ungated >> 32);
    return done && !out->failed;
}

void field_table_free(struct field_table *table)
{
    intern_free(&table->signatures);
    intern_free(&table->rules);
    bytes_free(&table->rule_values);
    bytes_free(&table->residue);
    *table = (struct field_table){0};
}

bool field_table_write(struct field_table *table, struct bytes_vector *out, size_t place)
{
    uint32_t header[FIELD_TABLE_WORDS] = {FIELDS_NONE};
    size_t start = out->size;
    bool done = !table->failed && !table->rule_values.failed && !table->residue.failed;

    if (done && !table->to_trie && table->rules.count + table->residue.size > 0) {
        header[0] = FIELDS_TABLE;
        done = write_parts(table, out, header, &table->to_trie);
    }
    if (table->to_trie && !out->failed) {
        memset(header, 0, sizeof header);
        header[0] = FIELDS_TRIE;
        out->size = start;
    }
    for (unsigned i = 0; i < FIELD_TABLE_WORDS && done; i++)
        store_u32(out->data + place + (size_t)i * 4, header[i]);
    field_table_free(table);
    return done;
}
