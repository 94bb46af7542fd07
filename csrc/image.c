#include "image.h"

#include <stdbool.h>
#include <stdlib.h>

#include "checksum.h"
#include "error.h"
#include "patterns.h"

/* Bytes of an entry; 1 where a section is no table. */
static const uint32_t entry_size[SECTION_COUNT] = {
    [SECTION_STRINGS] = 1,
    [SECTION_MODULES] = MODULE_ENTRY,
    [SECTION_SOURCES] = SOURCE_ENTRY,
    [SECTION_LINES] = 4,
    [SECTION_LINE_NUMBERS] = 4,
    [SECTION_LINE_PLACES] = 4,
    [SECTION_LINE_SHARES] = SHARES_ENTRY,
    [SECTION_PATTERNS] = 1,
    [SECTION_SORTED] = 4,
    [SECTION_VALUES] = 4,
    [SECTION_VALUE_TAILS] = 4,
    [SECTION_VALUE_ANSWERS] = 4,
    [SECTION_VALUE_LINES] = 4,
    [SECTION_IRREGULAR] = 4,
    [SECTION_ANSWERS] = 4,
    [SECTION_ANSWER_MODULES] = 4,
    [SECTION_CLASSES] = CLASS_ENTRY,
    [SECTION_TAILS] = 1,
    [SECTION_NODES] = NODE_ENTRY,
    [SECTION_LABELS] = 1,
    [SECTION_FIELDS] = 4,
    [SECTION_PCI] = 1,
    [SECTION_USB] = 1,
};

static int check_header(const uint8_t *bytes, size_t size, pya_error *error)
{
    uint32_t version;

    if (size < 8 || memcmp(bytes, IMAGE_MAGIC, 8) != 0)
        return fail(error, PYA_EIMAGE, 0, "not a compiled pyalias index (no magic at byte 0)");
    if (size < IMAGE_START)
        return fail(error, PYA_EIMAGE, size, "cut short: %zu bytes, the header alone has %d", size,
                    IMAGE_START);
    version = load_u32(bytes + HEADER_VERSION);
    if (version >> 16 != IMAGE_VERSION >> 16 || version > IMAGE_VERSION)
        return fail(error, PYA_EIMAGE, HEADER_VERSION,
                    "index version %u.%u, this pyalias reads %u.%u: compile the index again", version >> 16,
                    version & 0xFFFF, IMAGE_VERSION >> 16, IMAGE_VERSION & 0xFFFF);
    if (load_u64(bytes + HEADER_SIZE) != size || size % CHECKSUM_STRIPE != 0 || size > INT32_MAX)
        return fail(error, PYA_EIMAGE, HEADER_SIZE, "cut short or grown: %zu bytes, the header says %llu",
                    size, (unsigned long long)load_u64(bytes + HEADER_SIZE));
    if (load_u64(bytes + HEADER_CHECKSUM) != image_checksum(bytes, size))
        return fail(error, PYA_EIMAGE, HEADER_CHECKSUM,
                    "damaged: the checksum differs; compile the index again");
    if (load_u32(bytes + HEADER_SECTION_COUNT) != SECTION_COUNT || load_u32(bytes + HEADER_ZERO) != 0)
        return fail(error, PYA_EIMAGE, HEADER_SECTION_COUNT, "damaged: %u sections, expected %d",
                    load_u32(bytes + HEADER_SECTION_COUNT), SECTION_COUNT);
    return PYA_OK;
}

/* Sections follow each other without overlap, each from a multiple of 8. */
static int place_sections(pya_image *image, const uint8_t *bytes, size_t size, pya_error *error)
{
    uint64_t end = IMAGE_START;

    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        size_t place = HEADER_SECTIONS + (size_t)s * SECTION_ENTRY;
        uint64_t offset = load_u64(bytes + place), length = load_u64(bytes + place + 8);
        if (offset < end || offset % 8 != 0 || offset > size || length > size - offset ||
            length % entry_size[s] != 0)
            return fail(error, PYA_EIMAGE, place, "damaged: section %u has no place in the image", s);
        image->section[s] = bytes + offset;
        image->size[s] = (uint32_t)length;
        image->count[s] = (uint32_t)length / entry_size[s];
        end = offset + length;
    }
    return PYA_OK;
}

int pya_image_open(const uint8_t *bytes, size_t size, pya_image **image, pya_error *error)
{
    int code = check_header(bytes, size, error);

    *image = NULL;
    if (code != PYA_OK)
        return code;
    *image = calloc(1, sizeof **image);
    if (*image == NULL)
        return fail(error, PYA_ENOMEM, 0, "out of memory");
    (*image)->longest_module = load_u32(bytes + HEADER_LONGEST_MODULE);
    code = place_sections(*image, bytes, size, error);
    if (code == PYA_OK)
        code = check_sections(*image, error);
    if (code == PYA_OK)
        code = open_pci_tables(*image, error);
    if (code == PYA_OK)
        code = open_usb_table(*image, error);
    if (code != PYA_OK) {
        pya_image_free(*image);
        *image = NULL;
    }
    return code;
}

void pya_image_free(pya_image *image)
{
    free(image);
}

int pya_image_has_pci_table(const pya_image *image, unsigned bus)
{
    return bus < PCI_BUSES ? image->pci[bus].present : bus == PCI_BUSES && image->usb.present;
}

pya_counts pya_image_counts(const pya_image *image)
{
    return (pya_counts){
        .sources = image->count[SECTION_SOURCES],
        .lines = image->count[SECTION_LINES],
        .patterns = image->count[SECTION_VALUES],
        .modules = image->count[SECTION_MODULES],
        .answers = image->count[SECTION_ANSWERS],
    };
}

static pya_text text_at(const pya_image *image, const uint8_t *reference)
{
    return (pya_text){image->section[SECTION_STRINGS] + load_u32(reference), load_u32(reference + 4)};
}

pya_text pya_image_module(const pya_image *image, uint32_t module)
{
    return text_at(image, entry(image, SECTION_MODULES, MODULE_ENTRY, module));
}

uint32_t pya_image_line_module(const pya_image *image, uint32_t line)
{
    return number(image, SECTION_LINES, line) & LINE_MODULE;
}

/* What was written otherwise stands in one piece; so do heads. */
static pya_text written_pattern(const pya_image *image, uint32_t line, uint8_t *room)
{
    pya_text written;
    struct pattern pattern = own_part(image, line, &written);

    if (line_flags(image, line) != 0)
        return written;
    if (pattern.start_length + pattern.end_length == 0)
        return (pya_text){pattern.middle, pattern.middle_length};
    pattern = pattern_of_line(image, line);
    pattern_copy(&pattern, room);
    return (pya_text){room, pattern_length(&pattern)};
}

pya_line pya_image_line(const pya_image *image, uint32_t line, uint8_t *room)
{
    const uint8_t *source;
    uint32_t s = 0;

    while (load_u32(entry(image, SECTION_SOURCES, SOURCE_ENTRY, s) + 12) <= line)
        s++;
    source = entry(image, SECTION_SOURCES, SOURCE_ENTRY, s);
    return (pya_line){
        .pattern = written_pattern(image, line, room),
        .module = pya_image_module(image, pya_image_line_module(image, line)),
        .source = text_at(image, source),
        .number = number(image, SECTION_LINE_NUMBERS, line),
    };
}

uint32_t pya_image_answer(const pya_image *image, uint32_t answer, uint32_t *modules, uint32_t room)
{
    uint32_t start = start_of(image, SECTION_ANSWERS, 4, answer, 0);
    uint32_t count = number(image, SECTION_ANSWERS, answer) - start;

    for (uint32_t i = 0; i < count && i < room; i++)
        modules[i] = number(image, SECTION_ANSWER_MODULES, start + i);
    return count;
}
