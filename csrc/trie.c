#include "trie.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "format.h"
#include "pyalias.h"
#include "tokens.h"

/* ---- tails ------------------------------------------------------------------------------------ */

static const uint8_t *class_set(const struct trie *trie, const uint8_t *token)
{
    return trie->classes->text.data + (size_t)CLASS_ENTRY * class_of_token(token);
}

/* The length of the run of plain tokens, or of ?, that starts here: 255 at most. */
static size_t run_length(const uint8_t *tokens, size_t count)
{
    size_t most = count < UINT8_MAX ? count : UINT8_MAX, run = 1;

    if (tokens[0] == TOKEN_ANY)
        while (run < most && tokens[run] == TOKEN_ANY)
            run++;
    else
        while (run < most && is_plain_token(tokens[run]))
            run++;
    return run;
}

/* Tokens without a star, as operations. */
static uint8_t *put_segment(const struct trie *trie, uint8_t *out, const uint8_t *tokens, size_t count)
{
    for (size_t i = 0, run; i < count; i += run) {
        if (tokens[i] == TOKEN_CLASS) {
            *out++ = TAIL_CLASS;
            memcpy(out, class_set(trie, tokens + i), CLASS_ENTRY);
            out += CLASS_ENTRY;
            run = CLASS_TOKEN;
            continue;
        }
        run = run_length(tokens + i, count - i);
        *out++ = tokens[i] == TOKEN_ANY ? TAIL_ANY : TAIL_LITERAL;
        *out++ = (uint8_t)run;
        if (tokens[i] != TOKEN_ANY) {
            memcpy(out, tokens + i, run);
            out += run;
        }
    }
    return out;
}

/* Where a segment ends, and *width, how many bytes of a key it takes. */
static size_t segment_end(const uint8_t *tokens, size_t count, size_t at, size_t *width)
{
    *width = 0;
    while (at < count && tokens[at] != TOKEN_STAR) {
        at += token_width(tokens[at]);
        ++*width;
    }
    return at;
}

enum { TOKEN_TAIL = 1 + CLASS_ENTRY }; /* the most bytes that a token becomes: a class */

/* Writes at most TOKEN_TAIL bytes a token and one more; returns where they end. */
static uint8_t *put_tail(const struct trie *trie, uint8_t *out, const uint8_t *tokens, size_t count)
{
    size_t width, at = segment_end(tokens, count, 0, &width);

    out = put_segment(trie, out, tokens, at);
    while (at < count) {
        size_t start = at + 1, end = segment_end(tokens, count, start, &width);
        if (start == count) {
            *out++ = TAIL_STAR_END;
            return out;
        }
        *out++ = end == count ? TAIL_STAR_LAST : TAIL_STAR_FIND;
        *out++ = (uint8_t)width;
        *out++ = (uint8_t)(width >> 8);
        out = put_segment(trie, out, tokens + start, end - start);
        at = end;
    }
    *out++ = TAIL_END;
    return out;
}

/* A tail of tokens that have none yet. False when out of memory. */
static bool make_tail(struct trie *trie, const uint8_t *tokens, size_t count)
{
    uint8_t *tail = bytes_room(&trie->tails, count * TOKEN_TAIL + 1);

    bytes_push_u32(&trie->rest_tails, (uint32_t)trie->tails.size);
    if (tail != NULL)
        trie->tails.size += (size_t)(put_tail(trie, tail, tokens, count) - tail);
    return tail != NULL && !trie->rest_tails.failed && trie->tails.size <= INT32_MAX;
}

static bool find_tail(struct trie *trie, const uint8_t *tokens, size_t count)
{
    uint32_t id;

    if (trie->last_tokens != NULL && count == trie->last_count &&
        memcmp(tokens, trie->last_tokens, count) == 0)
        return true;
    id = intern(&trie->rests, tokens, count);
    if (id == INTERN_FAILED || ((size_t)id * 4 == trie->rest_tails.size && !make_tail(trie, tokens, count)))
        return false;
    trie->last_tokens = tokens;
    trie->last_count = count;
    trie->last_tail = load_u32(trie->rest_tails.data + (size_t)id * 4);
    return true;
}

/* ---- nodes ------------------------------------------------------------------------------------ */

/* The strings of a node by the token at its depth. Each group is a node itself, or a leaf. */
enum { MOST_BYTES = 255 };

struct group {
    uint32_t low, high;
};

struct groups {
    struct group star, bytes[MOST_BYTES];
    struct bytes_vector wild; /* groups */
    uint32_t byte_count;
};

static bool is_leaf(struct group group)
{
    return group.high - group.low == 1;
}

/* The common plain tokens of a sorted range: those of its first and last string. */
static uint32_t label_length(const struct token_string *strings, const struct string_range *range)
{
    const struct token_string *first = &strings[range->low], *last = &strings[range->high - 1];
    uint32_t at = range->depth, most = first->count < last->count ? first->count : last->count;

    while (at < most && first->tokens[at] == last->tokens[at] && is_plain_token(first->tokens[at]))
        at++;
    return at - range->depth;
}

static void add_group(struct groups *groups, uint8_t token, struct group group)
{
    if (token == TOKEN_STAR)
        groups->star = group;
    else if (is_plain_token(token))
        groups->bytes[groups->byte_count++] = group;
    else
        bytes_push(&groups->wild, &group, sizeof group);
}

static void split(const struct token_string *strings, uint32_t low, uint32_t high, uint32_t depth,
                  struct groups *groups)
{
    groups->star = (struct group){0, 0};
    groups->byte_count = 0;
    groups->wild.size = 0;
    for (uint32_t i = low, end; i < high; i = end) {
        uint8_t token = strings[i].tokens[depth];
        uint32_t behind = depth + token_width(token);
        for (end = i + 1; end < high && strings[end].shared >= behind; end++)
            ;
        add_group(groups, token, (struct group){i, end});
    }
}

static bool push_range(struct trie *trie, struct string_range range)
{
    if (trie->queued == trie->room) {
        size_t room = trie->room ? trie->room * 2 : 1024;
        struct string_range *queue = realloc(trie->queue, room * sizeof *queue);
        if (queue == NULL)
            return false;
        trie->queue = queue;
        trie->room = room;
    }
    trie->queue[trie->queued++] = range;
    return true;
}

/* A value that ends in this node, or hangs on it. */
static uint32_t number_value(struct trie *trie, uint32_t value)
{
    trie->number_of_value[value] = trie->value_count;
    trie->tail_of_number[trie->value_count] = 0;
    return trie->value_count++;
}

/* What is behind one edge, from a depth on: the next leaf, or the next node. Behind a star a leaf's tail
 * starts with it. */
static bool put_behind(struct trie *trie, const struct token_string *strings, struct group group,
                       uint32_t depth, bool after_star)
{
    const struct token_string *string = &strings[group.low];
    uint32_t start = after_star ? depth - 1 : depth;

    if (!is_leaf(group))
        return push_range(trie, (struct string_range){group.low, group.high, depth, after_star});
    if (!find_tail(trie, string->tokens + start, string->count - start))
        return false;
    trie->tail_of_number[number_value(trie, string->value)] = trie->last_tail;
    return true;
}

/* The edges by bytes, and their bytes: first those to nodes, then those to leaves. */
static bool put_list(struct trie *trie, const struct token_string *strings, const struct groups *groups,
                     uint32_t depth, bool leaves, uint32_t *count)
{
    uint8_t *labels = bytes_room(&trie->labels, groups->byte_count);

    *count = 0;
    if (labels == NULL)
        return false;
    for (uint32_t i = 0; i < groups->byte_count; i++) {
        if (is_leaf(groups->bytes[i]) != leaves)
            continue;
        labels[(*count)++] = strings[groups->bytes[i].low].tokens[depth];
        if (!put_behind(trie, strings, groups->bytes[i], depth + 1, false))
            return false;
    }
    trie->labels.size += *count;
    return true;
}

/* The edges by ? and classes: to nodes, or to leaves. `classes` gets the numbers of what they take. */
static bool put_wild(struct trie *trie, const struct token_string *strings, const struct groups *groups,
                     uint32_t depth, bool leaves, struct bytes_vector *classes)
{
    for (size_t at = 0; at < groups->wild.size; at += sizeof(struct group)) {
        struct group group;
        const uint8_t *token;
        memcpy(&group, groups->wild.data + at, sizeof group);
        token = strings[group.low].tokens + depth;
        if (is_leaf(group) != leaves)
            continue;
        bytes_push_u32(classes, token[0] == TOKEN_ANY ? ANY_BYTE : class_of_token(token));
        if (!put_behind(trie, strings, group, depth + token_width(token[0]), false))
            return false;
    }
    return true;
}

/* The number of the set of bytes that something behind a star starts with. ANY_BYTE: any, or one only,
 * which is looked for itself. */
static uint32_t first_bytes(struct trie *trie, const struct token_string *strings,
                            const struct groups *groups, uint32_t depth)
{
    uint8_t set[CLASS_ENTRY] = {0};

    if (groups->byte_count == 1 && groups->wild.size == 0)
        return ANY_BYTE;
    for (uint32_t i = 0; i < groups->byte_count; i++) {
        uint8_t byte = strings[groups->bytes[i].low].tokens[depth];
        set[byte / 8] |= (uint8_t)(1u << byte % 8);
    }
    for (size_t at = 0; at < groups->wild.size; at += sizeof(struct group)) {
        struct group group;
        const uint8_t *token;
        memcpy(&group, groups->wild.data + at, sizeof group);
        token = strings[group.low].tokens + depth;
        if (token[0] == TOKEN_ANY)
            return ANY_BYTE;
        for (unsigned byte = 0; byte < CLASS_ENTRY; byte++)
            set[byte] |= class_set(trie, token)[byte];
    }
    return intern(trie->classes, set, sizeof set); /* without memory ANY_BYTE, which is right as well */
}

static void put_node(struct trie *trie, uint32_t head, uint32_t label, uint32_t first_value)
{
    bytes_push_u32(&trie->nodes, head);
    bytes_push_u32(&trie->nodes, label);
    bytes_push_u32(&trie->nodes, (uint32_t)trie->queued);
    bytes_push_u32(&trie->nodes, first_value);
}

static bool build_node(struct trie *trie, const struct token_string *strings, struct string_range range,
                       struct groups *groups, struct bytes_vector *classes)
{
    uint32_t label = range.after_star ? 0 : label_length(strings, &range), depth = range.depth + label;
    uint32_t head, first_byte, listed_nodes, listed_leaves;
    bool has_value = strings[range.high - 1].count == depth;

    split(strings, range.low, range.high - has_value, depth, groups);
    head = label | (has_value ? HAS_VALUE : 0) | (groups->wild.size ? HAS_WILD : 0);
    if (groups->star.high)
        head |= is_leaf(groups->star) ? HAS_STAR_LEAF : HAS_STAR_NODE;
    put_node(trie, head, (uint32_t)trie->labels.size, trie->value_count);
    bytes_push(&trie->labels, strings[range.low].tokens + range.depth, label);
    first_byte = range.after_star ? first_bytes(trie, strings, groups, depth) : 0;
    if (has_value)
        number_value(trie, strings[range.high - 1].value);
    classes->size = 0;
    if (groups->star.high && !put_behind(trie, strings, groups->star, depth + 1, true))
        return false;
    if (!put_wild(trie, strings, groups, depth, false, classes) ||
        !put_wild(trie, strings, groups, depth, true, classes) ||
        !put_list(trie, strings, groups, depth, false, &listed_nodes) ||
        !put_list(trie, strings, groups, depth, true, &listed_leaves))
        return false;
    if (range.after_star)
        bytes_push_u32(&trie->labels, first_byte);
    bytes_push(&trie->labels, classes->data, classes->size);
    if (trie->nodes.failed || classes->failed || groups->wild.failed)
        return false;
    store_u32(trie->nodes.data + trie->nodes.size - NODE_ENTRY,
              head | listed_nodes << HEAD_NODES_SHIFT | listed_leaves << HEAD_LEAVES_SHIFT);
    return !trie->labels.failed;
}

bool trie_add_root(struct trie *trie, uint32_t low, uint32_t high)
{
    return push_range(trie, (struct string_range){low, high, 0, false});
}

int trie_build(struct trie *trie, const struct token_string *strings)
{
    struct groups *groups = calloc(1, sizeof *groups);
    struct bytes_vector classes = {0};
    bool done = groups != NULL;

    for (; done && trie->node_count < trie->queued; trie->node_count++)
        done = build_node(trie, strings, trie->queue[trie->node_count], groups, &classes);
    if (done) {
        put_node(trie, 0, (uint32_t)trie->labels.size, trie->value_count); /* where the last one ends */
        bytes_extend(&trie->labels, LABELS_PADDING);
        done = !trie->nodes.failed && !trie->labels.failed;
    }
    bytes_free(&classes);
    if (groups != NULL)
        bytes_free(&groups->wild);
    free(groups);
    if (trie->nodes.size > INT32_MAX || trie->labels.size > MOST_LABELS)
        return PYA_ELIMIT;
    return done ? PYA_OK : PYA_ENOMEM;
}

void trie_free(struct trie *trie)
{
    bytes_free(&trie->nodes);
    bytes_free(&trie->labels);
    bytes_free(&trie->tails);
    intern_free(&trie->rests);
    bytes_free(&trie->rest_tails);
    free(trie->number_of_value);
    free(trie->tail_of_number);
    free(trie->queue);
}
