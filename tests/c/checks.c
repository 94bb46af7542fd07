/*
 * Whether the checks for any CPU say of damaged images what those say that this CPU runs.
 *
 *   checks < IMAGE    changes each word of the sections in some ways; prints how many were refused, and
 *                     passed, and how often the two differed
 */
#include <stdio.h>

#include "image.c" /* for place_sections */

#include "check.h"

enum { MOST = 1 << 24 };

static uint32_t image_words[MOST / 4];

static int verdict(const pya_image *placed, int portable)
{
    pya_image image = *placed;
    pya_error error;

    if (portable)
        return check_sections_portable(&image, &error) || check_tries_portable(&image, &error) ||
               open_pci_tables_portable(&image, &error) || open_usb_table_portable(&image, &error);
    return check_sections(&image, &error) || open_pci_tables(&image, &error) ||
           open_usb_table(&image, &error);
}

int main(void)
{
    uint8_t *bytes = (uint8_t *)image_words;
    size_t size = fread(bytes, 1, MOST, stdin);
    unsigned refused = 0, passed = 0, differed = 0;
    pya_image image = {.longest_module = load_u32(bytes + HEADER_LONGEST_MODULE)};
    pya_error error;

    if (place_sections(&image, bytes, size, &error) != PYA_OK)
        return 1;
    for (size_t at = IMAGE_START; at + 4 <= size; at += 4) {
        uint32_t was = load_u32(bytes + at);
        const uint32_t changed[] = {was, was + 1, was ^ 0x80000000u, was ^ 0x00800080u, 0xFFFFFFFFu};
        for (unsigned i = 0; i < sizeof changed / sizeof *changed; i++) {
            int portable, own;
            store_u32(bytes + at, changed[i]);
            portable = verdict(&image, 1);
            own = verdict(&image, 0);
            differed += portable != own;
            *(own ? &refused : &passed) += 1;
        }
        store_u32(bytes + at, was);
    }
    printf("%u %u %u\n", refused, passed, differed);
    return 0;
}
