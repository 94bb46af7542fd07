/* Reading depmod's binary indexes: every byte of a file is reached through this file's checks. */
#include "kmodbin.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC 0xB007F457u
#define VERSION_MAJOR 2u

#define WORD_PREFIX 0x80000000u
#define WORD_VALUES 0x40000000u
#define WORD_CHILDREN 0x20000000u
#define WORD_OFFSET 0x0FFFFFFFu

enum { WORD = 4, CHILDREN_END = 128 };

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The one gate: are there `count` bytes at an offset, and may they still be read? */
static bool has_bytes(struct bin_file *file, size_t at, uint64_t count, const char *what)
{
    if (at > file->size || count > file->size - at) {
        fail(file->error, PYA_EIMAGE, at, "the index ends at byte %zu, inside %s", file->size, what);
        return false;
    }
    if (count > file->budget) {
        fail(file->error, PYA_EIMAGE, at, "nodes share bytes or lead back to themselves");
        return false;
    }
    file->budget -= count;
    return true;
}

/* The length of a string that must end with a NUL inside the file. */
static bool has_string(struct bin_file *file, size_t at, size_t *length, const char *what)
{
    const uint8_t *end = at < file->size ? memchr(file->bytes + at, 0, file->size - at) : NULL;

    if (end == NULL) {
        fail(file->error, PYA_EIMAGE, at, "%s is not ended by a NUL before the end of the index", what);
        return false;
    }
    *length = (size_t)(end - file->bytes) - at;
    return has_bytes(file, at, (uint64_t)*length + 1, what);
}

int bin_open(struct bin_file *file, uint32_t *root)
{
    uint32_t magic, version;

    if (file->size < BIN_HEADER)
        return fail(file->error, PYA_EIMAGE, file->size,
                    "expected an index of depmod's, of at least %d bytes, found %zu", BIN_HEADER, file->size);
    magic = load_be32(file->bytes);
    version = load_be32(file->bytes + WORD);
    if (magic != MAGIC)
        return fail(file->error, PYA_EIMAGE, 0,
                    "expected an index of depmod's, which starts with %08" PRIx32 ", found %08" PRIx32, MAGIC,
                    magic);
    if (version >> 16 != VERSION_MAJOR)
        return fail(file->error, PYA_EIMAGE, WORD, "expected version %u of depmod's index, found %" PRIu32,
                    VERSION_MAJOR, version >> 16);
    *root = load_be32(file->bytes + 2 * WORD);
    return PYA_OK;
}

static int read_children(struct bin_file *file, size_t *at, struct bin_node *node)
{
    size_t count;

    if (!has_bytes(file, *at, 2, "a node's children"))
        return PYA_EIMAGE;
    node->first = file->bytes[*at];
    node->last = file->bytes[*at + 1];
    if (node->first > node->last || node->last >= CHILDREN_END)
        return fail(file->error, PYA_EIMAGE, *at, "expected children within 0 to %d, found %u to %u",
                    CHILDREN_END - 1, node->first, node->last);
    count = node->last - node->first + 1;
    node->children = *at + 2;
    node->has_children = true;
    if (!has_bytes(file, node->children, count * WORD, "a node's children"))
        return PYA_EIMAGE;
    *at = node->children + count * WORD;
    return PYA_OK;
}

int bin_node(struct bin_file *file, uint32_t word, struct bin_node *node)
{
    size_t at = word & WORD_OFFSET;

    memset(node, 0, sizeof *node);
    if (at == 0)
        return 0;
    /* Of an empty index the root lies at the end of the file, without a byte of its own. */
    if (at < BIN_HEADER || at > file->size)
        return fail(file->error, PYA_EIMAGE, at, "a node outside of the index, which has %zu bytes",
                    file->size);
    node->prefix = file->bytes + at;
    if (word & WORD_PREFIX) {
        if (!has_string(file, at, &node->prefix_length, "a node's prefix"))
            return PYA_EIMAGE;
        at += node->prefix_length + 1;
    }
    if (word & WORD_CHILDREN && read_children(file, &at, node) != PYA_OK)
        return PYA_EIMAGE;
    if (word & WORD_VALUES) {
        if (!has_bytes(file, at, WORD, "a node's values"))
            return PYA_EIMAGE;
        node->value_count = load_be32(file->bytes + at);
        node->values = at + WORD;
    }
    return 1;
}

uint32_t bin_child(const struct bin_file *file, const struct bin_node *node, unsigned byte)
{
    if (!node->has_children || byte < node->first || byte > node->last)
        return 0;
    return load_be32(file->bytes + node->children + (size_t)(byte - node->first) * WORD);
}

int bin_value(struct bin_file *file, size_t *at, pya_bin_value *value)
{
    size_t length;

    if (!has_bytes(file, *at, WORD, "a value"))
        return PYA_EIMAGE;
    if (!has_string(file, *at + WORD, &length, "a value"))
        return PYA_EIMAGE;
    if (length > UINT32_MAX)
        return fail(file->error, PYA_EIMAGE, *at, "a value of %zu bytes", length);
    value->priority = load_be32(file->bytes + *at);
    value->text = (pya_text){file->bytes + *at + WORD, (uint32_t)length};
    *at += WORD + length + 1;
    return PYA_OK;
}

static struct bin_step *last_step(const struct bin_walk *walk)
{
    return (struct bin_step *)(walk->steps.data + walk->steps.size) - 1;
}

static int walk_enter(struct bin_walk *walk, const struct bin_node *node, unsigned edge, size_t skip)
{
    struct bin_step *step;
    uint8_t byte = (uint8_t)edge;

    if (edge != BIN_NO_EDGE)
        bytes_push(&walk->key, &byte, 1);
    bytes_push(&walk->key, node->prefix + skip, node->prefix_length - skip);
    if (walk->key.size > BIN_KEY_MAX_LENGTH)
        return fail(walk->file->error, PYA_EIMAGE, (uint64_t)(node->prefix - walk->file->bytes),
                    "a key of more than %d bytes, which depmod does not write", BIN_KEY_MAX_LENGTH);
    step = (struct bin_step *)bytes_extend(&walk->steps, sizeof *step);
    if (step == NULL || walk->key.failed)
        return fail(walk->file->error, PYA_ENOMEM, 0, "out of memory");
    *step = (struct bin_step){*node, node->first, walk->key.size};
    return PYA_OK;
}

int bin_walk_start(struct bin_walk *walk, struct bin_file *file, const struct bin_node *top, unsigned edge,
                   size_t skip)
{
    walk->file = file;
    walk->steps.size = walk->key.size = 0;
    walk->leaving = false;
    return walk_enter(walk, top, edge, skip);
}

int bin_walk_next(struct bin_walk *walk)
{
    struct bin_step *step;

    if (walk->leaving)
        walk->steps.size -= sizeof *step;
    walk->leaving = false;
    if (walk->steps.size == 0)
        return BIN_END;
    step = last_step(walk);
    walk->key.size = step->key_length;
    while (step->node.has_children && step->next <= step->node.last) {
        struct bin_node child;
        unsigned edge = step->next++;
        int code = bin_node(walk->file, bin_child(walk->file, &step->node, edge), &child);
        if (code == 0)
            continue;
        if (code > 0)
            code = walk_enter(walk, &child, edge, 0);
        return code < 0 ? code : BIN_ENTER;
    }
    walk->leaving = true;
    return BIN_LEAVE;
}

const struct bin_node *bin_walk_node(const struct bin_walk *walk)
{
    return &last_step(walk)->node;
}

void bin_walk_stop(struct bin_walk *walk)
{
    bytes_free(&walk->steps);
    bytes_free(&walk->key);
}
