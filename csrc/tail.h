/*
 * The rest of one pattern, matched against the rest of a key.
 */
#ifndef PYALIAS_TAIL_H
#define PYALIAS_TAIL_H

#include <stddef.h>
#include <stdint.h>

enum tail_result {
    TAIL_MATCHES,
    TAIL_FAILS,            /* here; it may match from a later place */
    TAIL_FAILS_EVERYWHERE, /* behind its first star: from any later place it fails as well */
};

/* Matches a TAIL program from key[at]. O(size x widest segment) at worst, linear where segments are
 * plain bytes. Programs are not checked at open: any bytes will do, as long as TAILS_PADDING zeros
 * follow, in which each program ends. */
enum tail_result tail_match(const uint8_t *tail, const uint8_t *key, size_t at, size_t size);

#endif
