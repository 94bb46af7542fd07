/*
 * kmod's alias_normalize (shared/util.c): what happens to every pattern and every key first.
 */
#ifndef PYALIAS_NORMALISE_H
#define PYALIAS_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

/* Room that normalise_key writes to: the longest name, and slack so that readers may load words. */
enum { KEY_ROOM = NAME_ROOM + 64 };

struct normalised {
    size_t length; /* at most NAME_MAX_LENGTH: the rest is cut off without a word, as kmod does */
    bool refused;  /* stray brackets (-EINVAL), or a NUL */
    bool wild;     /* holds a wildcard byte */
};

/* Writes text to out (KEY_ROOM bytes) with - turned into _ outside brackets. */
struct normalised normalise(const uint8_t *text, size_t length, uint8_t *out);

#endif
