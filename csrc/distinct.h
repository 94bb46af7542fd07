/* Rows that are alike, numbered in order of first appearance. */
#ifndef PYALIAS_DISTINCT_H
#define PYALIAS_DISTINCT_H

#include "intern.h"
#include "pyalias.h"

struct pya_distinct {
    struct interner rows;
};

#endif
