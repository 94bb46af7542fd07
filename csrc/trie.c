#include "trie.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "format.h"
#include "pyalias.h"
#include "tokens.h"

/* A range of strings that share their first `depth` tokens and become the node that the REF at
 * byte `patch` of NODES points to. */
struct task {
    uint32_t low, high, depth, patch;
    bool after_star;
};

struct tasks {
    struct task *stack;
    size_t count, room;
};

/* The strings of a range by their token at one depth. */
struct group {
    uint32_t low, high, token;
};

struct groups {
    uint32_t value; /* of the string that ends here, or NEVER */
    struct group star;
    struct group *bytes, *wild; /* point into one array of 256 + the wild edges */
    uint32_t byte_count, wild_count;
};

static bool push_task(struct tasks *tasks, struct task task)
{
    if (tasks->count == tasks->room) {
        size_t room = tasks->room ? tasks->room * 2 : 256;
        struct task *stack = realloc(tasks->stack, room * sizeof *stack);
        if (stack == NULL)
            return false;
        tasks->stack = stack;
        tasks->room = room;
    }
    tasks->stack[tasks->count++] = task;
    return true;
}

/* ---- tails ------------------------------------------------------------------------------------ */

static uint8_t *put_width(uint8_t *out, size_t width)
{
    *out++ = (uint8_t)width;
    *out++ = (uint8_t)(width >> 8);
    return out;
}

/* A run of tokens without a star, as operations. */
static uint8_t *put_segment(const struct trie *trie, uint8_t *out, const uint32_t *tokens, size_t count)
{
    for (size_t i = 0, run; i < count; i += run) {
        run = 1;
        if (tokens[i] >= TOKEN_CLASS) {
            *out++ = TAIL_CLASS;
            memcpy(out, trie->classes->text.data + (size_t)CLASS_ENTRY * (tokens[i] - TOKEN_CLASS),
                   CLASS_ENTRY);
            out += CLASS_ENTRY;
            continue;
        }
        while (i + run < count && run < 255 && (tokens[i] == TOKEN_ANY) == (tokens[i + run] == TOKEN_ANY) &&
               tokens[i + run] < TOKEN_CLASS)
            run++;
        *out++ = tokens[i] == TOKEN_ANY ? TAIL_ANY : TAIL_LITERAL;
        *out++ = (uint8_t)run;
        if (tokens[i] != TOKEN_ANY)
            for (size_t j = 0; j < run; j++)
                *out++ = (uint8_t)tokens[i + j];
    }
    return out;
}

static size_t segment_end(const uint32_t *tokens, size_t count, size_t at)
{
    while (at < count && tokens[at] != TOKEN_STAR)
        at++;
    return at;
}

enum { TOKEN_TAIL = 1 + CLASS_ENTRY }; /* the most bytes that a token becomes: a class */

/* Writes at most TOKEN_TAIL bytes a token and one more; returns where they end. */
static uint8_t *put_tail(const struct trie *trie, uint8_t *out, const uint32_t *tokens, size_t count)
{
    size_t at = segment_end(tokens, count, 0);

    out = put_segment(trie, out, tokens, at);
    while (at < count) {
        size_t start = at + 1, end = segment_end(tokens, count, start);
        if (start == count) {
            *out++ = TAIL_STAR_END;
            return out;
        }
        *out++ = end == count ? TAIL_STAR_LAST : TAIL_STAR_FIND;
        out = put_segment(trie, put_width(out, end - start), tokens + start, end - start);
        at = end;
    }
    *out++ = TAIL_END;
    return out;
}

/* The REF of a leaf whose rest starts at a depth; 0 when out of memory. */
static uint32_t leaf(struct trie *trie, const struct token_string *string, uint32_t depth)
{
    const uint32_t *tokens = string->tokens + depth;
    size_t count = string->count - depth;

    if (trie->last_tokens == NULL || count != trie->last_count ||
        memcmp(tokens, trie->last_tokens, count * sizeof *tokens) != 0) {
        uint8_t *tail = bytes_room(&trie->tail, count * TOKEN_TAIL + 1);
        uint32_t id = tail == NULL
                          ? INTERN_FAILED
                          : intern(&trie->tails, tail, (size_t)(put_tail(trie, tail, tokens, count) - tail));
        if (id == INTERN_FAILED)
            return 0;
        trie->last_tokens = tokens;
        trie->last_count = count;
        trie->last_tail = trie->tails.strings[id].offset;
    }
    trie->tail_of_value[string->value] = trie->last_tail;
    return LEAF_BIT | string->value;
}

/* ---- records ---------------------------------------------------------------------------------- */

/* The common literal tokens of a sorted range: those of its first and last string. */
static uint32_t label_length(const struct token_string *strings, const struct task *task)
{
    const struct token_string *first = &strings[task->low], *last = &strings[task->high - 1];
    uint32_t at = task->depth;

    while (at < first->count && at < last->count && first->tokens[at] < TOKEN_ANY &&
           first->tokens[at] == last->tokens[at])
        at++;
    return at - task->depth;
}

static void split(const struct token_string *strings, uint32_t low, uint32_t high, uint32_t depth,
                  struct groups *groups)
{
    groups->value = NEVER;
    groups->star = (struct group){0, 0, 0};
    groups->byte_count = groups->wild_count = 0;
    if (strings[high - 1].count == depth)
        groups->value = strings[--high].value;
    while (low < high) {
        uint32_t end = low + 1, token = strings[low].tokens[depth];
        struct group group;
        while (end < high && strings[end].tokens[depth] == token)
            end++;
        group = (struct group){low, end, token};
        if (token < TOKEN_ANY)
            groups->bytes[groups->byte_count++] = group;
        else if (token == TOKEN_STAR)
            groups->star = group;
        else
            groups->wild[groups->wild_count++] = group;
        low = end;
    }
}

/* Which bytes can start something below a star. */
static void first_bytes(const struct trie *trie, const struct groups *groups, uint8_t set[CLASS_ENTRY])
{
    memset(set, 0, CLASS_ENTRY);
    for (uint32_t i = 0; i < groups->byte_count; i++)
        set[groups->bytes[i].token / 8] |= (uint8_t)(1u << groups->bytes[i].token % 8);
    for (uint32_t i = 0; i < groups->wild_count; i++) {
        uint32_t token = groups->wild[i].token;
        const uint8_t *class = token == TOKEN_ANY
                                   ? NULL
                                   : trie->classes->text.data + (size_t)CLASS_ENTRY * (token - TOKEN_CLASS);
        for (unsigned byte = 0; byte < CLASS_ENTRY; byte++)
            set[byte] |= class ? class[byte] : 0xFF;
    }
}

/* A REF to be: a leaf at once, or a placeholder and a task. */
static bool put_ref(struct trie *trie, struct tasks *tasks, const struct token_string *strings,
                    struct group group, uint32_t depth, bool after_star)
{
    uint32_t patch = (uint32_t)trie->nodes.size;

    if (group.high - group.low == 1) {
        uint32_t ref = leaf(trie, &strings[group.low], after_star ? depth - 1 : depth);
        bytes_push_u32(&trie->nodes, ref);
        return ref != 0;
    }
    bytes_push_u32(&trie->nodes, 0);
    return push_task(tasks, (struct task){group.low, group.high, depth, patch, after_star});
}

/* Bytes given as tokens or groups, padded to a word. NULL when out of memory: the vector has noted it. */
static uint8_t *put_padded(struct trie *trie, uint32_t count)
{
    return bytes_extend(&trie->nodes, (size_t)(count + 3) / 4 * 4);
}

static bool put_list(struct trie *trie, struct tasks *tasks, const struct token_string *strings,
                     const struct groups *groups, uint32_t depth)
{
    uint8_t *bytes = put_padded(trie, groups->byte_count);

    for (uint32_t i = 0; i < groups->byte_count && bytes != NULL; i++)
        bytes[i] = (uint8_t)groups->bytes[i].token;
    for (uint32_t i = 0; i < groups->byte_count; i++)
        if (!put_ref(trie, tasks, strings, groups->bytes[i], depth, false))
            return false;
    return true;
}

static bool put_table(struct trie *trie, struct tasks *tasks, const struct token_string *strings,
                      const struct groups *groups, uint32_t depth)
{
    uint32_t first = groups->bytes[0].token, last = groups->bytes[groups->byte_count - 1].token;

    bytes_push_u32(&trie->nodes, first | last << 8);
    for (uint32_t byte = first, i = 0; byte <= last; byte++) {
        if (groups->bytes[i].token != byte)
            bytes_push_u32(&trie->nodes, 0);
        else if (!put_ref(trie, tasks, strings, groups->bytes[i++], depth, false))
            return false;
    }
    return true;
}

/* A table costs a load where a list costs a search; holes are paid for in cache. */
static bool wants_table(const struct groups *groups)
{
    return groups->byte_count > 4 &&
           groups->bytes[groups->byte_count - 1].token - groups->bytes[0].token < 2 * groups->byte_count + 8;
}

static bool put_record(struct trie *trie, struct tasks *tasks, const struct token_string *strings,
                       struct task task, struct groups *groups)
{
    uint32_t label = task.after_star ? 0 : label_length(strings, &task), depth = task.depth + label;
    uint8_t *bytes;
    bool table;

    split(strings, task.low, task.high, depth, groups);
    table = groups->byte_count > 0 && wants_table(groups);
    bytes_push_u32(&trie->nodes,
                   label | (task.after_star ? HAS_STAR_INFO : 0) | (groups->value != NEVER ? HAS_VALUE : 0) |
                       (groups->star.high ? HAS_STAR : 0) | (groups->wild_count ? HAS_WILD : 0) |
                       (table ? HAS_TABLE : groups->byte_count << HEAD_LIST_SHIFT));
    bytes = put_padded(trie, label);
    for (uint32_t i = 0; i < label && bytes != NULL; i++)
        bytes[i] = (uint8_t)strings[task.low].tokens[task.depth + i];
    if (task.after_star) {
        uint8_t set[CLASS_ENTRY];
        first_bytes(trie, groups, set);
        bytes_push_u32(&trie->nodes, trie->star_count++);
        bytes_push(&trie->nodes, set, sizeof set);
    }
    if (groups->value != NEVER)
        bytes_push_u32(&trie->nodes, groups->value);
    if (groups->star.high && !put_ref(trie, tasks, strings, groups->star, depth + 1, true))
        return false;
    if (groups->wild_count)
        bytes_push_u32(&trie->nodes, groups->wild_count);
    for (uint32_t i = 0; i < groups->wild_count; i++) {
        uint32_t token = groups->wild[i].token;
        bytes_push_u32(&trie->nodes, token == TOKEN_ANY ? ANY_BYTE : token - TOKEN_CLASS);
        if (!put_ref(trie, tasks, strings, groups->wild[i], depth + 1, false))
            return false;
    }
    trie->wild_count += groups->wild_count;
    return table ? put_table(trie, tasks, strings, groups, depth + 1)
                 : put_list(trie, tasks, strings, groups, depth + 1);
}

int trie_add(struct trie *trie, const struct token_string *strings, uint32_t count, uint32_t *root)
{
    struct tasks tasks = {0};
    struct groups groups = {0};
    int code = PYA_ENOMEM;

    *root = 0;
    trie->last_tokens = NULL;
    if (count == 0)
        return PYA_OK;
    if (trie->nodes.size == 0)
        bytes_push_u32(&trie->nodes, 0);
    if (count == 1) {
        *root = leaf(trie, strings, 0);
        return *root == 0 ? PYA_ENOMEM : PYA_OK;
    }
    groups.bytes = malloc((256 + (size_t)count) * sizeof *groups.bytes);
    if (groups.bytes == NULL)
        return PYA_ENOMEM;
    groups.wild = groups.bytes + 256;
    *root = (uint32_t)(trie->nodes.size / 4);
    if (!put_record(trie, &tasks, strings, (struct task){0, count, 0, 0, false}, &groups))
        goto done;
    while (tasks.count > 0) {
        struct task task = tasks.stack[--tasks.count];
        if (trie->nodes.failed)
            goto done;
        if (trie->nodes.size / 4 >= LEAF_BIT / 4) {
            code = PYA_ELIMIT;
            goto done;
        }
        store_u32(trie->nodes.data + task.patch, (uint32_t)(trie->nodes.size / 4));
        if (!put_record(trie, &tasks, strings, task, &groups))
            goto done;
    }
    if (!trie->nodes.failed)
        code = PYA_OK;
done:
    free(tasks.stack);
    free(groups.bytes);
    return code;
}

void trie_free(struct trie *trie)
{
    bytes_free(&trie->nodes);
    bytes_free(&trie->tail);
    intern_free(&trie->tails);
    free(trie->tail_of_value);
}
