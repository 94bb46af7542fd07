/*
 * How the search stays linear: a star is searched behind once, from the first place at which it is
 * entered, since what follows a star matches from an early place whenever it does from a later one.
 * Places are tried in ascending order, so the first entry is the earliest. A leaf that failed
 * behind its own first star is settled the same way.
 */
#include "search.h"

#include "glob.h"
#include "patterns.h"
#include "tail.h"

struct search {
    const pya_image *image;
    struct pya_scratch *scratch;
    const uint8_t *nodes;
    const uint8_t *key;
    uint32_t length;
    uint32_t branch_count;
};

/* A record taken apart. */
struct record {
    uint32_t head;
    const uint8_t *edges; /* the byte edges */
    const uint8_t *wild;  /* the wildcard edges' count, or NULL */
};

static void found(struct search *s, uint32_t value)
{
    s->scratch->values[s->scratch->value_count++] = value;
}

static bool settled(struct search *s, uint32_t mark)
{
    return s->scratch->marks[mark] == s->scratch->generation;
}

static void settle(struct search *s, uint32_t mark)
{
    s->scratch->marks[mark] = s->scratch->generation;
}

static void try_leaf(struct search *s, uint32_t value, uint32_t at)
{
    const pya_image *image = s->image;
    uint32_t tail = tail_of_value(image, value);

    if (settled(s, value))
        return;
    switch (tail_match(image->section[SECTION_TAILS] + tail, s->key, at, s->length)) {
    case TAIL_MATCHES:
        found(s, value);
        settle(s, value);
        break;
    case TAIL_FAILS_EVERYWHERE:
        settle(s, value);
        break;
    case TAIL_FAILS:
        break;
    }
}

static void enter_star(struct search *s, uint32_t ref, uint32_t at)
{
    uint32_t mark;

    if (ref & LEAF_BIT) {
        try_leaf(s, ref & ~LEAF_BIT, at);
        return;
    }
    mark = s->image->count[SECTION_VALUES] + load_u32(s->nodes + (size_t)ref * 4 + 4);
    if (settled(s, mark))
        return;
    settle(s, mark);
    s->scratch->stars[s->scratch->star_count++] = (struct place){ref, at};
}

/* Reads a record from behind its label and star info on; enters its star and takes its value. */
static inline struct record enter_record(struct search *s, uint32_t head, const uint8_t *p, uint32_t at,
                                         bool value_here)
{
    struct record record = {head, p, NULL};

    if (head & HAS_VALUE) {
        if (value_here)
            found(s, load_u32(p));
        p += 4;
    }
    if (head & HAS_STAR) {
        enter_star(s, load_u32(p), at);
        p += 4;
    }
    if (head & HAS_WILD) {
        record.wild = p;
        p += 4 + (size_t)load_u32(p) * 8;
    }
    record.edges = p;
    return record;
}

static inline uint32_t byte_edge(const struct record *record, uint8_t byte)
{
    const uint8_t *p = record->edges;
    uint32_t count = record->head >> HEAD_LIST_SHIFT;

    if (record->head & HAS_TABLE) {
        uint32_t range = load_u32(p), index = byte - (range & 0xFF);
        return index <= (range >> 8) - (range & 0xFF) ? load_u32(p + 4 + (size_t)index * 4) : 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (p[i] == byte)
            return load_u32(p + (count + 3) / 4 * 4 + (size_t)i * 4);
    return 0;
}

/* Remembers the wildcard edges that take a byte, to be walked from behind it. */
static inline void branch(struct search *s, const struct record *record, uint8_t byte, uint32_t after)
{
    const uint8_t *p = record->wild;

    if (p == NULL)
        return;
    for (uint32_t i = 0, count = load_u32(p); i < count; i++) {
        uint32_t class = load_u32(p + 4 + (size_t)i * 8);
        const uint8_t *set = s->image->section[SECTION_CLASSES] + (size_t)class * CLASS_ENTRY;
        if (class == ANY_BYTE || set[byte / 8] >> byte % 8 & 1)
            s->scratch->branches[s->branch_count++] = (struct place){load_u32(p + 8 + (size_t)i * 8), after};
    }
}

static inline bool label_matches(const uint8_t *label, const uint8_t *key, uint32_t length)
{
    uint32_t i = 0;

    for (; i + 4 <= length; i += 4)
        if (load_u32(label + i) != load_u32(key + i))
            return false;
    for (; i < length; i++)
        if (label[i] != key[i])
            return false;
    return true;
}

/* Walks bytes from one record on; stars are entered and wildcard edges remembered on the way. */
static void walk(struct search *s, uint32_t ref, uint32_t at)
{
    while (ref != 0) {
        const uint8_t *p = s->nodes + (size_t)ref * 4;
        uint32_t head, label;
        struct record record;
        if (ref & LEAF_BIT) {
            try_leaf(s, ref & ~LEAF_BIT, at);
            return;
        }
        head = load_u32(p);
        label = head & HEAD_LABEL_MASK;
        if (label > s->length - at || !label_matches(p + 4, s->key + at, label))
            return;
        at += label;
        record = enter_record(s, head, p + 4 + (label + 3) / 4 * 4, at, at == s->length);
        if (at == s->length)
            return;
        branch(s, &record, s->key[at], at + 1);
        ref = byte_edge(&record, s->key[at]);
        at++;
    }
}

static void walk_branches(struct search *s)
{
    while (s->branch_count > 0) {
        struct place place = s->scratch->branches[--s->branch_count];
        walk(s, place.ref, place.at);
    }
}

/* The first place from `at` on whose byte can start what follows a star; the length if there is none. */
static uint32_t next_start(const struct search *s, const uint8_t *set, uint32_t at)
{
    while (at < s->length && !(set[s->key[at] / 8] >> s->key[at] % 8 & 1))
        at++;
    return at;
}

static uint32_t next_byte(const struct search *s, uint8_t byte, uint32_t at)
{
    const uint8_t *place = at < s->length ? memchr(s->key + at, byte, s->length - at) : NULL;

    return place ? (uint32_t)(place - s->key) : s->length;
}

/* Tries everything that follows a star from every place, the earliest first. */
static void search_star(struct search *s, struct place star)
{
    const uint8_t *p = s->nodes + (size_t)star.ref * 4, *set = p + 8;
    uint32_t head = load_u32(p);
    struct record record = enter_record(s, head, p + 4 + STAR_INFO_WORDS * 4, star.at, true);
    bool one_byte = head >> HEAD_LIST_SHIFT == 1 && record.wild == NULL;

    for (uint32_t at = star.at;; at++) {
        at = one_byte ? next_byte(s, record.edges[0], at) : next_start(s, set, at);
        if (at == s->length)
            return;
        branch(s, &record, s->key[at], at + 1);
        walk(s, byte_edge(&record, s->key[at]), at + 1);
        walk_branches(s);
    }
}

static void next_generation(const pya_image *image, struct pya_scratch *scratch)
{
    if (++scratch->generation == 0) {
        memset(scratch->marks, 0,
               ((size_t)image->count[SECTION_VALUES] + image->star_count) * sizeof *scratch->marks);
        scratch->generation = 1;
    }
}

/* Bytes up to the first wildcard, fnmatch from there (as wildkey.c). */
void search_as_text(const pya_image *image, struct pya_scratch *scratch, uint32_t value, const uint8_t *key,
                    size_t length)
{
    uint32_t line = load_u32(lines_of_value(image, value)) & ~LAST_LINE, stem = 0;
    struct pattern pattern = pattern_of_line(image, line);
    const uint8_t *text = scratch->pattern;
    uint32_t size = pattern_length(&pattern);

    pattern_copy(&pattern, scratch->pattern);
    while (stem < size && stem < length && !is_wildcard(text[stem]) && text[stem] == key[stem])
        stem++;
    if (stem == size
            ? stem == length
            : is_wildcard(text[stem]) && glob_match(text + stem, size - stem, key + stem, length - stem))
        scratch->values[scratch->value_count++] = value;
}

void search_source(const pya_image *image, struct pya_scratch *scratch, const struct source *source,
                   const uint8_t *key, size_t length)
{
    struct search s = {image, scratch, image->section[SECTION_NODES], key, (uint32_t)length, 0};

    scratch->value_count = 0;
    scratch->star_count = 0;
    next_generation(image, scratch);
    walk(&s, source->root, 0);
    walk_branches(&s);
    while (scratch->star_count > 0)
        search_star(&s, scratch->stars[--scratch->star_count]);
    for (uint32_t i = source->irregular; i < source->irregular_end; i++)
        search_as_text(image, scratch, number(image, SECTION_IRREGULAR, i), key, length);
}
