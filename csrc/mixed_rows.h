/*
 * Rows of any kind in any order. Those that look like rows of a bus with a table wait until a block of
 * them has come together, which its variant answers; all others wait for a block of match_rows. So rows
 * of one bus do not break another's block, and no branch depends on what comes next.
 */
#ifndef PYALIAS_MIXED_ROWS_H
#define PYALIAS_MIXED_ROWS_H

#include "pci_column.h"

/* The buses with a table come first, by their numbers. */
enum row_kind { KIND_USB_SHORT = TABLE_BUSES, KIND_OTHER, ROW_KINDS };

/* From where a row starts, the bytes before its table's form included. */
enum { MIXED_READ = PCI_READ + VFIO_PCI_LENGTH - PCI_LENGTH, LONGEST_OF_TABLES = 64 };

struct mixed_rows {
    const pya_image *image;
    struct pya_scratch *scratch;
    const uint8_t *readable;
    uint8_t kind_of_length[LONGEST_OF_TABLES + 1]; /* which kind a row of a length may be */
    unsigned waiting[ROW_KINDS];                   /* how many */
    const uint8_t *text[ROW_KINDS][PCI_BLOCK];
    size_t length[ROW_KINDS][PCI_BLOCK];
    uint32_t *id[ROW_KINDS][PCI_BLOCK];
};

/* `readable` is the end of what may be read, NULL where that is unknown. */
void mixed_start(struct mixed_rows *mixed, const pya_image *image, struct pya_scratch *scratch,
                 const uint8_t *readable);

/* Answers rows now or later; their texts must stay until mixed_finish. False when out of memory. */
bool mixed_add(struct mixed_rows *mixed, const struct row *rows, size_t count, uint32_t *ids);

/* The same of rows that stand in a text between separators: ends[i] is where row i ends, behind `text`. */
bool mixed_add_text(struct mixed_rows *mixed, const uint8_t *text, const uint64_t *ends, size_t count,
                    uint32_t *ids);

/* Answers the rows that still wait. */
bool mixed_finish(struct mixed_rows *mixed);

#endif
