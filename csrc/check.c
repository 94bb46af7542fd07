/*
 * The check of a whole image at open. What passes here can be followed blindly: every offset lies
 * inside its section, and walks end (check_trie.c). Numbers are checked by a pass without branches
 * (check.h), and looked through one by one only to say which of them is wrong.
 */
#include "check.h"

#include "bus.h"
#include "patterns.h"

struct checker {
    const pya_image *image;
    pya_error *error;
};

/* ---- numbers ---------------------------------------------------------------------------------- */

/* Whether numbers under a mask are below a limit. */
CHECK bool all_below(const uint8_t *p, uint32_t count, uint32_t mask, uint32_t limit)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < count; i++)
        bad |= not_below(load_u32(p + (size_t)i * 4) & mask, limit);
    return !is_bad(bad);
}

CHECK int check_numbers(const struct checker *c, enum section section, uint32_t mask, uint32_t limit,
                        const char *what)
{
    uint32_t i = 0;

    if (all_below(c->image->section[section], c->image->count[section], mask, limit))
        return PYA_OK;
    while (!is_bad(not_below(number(c->image, section, i) & mask, limit)))
        i++;
    return damaged(c->error, section, i, what);
}

/* Ends of parts of something of a size: none is before the one in front of it, the last is the end. */
CHECK int check_ends(const struct checker *c, enum section section, uint32_t size, const char *what)
{
    const uint8_t *p = c->image->section[section];
    uint32_t count = c->image->count[section], bad = 0;

    if (count == 0 || number(c->image, section, count - 1) != size)
        return damaged(c->error, section, count, what);
    for (uint32_t i = 1; i < count; i++)
        bad |= load_u32(p + (size_t)i * 4) | (load_u32(p + (size_t)i * 4) - load_u32(p + (size_t)i * 4 - 4));
    return is_bad(bad | load_u32(p)) ? damaged(c->error, section, 0, what) : PYA_OK;
}

/* ---- tables ----------------------------------------------------------------------------------- */

CHECK bool text_inside(const pya_image *image, uint32_t offset, uint32_t length)
{
    return offset <= image->size[SECTION_STRINGS] && length <= image->size[SECTION_STRINGS] - offset;
}

CHECK int check_modules(const struct checker *c)
{
    const pya_image *image = c->image;

    for (uint32_t i = 0; i < image->count[SECTION_MODULES]; i++) {
        const uint8_t *p = entry(image, SECTION_MODULES, MODULE_ENTRY, i);
        if (!text_inside(image, load_u32(p), load_u32(p + 4)) || load_u32(p + 4) > image->longest_module)
            return damaged(c->error, SECTION_MODULES, i, "a module name lies outside");
    }
    return PYA_OK;
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* Whether the lines of a whole block borrow no more than its head has, and make no pattern that is too
 * long. Their places are settled; *odd: flags of any of them. */
CHECK bool block_fits(const pya_image *image, uint32_t low, uint32_t *odd)
{
    const uint8_t *places = entry(image, SECTION_LINE_PLACES, 4, low),
                  *shares = entry(image, SECTION_LINE_SHARES, SHARES_ENTRY, low),
                  *lines = entry(image, SECTION_LINES, 4, low);
    uint32_t bad = 0, all_flags = 0;
    uint32_t head = middle_length(load_u32(lines) & ~LINE_MODULE, load_u32(places + 4) - load_u32(places), 0);

    for (uint32_t i = 0; i < LINES_A_HEAD; i++) {
        uint32_t start = load_u16(shares + (size_t)i * 2) & 0xFF, end = load_u16(shares + (size_t)i * 2) >> 8,
                 flags = load_u32(lines + (size_t)i * 4), written = 0 - flags / LINE_WRITTEN,
                 size = load_u32(places + (size_t)i * 4 + 4) - load_u32(places + (size_t)i * 4);
        all_flags |= flags;
        /* A line that was written otherwise has twice its middle, and once what it shares. */
        bad |= (head - start) | (head - end) | ((size - start - end) & written) |
               (NAME_MAX_LENGTH + (NAME_MAX_LENGTH & written) - size - start - end);
    }
    *odd = all_flags & (LINE_CUT | LINE_REFUSED);
    return !is_bad(bad) && load_u16(shares) == 0;
}

/* The same for a block that is cut short by the end, or holds other than ordinary lines. */
CHECK bool odd_block_fits(const pya_image *image, uint32_t low, uint32_t high)
{
    pya_text written;
    struct pattern head = own_part(image, low, &written);

    for (uint32_t line = low; line < high; line++) {
        struct pattern own = own_part(image, line, &written);
        uint32_t size, flags = line_flags(image, line);
        pattern_record(image, line, &size);
        if (own.middle_length > size || own.start_length > head.middle_length ||
            own.end_length > head.middle_length || pattern_length(&own) > NAME_MAX_LENGTH ||
            ((line == low || (flags & ~LINE_WRITTEN)) && own.start_length + own.end_length != 0))
            return false;
    }
    return true;
}

CHECK int check_patterns(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t lines = image->count[SECTION_LINES];

    for (uint32_t low = 0; low < lines; low += LINES_A_HEAD) {
        uint32_t odd = 1;
        bool fits = lines - low >= LINES_A_HEAD && block_fits(image, low, &odd);
        if (odd != 0)
            fits = odd_block_fits(image, low, lines - low < LINES_A_HEAD ? lines : low + LINES_A_HEAD);
        if (!fits)
            return damaged(c->error, SECTION_PATTERNS, low, "a pattern lies outside");
    }
    return PYA_OK;
}

CHECK int check_lines(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t lines = image->count[SECTION_LINES];
    int code;

    if (image->count[SECTION_LINE_NUMBERS] != lines || image->count[SECTION_LINE_SHARES] != lines ||
        image->count[SECTION_LINE_PLACES] != lines + 1)
        return damaged(c->error, SECTION_LINES, lines, "lines and what they hold are not equally many");
    code =
        check_numbers(c, SECTION_LINES, LINE_MODULE, image->count[SECTION_MODULES], "a line names no module");
    if (code == PYA_OK)
        code = check_ends(c, SECTION_LINE_PLACES, image->size[SECTION_PATTERNS], "a pattern lies outside");
    return code == PYA_OK ? check_patterns(c) : code;
}

/* Every part of SORTED from low to high names a line of one source. */
CHECK bool sorted_lines_fit(const pya_image *image, uint32_t low, uint32_t high, uint32_t first_line,
                            uint32_t lines_end)
{
    uint32_t bad = 0;

    for (uint32_t i = low; i < high; i++)
        bad |= not_below(number(image, SECTION_SORTED, i), lines_end) |
               (number(image, SECTION_SORTED, i) - first_line);
    return !is_bad(bad);
}

CHECK int check_sources(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t lines = 0, sorted = 0, irregular = 0;

    for (uint32_t i = 0; i < image->count[SECTION_SOURCES]; i++) {
        const uint8_t *p = entry(image, SECTION_SOURCES, SOURCE_ENTRY, i);
        uint32_t lines_end = load_u32(p + 12), sorted_end = load_u32(p + 16),
                 irregular_end = load_u32(p + 20);
        if (!text_inside(image, load_u32(p), load_u32(p + 4)) || load_u32(p + 24) > PYA_ORDER_VISIT)
            return damaged(c->error, SECTION_SOURCES, i, "a source has no name or order");
        if (lines_end < lines || lines_end > image->count[SECTION_LINES] || sorted_end < sorted ||
            sorted_end > image->count[SECTION_SORTED] || irregular_end < irregular ||
            irregular_end > image->count[SECTION_IRREGULAR])
            return damaged(c->error, SECTION_SOURCES, i, "a source ends outside");
        if (!sorted_lines_fit(image, sorted, sorted_end, lines, lines_end))
            return damaged(c->error, SECTION_SORTED, i, "a sorted line is not one of its source");
        lines = lines_end;
        sorted = sorted_end;
        irregular = irregular_end;
    }
    if (lines != image->count[SECTION_LINES] || sorted != image->count[SECTION_SORTED] ||
        irregular != image->count[SECTION_IRREGULAR])
        return damaged(c->error, SECTION_SOURCES, image->count[SECTION_SOURCES],
                       "lines that belong to no source");
    return PYA_OK;
}

CHECK int check_values(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t values = image->count[SECTION_VALUES], lines = image->count[SECTION_LINES],
             listed = image->count[SECTION_VALUE_LINES], bad = 0;
    int code;

    if (image->count[SECTION_VALUE_ANSWERS] != values || image->count[SECTION_VALUE_TAILS] != values)
        return damaged(c->error, SECTION_VALUES, values, "values and what they hold are not equally many");
    for (uint32_t i = 0; i < values; i++) {
        uint32_t value = number(image, SECTION_VALUES, i), own = 0 - value / LAST_LINE;
        bad |= not_below(value & ~LAST_LINE, listed ^ ((lines ^ listed) & own));
    }
    if (is_bad(bad))
        return damaged(c->error, SECTION_VALUES, 0, "a value names no line");
    /* So that a list ends wherever it begins. */
    if (listed > 0 && !(number(image, SECTION_VALUE_LINES, listed - 1) & LAST_LINE))
        return damaged(c->error, SECTION_VALUE_LINES, listed, "the lines of a value do not end");
    code = check_numbers(c, SECTION_VALUE_LINES, ~LAST_LINE, lines, "a value names no line");
    if (code == PYA_OK)
        code = check_numbers(c, SECTION_VALUE_ANSWERS, UINT32_MAX, image->count[SECTION_ANSWERS],
                             "a value has no answer");
    return code == PYA_OK
               ? check_numbers(c, SECTION_IRREGULAR, UINT32_MAX, values, "an irregular pattern has no value")
               : code;
}

CHECK int check_answers(const struct checker *c)
{
    const pya_image *image = c->image;
    int code = check_ends(c, SECTION_ANSWERS, image->count[SECTION_ANSWER_MODULES],
                          "the modules of an answer lie outside");

    if (code == PYA_OK && number(image, SECTION_ANSWERS, 0) != 0)
        code = damaged(c->error, SECTION_ANSWERS, 0, "answer 0 is not the empty one");
    return code == PYA_OK ? check_numbers(c, SECTION_ANSWER_MODULES, UINT32_MAX,
                                          image->count[SECTION_MODULES], "an answer names no module")
                          : code;
}

/* Any bytes are a tail (tail.h), if they are followed by zeros. */
CHECK int check_tails(const struct checker *c)
{
    const pya_image *image = c->image;
    uint32_t size = image->size[SECTION_TAILS];
    uint8_t bits = 0;

    if (size < TAILS_PADDING)
        return damaged(c->error, SECTION_TAILS, size, "the rests of patterns have no end");
    for (uint32_t i = size - TAILS_PADDING; i < size; i++)
        bits |= image->section[SECTION_TAILS][i];
    if (bits != 0)
        return damaged(c->error, SECTION_TAILS, size, "the rests of patterns have no end");
    return check_numbers(c, SECTION_VALUE_TAILS, UINT32_MAX, size - TAILS_PADDING + 1, "a value has no tail");
}

/* ---- field tables ----------------------------------------------------------------------------- */

struct field_part {
    uint32_t at, size, buckets;
};

CHECK bool bits_below(uint64_t set, uint32_t count)
{
    return count >= 64 || set >> count == 0;
}

/* The entries of one part: values that exist, signatures that exist. */
CHECK bool check_entries(const struct checker *c, unsigned part, struct field_part place, uint32_t signatures)
{
    static const uint8_t words[FIELD_PARTS] = {GATE_WORDS, GATE_WORDS,  GATE_WORDS, RULE_WORDS,
                                               RULE_WORDS, FIELD_WORDS, 1};
    const pya_image *image = c->image;
    const uint8_t *entries;
    uint32_t values = image->count[SECTION_VALUES], value_at = part < GATE_KINDS ? 8 : 0, bad = 0;
    uint64_t sets = 0;

    if (place.at > image->count[SECTION_FIELDS] ||
        (uint64_t)place.size * words[part] + place.buckets > image->count[SECTION_FIELDS] - place.at)
        return false;
    if (part < PART_SIGNATURES ? (place.size == 0) != (place.buckets == 0) : place.buckets != 0)
        return false;
    if (part == PART_SIGNATURES)
        return true;
    entries = entry(image, SECTION_FIELDS, 4, place.at + place.buckets);
    for (uint32_t i = 0; i < place.size; i++) {
        const uint8_t *p = entries + (size_t)i * words[part] * 4;
        bad |= part == PART_RESIDUE ? not_below(load_u32(p), values)
                                    : not_below(load_u32(p + value_at) + 1, values + 1); /* or NEVER */
    }
    for (uint32_t i = 0; i < place.size && part < GATE_KINDS; i++)
        sets |= load_u64(entries + (size_t)i * GATE_WORDS * 4 + 12);
    return !is_bad(bad) && bits_below(sets, signatures);
}

CHECK bool check_field_table(const struct checker *c, const uint8_t *table)
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

CHECK int check_fields(const struct checker *c)
{
    const pya_image *image = c->image;
    uint64_t tables = (uint64_t)image->count[SECTION_SOURCES] * BUS_COUNT;

    if (tables * FIELD_TABLE_WORDS > image->count[SECTION_FIELDS])
        return damaged(c->error, SECTION_FIELDS, 0, "a source has no field tables");
    for (uint32_t i = 0; i < tables; i++)
        if (!check_field_table(c, entry(image, SECTION_FIELDS, FIELD_TABLE_WORDS * 4, i)))
            return damaged(c->error, SECTION_FIELDS, i, "a field table is none");
    return PYA_OK;
}

CHECK int check_all(pya_image *image, pya_error *error)
{
    const struct checker c = {image, error};
    int code;

    if ((code = check_modules(&c)) != PYA_OK || (code = check_lines(&c)) != PYA_OK ||
        (code = check_sources(&c)) != PYA_OK || (code = check_answers(&c)) != PYA_OK ||
        (code = check_values(&c)) != PYA_OK || (code = check_tails(&c)) != PYA_OK ||
        (code = check_fields(&c)) != PYA_OK)
        return code;
    return check_tries(image, error);
}

CHECK_BY_CPU(check_sections, check_all)
