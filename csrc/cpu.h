/* The one place that asks the CPU what it can do. */
#ifndef PYALIAS_CPU_H
#define PYALIAS_CPU_H

#include <stdbool.h>

#include "pci_engine.h"

/* The variants that this CPU runs, slowest first; NULL behind the last. */
const struct variant *cpu_variant(unsigned number);

bool cpu_has_avx2(void);

#endif
