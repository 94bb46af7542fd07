/*
 * How many steps lookups take: the core is compiled to call this file's counter at the start of each
 * basic block, so the count is exact and the same on every run, however busy the machine is.
 *
 *   steps ALIASES < KEYS    alias text in a file, a key a line; prints a number of steps a key
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyalias.h"

static unsigned long steps;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    steps++;
}

static uint8_t *read_file(FILE *file, size_t *size)
{
    size_t room = 1 << 16;
    uint8_t *text = malloc(room);

    for (*size = 0; text != NULL; text = realloc(text, room *= 2)) {
        *size += fread(text + *size, 1, room - *size, file);
        if (*size < room)
            return text;
    }
    exit(1);
}

static pya_image *compile(const char *path)
{
    pya_builder *builder = pya_builder_new();
    FILE *file = fopen(path, "rb");
    uint8_t *text, *bytes;
    size_t size;
    pya_image *image;
    pya_error error;

    if (builder == NULL || file == NULL)
        exit(1);
    text = read_file(file, &size);
    fclose(file);
    if (pya_builder_source(builder, "", 0, PYA_ORDER_PRIORITY) != PYA_OK ||
        pya_builder_text(builder, text, size, &error) != PYA_OK ||
        pya_builder_compile(builder, &bytes, &size, &error) != PYA_OK ||
        pya_image_open(bytes, size, &image, &error) != PYA_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return image; /* which keeps the bytes until this program ends */
}

int main(int argc, char **argv)
{
    pya_image *image = argc == 2 ? compile(argv[1]) : NULL;
    pya_scratch *scratch = image != NULL ? pya_scratch_new(image, 0) : NULL;
    size_t size;
    const char *key, *end;

    if (scratch == NULL)
        return 2;
    key = (const char *)read_file(stdin, &size);
    for (const char *all = key + size; key < all; key = end + 1) {
        end = memchr(key, '\n', (size_t)(all - key));
        if (end == NULL)
            return 2;
        steps = 0;
        pya_lookup(image, scratch, key, (size_t)(end - key));
        printf("%lu\n", steps);
    }
    return 0;
}
