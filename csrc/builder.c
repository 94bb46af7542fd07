#include "builder.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "normalise.h"
#include "tokens.h"

enum { LEAST_ROOM = 1024, MOST_ROOM = 0x40000000, SHORT_LINE = 40 /* less than most lines of a text have */ };

pya_builder *pya_builder_new(void)
{
    return calloc(1, sizeof(pya_builder));
}

void pya_builder_free(pya_builder *builder)
{
    if (builder == NULL)
        return;
    for (uint32_t i = 0; i < builder->line_count; i++)
        if (builder->lines[i].normal != builder->lines[i].text)
            free((uint8_t *)builder->lines[i].normal);
    intern_free(&builder->names);
    intern_free(&builder->modules);
    free(builder->sources);
    free(builder->lines);
    free(builder);
}

int pya_builder_source(pya_builder *builder, const char *name, size_t length, int order)
{
    struct builder_source *sources =
        realloc(builder->sources, (builder->source_count + 1) * sizeof *builder->sources);
    uint32_t id = intern(&builder->names, name, length);

    if (sources == NULL || id == INTERN_FAILED) {
        builder->sources = sources ? sources : builder->sources;
        return PYA_ENOMEM;
    }
    builder->sources = sources;
    sources[builder->source_count++] = (struct builder_source){id, order};
    return PYA_OK;
}

/* Module names are stored as kmod's modname_normalize leaves them: - is _. */
static uint32_t intern_module(pya_builder *builder, const uint8_t *module, size_t length)
{
    uint8_t name[NAME_ROOM];

    for (size_t i = 0; i < length; i++)
        name[i] = module[i] == '-' ? '_' : module[i];
    return intern(&builder->modules, name, length);
}

/* Fills in the normalised pattern; false when out of memory. */
static bool normalise_line(struct alias_line *line)
{
    uint8_t buffer[KEY_ROOM], *copy;
    struct normalised normal = normalise(line->text, line->length, buffer);

    line->normal = line->text;
    line->normal_length = (uint32_t)normal.length;
    line->refused = normal.refused;
    line->own_tokens = !normal.refused && is_own_tokens(buffer, normal.length);
    if (normal.refused || normal.length == 0 || memcmp(buffer, line->text, normal.length) == 0)
        return true;
    copy = malloc(normal.length);
    if (copy == NULL)
        return false;
    memcpy(copy, buffer, normal.length);
    line->normal = copy;
    return true;
}

/* Room for so many lines; false when out of memory. */
static bool make_room(pya_builder *builder, uint32_t room)
{
    struct alias_line *lines =
        room > MOST_ROOM ? NULL : realloc(builder->lines, (size_t)room * sizeof *lines);

    if (lines == NULL)
        return false;
    builder->lines = lines;
    builder->line_room = room;
    return true;
}

static int add_line(pya_builder *builder, struct alias_line line, const uint8_t *module, size_t module_length,
                    pya_error *error)
{
    uint64_t place = line.number ? line.number : builder->line_count + 1u;
    bool same_module;

    if (module_length == 0 || module_length > NAME_MAX_LENGTH)
        return fail(error, PYA_ETEXT, place, "a module name has 1 to %d bytes, this one %zu", NAME_MAX_LENGTH,
                    module_length);
    if (memchr(line.text, 0, line.length))
        return fail(error, PYA_ETEXT, place, "a pattern holds a NUL byte, which no device name can have");
    same_module = module_length == builder->last_module_length &&
                  memcmp(module, builder->last_module, module_length) == 0;
    for (size_t i = 0; i < module_length && !same_module; i++)
        if (module[i] < ' ')
            return fail(error, PYA_ETEXT, place,
                        "byte 0x%02x in a module name; was the file cut or converted?", module[i]);
    if (builder->line_count == builder->line_room &&
        !make_room(builder, builder->line_room ? builder->line_room * 2 : LEAST_ROOM))
        return fail(error, PYA_ENOMEM, place, "out of memory for more than %u aliases", builder->line_count);
    line.module = same_module ? builder->lines[builder->line_count - 1].module
                              : intern_module(builder, module, module_length);
    builder->last_module = module;
    builder->last_module_length = module_length;
    line.source = builder->source_count - 1;
    line.sequence = builder->line_count;
    if (line.module == INTERN_FAILED || !normalise_line(&line))
        return fail(error, PYA_ENOMEM, place, "out of memory for an alias");
    builder->lines[builder->line_count++] = line;
    return PYA_OK;
}

int pya_builder_aliases(pya_builder *builder, const uint8_t *bytes, size_t size, const uint32_t *lengths,
                        const uint32_t *numbers, size_t count, pya_error *error)
{
    size_t at = 0;

    builder->last_module_length = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t length = lengths[2 * i], module_length = lengths[2 * i + 1];
        struct alias_line line = {.text = bytes + at, .length = length, .number = numbers ? numbers[i] : 0};
        int code;
        if (length > size - at || module_length > size - at - length)
            return fail(error, PYA_ETEXT, i + 1, "the lengths of alias %zu exceed the bytes given", i + 1);
        code = add_line(builder, line, bytes + at + length, module_length, error);
        if (code != PYA_OK)
            return code;
        at += (size_t)length + module_length;
    }
    return PYA_OK;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* Whether a line ends with the module of the line before. */
static bool ends_as_before(const pya_builder *builder, const uint8_t *text, size_t length)
{
    return builder->last_module_length > 0 && builder->last_module_length < length &&
           memcmp(text + length - builder->last_module_length, builder->last_module,
                  builder->last_module_length) == 0;
}

/* "alias PATTERN MODULE" without its newline; what is no alias line is passed over. */
static int add_text_line(pya_builder *builder, const uint8_t *text, size_t length, uint32_t number,
                         pya_error *error)
{
    static const char command[] = "alias";
    size_t start = sizeof command, blank;

    if (length < start || memcmp(text, command, start - 1) != 0 || !is_blank(text[start - 1]))
        return PYA_OK;
    blank = ends_as_before(builder, text, length) ? length - builder->last_module_length : length;
    while (blank > start && !is_blank(text[blank - 1]))
        blank--;
    if (blank <= start + 1)
        return fail(error, PYA_ETEXT, number, "expected \"alias PATTERN MODULE\", found no module");
    return add_line(
        builder,
        (struct alias_line){.text = text + start, .length = (uint32_t)(blank - 1 - start), .number = number},
        text + blank, length - blank, error);
}

int pya_builder_text(pya_builder *builder, const uint8_t *text, size_t size, pya_error *error)
{
    uint32_t number = 0;

    builder->last_module_length = 0;
    if (size > UINT32_MAX)
        return fail(error, PYA_ELIMIT, 0, "alias text of %zu bytes: the limit is 4 GiB", size);
    if (builder->line_count == 0)
        make_room(builder, (uint32_t)(size / SHORT_LINE) + LEAST_ROOM); /* or as lines come */
    for (size_t at = 0; at < size; at++) {
        const uint8_t *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        int code = add_text_line(builder, text + at, length, ++number, error);
        if (code != PYA_OK)
            return code;
        at += length;
    }
    return PYA_OK;
}
