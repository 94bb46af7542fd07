#include "compile_fields.h"

#include <stddef.h>
#include <string.h>

#include "bytes.h"
#include "glob.h"
#include "tokens.h"

enum { MOST_ROWS = 256, MOST_CHOICES = 40 };

/* FIT_NOTHING: all separators, but digits that no key has. */
enum fit { FIT_ROWS, FIT_NOTHING, FIT_NEVER, FIT_TEXT };

/* What a [...] lets a digit be. */
struct choice {
    uint8_t word, shift;
    uint16_t digits; /* bit n: the digit n */
};

/* A pattern being read. */
struct reading {
    const struct interner *classes;
    const uint8_t *tokens, *end;
    bool starred; /* a star stands before */
    struct field_row row;
    unsigned choice_count;
    struct choice choices[MOST_CHOICES];
};

/* ---- a pattern as rows of fields -------------------------------------------------------------- */

static bool is_lower(uint8_t token)
{
    return token >= 'a' && token <= 'z';
}

/* One more than the digit that a byte says; 0: it says none, or none in upper case. */
static const uint8_t digit_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

/* The hexadecimal digits in upper case that a class takes. */
static uint16_t digits_of_class(const struct reading *r)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *set = r->classes->text.data + (size_t)CLASS_ENTRY * class_of_token(r->tokens);
    uint16_t taken = 0;

    for (unsigned i = 0; i < 16; i++) {
        uint8_t digit = (uint8_t)digits[i];
        taken |= (uint16_t)((set[digit / 8] >> digit % 8 & 1) << i);
    }
    return taken;
}

/* The digits that a field starts with; how many. */
static unsigned read_digits(struct reading *r, const struct field *field)
{
    size_t left = (size_t)(r->end - r->tokens);
    unsigned most = left < field->digits ? (unsigned)left : field->digits, count = 0, shift;
    uint32_t word = 0;

    while (count < most && digit_values[r->tokens[count]] != 0)
        word = word << 4 | (digit_values[r->tokens[count++]] - 1u);
    r->tokens += count;
    if (count > 0) {
        shift = field->shift + (field->digits - count) * 4u;
        r->row.mask[field->word] |= (uint32_t)(((uint64_t)1 << 4 * count) - 1) << shift;
        r->row.words[field->word] |= word << shift;
    }
    return count;
}

/* A token where a digit is due. */
static void read_one_digit(struct reading *r, const struct field *field, unsigned place, bool *never)
{
    unsigned shift = field->shift + (field->digits - 1 - place) * 4u, digit = digit_values[*r->tokens];
    uint16_t digits = *r->tokens == TOKEN_CLASS ? digits_of_class(r) : 0;

    if (*r->tokens == TOKEN_ANY || digits == 0xFFFF)
        return;
    if (digit != 0) {
        r->row.mask[field->word] |= 0xFu << shift;
        r->row.words[field->word] |= (digit - 1) << shift;
        return;
    }
    *never |= digits == 0;
    r->row.mask[field->word] |= 0xFu << shift;
    r->choices[r->choice_count++] = (struct choice){field->word, (uint8_t)shift, digits};
}

/* What is more than some digits, of which `count` were read. */
static enum fit read_wildcards(struct reading *r, const struct field *field, unsigned count)
{
    bool star = false, never = false, beyond = false;

    for (; r->tokens < r->end && !star && !is_lower(*r->tokens); r->tokens += token_width(*r->tokens)) {
        star = *r->tokens == TOKEN_STAR;
        if (star)
            continue;
        if (count < field->digits)
            read_one_digit(r, field, count, &never);
        else
            beyond |= !is_plain_token(*r->tokens);
        count++;
    }
    r->starred |= star;
    if (star && r->tokens < r->end && !is_lower(*r->tokens))
        return FIT_TEXT; /* digits behind a star: no row */
    if (beyond)
        return FIT_TEXT; /* a ? or [...] that may meet the next separator's letter */
    return never || count > field->digits || (count < field->digits && !star) ? FIT_NEVER : FIT_ROWS;
}

/* Whether a field ends here: before the next separator. */
static bool at_end(const struct reading *r, size_t offset)
{
    return r->tokens + offset == r->end || is_lower(r->tokens[offset]);
}

/* Most fields are all digits, or a star. */
static enum fit read_field(struct reading *r, const struct field *field)
{
    unsigned count = read_digits(r, field);

    if (count == field->digits && at_end(r, 0))
        return FIT_ROWS;
    if (r->tokens < r->end && *r->tokens == TOKEN_STAR && at_end(r, 1)) {
        r->tokens++;
        r->starred = true;
        return FIT_ROWS;
    }
    return read_wildcards(r, field, count);
}

/* Whether literal text comes next; goes on behind it. */
static inline enum fit read_literal(struct reading *r, const char *text)
{
    for (size_t i = 0; text[i]; i++, ++r->tokens) {
        if (r->tokens == r->end)
            return FIT_NEVER;
        if (*r->tokens != (uint8_t)text[i])
            return is_plain_token(*r->tokens) ? FIT_NEVER : FIT_TEXT;
    }
    return FIT_ROWS;
}

/* Whether a star for each field from one on is all that is left. */
static bool only_stars(const struct reading *r, const struct field_rows *rows, unsigned field)
{
    size_t size = (size_t)(rows->stars_from[rows->bus->field_count] - rows->stars_from[field]);

    return (size_t)(r->end - r->tokens) == size &&
           memcmp(r->tokens, rows->stars + rows->stars_from[field], size) == 0;
}

static enum fit read_pattern(struct reading *r, const struct field_rows *rows)
{
    const struct bus *bus = rows->bus;
    enum fit result = read_literal(r, bus->prefix);
    bool never = false;

    for (unsigned f = 0; f < bus->field_count && result == FIT_ROWS; f++) {
        const struct field *field = &bus->fields[f];
        if (only_stars(r, rows, f))
            return never ? FIT_NOTHING : FIT_ROWS;
        result = read_literal(r, field->separator);
        /* Behind a star a difference is no proof that the pattern never matches: only of no row. */
        if (result == FIT_NEVER && r->starred)
            result = FIT_TEXT;
        if (result != FIT_ROWS)
            break;
        result = read_field(r, field);
        if (result == FIT_NEVER) {
            never = true;
            result = FIT_ROWS;
        }
    }
    if (result == FIT_ROWS && r->tokens < r->end)
        result = FIT_TEXT;
    return result == FIT_ROWS && never ? FIT_NOTHING : result;
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* How many rows the choices make; more than MOST_ROWS are not counted on. */
static unsigned count_rows(const struct reading *r)
{
    unsigned rows = 1;

    for (unsigned i = 0; i < r->choice_count && rows <= MOST_ROWS; i++)
        rows *= (unsigned)__builtin_popcount(r->choices[i].digits);
    return rows;
}

static void set_digit(struct field_row *row, const struct choice *choice, unsigned which)
{
    uint32_t digits = choice->digits;

    while (which-- > 0)
        digits &= digits - 1;
    row->words[choice->word] &= ~(0xFu << choice->shift);
    row->words[choice->word] |= (uint32_t)__builtin_ctz(digits) << choice->shift;
}

/* One row for each way to choose the digits. */
static void add_rows(struct field_rows *rows, struct reading *r)
{
    unsigned count = count_rows(r);

    if (count > MOST_ROWS)
        field_rows_add_residue(rows, r->row.value);
    for (unsigned number = 0; number < count && count <= MOST_ROWS; number++) {
        unsigned rest = number;
        for (unsigned i = 0; i < r->choice_count; i++) {
            unsigned ways = (unsigned)__builtin_popcount(r->choices[i].digits);
            set_digit(&r->row, &r->choices[i], rest % ways);
            rest /= ways;
        }
        bytes_push(&rows->rows, &r->row, sizeof r->row);
    }
}

/* Most patterns are of other buses: their first bytes say so. */
static bool may_be_of_bus(const struct bus *bus, const struct token_string *string)
{
    for (uint32_t at = 0; at < bus->prefix_length; at++) {
        if (at == string->count)
            return false;
        if (string->tokens[at] != (uint8_t)bus->prefix[at])
            return !is_plain_token(string->tokens[at]);
    }
    return true;
}

void field_rows_start(struct field_rows *rows, const struct bus *bus, const struct interner *classes)
{
    uint8_t *out = rows->stars;

    *rows = (struct field_rows){.bus = bus, .classes = classes};
    for (unsigned f = 0; f < bus->field_count; f++) {
        rows->stars_from[f] = (uint8_t)(out - rows->stars);
        for (const char *separator = bus->fields[f].separator; *separator; separator++)
            *out++ = (uint8_t)*separator;
        *out++ = TOKEN_STAR;
    }
    rows->stars_from[bus->field_count] = (uint8_t)(out - rows->stars);
}

void field_rows_add(struct field_rows *rows, const struct token_string *string)
{
    struct reading r;

    if (rows->to_trie || !may_be_of_bus(rows->bus, string))
        return;
    memset(&r, 0, offsetof(struct reading, choices));
    r.classes = rows->classes;
    r.tokens = string->tokens;
    r.end = string->tokens + string->count;
    r.row.value = string->value;
    switch (read_pattern(&r, rows)) {
    case FIT_ROWS:
        add_rows(rows, &r);
        break;
    case FIT_TEXT:
        field_rows_add_residue(rows, string->value);
        break;
    case FIT_NEVER:
        rows->has_others = true;
        break;
    case FIT_NOTHING:
        break;
    }
}

void field_rows_add_text(struct field_rows *rows, const uint8_t *pattern, size_t length, uint32_t value)
{
    for (size_t i = 0; i < rows->bus->prefix_length && i < length && !is_wildcard(pattern[i]); i++)
        if (pattern[i] != (uint8_t)rows->bus->prefix[i])
            return;
    field_rows_add_residue(rows, value);
}

void field_rows_add_residue(struct field_rows *rows, uint32_t value)
{
    bytes_push_u32(&rows->residue, value);
    if (rows->residue.size / 4 > MOST_RESIDUE)
        rows->to_trie = true;
}

void field_rows_free(struct field_rows *rows)
{
    bytes_free(&rows->rows);
    bytes_free(&rows->residue);
}
