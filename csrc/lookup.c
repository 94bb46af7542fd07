#include "lookup.h"

#include "lines.h"
#include "search.h"
#include "wildkey.h"

/* kmod_module_new_from_alias joins module and name with a backslash in PATH_MAX bytes; one that
 * does not fit fails the whole lookup. */
static bool too_long(const pya_image *image, const struct pya_scratch *scratch, size_t length)
{
    for (uint32_t i = 0; i < scratch->line_count; i++) {
        uint32_t module = pya_image_line_module(image, scratch->lines[i]);
        if (pya_image_module(image, module).length + length + 2 > NAME_ROOM)
            return true;
    }
    return false;
}

static int search_lines(const pya_image *image, struct pya_scratch *scratch, const struct source *source,
                        struct normalised normal)
{
    bool done;

    if (normal.wild) {
        done = search_wildkey(image, scratch, source, scratch->key, normal.length);
    } else {
        search_source(image, scratch, source, scratch->key, normal.length);
        done = gather_lines(image, scratch);
    }
    if (!done)
        return PYA_ENOMEM;
    return too_long(image, scratch, normal.length) ? PYA_ETOOLONG : PYA_OK;
}

int64_t pya_match_lines(const pya_image *image, pya_scratch *scratch, const char *key, size_t length,
                        const uint32_t **lines)
{
    struct normalised normal = normalise((const uint8_t *)key, length, scratch->key);

    if (normal.refused)
        return PYA_EINVAL;
    scratch->line_count = 0;
    for (uint32_t s = 0; s < image->count[SECTION_SOURCES] && scratch->line_count == 0; s++) {
        struct source source = source_at(image, s);
        int code = search_lines(image, scratch, &source, normal);
        if (code != PYA_OK)
            return code;
    }
    *lines = scratch->lines;
    return scratch->line_count;
}

/* What the values found so far answer. One matching pattern is the common case: it is stored. */
static int values_answer(const pya_image *image, struct pya_scratch *scratch, uint32_t *answer)
{
    if (scratch->value_count == 1) {
        *answer = answer_of_value(image, scratch->values[0]);
        return PYA_OK;
    }
    return gather_lines(image, scratch) ? PYA_SEVERAL : PYA_ENOMEM;
}

/* Keys in a bus's fixed form hold no byte that normalising changes, and are short. */
static int find_fields_answer(const pya_image *image, struct pya_scratch *scratch,
                              const struct fields *fields, const uint8_t *key, size_t length,
                              uint32_t *answer)
{
    if (fields->bus < PCI_BUSES && pci_answer(&image->pci[fields->bus], fields->words, answer))
        return PYA_OK;
    if (fields->bus == BUS_USB && usb_answer(&image->usb, fields->words, answer))
        return PYA_OK;
    *answer = 0;
    for (uint32_t s = 0; s < image->count[SECTION_SOURCES]; s++) {
        if (!search_fields(image, scratch, s, fields, key, length)) {
            struct source source = source_at(image, s);
            search_source(image, scratch, &source, key, length);
        }
        if (scratch->value_count > 0)
            return values_answer(image, scratch, answer);
    }
    return PYA_OK;
}

int find_parsed_answer(const pya_image *image, struct pya_scratch *scratch, const struct fields *fields,
                       const uint8_t *key, size_t length, uint32_t *answer)
{
    struct normalised normal;
    bool short_enough;

    if (fields->bus >= 0 && length + image->longest_module + 2 <= NAME_ROOM)
        return find_fields_answer(image, scratch, fields, key, length, answer);
    normal = normalise(key, length, scratch->key);
    short_enough = normal.length + image->longest_module + 2 <= NAME_ROOM;
    *answer = 0;
    if (normal.refused)
        return PYA_EINVAL;
    for (uint32_t s = 0; s < image->count[SECTION_SOURCES]; s++) {
        struct source source = source_at(image, s);
        int code;
        if (!normal.wild && short_enough) {
            search_source(image, scratch, &source, scratch->key, normal.length);
            if (scratch->value_count > 0)
                return values_answer(image, scratch, answer);
            continue;
        }
        code = search_lines(image, scratch, &source, normal);
        if (code != PYA_OK || scratch->line_count > 0)
            return code != PYA_OK ? code : PYA_SEVERAL;
    }
    return PYA_OK;
}

int find_answer(const pya_image *image, struct pya_scratch *scratch, const uint8_t *key, size_t length,
                uint32_t *answer)
{
    struct fields fields = parse_fields(key, length);

    return find_parsed_answer(image, scratch, &fields, key, length, answer);
}

int64_t pya_lookup(const pya_image *image, pya_scratch *scratch, const char *key, size_t length)
{
    uint32_t answer;
    int code = find_answer(image, scratch, (const uint8_t *)key, length, &answer);

    return code == PYA_OK ? (int64_t)answer : code;
}
