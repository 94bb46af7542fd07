/*
 * Columns of pci rows by the variants of pci_engine.h: which rows go there, and what becomes of those
 * that come back refused.
 */
#ifndef PYALIAS_PCI_COLUMN_H
#define PYALIAS_PCI_COLUMN_H

#include "pci_engine.h"
#include "rows.h"

enum { MIXED_BLOCK = 256 };

/* ids of rows of any kind, at most MIXED_BLOCK: those that look like pci rows go to the variant, all
 * others to match_rows. `readable` is the end of what may be read, or NULL where that is unknown.
 * False when out of memory. */
bool match_mixed(const pya_image *image, struct pya_scratch *scratch, const struct row *rows, unsigned count,
                 const uint8_t *readable, uint32_t *ids);

/* Rows that lie `stride` bytes apart from `first` on: rows of pci's length and, if separator is not
 * negative, that byte. Returns how many rows it answered: all that have this stride, as far as whole
 * blocks of them can be read; -1 when out of memory. */
int64_t match_strided(const pya_image *image, struct pya_scratch *scratch, const uint8_t *first,
                      size_t stride, int separator, uint64_t rows, const uint8_t *readable, uint32_t *ids);

/* Rows of numbers; as pya_match_pci_ids. */
int match_numbers(const pya_image *image, struct pya_scratch *scratch, const struct pci_numbers *numbers,
                  uint64_t rows, uint32_t *ids, pya_error *error);

#endif
