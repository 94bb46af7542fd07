/*
 * The check of the tries, one pass over their words. A search ends, and ends soon, if each record has
 * one place that points to it. The compiler lays records out in the order in which a stack gives back
 * the REFs that were pushed on it; so the check does the same, and the record that comes next has to
 * be the one on top.
 */
#include <stdlib.h>

#include "check.h"

enum {
    SHORT_LIST = 2,
    /* more words than a record has without its wildcard edges */
    ROOMY = 2 * (HEAD_LABEL_MASK / 4 + 1) + STAR_INFO_WORDS + 3 + (1 << (32 - HEAD_LIST_SHIFT))
};
#define BY_STAR 0x80000000u

/* REFs of records whose turn will come, and BY_STAR. */
struct refs {
    uint32_t *stack, room;
    bool no_memory;
};

/* Where the pass is. It stays in registers, since nothing but inlined functions sees it. */
struct walk {
    const pya_image *image;
    const uint8_t *nodes;
    uint32_t *stack;
    uint32_t count, room;
    uint32_t at;      /* word */
    uint32_t waiting; /* on the stack */
    uint32_t most;    /* the greatest REF: a leaf's, since leaves have the top bit */
    uint32_t uses;    /* REFs and values, less records: uses of values */
    uint32_t stars, wilds;
    uint32_t bad; /* in its top bit */
};

static inline uint32_t word(const struct walk *w, uint32_t at)
{
    return load_u32(w->nodes + (size_t)at * 4);
}

static bool grow(struct refs *refs, uint32_t wanted)
{
    uint32_t room = refs->room ? refs->room : 2 * ROOMY;
    uint32_t *stack;

    while (room < wanted)
        room *= 2;
    stack = realloc(refs->stack, (size_t)room * sizeof *stack);
    refs->no_memory = stack == NULL;
    if (stack == NULL)
        return false;
    refs->stack = stack;
    refs->room = room;
    return true;
}

/* So many words from the place on are inside, and as many REFs may be pushed. */
static inline bool has_words(struct walk *w, struct refs *refs, uint32_t words)
{
    if (words > w->count - w->at)
        return false;
    if (w->waiting + words + SHORT_LIST <= w->room)
        return true;
    if (!grow(refs, w->waiting + words + SHORT_LIST))
        return false;
    w->stack = refs->stack;
    w->room = refs->room;
    return true;
}

/* A leaf is settled at once, a record's turn will come; 0 is none. */
static inline void take_ref(struct walk *w, uint32_t ref, uint32_t by_star)
{
    w->most = ref > w->most ? ref : w->most;
    w->stack[w->waiting] = ref | by_star;
    w->waiting += (int32_t)ref > 0;
}

/* One that is followed without a look whether there is any. */
static inline void take_sure_ref(struct walk *w, uint32_t ref, uint32_t by_star)
{
    w->bad |= (uint32_t)(ref == 0) << 31;
    take_ref(w, ref, by_star);
}

static inline bool take_wild_edges(struct walk *w, struct refs *refs)
{
    uint32_t edges = w->at < w->count ? word(w, w->at++) : 0;

    if (edges == 0 || edges > (w->count - w->at) / 2 || !has_words(w, refs, 2 * edges))
        return false;
    for (uint32_t i = 0; i < edges; i++, w->at += 2) {
        uint32_t class = word(w, w->at);
        w->bad |= class == ANY_BYTE ? 0 : not_below(class, w->image->count[SECTION_CLASSES]);
        take_sure_ref(w, word(w, w->at + 1), 0);
    }
    w->wilds += edges;
    w->uses += edges;
    return true;
}

static inline bool take_table(struct walk *w, struct refs *refs)
{
    uint32_t range = w->at < w->count ? word(w, w->at++) : 0, first = range & 0xFF, last = range >> 8;

    if (last > 0xFF || last < first || !has_words(w, refs, last - first + 1))
        return false;
    for (uint32_t i = first; i <= last; i++) {
        uint32_t ref = word(w, w->at++);
        take_ref(w, ref, 0);
        w->uses += ref != 0;
    }
    return true;
}

/* Nearly all lists are short: those are read at one go, with what lies behind them. */
static inline bool take_list(struct walk *w, struct refs *refs, uint32_t count, bool roomy)
{
    uint32_t labels = (count + 3) / 4, i = 0;

    if (!roomy && !has_words(w, refs, labels + count))
        return false;
    w->at += labels;
    w->uses += count;
    if (roomy)
        for (; i < SHORT_LIST; i++)
            take_ref(w, i < count ? word(w, w->at + i) : 0, 0);
    for (; i < count; i++)
        take_ref(w, word(w, w->at + i), 0);
    w->at += count;
    return true;
}

/* What few records have, between label and list. */
static inline bool take_extras(struct walk *w, struct refs *refs, uint32_t head)
{
    if (!has_words(w, refs,
                   (head & HAS_STAR_INFO ? STAR_INFO_WORDS : 0) + (head & HAS_VALUE ? 1 : 0) +
                       (head & HAS_STAR ? 1 : 0)))
        return false;
    if (head & HAS_STAR_INFO) {
        w->bad |= not_below(word(w, w->at), w->image->star_count);
        w->at += STAR_INFO_WORDS;
        w->stars++;
        if (head & HEAD_LABEL_MASK)
            return false;
    }
    if (head & HAS_VALUE) {
        w->bad |= not_below(word(w, w->at++), w->image->count[SECTION_VALUES]);
        w->uses++;
    }
    if (head & HAS_STAR) {
        take_sure_ref(w, word(w, w->at++), BY_STAR);
        w->uses++;
    }
    return !(head & HAS_WILD) || take_wild_edges(w, refs);
}

/* The record at the place, to which `ref` was the reference; all of it is inside if `roomy`. */
static inline __attribute__((always_inline)) bool check_record(struct walk *w, struct refs *refs,
                                                               uint32_t ref, bool roomy)
{
    uint32_t head = word(w, w->at), words = 1 + ((head & HEAD_LABEL_MASK) + 3) / 4;

    if ((head & HEAD_UNUSED) || ref >> 31 != (head / HAS_STAR_INFO & 1) ||
        (!roomy && words > w->count - w->at))
        return false;
    w->at += words;
    if ((head & (HAS_STAR_INFO | HAS_VALUE | HAS_STAR | HAS_WILD)) && !take_extras(w, refs, head))
        return false;
    if (head & HAS_TABLE)
        return head >> HEAD_LIST_SHIFT == 0 && take_table(w, refs);
    /* Wildcard edges may have used the room up. */
    return take_list(w, refs, head >> HEAD_LIST_SHIFT, roomy && !(head & HAS_WILD));
}

static inline __attribute__((always_inline)) bool check_below(struct walk *w, struct refs *refs,
                                                              uint32_t root)
{
    take_ref(w, root, 0);
    w->uses += root != 0;
    while (w->waiting > 0) {
        uint32_t ref = w->stack[--w->waiting];
        bool roomy = w->at < w->count && w->count - w->at > ROOMY && w->room - w->waiting > ROOMY;
        w->uses--;
        if ((ref & ~BY_STAR) != w->at || w->at >= w->count)
            return false;
        if (roomy ? !check_record(w, refs, ref, true) : !check_record(w, refs, ref, false))
            return false;
    }
    return true;
}

static int check_with(struct refs *refs, const pya_image *image, uint32_t *value_uses, pya_error *error)
{
    struct walk w = {.image = image,
                     .nodes = image->section[SECTION_NODES],
                     .stack = refs->stack,
                     .count = image->count[SECTION_NODES],
                     .room = refs->room,
                     .at = 1};

    for (uint32_t i = 0; i < image->count[SECTION_SOURCES]; i++)
        if (!check_below(&w, refs, source_at(image, i).root))
            return refs->no_memory ? fail(error, PYA_ENOMEM, 0, "out of memory")
                                   : damaged(error, SECTION_NODES, w.at, "a trie record is none");
    if (is_bad(w.bad) || (w.most & LEAF_BIT && (w.most & ~LEAF_BIT) >= image->count[SECTION_VALUES]))
        return damaged(error, SECTION_NODES, 0, "a trie names no value or class");
    if (w.count > 0 && w.at != w.count)
        return damaged(error, SECTION_NODES, w.at, "a record that is pointed to never");
    if (w.stars != image->star_count || w.wilds != image->wild_count)
        return damaged(error, SECTION_NODES, 0, "stars or wildcard edges are not as many as the header says");
    *value_uses = w.uses;
    return PYA_OK;
}

int check_tries(const pya_image *image, uint32_t *value_uses, pya_error *error)
{
    struct refs refs = {0};
    int code = grow(&refs, 1) ? check_with(&refs, image, value_uses, error)
                              : fail(error, PYA_ENOMEM, 0, "out of memory");

    free(refs.stack);
    return code;
}
