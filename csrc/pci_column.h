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
enum { TABLE_BUSES = BUS_USB + 1 };

/* The length of a bus's rows, of vfio_pci's from "pci:" on. */
static inline unsigned length_of_rows(unsigned bus)
{
    return bus == BUS_USB ? USB_LENGTH : PCI_LENGTH;
}

/* Whether an image has a table for a bus that may answer alone. */
bool table_answers(const pya_image *image, unsigned bus);

/* A block of rows of a bus that lie anywhere, of vfio_pci from "pci:" on: the bits of those that are
 * refused, whose ids mean nothing. */
uint64_t match_listed(const pya_image *image, struct pya_scratch *scratch, unsigned bus,
                      const uint8_t *const at[PCI_BLOCK], uint32_t *ids);

/* A whole row that a variant refused: by the generic matcher, unless several rows of the usb table met
 * and the same were answered since. False when out of memory. */
bool match_one(const pya_image *image, struct pya_scratch *scratch, unsigned bus, const uint8_t *text,
               size_t length, uint32_t *id);

/* The length that the first rows of a text have, all of a block, if it is that of pci or usb rows; else 0. */
unsigned text_stride(const uint8_t *text, size_t size, uint8_t separator);

/* Rows of one length, PCI_LENGTH or USB_LENGTH, that follow each other from `first` on; behind each,
 * if separator is not negative, that byte. Returns how many rows it answered: all that have this
 * stride, as far as whole blocks of them can be read; -1 when out of memory. */
int64_t match_strided(const pya_image *image, struct pya_scratch *scratch, unsigned length,
                      const uint8_t *first, int separator, uint64_t rows, const uint8_t *readable,
                      uint32_t *ids);

/* Rows of numbers; as pya_match_pci_ids. */
int match_numbers(const pya_image *image, struct pya_scratch *scratch, const struct pci_numbers *numbers,
                  uint64_t rows, uint32_t *ids, pya_error *error);

#endif
