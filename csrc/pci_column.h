/*
 * Columns of pci and usb rows by the variants of pci_engine.h: which rows go there, and what becomes of
 * those that come back refused.
 */
#ifndef PYALIAS_PCI_COLUMN_H
#define PYALIAS_PCI_COLUMN_H

#include "bus.h"
#include "pci_engine.h"
#include "rows.h"

/* pci, vfio_pci and usb */
enum { MIXED_BLOCK = 256, TABLE_BUSES = BUS_USB + 1 };

/* The length of a bus's rows, of vfio_pci's from "pci:" on. */
static inline unsigned length_of_rows(unsigned bus)
{
    return bus == BUS_USB ? USB_LENGTH : PCI_LENGTH;
}

/* ids of rows of any kind, at most MIXED_BLOCK: those that look like pci or usb rows go to the
 * variant, all others to match_rows. `readable` is the end of what may be read, or NULL where that is
 * unknown. False when out of memory. */
bool match_mixed(const pya_image *image, struct pya_scratch *scratch, const struct row *rows, unsigned count,
                 const uint8_t *readable, uint32_t *ids);

/* The length that the first rows of a text have, all of a block, if it is that of pci or usb rows; else 0. */
unsigned text_stride(const uint8_t *text, size_t size, uint8_t separator);

/* Rows of one length, PCI_LENGTH or USB_LENGTH, that follow each other from `first` on; behind each,
 * if separator is not negative, that byte. Returns how many rows it answered: all that have this
 * stride, as far as whole blocks of them can be read; -1 when out of memory. */
int64_t match_strided(const pya_image *image, struct pya_scratch *scratch, unsigned length,
                      const uint8_t *first, int separator, uint64_t rows, const uint8_t *readable,
                      uint32_t *ids);

/* A block of rows of a text, if they look like usb rows with or without the interface's number: returns
 * how many bytes they are, 0 if they do not, -1 when out of memory. */
int64_t match_usb_block(const pya_image *image, struct pya_scratch *scratch, const uint8_t *text,
                        const uint8_t *readable, uint8_t separator, uint32_t *ids);

/* Rows of numbers; as pya_match_pci_ids. */
int match_numbers(const pya_image *image, struct pya_scratch *scratch, const struct pci_numbers *numbers,
                  uint64_t rows, uint32_t *ids, pya_error *error);

#endif
