/*
 * The rows of fields of a pci bus, of all sources, to a PCI_TABLE (format.h).
 */
#ifndef PYALIAS_COMPILE_PCI_H
#define PYALIAS_COMPILE_PCI_H

#include "compile.h"

/* The patterns of a bus, of all sources. */
struct bus_input {
    const struct field_rows *rows; /* of the first source; those of the next stand BUS_COUNT further */
    uint32_t source_count, line_count;
    const struct alias_line *const *lines; /* by line id */
    const struct values *values;
};

static inline const struct field_rows *rows_of_source(const struct bus_input *input, uint32_t source)
{
    return input->rows + (size_t)source * BUS_COUNT;
}

enum pci_result { PCI_WRITTEN, PCI_UNFIT, PCI_NO_MEMORY };

/* Appends what the table points to and writes the PCI_TABLE at byte `place`. Unfit: the patterns
 * are more, or other, than the format holds; nothing is written, and the generic matcher must do.
 * Time is bounded by a constant beside the number of lines. */
enum pci_result pci_table_write(const struct bus_input *input, struct interner *answers,
                                struct bytes_vector *out, size_t place);

#endif
