/*
 * Every variant that a CPU runs against the trie, in a program of its own, so that it can run where no
 * Python does: on the CPU that QEMU plays.
 *
 *   variants IMAGE ROWS    a device a line; prints "variant form rows", and fails at the first difference
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyalias.h"

enum { REFUSED = -1, VIEW = 16 };

struct bytes {
    uint8_t *data;
    size_t size;
};

/* The rows in all forms, and what the trie says of each: the number of its answer, or REFUSED. */
struct rows {
    struct bytes text, joined;
    uint64_t count;
    int32_t *offsets;
    uint8_t *views;
    int64_t *wanted;
};

static void fail(const char *what)
{
    fprintf(stderr, "variants: %s\n", what);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size + 1);

    if (memory == NULL)
        fail("out of memory");
    return memory;
}

static struct bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct bytes bytes;
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
        fail(path);
    rewind(file);
    bytes.size = (size_t)size;
    bytes.data = allocate(bytes.size);
    if (fread(bytes.data, 1, bytes.size, file) != bytes.size)
        fail(path);
    fclose(file);
    return bytes;
}

static struct rows read_rows(const char *path)
{
    struct rows rows = {.text = read_file(path)};
    const uint8_t *at = rows.text.data;

    rows.count = pya_count_rows(rows.text.data, rows.text.size, '\n');
    rows.joined.data = allocate(rows.text.size);
    rows.offsets = allocate((rows.count + 1) * sizeof *rows.offsets);
    rows.views = allocate(rows.count * VIEW);
    rows.wanted = allocate(rows.count * sizeof *rows.wanted);
    for (uint64_t i = 0; i < rows.count; i++) {
        size_t left = (size_t)(rows.text.data + rows.text.size - at);
        const uint8_t *end = memchr(at, '\n', left);
        int32_t length = (int32_t)(end == NULL ? left : (size_t)(end - at)), place = rows.offsets[i];
        memcpy(rows.joined.data + place, at, (size_t)length);
        memcpy(rows.views + i * VIEW, &length, 4);
        if (length <= 12) {
            memcpy(rows.views + i * VIEW + 4, at, (size_t)length);
        } else {
            memcpy(rows.views + i * VIEW + 4, at, 4);
            memcpy(rows.views + i * VIEW + 12, &place, 4);
        }
        rows.offsets[i + 1] = place + length;
        at += length + 1;
    }
    rows.joined.size = (size_t)rows.offsets[rows.count];
    return rows;
}

/* Asks the trie alone (pya_match_lines). */
static void ask_trie(const pya_image *image, pya_answers *answers, struct rows *rows)
{
    pya_scratch *scratch = pya_scratch_new(image, 0);

    for (uint64_t i = 0; i < rows->count; i++) {
        const char *row = (const char *)rows->joined.data + rows->offsets[i];
        const uint32_t *lines;
        int64_t count =
            pya_match_lines(image, scratch, row, (size_t)(rows->offsets[i + 1] - rows->offsets[i]), &lines);
        rows->wanted[i] = count < 0 ? REFUSED : pya_answers_number(answers, lines, (uint32_t)count);
    }
    pya_scratch_free(scratch);
}

static int64_t answer_of_id(pya_answers *answers, const pya_scratch *scratch, uint32_t id)
{
    const uint32_t *lines;
    uint32_t count;

    if (id < PYA_ID_COMBINATION)
        return id;
    if (id >= PYA_ID_NULL)
        return REFUSED;
    count = pya_combination_lines(scratch, id & ~PYA_ID_COMBINATION, &lines);
    return pya_answers_number(answers, lines, count);
}

static void check(const pya_image *image, pya_answers *answers, const struct rows *rows, unsigned variant,
                  const char *form, const pya_column *column)
{
    pya_scratch *scratch = pya_scratch_new(image, variant);
    uint32_t *ids = allocate(rows->count * sizeof *ids);
    pya_error error;

    if (scratch == NULL || pya_match_column(image, scratch, column, ids, &error) != PYA_OK)
        fail("a column was not matched");
    for (uint64_t i = 0; i < rows->count; i++) {
        if (answer_of_id(answers, scratch, ids[i]) == rows->wanted[i])
            continue;
        fprintf(stderr, "variants: %s, %s: row %llu has another answer: %.*s\n", pya_variant_name(variant),
                form, (unsigned long long)i, (int)(rows->offsets[i + 1] - rows->offsets[i]),
                (const char *)rows->joined.data + rows->offsets[i]);
        exit(1);
    }
    printf("%s %s %llu\n", pya_variant_name(variant), form, (unsigned long long)rows->count);
    pya_scratch_free(scratch);
    free(ids);
}

/* The numbers of a row as the kernel prints it; false for any other. */
static bool read_numbers(const char *row, int32_t length, uint32_t number[5])
{
    static const char form[] = "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X";
    unsigned f[7] = {0};
    char text[64], again[96];

    if (length != 53)
        return false;
    memcpy(text, row, 53);
    text[53] = '\0';
    if (sscanf(text, "pci:v%8xd%8xsv%8xsd%8xbc%2xsc%2xi%2x", &f[0], &f[1], &f[2], &f[3], &f[4], &f[5],
               &f[6]) != 7)
        return false;
    snprintf(again, sizeof again, form, f[0], f[1], f[2], f[3], f[4], f[5], f[6]);
    for (unsigned i = 0; i < 4; i++)
        number[i] = f[i];
    number[4] = f[4] << 16 | f[5] << 8 | f[6];
    return strcmp(text, again) == 0;
}

/* The numbers of those rows that have some, against the rows themselves. */
static void check_numbers(const pya_image *image, pya_answers *answers, const struct rows *rows,
                          unsigned variant)
{
    pya_scratch *scratch = pya_scratch_new(image, variant);
    uint32_t *numbers[5], number[5], *ids = allocate(rows->count * sizeof *ids);
    uint64_t *which = allocate(rows->count * sizeof *which), count = 0;
    pya_error error;

    for (unsigned i = 0; i < 5; i++)
        numbers[i] = allocate(rows->count * sizeof **numbers);
    for (uint64_t i = 0; i < rows->count; i++) {
        if (!read_numbers((const char *)rows->joined.data + rows->offsets[i],
                          rows->offsets[i + 1] - rows->offsets[i], number))
            continue;
        for (unsigned f = 0; f < 5; f++)
            numbers[f][count] = number[f];
        which[count++] = i;
    }
    if (pya_match_pci_ids(image, scratch, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], count,
                          ids, &error) != PYA_OK)
        fail(error.message);
    for (uint64_t i = 0; i < count; i++)
        if (answer_of_id(answers, scratch, ids[i]) != rows->wanted[which[i]])
            fail("numbers have another answer than their row");
    printf("%s numbers %llu\n", pya_variant_name(variant), (unsigned long long)count);
    pya_scratch_free(scratch);
    for (unsigned i = 0; i < 5; i++)
        free(numbers[i]);
    free(which);
    free(ids);
}

int main(int argc, char **argv)
{
    struct bytes bytes = argc == 3 ? read_file(argv[1]) : (struct bytes){0};
    pya_image *image;
    pya_answers *answers;
    struct rows rows;
    pya_error error;

    if (argc != 3)
        fail("expected IMAGE ROWS");
    if (pya_image_open(bytes.data, bytes.size, &image, &error) != PYA_OK)
        fail(error.message);
    rows = read_rows(argv[2]);
    answers = pya_answers_new(image);
    ask_trie(image, answers, &rows);
    for (unsigned v = 0; v < pya_variant_count(); v++) {
        const uint8_t *buffers[] = {rows.joined.data};
        int64_t sizes[] = {(int64_t)rows.joined.size};
        pya_column text = {.rows_layout = PYA_ROWS_SEPARATED,
                           .separator = '\n',
                           .rows = rows.count,
                           .data = rows.text.data,
                           .data_size = rows.text.size};
        pya_column offsets = {.rows_layout = PYA_ROWS_OFFSETS32,
                              .rows = rows.count,
                              .data = rows.joined.data,
                              .offsets = rows.offsets};
        pya_column views = {.rows_layout = PYA_ROWS_VIEWS,
                            .rows = rows.count,
                            .offsets = rows.views,
                            .buffers = buffers,
                            .buffer_sizes = sizes,
                            .buffer_count = 1};
        check(image, answers, &rows, v, "text", &text);
        check(image, answers, &rows, v, "offsets", &offsets);
        check(image, answers, &rows, v, "views", &views);
        check_numbers(image, answers, &rows, v);
    }
    return 0;
}
