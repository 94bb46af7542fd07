/*
 * depmod's binary indexes (modules.alias.bin, .dep, .symbols, .builtin, .builtin.alias): a radix
 * trie over borrowed bytes. Numbers are big-endian and lie at any byte (kmod: libkmod-index.c).
 *
 *   file    magic 0xB007F457, version 0x00020001 (the high half counts), root word, nodes
 *   word    bit 31 the node has a prefix, 30 values, 29 children; bits 27-0 its offset, 0: no node
 *   node    [prefix: bytes NUL]
 *           [children: u8 first, u8 last, a word for each byte from first to last]
 *           [values: u32 count, count x (u32 priority, bytes NUL)]
 *
 * A key is spelt by the prefixes of the nodes on its way and by the byte that leads to each child.
 * depmod up to 33 writes children before their parent, later ones the parent first; nodes never
 * share bytes. That is what bounds the work in a hostile file: whoever reads more bytes than there
 * are has come by some of them twice.
 */
#ifndef PYALIAS_KMODBIN_H
#define PYALIAS_KMODBIN_H

#include "error.h"
#include "format.h"
#include "vector.h"

enum { BIN_HEADER = 12, BIN_KEY_MAX_LENGTH = NAME_MAX_LENGTH };

/* A file being read by one call. */
struct bin_file {
    const uint8_t *bytes;
    size_t size;
    uint64_t budget; /* bytes that may still be read */
    pya_error *error;
};

struct bin_node {
    const uint8_t *prefix; /* never NULL */
    size_t prefix_length;
    size_t children; /* where the word of the first child stands */
    unsigned first, last;
    bool has_children;
    size_t values; /* where the first value stands */
    uint32_t value_count;
};

/* Checks the header and reads the root's word. */
int bin_open(struct bin_file *file, uint32_t *root);

/* Reads the node that a word refers to: 1, or 0 when the word means no node, or PYA_EIMAGE. */
int bin_node(struct bin_file *file, uint32_t word, struct bin_node *node);

/* The word of the child behind a byte; 0: none. */
uint32_t bin_child(const struct bin_file *file, const struct bin_node *node, unsigned byte);

/* Reads the value at *at and moves *at behind it. */
int bin_value(struct bin_file *file, size_t *at, pya_bin_value *value);

/* One node on the way from the walk's top. */
struct bin_step {
    struct bin_node node;
    unsigned next;     /* the child to visit next */
    size_t key_length; /* of the key up to and including this node's prefix */
};

/* A subtree visited depth first, without recursion. */
struct bin_walk {
    struct bin_file *file;
    struct bytes_vector steps; /* of struct bin_step */
    struct bytes_vector key;   /* spelt from the walk's top */
    bool leaving;              /* the last step's children are done */
};

enum bin_event { BIN_END, BIN_ENTER, BIN_LEAVE };

/* Starts at a node. The key is spelt from `edge` on, the byte that led there, or where it is
 * BIN_NO_EDGE from the prefix on without its first `skip` bytes. */
enum { BIN_NO_EDGE = 256 };
int bin_walk_start(struct bin_walk *walk, struct bin_file *file, const struct bin_node *top, unsigned edge,
                   size_t skip);

/* BIN_ENTER before a node's children, the top excepted; BIN_LEAVE behind them; BIN_END; or an
 * error. The node is bin_walk_node() and walk->key its key until the next call. */
int bin_walk_next(struct bin_walk *walk);
const struct bin_node *bin_walk_node(const struct bin_walk *walk);
void bin_walk_stop(struct bin_walk *walk);

#endif
