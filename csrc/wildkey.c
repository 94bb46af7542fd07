#include "wildkey.h"

#include "glob.h"
#include "lines.h"
#include "patterns.h"

/* The sorted patterns from low to high share their first bytes: a subtree of libkmod's trie. */
struct range {
    uint32_t low, high;
};

struct wildkey {
    const pya_image *image;
    struct pya_scratch *scratch;
    const uint8_t *key;
    uint32_t length;
};

static struct pattern pattern_at(const struct wildkey *w, uint32_t index)
{
    return pattern_of_line(w->image, number(w->image, SECTION_SORTED, index));
}

/* A byte of a pattern; its end sorts behind every byte. */
static unsigned byte_at(const struct wildkey *w, uint32_t index, uint32_t at)
{
    struct pattern pattern = pattern_at(w, index);

    return at < pattern_length(&pattern) ? pattern_byte(&pattern, at) : 256u;
}

/* The first index of a range whose byte at a place is `byte` or greater. */
static uint32_t lower_bound(const struct wildkey *w, struct range range, uint32_t at, unsigned byte)
{
    while (range.low < range.high) {
        uint32_t middle = range.low + (range.high - range.low) / 2;
        if (byte_at(w, middle, at) < byte)
            range.low = middle + 1;
        else
            range.high = middle;
    }
    return range.low;
}

static struct range narrow(const struct wildkey *w, struct range range, uint32_t at, unsigned byte)
{
    uint32_t low = lower_bound(w, range, at, byte);

    return (struct range){low, lower_bound(w, (struct range){low, range.high}, at, byte + 1)};
}

static bool same_pattern(const struct wildkey *w, uint32_t a, uint32_t b)
{
    struct pattern p = pattern_at(w, a), q = pattern_at(w, b);
    uint32_t length = pattern_length(&p), at = 0;

    if (length != pattern_length(&q))
        return false;
    while (at < length && pattern_byte(&p, at) == pattern_byte(&q, at))
        at++;
    return at == length;
}

/* Takes the lines of one node, which stand from low to high in order of addition, last first: the
 * whole answer is turned round in the end. */
static bool take(struct wildkey *w, struct range node)
{
    for (uint32_t i = node.high; i-- > node.low;)
        if (!scratch_add_line(w->scratch, number(w->image, SECTION_SORTED, i)))
            return false;
    return true;
}

/* libkmod's index_mm_searchwild_all: fnmatch on all that stands below a wildcard. */
static bool take_matching(struct wildkey *w, struct range range, uint32_t at)
{
    for (uint32_t low = range.low, high; low < range.high; low = high) {
        struct pattern pattern = pattern_at(w, low);
        const uint8_t *text = w->scratch->pattern;
        pattern_copy(&pattern, w->scratch->pattern);
        for (high = low + 1; high < range.high && same_pattern(w, low, high); high++)
            ;
        if (glob_match(text + at, pattern_length(&pattern) - at, w->key + at, w->length - at) &&
            !take(w, (struct range){low, high}))
            return false;
    }
    return true;
}

/* Where the common prefix of a range ends: a node of the trie. */
static uint32_t node_end(const struct wildkey *w, struct range range, uint32_t at)
{
    unsigned byte;

    while ((byte = byte_at(w, range.low, at)) < 256 && byte == byte_at(w, range.high - 1, at))
        at++;
    return at;
}

/* The three wildcard children of a node, in libkmod's order. */
static bool take_children(struct wildkey *w, struct range range, uint32_t at)
{
    static const uint8_t wildcards[] = {'*', '?', '['};

    for (unsigned i = 0; i < sizeof wildcards; i++)
        if (!take_matching(w, narrow(w, range, at, wildcards[i]), at))
            return false;
    return true;
}

/* libkmod's index_mm_searchwild_node: down the trie byte by byte. */
static bool descend(struct wildkey *w, struct range range)
{
    uint32_t at = 0;

    while (range.low < range.high) {
        if (!take_children(w, range, at))
            return false;
        if (at == w->length)
            return take(w, narrow(w, range, at, 256));
        range = narrow(w, range, at, w->key[at]);
        if (range.low == range.high)
            break;
        at++;
        for (uint32_t end = node_end(w, range, at); at < end; at++) {
            uint8_t byte = (uint8_t)byte_at(w, range.low, at);
            if (is_wildcard(byte))
                return take_matching(w, range, at);
            if (at == w->length || byte != w->key[at])
                return true;
        }
    }
    return true;
}

bool search_wildkey(const pya_image *image, struct pya_scratch *scratch, const struct source *source,
                    const uint8_t *key, size_t length)
{
    struct wildkey w = {image, scratch, key, (uint32_t)length};

    scratch->line_count = 0;
    if (!descend(&w, (struct range){source->sorted, source->sorted_end}))
        return false;
    if (source->order == PYA_ORDER_VISIT)
        reverse_lines(scratch);
    else
        sort_lines(scratch);
    return true;
}
