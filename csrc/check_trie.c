/*
 * The check of the tries. What is below a node are the nodes and values from its own numbers up to those
 * of the next one: so if the numbers only grow, nothing hangs in two places. The numbers start behind the
 * roots, on which nothing else may hang: so whoever walks down from a root walks a tree, and comes to an
 * end. Labels need no look: a byte only chooses among what is there, and a class that is none takes any.
 */
#include "check.h"

/* What all nodes show together: `bad` in its top bit. */
struct seen {
    uint32_t bad, stars, wilds;
};

CHECK uint32_t flag(uint32_t head, uint32_t bit)
{
    return head / bit & 1;
}

/* A node may list no more than lies up to the next one; what is left are its wildcard edges. Numbers are
 * below limits that keep the differences from coming round. */
CHECK struct seen look_at_nodes(const uint8_t *nodes, uint32_t count, uint32_t values, uint32_t labels)
{
    struct seen seen = {0};

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = nodes + (size_t)i * NODE_ENTRY, *next = p + NODE_ENTRY;
        uint32_t head = load_u32(p), listed_nodes = head >> HEAD_NODES_SHIFT & HEAD_LIST_MASK,
                 listed_leaves = head >> HEAD_LEAVES_SHIFT & HEAD_LIST_MASK, label = load_u32(p + NODE_LABEL),
                 nodes_from = load_u32(p + NODE_NODES), values_from = load_u32(p + NODE_VALUES);
        uint32_t wild_nodes =
            load_u32(next + NODE_NODES) - nodes_from - listed_nodes - flag(head, HAS_STAR_NODE);
        uint32_t wild_leaves = load_u32(next + NODE_VALUES) - values_from - listed_leaves -
                               flag(head, HAS_STAR_LEAF) - flag(head, HAS_VALUE);
        uint32_t rest_of_label = load_u32(next + NODE_LABEL) - label - (head & HEAD_LABEL_MASK) -
                                 listed_nodes - listed_leaves - 4 * (wild_nodes + wild_leaves);
        seen.bad |= not_above(label, labels) | not_above(nodes_from, count) | not_above(values_from, values) |
                    wild_nodes | wild_leaves | rest_of_label;
        seen.stars += flag(head, HAS_STAR_NODE);
        seen.wilds += wild_nodes;
    }
    return seen;
}

CHECK int look_at_tries(pya_image *image, pya_error *error)
{
    const uint8_t *nodes = image->section[SECTION_NODES], *end;
    uint32_t count = image->count[SECTION_NODES], roots = 0;
    struct seen seen;

    if (count == 0 || image->size[SECTION_LABELS] > MOST_LABELS)
        return damaged(error, SECTION_NODES, 0, "the nodes have no end");
    end = entry(image, SECTION_NODES, NODE_ENTRY, count - 1);
    seen = look_at_nodes(nodes, count - 1, image->count[SECTION_VALUES], image->size[SECTION_LABELS]);
    if (is_bad(seen.bad) || load_u32(end + NODE_NODES) != count - 1 ||
        load_u32(end + NODE_LABEL) + (uint64_t)LABELS_PADDING != image->size[SECTION_LABELS])
        return damaged(error, SECTION_NODES, count, "what is below a node lies outside");
    /* Each value is found in one place at most: there is room for as many as there are. */
    if (load_u32(end + NODE_VALUES) + (uint64_t)image->count[SECTION_IRREGULAR] >
        image->count[SECTION_VALUES])
        return damaged(error, SECTION_NODES, count, "values stand in several places");
    if (count > 1)
        roots = load_u32(nodes + NODE_NODES);
    for (uint32_t i = 0; i < image->count[SECTION_SOURCES]; i++)
        if (source_at(image, i).root != NEVER && source_at(image, i).root >= roots)
            return damaged(error, SECTION_SOURCES, i, "a source has no root");
    image->star_count = seen.stars;
    image->wild_count = seen.wilds;
    return PYA_OK;
}

CHECK_BY_CPU(check_tries, look_at_tries)
