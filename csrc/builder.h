/*
 * What a builder gathers, and the steps of compiling it: builder.c takes lines in, compile.c
 * orders and numbers them, trie.c lays out the tries.
 */
#ifndef PYALIAS_BUILDER_H
#define PYALIAS_BUILDER_H

#include "intern.h"
#include "pyalias.h"

struct alias_line {
    const uint8_t *text;   /* the pattern, borrowed */
    const uint8_t *normal; /* normalised: text itself where nothing changes, else malloc'ed */
    uint32_t length, normal_length;
    uint32_t module, number, source;
    uint32_t rank;     /* where the module's first line stands in the source */
    uint32_t sequence; /* order of addition */
    bool refused;      /* kmod's depmod drops it: stray brackets */
    bool own_tokens;   /* the normalised pattern is its own tokens (tokens.h) */
};

struct builder_source {
    uint32_t name; /* id in names */
    int order;
};

struct pya_builder {
    struct interner names, modules;
    struct builder_source *sources;
    uint32_t source_count;
    struct alias_line *lines;
    uint32_t line_count, line_room;
    const uint8_t *last_module; /* as the last line of this call wrote it: a module's lines stand together */
    size_t last_module_length;
};

#endif
