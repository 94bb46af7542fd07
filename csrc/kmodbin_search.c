/* libkmod's searches in depmod's binary indexes (libkmod-index.c, index_mm_...), and the dump. */
#include "kmodbin.h"

#include <stdlib.h>
#include <string.h>

#include "glob.h"

static struct bin_file file_for(const uint8_t *bytes, size_t size, uint64_t readings, pya_error *error)
{
    return (struct bin_file){bytes, size, size * readings, error};
}

int pya_bin_check(const uint8_t *bytes, size_t size, pya_error *error)
{
    struct bin_file file = file_for(bytes, size, 1, error);
    uint32_t root;

    return bin_open(&file, &root);
}

int pya_bin_search(const uint8_t *bytes, size_t size, const uint8_t *key, size_t length, pya_bin_value *value,
                   pya_error *error)
{
    struct bin_file file = file_for(bytes, size, 1, error);
    struct bin_node node;
    uint32_t word;
    int code = bin_open(&file, &word);

    if (code != PYA_OK)
        return code;
    while ((code = bin_node(&file, word, &node)) > 0) {
        size_t at = node.values;
        if (node.prefix_length > length || memcmp(node.prefix, key, node.prefix_length) != 0)
            return 0;
        key += node.prefix_length;
        length -= node.prefix_length;
        if (length == 0) {
            if (node.value_count == 0)
                return 0;
            code = bin_value(&file, &at, value);
            return code < 0 ? code : 1;
        }
        word = bin_child(&file, &node, *key++);
        length--;
    }
    return code;
}

/* Some seconds. A kernel's index and a device take a few million at worst; but patterns may share
 * a stem of thousands of bytes that is matched anew for each, as libkmod does it. */
#define MATCH_STEPS (UINT64_C(1) << 29)

/* What a wildcard search has found, in the order of the visits. */
struct search {
    struct bin_file file;
    struct bin_walk walk;
    struct bytes_vector found; /* of struct visit */
    uint64_t steps;            /* comparisons of patterns that may still be made */
};

struct visit {
    pya_bin_value value;
    size_t number;
};

/* kmod: index_mm_searchwild_allvalues */
static int add_values(struct search *search, const struct bin_node *node)
{
    size_t at = node->values;

    for (uint32_t i = 0; i < node->value_count; i++) {
        struct visit visit = {.number = search->found.size};
        int code = bin_value(&search->file, &at, &visit.value);
        if (code < 0)
            return code;
        bytes_push(&search->found, &visit, sizeof visit);
    }
    return search->found.failed ? fail(search->file.error, PYA_ENOMEM, 0, "out of memory") : PYA_OK;
}

/* Tries every pattern of a subtree on the rest of the key (kmod: index_mm_searchwild_all): the
 * children before the node itself. */
static int search_subtree(struct search *search, const struct bin_node *top, unsigned edge, size_t skip,
                          const uint8_t *rest, size_t length)
{
    struct bin_walk *walk = &search->walk;
    int event = bin_walk_start(walk, &search->file, top, edge, skip);

    if (event < 0)
        return event;
    while ((event = bin_walk_next(walk)) > BIN_END) {
        const struct bin_node *node = bin_walk_node(walk);
        if (event != BIN_LEAVE || node->value_count == 0)
            continue;
        if (!glob_match_within(walk->key.data, walk->key.size, rest, length, &search->steps)) {
            if (search->steps == 0)
                return fail(search->file.error, PYA_ELIMIT, 0, "the patterns take too long to match");
            continue;
        }
        if ((event = add_values(search, node)) < 0)
            return event;
    }
    return event;
}

/* Follows a node's prefix along the key, which then starts behind it: 1; or 0 where they differ,
 * or where the prefix has a wildcard, whose subtree is searched; or an error. */
static int follow_prefix(struct search *search, const struct bin_node *node, const uint8_t **key,
                         size_t *length)
{
    for (size_t i = 0; i < node->prefix_length; i++) {
        if (is_wildcard(node->prefix[i]))
            return search_subtree(search, node, BIN_NO_EDGE, i, *key + i, *length - i);
        if (i == *length || node->prefix[i] != (*key)[i])
            return 0;
    }
    *key += node->prefix_length;
    *length -= node->prefix_length;
    return 1;
}

static int search_wildcard_children(struct search *search, const struct bin_node *node, const uint8_t *key,
                                    size_t length)
{
    static const uint8_t wildcards[] = {'*', '?', '['}; /* in the order in which kmod tries them */

    for (size_t i = 0; i < sizeof wildcards; i++) {
        struct bin_node child;
        int code = bin_node(&search->file, bin_child(&search->file, node, wildcards[i]), &child);
        if (code > 0)
            code = search_subtree(search, &child, wildcards[i], 0, key, length);
        if (code < 0)
            return code;
    }
    return PYA_OK;
}

/* kmod: index_mm_searchwild_node. It goes on literally behind a wildcard byte of the key as well,
 * so a pattern may be found twice. */
static int search_node(struct search *search, uint32_t word, const uint8_t *key, size_t length)
{
    struct bin_node node;
    int code;

    while ((code = bin_node(&search->file, word, &node)) > 0) {
        if ((code = follow_prefix(search, &node, &key, &length)) <= 0)
            return code;
        if ((code = search_wildcard_children(search, &node, key, length)) < 0)
            return code;
        if (length == 0)
            return add_values(search, &node);
        word = bin_child(&search->file, &node, *key++);
        length--;
    }
    return code;
}

/* By priority; among equals the one found last comes first (kmod: add_value inserts before). */
static int compare_visits(const void *left, const void *right)
{
    const struct visit *a = left, *b = right;

    if (a->value.priority != b->value.priority)
        return a->value.priority < b->value.priority ? -1 : 1;
    return a->number > b->number ? -1 : a->number < b->number;
}

static int64_t take_found(struct search *search, pya_bin_value **values)
{
    struct visit *visits = (struct visit *)search->found.data;
    size_t count = search->found.size / sizeof *visits;

    if (count == 0)
        return 0;
    *values = malloc(count * sizeof **values);
    if (*values == NULL)
        return fail(search->file.error, PYA_ENOMEM, 0, "out of memory");
    qsort(visits, count, sizeof *visits, compare_visits);
    for (size_t i = 0; i < count; i++)
        (*values)[i] = visits[i].value;
    return (int64_t)count;
}

int64_t pya_bin_search_wild(const uint8_t *bytes, size_t size, const uint8_t *key, size_t length,
                            pya_bin_value **values, pya_error *error)
{
    /* Subtrees that are searched lie apart, but for those that a wildcard byte of the key leads
     * into once more; and each node on the way is read once before its subtree is. */
    uint64_t readings = 2;
    struct search search = {.steps = MATCH_STEPS};
    uint32_t root;
    int64_t result;

    *values = NULL;
    for (size_t i = 0; i < length; i++)
        readings += is_wildcard(key[i]);
    search.file = file_for(bytes, size, readings, error);
    result = bin_open(&search.file, &root);
    if (result == PYA_OK)
        result = search_node(&search, root, key, length);
    if (result >= 0)
        result = take_found(&search, values);
    bin_walk_stop(&search.walk);
    bytes_free(&search.found);
    return result;
}

void pya_bin_values_free(pya_bin_value *values)
{
    free(values);
}

/* ---- dump ---- */

struct pya_bin_walk {
    struct bin_file file;
    struct bin_walk walk;
    bool started;
    uint32_t values_left; /* of the node entered last */
    size_t at;            /* where the next of them stands */
};

pya_bin_walk *pya_bin_walk_new(const uint8_t *bytes, size_t size)
{
    pya_bin_walk *walk = calloc(1, sizeof *walk);

    if (walk != NULL)
        walk->file = file_for(bytes, size, 1, NULL);
    return walk;
}

void pya_bin_walk_free(pya_bin_walk *walk)
{
    if (walk != NULL)
        bin_walk_stop(&walk->walk);
    free(walk);
}

static int start_dump(pya_bin_walk *walk)
{
    struct bin_node top;
    uint32_t root;
    int code = bin_open(&walk->file, &root);

    walk->started = true;
    if (code == PYA_OK)
        code = bin_node(&walk->file, root, &top);
    if (code > 0)
        code = bin_walk_start(&walk->walk, &walk->file, &top, BIN_NO_EDGE, 0);
    if (code < 0)
        return code;
    walk->values_left = top.value_count;
    walk->at = top.values;
    return PYA_OK;
}

int pya_bin_walk_next(pya_bin_walk *walk, pya_text *key, pya_bin_value *value, pya_error *error)
{
    int code = PYA_OK;

    walk->file.error = error;
    if (!walk->started && (code = start_dump(walk)) < 0)
        return code;
    while (walk->values_left == 0) {
        code = bin_walk_next(&walk->walk);
        if (code <= BIN_END)
            return code;
        if (code == BIN_ENTER) {
            walk->values_left = bin_walk_node(&walk->walk)->value_count;
            walk->at = bin_walk_node(&walk->walk)->values;
        }
    }
    walk->values_left--;
    code = bin_value(&walk->file, &walk->at, value);
    *key = (pya_text){walk->walk.key.data, (uint32_t)walk->walk.key.size};
    return code < 0 ? code : 1;
}
