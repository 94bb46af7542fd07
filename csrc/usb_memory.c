#include "usb_memory.h"

#include <stdlib.h>

#include "pyalias.h"

enum { ENTRIES = 1 << USB_MEMORY_BITS };

void usb_remember(struct usb_memory *memory, uint64_t key, uint32_t id)
{
    if (memory->known == NULL)
        memory->known = calloc(ENTRIES, sizeof *memory->known);
    if (memory->known == NULL || key == 0)
        return;
    memory->known[usb_memory_place(key)] = (struct usb_known){key, id};
    memory->holds_combinations |= id >= PYA_ID_COMBINATION;
}

void usb_forget_combinations(struct usb_memory *memory)
{
    if (memory->holds_combinations)
        memset(memory->known, 0, ENTRIES * sizeof *memory->known);
    memory->holds_combinations = false;
}

void usb_memory_free(struct usb_memory *memory)
{
    free(memory->known);
}
