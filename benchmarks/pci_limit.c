/*
 * A column of PCI devices against the speed at which this machine reads the same bytes, in one process.
 *
 *   pci_limit IMAGE COLUMN rounds N         N lines "what nanoseconds-a-row...", a column for each what
 *   pci_limit IMAGE COLUMN steps VARIANT    instructions a row, text and numbers, counted one by one
 *
 * COLUMN holds one modalias a line. What is compared is proved equal first: every variant's ids, and
 * those of lookups one by one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pyalias.h"

uint64_t read_all(const unsigned char *text, size_t size);

enum { LENGTH = 53 };

struct bytes {
    uint8_t *data;
    size_t size;
};

/* Five columns of numbers, and the ids of one variant. */
struct column {
    struct bytes text;
    uint64_t rows;
    uint32_t *numbers[5];
    uint32_t *ids;
};

static void fail(const char *what)
{
    fprintf(stderr, "pci_limit: %s\n", what);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL)
        fail("out of memory");
    memset(memory, 1, size);
    return memory;
}

static struct bytes read_file(const char *path)
{
    struct stat status;
    struct bytes bytes;
    int file = open(path, O_RDONLY);

    if (file < 0 || fstat(file, &status) != 0)
        fail(path);
    bytes.size = (size_t)status.st_size;
    bytes.data = allocate(bytes.size);
    for (size_t at = 0; at < bytes.size;) {
        ssize_t got = read(file, bytes.data + at, bytes.size - at);
        if (got <= 0)
            fail(path);
        at += (size_t)got;
    }
    close(file);
    return bytes;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void match_text(const pya_image *image, pya_scratch *scratch, struct column *column)
{
    pya_column given = {.rows_layout = PYA_ROWS_SEPARATED,
                        .separator = '\n',
                        .rows = column->rows,
                        .data = column->text.data,
                        .data_size = column->text.size};
    pya_error error;

    if (pya_match_column(image, scratch, &given, column->ids, &error) != PYA_OK)
        fail(error.message);
}

static void match_numbers(const pya_image *image, pya_scratch *scratch, struct column *column)
{
    uint32_t **n = column->numbers;
    pya_error error;

    if (pya_match_pci_ids(image, scratch, n[0], n[1], n[2], n[3], n[4], column->rows, column->ids, &error) !=
        PYA_OK)
        fail(error.message);
}

/* The floor under the numbers: five columns read, one written. */
static void copy_sums(struct column *column)
{
    uint32_t **n = column->numbers;

    for (uint64_t i = 0; i < column->rows; i++)
        column->ids[i] = n[0][i] ^ n[1][i] ^ n[2][i] ^ n[3][i] ^ n[4][i];
}

static uint32_t hex(const uint8_t *text, unsigned digits)
{
    char copy[16] = {0};

    memcpy(copy, text, digits);
    return (uint32_t)strtoul(copy, NULL, 16);
}

static void fill_numbers(struct column *column)
{
    for (unsigned i = 0; i < 5; i++)
        column->numbers[i] = allocate(column->rows * sizeof(uint32_t));
    for (uint64_t row = 0; row < column->rows; row++) {
        const uint8_t *text = column->text.data + row * (LENGTH + 1);
        column->numbers[0][row] = hex(text + 5, 8);
        column->numbers[1][row] = hex(text + 14, 8);
        column->numbers[2][row] = hex(text + 24, 8);
        column->numbers[3][row] = hex(text + 34, 8);
        column->numbers[4][row] = hex(text + 44, 2) << 16 | hex(text + 48, 2) << 8 | hex(text + 51, 2);
    }
}

/* Every variant, as text and as numbers, and single lookups of the first rows: the same ids. */
static void prove_equal(const pya_image *image, struct column *column)
{
    uint32_t *expected = allocate(column->rows * sizeof *expected);
    size_t size = column->rows * sizeof *expected;

    for (unsigned v = 0; v < pya_variant_count(); v++) {
        pya_scratch *scratch = pya_scratch_new(image, v);
        match_text(image, scratch, column);
        if (v == 0)
            memcpy(expected, column->ids, size);
        if (memcmp(expected, column->ids, size) != 0)
            fail("the variants do not agree");
        match_numbers(image, scratch, column);
        if (memcmp(expected, column->ids, size) != 0)
            fail("text and numbers do not agree");
        for (uint64_t row = 0; v == 0 && row < column->rows && row < 100000; row++) {
            const char *text = (const char *)column->text.data + row * (LENGTH + 1);
            if (pya_lookup(image, scratch, text, LENGTH) != expected[row])
                fail("columns and single lookups do not agree");
        }
        pya_scratch_free(scratch);
    }
    free(expected);
}

static void print_time(const char *what, const char *variant, double start, uint64_t rows)
{
    printf("%s%s %.3f\n", what, variant, (now() - start) / (double)rows);
}

static void one_round(const pya_image *image, struct column *column)
{
    double start = now();

    if (read_all(column->text.data, column->text.size) == 0)
        fail("the column is empty");
    print_time("read", "", start, column->rows);
    start = now();
    copy_sums(column);
    print_time("read20write4", "", start, column->rows);
    for (unsigned v = 0; v < pya_variant_count(); v++) {
        pya_scratch *scratch = pya_scratch_new(image, v);
        start = now();
        match_text(image, scratch, column);
        print_time("text-", pya_variant_name(v), start, column->rows);
        start = now();
        match_numbers(image, scratch, column);
        print_time("numbers-", pya_variant_name(v), start, column->rows);
        pya_scratch_free(scratch);
    }
}

typedef void match(const pya_image *image, pya_scratch *scratch, struct column *column);

/* Instructions of one call: a child makes it between two signals, and its parent lets it go one step at a
 * time. Virtual machines rarely have counters for this, and valgrind knows no AVX-512. */
static unsigned long steps_of(match *match, const pya_image *image, pya_scratch *scratch,
                              struct column *column)
{
    unsigned long steps = 0;
    int status;
    pid_t child = fork();

    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGUSR1);
        match(image, scratch, column);
        raise(SIGUSR1);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGUSR1)
        fail("cannot trace a child");
    for (;; steps++) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 || waitpid(child, &status, 0) < 0 ||
            !WIFSTOPPED(status))
            fail("the child ended early");
        if (WSTOPSIG(status) == SIGUSR1)
            break;
        if (WSTOPSIG(status) != SIGTRAP)
            fail("the child met another signal");
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return steps;
}

/* The second half of a column: what a call costs besides its rows, its last rows above all, falls out. */
static void print_steps(const char *what, match *match, const pya_image *image, pya_scratch *scratch,
                        struct column *column)
{
    struct column half = *column;
    unsigned long all = steps_of(match, image, scratch, column);

    half.rows /= 2;
    half.text.size = half.rows * (LENGTH + 1);
    printf("%s %.1f\n", what,
           (double)(all - steps_of(match, image, scratch, &half)) / (double)(column->rows - half.rows));
}

static void count_steps(const pya_image *image, struct column *column, const char *variant)
{
    for (unsigned v = 0; v < pya_variant_count(); v++)
        if (strcmp(pya_variant_name(v), variant) == 0) {
            pya_scratch *scratch = pya_scratch_new(image, v);
            print_steps("text", match_text, image, scratch, column);
            print_steps("numbers", match_numbers, image, scratch, column);
            pya_scratch_free(scratch);
            return;
        }
    fail("this CPU has no such variant");
}

int main(int count, char **arguments)
{
    struct column column;
    struct bytes bytes;
    pya_image *image;
    pya_error error;

    if (count != 5)
        fail("expected IMAGE COLUMN rounds N, or IMAGE COLUMN steps VARIANT");
    bytes = read_file(arguments[1]);
    column.text = read_file(arguments[2]);
    column.rows = column.text.size / (LENGTH + 1);
    column.ids = allocate(column.rows * sizeof *column.ids);
    if (pya_image_open(bytes.data, bytes.size, &image, &error) != PYA_OK)
        fail(error.message);
    fill_numbers(&column);
    if (strcmp(arguments[3], "steps") == 0) {
        count_steps(image, &column, arguments[4]);
        return 0;
    }
    prove_equal(image, &column);
    for (int round = 0; round < atoi(arguments[4]); round++)
        one_round(image, &column);
    return 0;
}
