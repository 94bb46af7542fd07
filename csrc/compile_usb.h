/*
 * The rows of fields of usb, of all sources, to the USB_TABLE (format.h).
 */
#ifndef PYALIAS_COMPILE_USB_H
#define PYALIAS_COMPILE_USB_H

#include "compile_pci.h"

/* As pci_table_write; the USB_TABLE stands at the section's start. */
enum pci_result usb_table_write(const struct bus_input *input, struct interner *answers,
                                struct bytes_vector *out);

#endif
