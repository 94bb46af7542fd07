#include "field_tables.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "perfect.h"

/* The rows of a bus as rules: no two are equal. */
struct rules {
    const struct bus *bus;
    struct interner signatures; /* FIELD_WORDS words each */
    struct interner words;      /* signature number and FIELD_WORDS words each */
    struct bytes_vector values; /* u32 a rule, as the image numbers them */
    uint32_t last_mask[FIELD_WORDS], last_signature;
};

/* ---- rules ------------------------------------------------------------------------------------ */

static uint32_t intern_words(struct interner *interner, const uint32_t *words, unsigned count)
{
    uint8_t bytes[(FIELD_WORDS + 1) * 4];

    for (unsigned i = 0; i < count; i++)
        store_u32(bytes + (size_t)i * 4, words[i]);
    return intern(interner, bytes, (size_t)count * 4);
}

/* Neighbouring patterns ask for the same fields. */
static uint32_t signature_of(struct rules *rules, const uint32_t mask[FIELD_WORDS])
{
    if (rules->signatures.count == 0 || memcmp(rules->last_mask, mask, sizeof rules->last_mask) != 0) {
        memcpy(rules->last_mask, mask, sizeof rules->last_mask);
        rules->last_signature = intern_words(&rules->signatures, mask, FIELD_WORDS);
    }
    return rules->last_signature;
}

/* False when out of memory; *known: an equal row is there already, of another pattern. */
static bool add_rule(struct rules *rules, const struct field_row *row, uint32_t value, bool *known)
{
    uint32_t words[FIELD_WORDS + 1] = {signature_of(rules, row->mask)}, rule;

    memcpy(words + 1, row->words, sizeof row->words);
    rule = intern_words(&rules->words, words, FIELD_WORDS + 1);
    if (words[0] == INTERN_FAILED || rule == INTERN_FAILED)
        return false;
    *known = rule < rules->values.size / 4;
    if (!*known)
        bytes_push_u32(&rules->values, value);
    return !rules->values.failed;
}

/* A pattern of which some row is there already would need a list there: it is matched as text, or where it
 * has other rows as well, the bus is left to the trie. */
static bool gather_rules(struct rules *rules, struct field_rows *rows, const uint32_t *number_of_value)
{
    size_t count = field_row_count(rows);
    uint32_t before = NEVER;

    for (size_t i = 0; i < count && !rows->to_trie; i++) {
        const struct field_row *row = field_row_at(rows, i);
        bool known;
        if (!add_rule(rules, row, number_of_value[row->value], &known))
            return false;
        if (known && row->value == before)
            rows->to_trie = true;
        if (known)
            field_rows_add_residue(rows, row->value);
        before = row->value;
        while (known && i + 1 < count && field_row_at(rows, i + 1)->value == row->value)
            i++;
        if (rules->signatures.count > MOST_SIGNATURES)
            rows->to_trie = true;
    }
    return true;
}

static void free_rules(struct rules *rules)
{
    intern_free(&rules->signatures);
    intern_free(&rules->words);
    bytes_free(&rules->values);
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

static bool put_rules(const struct rules *rules, const uint8_t *went, unsigned wanted,
                      struct bytes_vector *out, uint32_t *header, unsigned part, bool *impossible)
{
    struct keyed_entries entries = {.words = RULE_WORDS};
    bool done;

    entries.hashes = malloc(((size_t)rules->words.count + 1) * sizeof *entries.hashes);
    for (uint32_t id = 0; id < rules->words.count && entries.hashes != NULL; id++) {
        const uint8_t *rule = rules->words.text.data + (size_t)id * (FIELD_WORDS + 1) * 4;
        uint32_t words[FIELD_WORDS];
        if (went[id] != wanted)
            continue;
        for (unsigned i = 0; i < FIELD_WORDS; i++)
            words[i] = load_u32(rule + 4 + (size_t)i * 4);
        entries.hashes[entries.count++] = rule_hash(load_u32(rule), words);
        bytes_push(&entries.bytes, rules->values.data + (size_t)id * 4, 4);
        bytes_push(&entries.bytes, rule, (FIELD_WORDS + 1) * 4);
    }
    done =
        entries.hashes != NULL && !entries.bytes.failed && put_keyed(&entries, out, header, part, impossible);
    free(entries.hashes);
    bytes_free(&entries.bytes);
    return done;
}

/* The bits that a rule asks for, and what they must be; returns its value. */
static uint32_t field_rule(const struct rules *rules, uint32_t id, uint32_t mask[FIELD_WORDS],
                           uint32_t words[FIELD_WORDS])
{
    const uint8_t *rule = rules->words.text.data + (size_t)id * (FIELD_WORDS + 1) * 4;
    const uint8_t *signature = rules->signatures.text.data + (size_t)load_u32(rule) * FIELD_WORDS * 4;

    for (unsigned i = 0; i < FIELD_WORDS; i++) {
        mask[i] = load_u32(signature + (size_t)i * 4);
        words[i] = load_u32(rule + 4 + (size_t)i * 4);
    }
    return load_u32(rules->values.data + (size_t)id * 4);
}

/* Sends each rule through the most selective gate that it covers. */
static void gate_rules(const struct rules *rules, struct gates *gates, uint8_t *went, uint64_t *ungated)
{
    for (uint32_t id = 0; id < rules->words.count; id++) {
        uint32_t words[FIELD_WORDS], mask[FIELD_WORDS], value = field_rule(rules, id, mask, words);
        uint32_t signature = load_u32(rules->words.text.data + (size_t)id * (FIELD_WORDS + 1) * 4);
        unsigned kind = 0;
        bool plain;
        while (kind < GATE_KINDS && !covers(mask, rules->bus, kind))
            kind++;
        if (kind == GATE_KINDS) {
            *ungated |= 1ull << signature;
            went[id] = BEHIND_NO_GATE;
            continue;
        }
        plain = is_plain(mask, rules->bus, kind);
        went[id] = plain ? IN_A_GATE : BEHIND_A_GATE;
        add_to_gate(&gates[kind], rules->bus, kind, words, signature, plain ? value : NEVER);
    }
}

static bool write_parts(const struct rules *rules, const struct bytes_vector *residue,
                        const uint32_t *number_of_value, struct bytes_vector *out, uint32_t *header,
                        bool *impossible)
{
    struct gates gates[GATE_KINDS] = {0};
    uint8_t *went = calloc(1, (size_t)rules->words.count + 1), *part;
    uint64_t ungated = 0;
    bool done = went != NULL;

    if (done)
        gate_rules(rules, gates, went, &ungated);
    for (unsigned kind = 0; kind < GATE_KINDS; kind++) {
        done = done && put_gates(&gates[kind], out, header, kind, impossible);
        intern_free(&gates[kind].keys);
        bytes_free(&gates[kind].contents);
    }
    done = done && put_rules(rules, went, BEHIND_A_GATE, out, header, PART_RULES, impossible) &&
           put_rules(rules, went, BEHIND_NO_GATE, out, header, PART_UNGATED_RULES, impossible);
    free(went);
    part = put_part(out, header, PART_SIGNATURES, 0, rules->signatures.count, FIELD_WORDS);
    if (part != NULL && rules->signatures.count)
        memcpy(part, rules->signatures.text.data, rules->signatures.text.size);
    part = put_part(out, header, PART_RESIDUE, 0, (uint32_t)(residue->size / 4), 1);
    for (size_t at = 0; part != NULL && at < residue->size; at += 4)
        store_u32(part + at, number_of_value[load_u32(residue->data + at)]);
    header[FIELD_UNGATED] = (uint32_t)ungated;
    header[FIELD_UNGATED + 1] = (uint32_t)(ungated >> 32);
    return done && !out->failed;
}

bool field_table_write(struct field_rows *rows, const uint32_t *number_of_value, bool left_out,
                       struct bytes_vector *out, size_t place)
{
    struct rules rules = {.bus = rows->bus};
    uint32_t header[FIELD_TABLE_WORDS] = {FIELDS_NONE};
    size_t start = out->size;
    bool done = !out->failed && !rows->rows.failed && !rows->residue.failed;

    rows->to_trie |= left_out;
    if (done && !rows->to_trie)
        done = gather_rules(&rules, rows, number_of_value) && !rows->residue.failed;
    if (done && !rows->to_trie && rules.words.count + rows->residue.size > 0) {
        header[0] = FIELDS_TABLE;
        done = write_parts(&rules, &rows->residue, number_of_value, out, header, &rows->to_trie);
    }
    if (rows->to_trie && !out->failed) {
        memset(header, 0, sizeof header);
        header[0] = FIELDS_TRIE;
        out->size = start;
    }
    for (unsigned i = 0; i < FIELD_TABLE_WORDS && done; i++)
        store_u32(out->data + place + (size_t)i * 4, header[i]);
    free_rules(&rules);
    return done;
}
