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
    const uint8_t *nodes, *labels;
    const uint8_t *key;
    uint32_t length;
    uint32_t branch_count;
};

/* A NODE taken apart. */
struct node {
    const uint8_t *place, *label;
    uint32_t head;
    uint32_t listed_nodes, listed; /* bytes of the list: those to nodes, all */
};

static inline struct node node_at(const struct search *s, uint32_t number)
{
    const uint8_t *place = s->nodes + (size_t)number * NODE_ENTRY;
    uint32_t head = load_u32(place), listed_nodes = head >> HEAD_NODES_SHIFT & HEAD_LIST_MASK;

    return (struct node){place, s->labels + load_u32(place + NODE_LABEL), head, listed_nodes,
                         listed_nodes + (head >> HEAD_LEAVES_SHIFT & HEAD_LIST_MASK)};
}

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

static void enter_star(struct search *s, uint32_t node, uint32_t at)
{
    uint32_t mark = s->image->count[SECTION_VALUES] + node;

    if (settled(s, mark))
        return;
    settle(s, mark);
    s->scratch->stars[s->scratch->star_count++] = (struct place){node, at};
}

/* Takes a node's value, and enters its star. */
static inline void enter_node(struct search *s, const struct node *node, uint32_t at, bool value_here)
{
    uint32_t value;

    if (!(node->head & (HAS_VALUE | HAS_STAR_LEAF | HAS_STAR_NODE)))
        return;
    value = load_u32(node->place + NODE_VALUES);
    if (node->head & HAS_VALUE) {
        if (value_here)
            found(s, value);
        value++;
    }
    if (node->head & HAS_STAR_LEAF)
        try_leaf(s, value, at);
    if (node->head & HAS_STAR_NODE)
        enter_star(s, load_u32(node->place + NODE_NODES), at);
}

enum { SHORT_LIST = 4 };
#define ONES 0x0101010101010101u

/* Where a byte stands in a list; `count` or more: nowhere. Behind a list there are bytes to be read. The
 * short ones are gone through one by one: a processor guesses how far, and does not wait for the bytes. */
static inline uint32_t place_in_list(const uint8_t *list, uint32_t count, uint8_t byte)
{
    if (count <= SHORT_LIST) {
        for (uint32_t i = 0; i < count; i++)
            if (list[i] == byte)
                return i;
        return count;
    }
    for (uint32_t i = 0; i < count; i += 8) {
        uint64_t differs = load_u64(list + i) ^ byte * ONES;
        uint64_t equal = (differs - ONES) & ~differs & 0x80 * ONES; /* its lowest bit is right */
        if (equal != 0)
            return i + (uint32_t)__builtin_ctzll(equal) / 8;
    }
    return count;
}

/* The node behind the edge of a byte, or none: 0, which is a root. A leaf there is tried. */
static inline uint32_t take_byte(struct search *s, const struct node *node, const uint8_t *list, uint8_t byte,
                                 uint32_t after)
{
    const uint8_t *next = node->place + NODE_ENTRY;
    uint32_t place = place_in_list(list, node->listed, byte);

    if (place < node->listed_nodes)
        return load_u32(next + NODE_NODES) - node->listed_nodes + place;
    if (place < node->listed)
        try_leaf(s, load_u32(next + NODE_VALUES) - node->listed + place, after);
    return 0;
}

static bool class_takes(const pya_image *image, uint32_t class, uint8_t byte)
{
    return class >= image->count[SECTION_CLASSES] ||
           (entry(image, SECTION_CLASSES, CLASS_ENTRY, class)[byte / 8] >> byte % 8 & 1);
}

/* Tries the leaves behind wildcard edges that take a byte; remembers the nodes, to be walked later. */
static void branch(struct search *s, const struct node *node, const uint8_t *classes, uint8_t byte,
                   uint32_t after)
{
    const uint8_t *next = node->place + NODE_ENTRY;
    uint32_t below = load_u32(node->place + NODE_NODES) + (node->head & HAS_STAR_NODE ? 1 : 0);
    uint32_t value = load_u32(node->place + NODE_VALUES) + (node->head & HAS_VALUE ? 1 : 0) +
                     (node->head & HAS_STAR_LEAF ? 1 : 0);
    uint32_t below_end = load_u32(next + NODE_NODES) - node->listed_nodes;
    uint32_t values_end = load_u32(next + NODE_VALUES) - (node->listed - node->listed_nodes);

    for (; below < below_end; below++, classes += 4)
        if (class_takes(s->image, load_u32(classes), byte))
            s->scratch->branches[s->branch_count++] = (struct place){below, after};
    for (; value < values_end; value++, classes += 4)
        if (class_takes(s->image, load_u32(classes), byte))
            try_leaf(s, value, after);
}

static inline bool label_matches(const uint8_t *label, const uint8_t *key, uint32_t length)
{
    if (length < 4) {
        for (uint32_t i = 0; i < length; i++)
            if (label[i] != key[i])
                return false;
        return true;
    }
    for (uint32_t i = 0; i < length - 4; i += 4)
        if (load_u32(label + i) != load_u32(key + i))
            return false;
    return load_u32(label + length - 4) == load_u32(key + length - 4);
}

/* Walks bytes from one node on; stars are entered and wildcard edges remembered on the way. */
static void walk(struct search *s, uint32_t number, uint32_t at)
{
    do {
        struct node node = node_at(s, number);
        uint32_t label = node.head & HEAD_LABEL_MASK;
        if (label > s->length - at || !label_matches(node.label, s->key + at, label))
            return;
        at += label;
        enter_node(s, &node, at, at == s->length);
        if (at == s->length)
            return;
        if (node.head & HAS_WILD)
            branch(s, &node, node.label + label + node.listed, s->key[at], at + 1);
        number = take_byte(s, &node, node.label + label, s->key[at], at + 1);
        at++;
    } while (number != 0);
}

static void walk_branches(struct search *s)
{
    while (s->branch_count > 0) {
        struct place place = s->scratch->branches[--s->branch_count];
        walk(s, place.node, place.at);
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
    struct node node = node_at(s, star.node);
    uint32_t first = load_u32(node.label + node.listed); /* a class */
    bool one_byte = node.listed == 1 && !(node.head & HAS_WILD),
         any = first >= s->image->count[SECTION_CLASSES];

    enter_node(s, &node, star.at, true);
    for (uint32_t at = star.at;; at++) {
        uint32_t below;
        if (one_byte)
            at = next_byte(s, node.label[0], at);
        else if (!any)
            at = next_start(s, entry(s->image, SECTION_CLASSES, CLASS_ENTRY, first), at);
        if (at == s->length)
            return;
        if (node.head & HAS_WILD)
            branch(s, &node, node.label + node.listed + 4, s->key[at], at + 1);
        below = take_byte(s, &node, node.label, s->key[at], at + 1);
        if (below != 0)
            walk(s, below, at + 1);
        walk_branches(s);
    }
}

static void next_generation(const pya_image *image, struct pya_scratch *scratch)
{
    if (++scratch->generation == 0) {
        memset(scratch->marks, 0,
               ((size_t)image->count[SECTION_VALUES] + image->count[SECTION_NODES]) * sizeof *scratch->marks);
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
    struct search s = {
        image, scratch, image->section[SECTION_NODES], image->section[SECTION_LABELS], key, (uint32_t)length,
        0};

    scratch->value_count = 0;
    scratch->star_count = 0;
    next_generation(image, scratch);
    if (source->root != NEVER)
        walk(&s, source->root, 0);
    walk_branches(&s);
    while (scratch->star_count > 0)
        search_star(&s, scratch->stars[--scratch->star_count]);
    for (uint32_t i = source->irregular; i < source->irregular_end; i++)
        search_as_text(image, scratch, number(image, SECTION_IRREGULAR, i), key, length);
}
