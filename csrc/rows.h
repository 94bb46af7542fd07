/* Rows of text to ids, a block at a time: what every column comes down to. */
#ifndef PYALIAS_ROWS_H
#define PYALIAS_ROWS_H

#include <stdbool.h>

#include "scratch.h"

/* ids[i] = the answer id of rows[i], or one of PYA_ID_...; at most ROWS_BLOCK rows. False when out
 * of memory or numbers. */
bool match_rows(const pya_image *image, struct pya_scratch *scratch, const struct row *rows, unsigned count,
                uint32_t *ids);

/* Makes the id that a code of find_answer stands for, where *id is not that already. False as above. */
bool settle_code(struct pya_scratch *scratch, int code, uint32_t *id);

#endif
