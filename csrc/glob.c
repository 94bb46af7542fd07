#define _GNU_SOURCE /* memmem: linear for plain bytes, in glibc and musl alike */
#include "glob.h"

#include <string.h>

#include "pyalias.h"

/* A reader of the inside of a bracket expression; past the end it reads 0, as C strings do. */
struct reader {
    const uint8_t *pattern;
    size_t length;
    size_t at;
};

static uint8_t peek(const struct reader *r, size_t ahead)
{
    return r->at + ahead < r->length ? r->pattern[r->at + ahead] : 0;
}

static uint8_t take(struct reader *r)
{
    uint8_t byte = peek(r, 0);
    r->at++;
    return byte;
}

/* CHAR_CLASS_MAX_LENGTH of glibc: longer names make the pattern ill-formed. */
enum { CLASS_NAME_ROOM = 256 };

static bool in_named_class(const char *name, uint8_t b, bool *known)
{
    bool upper = b >= 'A' && b <= 'Z', lower = b >= 'a' && b <= 'z', digit = b >= '0' && b <= '9';
    bool graph = b > 32 && b < 127;
    const struct {
        const char *name;
        bool has;
    } classes[] = {
        {"alnum", upper || lower || digit},
        {"alpha", upper || lower},
        {"blank", b == ' ' || b == '\t'},
        {"cntrl", b < 32 || b == 127},
        {"digit", digit},
        {"graph", graph},
        {"lower", lower},
        {"print", graph || b == ' '},
        {"punct", graph && !(upper || lower || digit)},
        {"space", b == ' ' || (b >= 9 && b <= 13)},
        {"upper", upper},
        {"xdigit", digit || (b >= 'A' && b <= 'F') || (b >= 'a' && b <= 'f')},
    };

    *known = true;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].name, name) == 0)
            return classes[i].has;
    *known = false;
    return false;
}

enum part { PART_TAKES, PART_GOES_ON, PART_ILL_FORMED, PART_PLAIN };

/* [:name:] with the reader on its first colon; PART_PLAIN: no class name, the [ is a member. */
static enum part named_class(struct reader *r, uint8_t byte)
{
    char name[CLASS_NAME_ROOM + 1];
    size_t used = 0, start = r->at;
    bool known, has;

    for (;;) {
        if (used == CLASS_NAME_ROOM)
            return PART_ILL_FORMED;
        r->at++;
        uint8_t c = peek(r, 0);
        if (c == ':' && peek(r, 1) == ']') {
            r->at += 2;
            break;
        }
        if (c < 'a' || c >= 'z') { /* glibc's own bound: no class name has a z */
            r->at = start;
            return PART_PLAIN;
        }
        name[used++] = (char)c;
    }
    name[used] = 0;
    has = in_named_class(name, byte, &known);
    if (!known)
        return PART_ILL_FORMED;
    return has ? PART_TAKES : PART_GOES_ON;
}

/* [=x=] with the reader on its first =. */
static enum part equivalence(struct reader *r, uint8_t byte)
{
    uint8_t member = peek(r, 1);

    if (member == 0 || peek(r, 2) != '=' || peek(r, 3) != ']')
        return PART_PLAIN;
    r->at += 4;
    return member == byte ? PART_TAKES : PART_GOES_ON;
}

/* [.x.] with the reader on its first dot; without collation data only single bytes have names. */
static enum part collating_symbol(struct reader *r, uint8_t *member)
{
    size_t start = r->at;

    for (;;) {
        r->at++;
        uint8_t c = peek(r, 0);
        if (c == 0)
            return PART_ILL_FORMED;
        if (c == '.' && peek(r, 1) == ']')
            break;
    }
    if (r->at - start - 1 != 1)
        return PART_ILL_FORMED;
    *member = r->pattern[start + 1];
    r->at += 2;
    return PART_GOES_ON;
}

/* The end of a range, with the reader behind its minus; false: ill-formed. */
static bool range_end(struct reader *r, uint8_t *end)
{
    uint8_t c = take(r);

    if (c == '[' && peek(r, 0) == '.')
        return collating_symbol(r, end) == PART_GOES_ON;
    if (c == '\\')
        c = take(r);
    *end = c;
    return c != 0;
}

/* One member, or a range that it starts; first is already taken from the reader. */
static enum part member_or_range(struct reader *r, uint8_t first, uint8_t byte)
{
    uint8_t end;

    if (peek(r, 0) != '-' || peek(r, 1) == ']')
        return first == byte ? PART_TAKES : PART_GOES_ON;
    if (peek(r, 1) == 0)
        return first == byte ? PART_TAKES : PART_ILL_FORMED;
    r->at++;
    if (!range_end(r, &end))
        return PART_ILL_FORMED;
    return first <= byte && byte <= end ? PART_TAKES : PART_GOES_ON;
}

/* What the item that starts with c says about a byte. */
static enum part item(struct reader *r, uint8_t c, uint8_t byte)
{
    enum part part = PART_PLAIN;

    if (c == '\\') {
        c = take(r);
        if (c == 0)
            return PART_ILL_FORMED;
    } else if (c == '[' && peek(r, 0) == ':') {
        part = named_class(r, byte);
    } else if (c == '[' && peek(r, 0) == '=') {
        part = equivalence(r, byte);
    } else if (c == '[' && peek(r, 0) == '.') {
        part = collating_symbol(r, &c);
        /* Before "-]" glibc expects a range, finds none, and forgets the symbol. */
        if (part == PART_GOES_ON && !(peek(r, 0) == '-' && peek(r, 1) == ']'))
            part = PART_PLAIN;
    }
    return part == PART_PLAIN ? member_or_range(r, c, byte) : part;
}

/* Skips [:name:], known or not, with the reader on its first colon; false: ill-formed. */
static bool skip_class_name(struct reader *r)
{
    size_t start = r->at;

    for (size_t used = 1; used < CLASS_NAME_ROOM; used++) {
        r->at++;
        if (peek(r, 0) == ':' && peek(r, 1) == ']') {
            r->at += 2;
            return true;
        }
        if (peek(r, 0) < 'a' || peek(r, 0) >= 'z') {
            r->at = start;
            return true;
        }
    }
    return false;
}

/* Skips [.x.] with the reader on its first dot; false: ill-formed. */
static bool skip_symbol(struct reader *r)
{
    do {
        r->at++;
        if (peek(r, 0) == 0)
            return false;
    } while (peek(r, 0) != '.' || peek(r, 1) != ']');
    r->at += 2;
    return true;
}

/* The rest of a set that has taken its byte. glibc skips it by rules of their own: ranges do not
 * count here, an unknown class name may stand. */
static enum bracket skip_rest(struct reader *r)
{
    for (;;) {
        uint8_t c = take(r);
        bool well_formed = true;
        if (c == ']')
            return BRACKET_TAKES;
        if (c == 0)
            return BRACKET_LITERAL;
        if (c == '\\') {
            well_formed = take(r) != 0;
        } else if (c == '[' && peek(r, 0) == ':') {
            well_formed = skip_class_name(r);
        } else if (c == '[' && peek(r, 0) == '=') {
            well_formed = peek(r, 1) != 0 && peek(r, 2) == '=' && peek(r, 3) == ']';
            r->at += 4;
        } else if (c == '[' && peek(r, 0) == '.') {
            well_formed = skip_symbol(r);
        }
        if (!well_formed)
            return BRACKET_REFUSES;
    }
}

enum bracket bracket_match(const uint8_t *pattern, size_t length, size_t at, uint8_t byte, size_t *after)
{
    struct reader r = {pattern, length, at};
    bool negated = peek(&r, 0) == '!' || peek(&r, 0) == '^';

    if (negated)
        r.at++;
    for (uint8_t c = take(&r);; c = take(&r)) {
        enum part part;
        if (c == 0)
            return BRACKET_LITERAL;
        part = item(&r, c, byte);
        if (part == PART_ILL_FORMED)
            return BRACKET_REFUSES;
        if (part == PART_TAKES) {
            enum bracket end = skip_rest(&r);
            if (end != BRACKET_TAKES)
                return end;
            if (negated)
                return BRACKET_REFUSES;
            break;
        }
        if (peek(&r, 0) == ']') {
            r.at++;
            if (!negated)
                return BRACKET_REFUSES;
            break;
        }
    }
    *after = r.at;
    return BRACKET_TAKES;
}

/* Matches one byte at pattern[*at]; moves *at behind what took it. Not for stars. */
static bool match_byte(const uint8_t *pattern, size_t length, size_t *at, uint8_t byte)
{
    uint8_t c = pattern[*at];

    if (c == '[') {
        switch (bracket_match(pattern, length, *at + 1, byte, at)) {
        case BRACKET_TAKES:
            return true;
        case BRACKET_REFUSES:
            return false;
        case BRACKET_LITERAL:
            break;
        }
    } else if (c == '?') {
        ++*at;
        return true;
    } else if (c == '\\') {
        if (++*at == length)
            return false;
        c = pattern[*at];
    }
    ++*at;
    return c == byte;
}

/* How many bytes of a pattern from `at` on stand for themselves. */
static size_t plain_bytes(const uint8_t *pattern, size_t length, size_t at)
{
    size_t start = at;

    while (at < length && !is_wildcard(pattern[at]) && pattern[at] != '\\')
        at++;
    return at - start;
}

/* What follows the last star, and where in the text it is tried next. */
struct retry {
    size_t pattern, plain, text;
};

/* Moves on to where the plain bytes behind the star stand: this, not a try at each place, is what
 * long texts made to match almost cost. False: nowhere. */
static bool find_plain(struct retry *star, const uint8_t *pattern, const uint8_t *text, size_t size)
{
    const uint8_t *place = text + star->text;

    if (star->text > size)
        return false;
    if (star->plain > 0)
        place = memmem(place, size - star->text, pattern + star->pattern, star->plain);
    if (place == NULL)
        return false;
    star->text = (size_t)(place - text);
    return true;
}

/* Takes the cost of a step off; false, with nothing left, where there is not enough. */
static bool afford(uint64_t *steps, uint64_t cost)
{
    if (*steps < cost)
        *steps = 0;
    else
        *steps -= cost;
    return *steps > 0;
}

bool glob_match_within(const uint8_t *pattern, size_t length, const uint8_t *text, size_t size,
                       uint64_t *steps)
{
    struct retry star = {SIZE_MAX, 0, 0};
    size_t p = 0, t = 0;

    for (;;) {
        /* A bracket may be read to the end of the pattern. */
        if (!afford(steps, p < length && pattern[p] == '[' ? length - p : 1))
            return false;
        if (p < length && pattern[p] == '*') {
            while (p < length && pattern[p] == '*')
                p++;
            if (p == length)
                return true;
            star = (struct retry){p, plain_bytes(pattern, length, p), t};
        } else if (t == size && p == length) {
            return true;
        } else if (t < size && p < length && match_byte(pattern, length, &p, text[t])) {
            t++;
            continue;
        } else if (star.pattern == SIZE_MAX || ++star.text >= size) {
            return false;
        }
        /* memmem goes over some sixteen bytes of the text in the time of a step. */
        if (!afford(steps, 1 + star.plain + (size - t) / 16) || !find_plain(&star, pattern, text, size))
            return false;
        p = star.pattern + star.plain;
        t = star.text + star.plain;
    }
}

bool glob_match(const uint8_t *pattern, size_t length, const uint8_t *text, size_t size)
{
    uint64_t steps = UINT64_MAX;

    return glob_match_within(pattern, length, text, size, &steps);
}

int pya_glob_match(const char *pattern, size_t length, const char *text, size_t size)
{
    return glob_match((const uint8_t *)pattern, length, (const uint8_t *)text, size);
}
