/*
 * The check of a whole image at open. What passes here can be followed blindly: every offset lies
 * inside its section, records point only forward and are pointed to once, so walks end.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "bus.h"
#include "error.h"
#include "patterns.h"

struct checker {
    const pya_image *image;
    pya_error *error;
    uint8_t *starts;       /* bit: a tail, or a record, starts at this offset or word */
    uint8_t *star_starts;  /* bit: a record that wants to be entered by a star starts at this word */
    uint8_t *pointed;      /* bit: this word has been pointed to */
    uint8_t *star_pointed; /* bit: and that by a star */
    uint8_t *leaves;       /* bit: this value has a tail */
    uint8_t *used;         /* bit: this value has its one place in a trie, or is irregular */
    uint32_t stars, wilds;
};

static int damaged(const struct checker *c, enum section section, uint64_t position, const char *what)
{
    return fail(c->error, PYA_EIMAGE, position, "damaged: %s (section %d, place %llu)", what, (int)section,
                (unsigned long long)position);
}

static bool test_and_set(uint8_t *bits, uint32_t index)
{
    bool was = bits[index / 8] >> index % 8 & 1;

    bits[index / 8] |= (uint8_t)(1u << index % 8);
    return was;
}

static bool is_set(const uint8_t *bits, uint32_t index)
{
    return bits[index / 8] >> index % 8 & 1;
}

static bool text_inside(const pya_image *image, uint32_t offset, uint32_t length)
{
    return offset <= image->size[SECTION_STRINGS] && length <= image->size[SECTION_STRINGS] - offset;
}

/* ---- tables ----------------------------------------------------------------------------------- */

static int check_modules(const struct checker *c)
{
    const pya_image *image = c->image;

    for (uint32_t i = 0; i < image->count[SECTION_MODULES]; i++) {
        const uint8_t *p = entry(image, SECTION_MODULES, MODULE_ENTRY, i);
        if (!text_inside(image, load_u32(p), load_u32(p + 4)) || load_u32(p + 4) > image->longest_module)
            return damaged(c, SECTION_MODULES, i, "a module name lies outside");
    }
    return PYA_OK;
}

/* The record of a line lies inside and borrows no more than its head has. */
static bool pattern_fits(const pya_image *image, uint32_t line)
{
    uint32_t place = load_u32(entry(image, SECTION_LINES, LINE_ENTRY, line)), size, before;
    uint32_t flags = line_flags(image, line), head = line & ~(uint32_t)(LINES_A_HEAD - 1);
    const uint8_t *p = pattern_record(image, line, &size);
    struct pattern own;
    pya_text written;

    before = flags & LINE_WRITTEN ? 4 : 2;
    if (place > image->size[SECTION_PATTERNS] || size > image->size[SECTION_PATTERNS] - place ||
        size < before || ((flags & LINE_WRITTEN) && load_u16(p + 2) > size - before))
        return false;
    own = own_part(image, line, &written);
    if (line == head || (flags & LINE_REFUSED))
        return own.start_length + own.end_length == 0 &&
               ((flags & LINE_REFUSED) || own.middle_length <= NAME_MAX_LENGTH);
    head = own_part(image, head, &written).middle_length;
    return own.start_length <= head && own.end_length <= head && pattern_length(&own) <= NAME_MAX_LENGTH;
}

static int check_lines(const struct checker *c)
{
    const pya_image *image = c->image;

    for (uint32_t i = 0; i < image->count[SECTION_LINES]; i++) {
        if (!pattern_fits(image, i))
            return damaged(c, SECTION_LINES, i, "a pattern lies outside");
        if (pya_image_line_module(image, i) >= image->count[SECTION_MODULES])
            return damaged(c, SECTION_LINES, i, "a line names no module");
    }
    return PYA_OK;
}

static bool is_refused(const pya_image *image, uint32_t line)
{
    return line_flags(image, line) & LINE_REFUSED;
}

/* Every part of `section` from low to high names a line of one source that kmod keeps. */
static bool sorted_lines_fit(const pya_image *image, uint32_t low, uint32_t high, uint32_t first_line,
                             uint32_t lines_end)
{
    for (uint32_t i = low; i < high; i++) {
        uint32_t line = number(image, SECTION_SORTED, i);
        if (line < first_line || line >= lines_end || is_refused(image, line))
            return false;
    }
    return true;
}

static int check_sources(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t lines = 0, sorted = 0, irregular = 0;

    for (uint32_t i = 0; i < image->count[SECTION_SOURCES]; i++) {
        const uint8_t *p = entry(image, SECTION_SOURCES, SOURCE_ENTRY, i);
        uint32_t lines_end = load_u32(p + 12), sorted_end = load_u32(p + 16),
                 irregular_end = load_u32(p + 20);
        if (!text_inside(image, load_u32(p), load_u32(p + 4)) || load_u32(p + 24) > PYA_ORDER_VISIT)
            return damaged(c, SECTION_SOURCES, i, "a source has no name or order");
        if (lines_end < lines || lines_end > image->count[SECTION_LINES] || sorted_end < sorted ||
            sorted_end > image->count[SECTION_SORTED] || irregular_end < irregular ||
            irregular_end > image->count[SECTION_IRREGULAR])
            return damaged(c, SECTION_SOURCES, i, "a source ends outside");
        if (!sorted_lines_fit(image, sorted, sorted_end, lines, lines_end))
            return damaged(c, SECTION_SORTED, i, "a sorted line is not one of its source");
        lines = lines_end;
        sorted = sorted_end;
        irregular = irregular_end;
    }
    if (lines != image->count[SECTION_LINES] || sorted != image->count[SECTION_SORTED] ||
        irregular != image->count[SECTION_IRREGULAR])
        return damaged(c, SECTION_SOURCES, image->count[SECTION_SOURCES], "lines that belong to no source");
    return PYA_OK;
}

/* A value stands in one place: so a lookup finds no more than there are. */
static bool use_value(const struct checker *c, uint32_t value)
{
    return value < c->image->count[SECTION_VALUES] && !test_and_set(c->used, value);
}

static int check_values(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t start = 0;

    if (image->count[SECTION_VALUE_ANSWERS] != image->count[SECTION_VALUES])
        return damaged(c, SECTION_VALUE_ANSWERS, 0, "values and their answers are not equally many");
    for (uint32_t i = 0; i < image->count[SECTION_VALUES]; i++) {
        uint32_t end = value_lines_end(image, i);
        if (answer_of_value(image, i) >= image->count[SECTION_ANSWERS])
            return damaged(c, SECTION_VALUES, i, "a value has no answer");
        if (end <= start || end > image->count[SECTION_VALUE_LINES])
            return damaged(c, SECTION_VALUES, i, "the lines of a value lie outside");
        start = end;
    }
    if (start != image->count[SECTION_VALUE_LINES])
        return damaged(c, SECTION_VALUE_LINES, start, "lines that belong to no value");
    for (uint32_t i = 0; i < image->count[SECTION_VALUE_LINES]; i++) {
        uint32_t line = number(image, SECTION_VALUE_LINES, i);
        if (line >= image->count[SECTION_LINES] || is_refused(image, line))
            return damaged(c, SECTION_VALUE_LINES, i, "a value names no line");
    }
    for (uint32_t i = 0; i < image->count[SECTION_IRREGULAR]; i++)
        if (!use_value(c, number(image, SECTION_IRREGULAR, i)))
            return damaged(c, SECTION_IRREGULAR, i, "an irregular pattern has no value");
    return PYA_OK;
}

static int check_answers(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t start = 0;

    for (uint32_t i = 0; i < image->count[SECTION_ANSWERS]; i++) {
        uint32_t end = number(image, SECTION_ANSWERS, i);
        if (end < start || end > image->count[SECTION_ANSWER_MODULES] || (i == 0 && end != 0))
            return damaged(c, SECTION_ANSWERS, i, "the modules of an answer lie outside");
        start = end;
    }
    if (image->count[SECTION_ANSWERS] == 0 || start != image->count[SECTION_ANSWER_MODULES])
        return damaged(c, SECTION_ANSWERS, start, "modules that belong to no answer");
    for (uint32_t i = 0; i < start; i++)
        if (number(image, SECTION_ANSWER_MODULES, i) >= image->count[SECTION_MODULES])
            return damaged(c, SECTION_ANSWER_MODULES, i, "an answer names no module");
    return PYA_OK;
}

/* ---- tails ------------------------------------------------------------------------------------ */

/* The operation at an offset: bytes it takes in the image and of a key; 0 if it is none. */
static uint32_t operation(const pya_image *image, uint32_t at, uint32_t *width)
{
    const uint8_t *p = image->section[SECTION_TAILS] + at;
    uint32_t room = image->size[SECTION_TAILS] - at;

    *width = 0;
    switch (p[0]) {
    case TAIL_END:
    case TAIL_STAR_END:
        return 1;
    case TAIL_LITERAL:
        if (room < 2 || p[1] == 0 || room - 2 < p[1])
            return 0;
        *width = p[1];
        return 2u + p[1];
    case TAIL_ANY:
        if (room < 2 || p[1] == 0)
            return 0;
        *width = p[1];
        return 2;
    case TAIL_CLASS:
        *width = 1;
        return room < 5 || load_u32(p + 1) >= image->count[SECTION_CLASSES] ? 0 : 5;
    case TAIL_STAR_FIND:
    case TAIL_STAR_LAST:
        return room < 3 || load_u16(p + 1) == 0 ? 0 : 3;
    default:
        return 0;
    }
}

/* One tail: segments as wide as their stars say; a LAST ends, a FIND is followed by a star. */
static int check_tail(const struct checker *c, uint32_t *at)
{
    const uint8_t *tails = c->image->section[SECTION_TAILS];
    uint32_t star = TAIL_END, expected = 0, found = 0;

    while (*at < c->image->size[SECTION_TAILS]) {
        uint32_t width, op = tails[*at], length = operation(c->image, *at, &width);
        if (length == 0)
            break;
        if (width > 0) {
            found += width;
        } else {
            bool ends = op == TAIL_END || op == TAIL_STAR_END;
            if ((star != TAIL_END && found != expected) || (star == TAIL_STAR_FIND && op == TAIL_END) ||
                (star == TAIL_STAR_LAST && op != TAIL_END))
                break;
            if (!ends)
                expected = load_u16(tails + *at + 1);
            star = op;
            found = 0;
            if (ends) {
                *at += length;
                return PYA_OK;
            }
        }
        *at += length;
    }
    return damaged(c, SECTION_TAILS, *at, "the rest of a pattern is none");
}

static int check_tails(const struct checker *c)
{
    for (uint32_t at = 0; at < c->image->size[SECTION_TAILS];) {
        int code;
        test_and_set(c->starts, at);
        code = check_tail(c, &at);
        if (code != PYA_OK)
            return code;
    }
    for (uint32_t i = 0; i < c->image->count[SECTION_VALUES]; i++) {
        uint32_t tail = tail_of_value(c->image, i);
        if (tail == NEVER)
            continue;
        if (tail >= c->image->size[SECTION_TAILS] || !is_set(c->starts, tail))
            return damaged(c, SECTION_VALUES, i, "a value has no tail");
        test_and_set(c->leaves, i);
    }
    return PYA_OK;
}

/* ---- records ---------------------------------------------------------------------------------- */

/* A REF from the record at word `from`: forward, or to a leaf, and the only one there. */
static bool follow(const struct checker *c, uint32_t from, uint32_t ref, bool by_star)
{
    uint32_t value = ref & ~LEAF_BIT;

    if (ref & LEAF_BIT)
        return use_value(c, value) && is_set(c->leaves, value);
    if (ref <= from || ref >= c->image->count[SECTION_NODES] || test_and_set(c->pointed, ref))
        return false;
    if (by_star)
        test_and_set(c->star_pointed, ref);
    return true;
}

struct cursor {
    struct checker *checker;
    uint32_t record, at; /* words */
    bool good;
};

static uint32_t next_word(struct cursor *cursor)
{
    if (cursor->at >= cursor->checker->image->count[SECTION_NODES]) {
        cursor->good = false;
        return 0;
    }
    return number(cursor->checker->image, SECTION_NODES, cursor->at++);
}

static void skip_words(struct cursor *cursor, uint32_t words)
{
    if (words > cursor->checker->image->count[SECTION_NODES] - cursor->at)
        cursor->good = false;
    else
        cursor->at += words;
}

static void next_ref(struct cursor *cursor, bool by_star)
{
    if (!follow(cursor->checker, cursor->record, next_word(cursor), by_star))
        cursor->good = false;
}

static void check_wild_edges(struct cursor *cursor)
{
    uint32_t edges = next_word(cursor);

    cursor->good = cursor->good && edges > 0;
    for (uint32_t i = 0; i < edges && cursor->good; i++) {
        uint32_t class = next_word(cursor);
        if (class != ANY_BYTE && class >= cursor->checker->image->count[SECTION_CLASSES])
            cursor->good = false;
        next_ref(cursor, false);
    }
    cursor->checker->wilds += edges;
}

static void check_byte_edges(struct cursor *cursor, uint32_t head)
{
    uint32_t count = head >> HEAD_LIST_SHIFT;

    if (head & HAS_TABLE) {
        uint32_t range = next_word(cursor);
        if (range >> 16 != 0 || range >> 8 < (range & 0xFF) || count != 0)
            cursor->good = false;
        for (uint32_t i = range & 0xFF; i <= range >> 8 && cursor->good; i++) {
            if (cursor->at < cursor->checker->image->count[SECTION_NODES] &&
                number(cursor->checker->image, SECTION_NODES, cursor->at) == 0)
                cursor->at++;
            else
                next_ref(cursor, false);
        }
    } else {
        skip_words(cursor, (count + 3) / 4);
        for (uint32_t i = 0; i < count && cursor->good; i++)
            next_ref(cursor, false);
    }
}

/* The star that a record is entered by: that it is one is settled in check_pointed. */
static void check_star(struct cursor *cursor)
{
    if (next_word(cursor) >= cursor->checker->image->star_count)
        cursor->good = false;
    skip_words(cursor, STAR_INFO_WORDS - 1);
    test_and_set(cursor->checker->star_starts, cursor->record);
    cursor->checker->stars++;
}

static bool check_record(struct cursor *cursor)
{
    uint32_t head = next_word(cursor);

    if (head & HEAD_UNUSED)
        return false;
    skip_words(cursor, ((head & HEAD_LABEL_MASK) + 3) / 4);
    if (head & HAS_STAR_INFO) {
        if (head & HEAD_LABEL_MASK)
            return false;
        check_star(cursor);
    }
    if ((head & HAS_VALUE) && !use_value(cursor->checker, next_word(cursor)))
        return false;
    if (head & HAS_STAR)
        next_ref(cursor, true);
    if (cursor->good && (head & HAS_WILD))
        check_wild_edges(cursor);
    if (cursor->good)
        check_byte_edges(cursor, head);
    return cursor->good;
}

/* Whatever was pointed to is a record, and by a star if and only if it has star info. Runs after
 * all records are known. */
static int check_pointed(const struct checker *c)
{
    for (uint32_t at = 1; at < c->image->count[SECTION_NODES]; at++)
        if (is_set(c->pointed, at) != is_set(c->starts, at) ||
            is_set(c->star_pointed, at) != is_set(c->star_starts, at))
            return damaged(c, SECTION_NODES, at, "a record that is pointed to never, or wrongly");
    return PYA_OK;
}

static int check_roots(const struct checker *c)
{
    const pya_image *image = c->image;

    for (uint32_t i = 0; i < image->count[SECTION_SOURCES]; i++) {
        uint32_t root = load_u32(entry(image, SECTION_SOURCES, SOURCE_ENTRY, i) + 8);
        if (root != 0 && !follow(c, 0, root, false))
            return damaged(c, SECTION_SOURCES, i, "the root of a trie is none");
    }
    return PYA_OK;
}

static int check_nodes(struct checker *c)
{
    const pya_image *image = c->image;
    struct cursor cursor = {.checker = c, .at = 1, .good = true};
    int code = check_roots(c);

    if (code != PYA_OK)
        return code;
    while (cursor.at < image->count[SECTION_NODES]) {
        cursor.record = cursor.at;
        test_and_set(c->starts, cursor.at);
        if (!check_record(&cursor))
            return damaged(c, SECTION_NODES, cursor.record, "a trie record is none");
    }
    if (c->stars != image->star_count || c->wilds != image->wild_count)
        return damaged(c, SECTION_NODES, 0, "stars or wildcard edges are not as many as the header says");
    return check_pointed(c);
}

/* ---- field tables ----------------------------------------------------------------------------- */

struct field_part {
    uint32_t at, size, buckets;
};

static bool value_or_never(const struct checker *c, const uint8_t *p)
{
    return load_u32(p) == NEVER || load_u32(p) < c->image->count[SECTION_VALUES];
}

static bool bits_below(uint64_t set, uint32_t count)
{
    return count >= 64 || set >> count == 0;
}

/* The entries of one part: values that exist, signatures that exist. */
static bool check_entries(const struct checker *c, unsigned part, struct field_part place,
                          uint32_t signatures)
{
    static const uint8_t words[FIELD_PARTS] = {GATE_WORDS, GATE_WORDS,  GATE_WORDS, RULE_WORDS,
                                               RULE_WORDS, FIELD_WORDS, 1};
    const pya_image *image = c->image;

    if (place.at > image->count[SECTION_FIELDS] ||
        (uint64_t)place.size * words[part] + place.buckets > image->count[SECTION_FIELDS] - place.at)
        return false;
    if (part < PART_SIGNATURES ? (place.size == 0) != (place.buckets == 0) : place.buckets != 0)
        return false;
    if (part == PART_SIGNATURES)
        return true;
    for (uint32_t i = 0; i < place.size; i++) {
        const uint8_t *p =
            entry(image, SECTION_FIELDS, 4, place.at + place.buckets) + (size_t)i * words[part] * 4;
        if (part < GATE_KINDS ? !value_or_never(c, p + 8) || !bits_below(load_u64(p + 12), signatures)
                              : !value_or_never(c, p))
            return false;
        if (part == PART_RESIDUE && load_u32(p) == NEVER)
            return false;
    }
    return true;
}

static bool check_field_table(const struct checker *c, const uint8_t *table)
{
    struct field_part parts[FIELD_PARTS];

    if (load_u32(table) != FIELDS_TABLE)
        return load_u32(table) == FIELDS_NONE || load_u32(table) == FIELDS_TRIE;
    for (unsigned i = 0; i < FIELD_PARTS; i++) {
        const uint8_t *p = table + 4 + (size_t)i * PART_WORDS * 4;
        parts[i] = (struct field_part){load_u32(p), load_u32(p + 4), load_u32(p + 8)};
    }
    if (parts[PART_SIGNATURES].size > MOST_SIGNATURES || parts[PART_RESIDUE].size > MOST_RESIDUE ||
        !bits_below(load_u64(table + FIELD_UNGATED * 4), parts[PART_SIGNATURES].size))
        return false;
    for (unsigned i = 0; i < FIELD_PARTS; i++)
        if (!check_entries(c, i, parts[i], parts[PART_SIGNATURES].size))
            return false;
    return true;
}

static int check_fields(const struct checker *c)
{
    const pya_image *image = c->image;
    uint64_t tables = (uint64_t)image->count[SECTION_SOURCES] * BUS_COUNT;

    if (tables * FIELD_TABLE_WORDS > image->count[SECTION_FIELDS])
        return damaged(c, SECTION_FIELDS, 0, "a source has no field tables");
    for (uint32_t i = 0; i < tables; i++)
        if (!check_field_table(c, entry(image, SECTION_FIELDS, FIELD_TABLE_WORDS * 4, i)))
            return damaged(c, SECTION_FIELDS, i, "a field table is none");
    return PYA_OK;
}

static int check_with(struct checker *c)
{
    const pya_image *image = c->image;
    int code;

    if ((code = check_modules(c)) != PYA_OK || (code = check_lines(c)) != PYA_OK ||
        (code = check_sources(c)) != PYA_OK || (code = check_answers(c)) != PYA_OK ||
        (code = check_values(c)) != PYA_OK || (code = check_tails(c)) != PYA_OK ||
        (code = check_fields(c)) != PYA_OK)
        return code;
    memset(c->starts, 0, image->count[SECTION_NODES] / 8 + 1);
    return check_nodes(c);
}

/* Zeroed bits for the words of NODES, or for something longer. */
static uint8_t *bits(size_t count)
{
    return calloc(1, count / 8 + 1);
}

int check_sections(const pya_image *image, pya_error *error)
{
    uint32_t nodes = image->count[SECTION_NODES], tails = image->size[SECTION_TAILS];
    struct checker c = {
        .image = image,
        .error = error,
        .starts = bits(nodes > tails ? nodes : tails),
        .star_starts = bits(nodes),
        .pointed = bits(nodes),
        .star_pointed = bits(nodes),
        .leaves = bits(image->count[SECTION_VALUES]),
        .used = bits(image->count[SECTION_VALUES]),
    };
    int code;

    if (c.starts && c.star_starts && c.pointed && c.star_pointed && c.leaves && c.used)
        code = check_with(&c);
    else
        code = fail(error, PYA_ENOMEM, 0, "out of memory");
    free(c.starts);
    free(c.star_starts);
    free(c.pointed);
    free(c.star_pointed);
    free(c.leaves);
    free(c.used);
    return code;
}
