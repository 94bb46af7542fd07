#include "fields.h"

#include "perfect.h"
#include "search.h"

/* ---- parse ------------------------------------------------------------------------------------ */

enum { STEP = 16, MOST_STEPS = 6, LONGEST_KEY = 64 };

/* gcc and clang make of it what the machine has. */
typedef uint8_t step __attribute__((vector_size(STEP)));

/* How a bus's keys are read sixteen bytes at a time: no byte is left out, and each field lies in a step
 * as a whole, since a processor waits where what was stored in two pieces is loaded in one. */
static const struct {
    uint8_t form[LONGEST_KEY]; /* a key with all digits 0; no separator has a 0 */
    uint8_t steps[MOST_STEPS];
    uint8_t step_count;
} layouts[BUS_COUNT] = {
    [BUS_PCI] = {"pci:v00000000d00000000sv00000000sd00000000bc00sc00i00", {0, 14, 24, 34, 37}, 5},
    [BUS_VFIO_PCI] = {"vfio_pci:v00000000d00000000sv00000000sd00000000bc00sc00i00",
                      {0, 10, 19, 29, 39, 42},
                      6},
    [BUS_USB] = {"usb:v0000p0000d0000dc00dsc00dp00ic00isc00ip00in00", {0, 15, 30, 33}, 4},
    [BUS_HID] = {"hid:b0000g0000v00000000p00000000", {0, 15, 16}, 3},
};

/* Sixteen bytes of a key to the values of their digits; *bad collects bits of what is not as in the
 * form: a digit in upper case, or the very separator. */
static inline void parse_step(const uint8_t *form, const uint8_t *key, uint8_t *values, step *bad)
{
    step f, c, letter, digit, value;

    memcpy(&f, form, STEP);
    memcpy(&c, key, STEP);
    digit = (step)(f == '0');
    letter = (step)(c > '9');
    value = (c & 15) + (letter & 9);
    *bad |= digit & (c ^ (value + '0' + (letter & ('A' - '9' - 1))));
    *bad |= digit & (step)(value > 15);
    *bad |= digit & letter & (step)(value < 10); /* '@', which stands before 'A' */
    *bad |= ~digit & (c ^ f);
    memcpy(values, &value, STEP);
}

/* The number of eight, four or two digits; the first is the highest. */
static inline uint32_t join_digits(const uint8_t *values, unsigned digits)
{
    uint64_t x = 0;

    memcpy(&x, values, digits);
    x = PYA_LE64(x);
    x = (x << 4 | x >> 8) & 0x00FF00FF00FF00FFu;
    x = (x << 8 | x >> 16) & 0x0000FFFF0000FFFFu;
    x = x << 16 | x >> 32;
    return (uint32_t)(x >> (8 - digits) * 4) & (uint32_t)(0xFFFFFFFFu >> (8 - digits) * 4);
}

/* Where the values of a field lie among those of all steps. */
static inline __attribute__((always_inline)) unsigned place_of(int bus, unsigned at, unsigned digits)
{
    unsigned step = 0;

#pragma GCC unroll 6
    while (at + digits > layouts[bus].steps[step] + (unsigned)STEP)
        step++;
    return step * STEP + at - layouts[bus].steps[step];
}

/* Inlined for each bus, so that everything about it is a constant. */
static inline __attribute__((always_inline)) struct fields parse_bus(int number, const uint8_t *key)
{
    const struct bus *bus = &buses[number];
    struct fields fields = {number, {0}};
    uint8_t values[MOST_STEPS * STEP];
    uint64_t words[STEP / 8];
    step bad = {0};
    unsigned at = bus->prefix_length;

#pragma GCC unroll 6
    for (unsigned i = 0; i < layouts[number].step_count; i++)
        parse_step(layouts[number].form + layouts[number].steps[i], key + layouts[number].steps[i],
                   values + (size_t)i * STEP, &bad);
    memcpy(words, &bad, STEP);
    if (words[0] | words[1]) {
        fields.bus = -1;
        return fields;
    }
#pragma GCC unroll 10
    for (unsigned f = 0; f < bus->field_count; f++) {
        const struct field *field = &bus->fields[f];
        at += (unsigned)strlen(field->separator);
        fields.words[field->word] |= join_digits(values + place_of(number, at, field->digits), field->digits)
                                     << field->shift;
        at += field->digits;
    }
    return fields;
}

struct fields parse_fields(const uint8_t *key, size_t length)
{
    switch (length) {
    case 53:
        return parse_bus(BUS_PCI, key);
    case 58:
        return parse_bus(BUS_VFIO_PCI, key);
    case 49:
        return parse_bus(BUS_USB, key);
    case 32:
        return parse_bus(BUS_HID, key);
    default:
        return (struct fields){-1, {0}};
    }
}

bool is_short_usb_key(const uint8_t *key)
{
    static const uint8_t steps[] = {0, 15, USB_SHORT_LENGTH - STEP};
    uint64_t words[STEP / 8];
    step good = (step){0} - 1;

#pragma GCC unroll 3
    for (unsigned i = 0; i < sizeof steps; i++) {
        step f, c;
        memcpy(&f, layouts[BUS_USB].form + steps[i], STEP);
        memcpy(&c, key + steps[i], STEP);
        good &= (step)(c == f) |
                ((step)(f == '0') & ((step)((step)(c - '0') <= 9) | (step)((step)(c - 'A') <= 5)));
    }
    memcpy(words, &good, STEP);
    return (words[0] & words[1]) == UINT64_MAX;
}

void print_fields(const struct fields *fields, uint8_t *out)
{
    const struct bus *bus = &buses[fields->bus];

    for (unsigned i = 0; i < bus->prefix_length; i++)
        *out++ = (uint8_t)bus->prefix[i];
    for (unsigned f = 0; f < bus->field_count; f++) {
        const struct field *field = &bus->fields[f];
        uint32_t number = fields->words[field->word] >> field->shift;
        for (unsigned i = 0; field->separator[i]; i++)
            *out++ = (uint8_t)field->separator[i];
        for (unsigned i = field->digits; i-- > 0; number >>= 4)
            out[i] = (uint8_t)"0123456789ABCDEF"[number & 15];
        out += field->digits;
    }
}

/* ---- search ----------------------------------------------------------------------------------- */

struct part {
    const uint8_t *displacements, *entries;
    uint32_t size, buckets;
};

static struct part part_at(const pya_image *image, const uint8_t *table, unsigned part)
{
    const uint8_t *p = table + 4 + (size_t)part * PART_WORDS * 4;
    uint32_t buckets = load_u32(p + 8);
    const uint8_t *displacements = entry(image, SECTION_FIELDS, 4, load_u32(p));

    return (struct part){displacements, displacements + (size_t)buckets * 4, load_u32(p + 4), buckets};
}

/* The one entry that can be that of a key; the part is not empty. */
static const uint8_t *entry_of(const struct part *part, uint64_t hash, unsigned words)
{
    uint32_t displacement = load_u32(part->displacements + (size_t)bucket_of(hash, part->buckets) * 4);

    return part->entries + (size_t)slot_of(hash, displacement, part->size) * words * 4;
}

/* The value of the rule of a signature that a key meets, or NEVER. */
static uint32_t find_rule(const struct part *rules, uint32_t signature, const uint8_t *mask,
                          const uint32_t *words)
{
    uint32_t masked[FIELD_WORDS], differs;
    const uint8_t *rule;

    for (unsigned i = 0; i < FIELD_WORDS; i++)
        masked[i] = words[i] & load_u32(mask + (size_t)i * 4);
    if (rules->size == 0)
        return NEVER;
    rule = entry_of(rules, rule_hash(signature, masked), RULE_WORDS);
    differs = load_u32(rule + 4) ^ signature;
    for (unsigned i = 0; i < FIELD_WORDS; i++)
        differs |= load_u32(rule + 8 + (size_t)i * 4) ^ masked[i];
    return differs ? NEVER : load_u32(rule);
}

static void add_value(struct pya_scratch *scratch, uint32_t value)
{
    scratch->values[scratch->value_count++] = value;
}

/* Adds the values of the rules of some signatures. */
static void ask_rules(const pya_image *image, struct pya_scratch *scratch, const uint8_t *table,
                      unsigned part, uint64_t wanted, const uint32_t *words)
{
    struct part rules = part_at(image, table, part), signatures = part_at(image, table, PART_SIGNATURES);

    for (; wanted != 0; wanted &= wanted - 1) {
        uint32_t signature = (uint32_t)__builtin_ctzll(wanted);
        const uint8_t *mask = signatures.entries + (size_t)signature * FIELD_WORDS * 4;
        uint32_t value = find_rule(&rules, signature, mask, words);
        if (value != NEVER)
            add_value(scratch, value);
    }
}

static const uint8_t *table_of(const pya_image *image, uint32_t source, int bus)
{
    return entry(image, SECTION_FIELDS, FIELD_TABLE_WORDS * 4, source * BUS_COUNT + (uint32_t)bus);
}

static uint64_t gate_key(const struct fields *fields, unsigned kind)
{
    const struct bus *bus = &buses[fields->bus];

    return (uint64_t)(fields->words[bus->gate_word[1]] & bus->gate_mask[kind][1]) << 32 |
           (fields->words[bus->gate_word[0]] & bus->gate_mask[kind][0]);
}

void prefetch_fields(const pya_image *image, const struct fields *fields)
{
    const uint8_t *table = table_of(image, 0, fields->bus);
    struct part gates = part_at(image, table, 0);

    if (load_u32(table) == FIELDS_TABLE && gates.size > 0)
        __builtin_prefetch(entry_of(&gates, gate_hash(gate_key(fields, 0)), GATE_WORDS));
}

bool search_fields(const pya_image *image, struct pya_scratch *scratch, uint32_t source,
                   const struct fields *fields, const uint8_t *key, size_t length)
{
    const uint8_t *table = table_of(image, source, fields->bus);
    struct part residue;
    uint64_t wanted = 0;

    scratch->value_count = 0;
    if (load_u32(table) != FIELDS_TABLE)
        return load_u32(table) == FIELDS_NONE;
    for (unsigned kind = 0; kind < GATE_KINDS; kind++) {
        struct part gates = part_at(image, table, kind);
        uint64_t wanted_key = gate_key(fields, kind);
        const uint8_t *gate;
        if (gates.size == 0)
            continue;
        gate = entry_of(&gates, gate_hash(wanted_key), GATE_WORDS);
        if (load_u64(gate) != wanted_key)
            continue;
        if (load_u32(gate + 8) != NEVER)
            add_value(scratch, load_u32(gate + 8));
        wanted |= load_u64(gate + 12);
    }
    ask_rules(image, scratch, table, PART_RULES, wanted, fields->words);
    ask_rules(image, scratch, table, PART_UNGATED_RULES, load_u64(table + (size_t)FIELD_UNGATED * 4),
              fields->words);
    residue = part_at(image, table, PART_RESIDUE);
    for (uint32_t i = 0; i < residue.size; i++)
        search_as_text(image, scratch, load_u32(residue.entries + (size_t)i * 4), key, length);
    return true;
}
