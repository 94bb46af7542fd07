/*
 * Patterns to tokens, and lines with the same tokens to a value.
 */
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "pyalias.h"
#include "tokens.h"

/* ---- values ----------------------------------------------------------------------------------- */

/* The answer of the modules of some lines. Most have one, and one module has many values. */
static uint32_t answer_of(struct compilation *c, uint32_t first, uint32_t count)
{
    uint32_t module = c->lines[value_line(&c->values, first)]->module, answer;
    uint32_t *known = count == 1 ? &c->answer_of_module[module] : NULL;
    struct bytes_vector *modules = &c->values.modules;

    if (known != NULL && *known != NEVER)
        return *known;
    modules->size = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes_push_u32(modules, c->lines[value_line(&c->values, first + i)]->module);
    answer = modules->failed ? INTERN_FAILED : intern(&c->answers, modules->data, modules->size);
    if (known != NULL)
        *known = answer;
    return answer;
}

/* A new value of the lines that were pushed behind those of the last one. */
static bool add_value(struct compilation *c)
{
    struct values *values = &c->values;
    uint32_t end = (uint32_t)(values->lines.size / 4);
    uint32_t first = values->count == 0 ? 0 : value_lines_to(values, values->count - 1), answer;

    if (values->lines.failed)
        return false;
    answer = answer_of(c, first, end - first);
    bytes_push_u32(&values->answers, answer);
    bytes_push_u32(&values->ends, end);
    values->count++;
    return answer != INTERN_FAILED && !values->ends.failed && !values->answers.failed;
}

static bool add_irregular(struct compilation *c, uint32_t line)
{
    bytes_push_u32(&c->values.irregular, c->values.count);
    bytes_push_u32(&c->values.lines, line);
    return add_value(c) && !c->values.irregular.failed;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = load_u32(a), y = load_u32(b);

    return (x > y) - (x < y);
}

/* A string of the trie, and its value: of some items that are equal, in order of addition. */
static bool add_string(struct compilation *c, const struct sort_text *items, uint32_t count, uint32_t shared)
{
    struct values *values = &c->values;
    size_t start = values->lines.size;
    bool ascending = true;

    for (uint32_t i = 0; i < count; i++) {
        ascending = ascending && (i == 0 || items[i - 1].id < items[i].id);
        bytes_push_u32(&values->lines, items[i].id);
    }
    if (!ascending && !values->lines.failed)
        qsort(values->lines.data + start, count, 4, by_number);
    c->strings[c->string_count++] = (struct token_string){items->text, items->length, shared, values->count};
    return add_value(c);
}

/* ---- tokens ----------------------------------------------------------------------------------- */

/* Most lines' tokens are their text: those come sorted. The others go to `items` behind them. */
static int tokenise_lines(struct compilation *c, uint32_t kept, uint32_t *in_order, uint32_t *others)
{
    struct sort_text *items = c->items, *end = c->items + kept;

    for (uint32_t i = 0; i < kept; i++) {
        struct sort_text text = c->texts[i];
        size_t count;
        if (c->lines[text.id]->own_tokens) {
            *items++ = text;
            continue;
        }
        switch (tokenise(text.text, text.length, &c->classes, c->free_tokens, &count)) {
        case TOKENS:
            *--end = (struct sort_text){0, c->free_tokens, (uint32_t)count, text.id};
            c->free_tokens += count;
            break;
        case TOKENS_IRREGULAR:
            if (!add_irregular(c, text.id))
                return PYA_ENOMEM;
            break;
        case TOKENS_NEVER:
            break;
        case TOKENS_NO_MEMORY:
            return PYA_ENOMEM;
        }
    }
    *in_order = (uint32_t)(items - c->items);
    *others = (uint32_t)(c->items + kept - end);
    memmove(items, end, *others * sizeof *items);
    return PYA_OK;
}

/* The order of sort_texts: the end after every byte. */
static bool stands_after(const struct sort_text *x, const struct sort_text *y)
{
    int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);

    return order != 0 ? order > 0 : x->length < y->length;
}

/* Two sorted lists to one: the second lies behind the first in c->items, which takes both. */
static void merge_items(struct compilation *c, uint32_t first, uint32_t second)
{
    struct sort_text *moved = c->texts;

    memcpy(moved, c->items + first, second * sizeof *moved);
    while (second > 0) {
        bool from_first = first > 0 && stands_after(&c->items[first - 1], &moved[second - 1]);
        c->items[first + second - 1] = from_first ? c->items[first - 1] : moved[second - 1];
        *(from_first ? &first : &second) -= 1;
    }
}

static uint32_t common_bytes(const struct sort_text *x, const struct sort_text *y)
{
    uint32_t most = x->length < y->length ? x->length : y->length, at = 0;

    for (; at + 8 <= most; at += 8) {
        uint64_t differs = load_u64(x->text + at) ^ load_u64(y->text + at);
        if (differs != 0)
            return at + (uint32_t)__builtin_ctzll(differs) / 8;
    }
    while (at < most && x->text[at] == y->text[at])
        at++;
    return at;
}

/* How many bytes of whole tokens two strings share. */
static uint32_t common_tokens(const struct compilation *c, const struct sort_text *x,
                              const struct sort_text *y)
{
    uint32_t bytes = common_bytes(x, y), at = 0;

    if (c->lines[x->id]->own_tokens || c->lines[y->id]->own_tokens)
        return bytes;
    while (at < bytes && at + token_width(x->text[at]) <= bytes)
        at += token_width(x->text[at]);
    return at;
}

int make_values(struct compilation *c, uint32_t kept)
{
    uint32_t in_order, others, shared = 0, count;
    int code = tokenise_lines(c, kept, &in_order, &others);

    if (code != PYA_OK)
        return code;
    if (!sort_texts(c->items + in_order, others))
        return PYA_ENOMEM;
    merge_items(c, in_order, others);
    count = in_order + others;
    for (uint32_t i = 0, end; i < count; i = end) {
        const struct sort_text *item = &c->items[i];
        uint32_t shared_with_next = 0;
        for (end = i + 1; end < count; end++) {
            shared_with_next = common_tokens(c, item, &c->items[end]);
            if (shared_with_next != item->length || shared_with_next != c->items[end].length)
                break;
        }
        if (!add_string(c, item, end - i, shared))
            return PYA_ENOMEM;
        shared = shared_with_next;
    }
    return PYA_OK;
}
