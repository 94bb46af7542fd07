/* The text of lines to the PATTERNS of an image. */
#ifndef PYALIAS_COMPILE_PATTERNS_H
#define PYALIAS_COMPILE_PATTERNS_H

#include "builder.h"
#include "format.h"

/* Appends the PATTERN of a line; head is the first line of its block, or the line itself. Returns the
 * flags of its LINES entry, and what the line shares with the head. */
uint32_t pattern_write(struct bytes_vector *out, const struct alias_line *line, const struct alias_line *head,
                       uint8_t shares[SHARES_ENTRY]);

#endif
