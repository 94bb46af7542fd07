/*
 * The rows of fields of a pci bus, of all sources, to a PCI_TABLE (format.h).
 */
#ifndef PYALIAS_COMPILE_PCI_H
#define PYALIAS_COMPILE_PCI_H

#include "builder.h"
#include "compile_fields.h"

struct pci_input {
    const struct field_table *tables; /* one a source */
    uint32_t source_count, line_count;
    const struct alias_line *const *lines;               /* by line id */
    const struct bytes_vector *value_ends, *value_lines; /* u32: where the lines of a value end; lines */
};

/* The lines of a value: value_lines from and to. */
static inline uint32_t value_lines_from(const struct pci_input *input, uint32_t value)
{
    return value == 0 ? 0 : load_u32(input->value_ends->data + (size_t)(value - 1) * 4);
}

static inline uint32_t value_lines_to(const struct pci_input *input, uint32_t value)
{
    return load_u32(input->value_ends->data + (size_t)value * 4);
}

enum pci_result { PCI_WRITTEN, PCI_UNFIT, PCI_NO_MEMORY };

/* Appends what the table points to and writes the PCI_TABLE at byte `place`. Unfit: the patterns
 * are more, or other, than the format holds; nothing is written, and the generic matcher must do.
 * Time is bounded by a constant beside the number of lines. */
enum pci_result pci_table_write(const struct pci_input *input, struct interner *answers,
                                struct bytes_vector *out, size_t place);

#endif
