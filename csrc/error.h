/* Filling in a pya_error: a code, a place, and a whole sentence. */
#ifndef PYALIAS_ERROR_H
#define PYALIAS_ERROR_H

#include "pyalias.h"

/* Returns code, so that callers can say `return fail(...)`; error may be NULL. */
__attribute__((format(printf, 4, 5))) int fail(pya_error *error, int code, uint64_t position,
                                               const char *format, ...);

#endif
