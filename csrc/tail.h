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

/* Matches a checked TAIL program from key[at]; classes are the image's. O(size x widest segment)
 * at worst, linear where segments are plain bytes. */
enum tail_result tail_match(const uint8_t *tail, const uint8_t *classes, const uint8_t *key, size_t at,
                            size_t size);

#endif
