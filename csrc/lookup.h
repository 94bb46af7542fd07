/* One key, all sources. */
#ifndef PYALIAS_LOOKUP_H
#define PYALIAS_LOOKUP_H

#include "fields.h"

/* What a key finds: a stored answer (*answer, 0: nothing) and PYA_OK; lines in the scratch and
 * PYA_SEVERAL; or a refusal, or PYA_ENOMEM. */
int find_answer(const pya_image *image, struct pya_scratch *scratch, const uint8_t *key, size_t length,
                uint32_t *answer);

/* The same for a key whose fields (or that it has none) are known. */
int find_parsed_answer(const pya_image *image, struct pya_scratch *scratch, const struct fields *fields,
                       const uint8_t *key, size_t length, uint32_t *answer);

#endif
