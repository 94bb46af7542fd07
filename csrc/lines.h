/* The lines of an answer: gathered from values, put in order. */
#ifndef PYALIAS_LINES_H
#define PYALIAS_LINES_H

#include "scratch.h"

/* scratch->lines = the lines of scratch->values in answer order; false when out of memory. */
bool gather_lines(const pya_image *image, struct pya_scratch *scratch);

void sort_lines(struct pya_scratch *scratch);
void reverse_lines(struct pya_scratch *scratch);

#endif
