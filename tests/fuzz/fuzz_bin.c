/*
 * Damages indexes of depmod's and asks for everything that may be asked of them: each call must
 * answer or fail, whatever the bytes are. To be built with the sanitizers (make fuzz-bin).
 *
 *   fuzz_bin RUNS SEED FILE...
 *
 * Each run takes one of the files, damages it in one to six places, knowing where numbers, offsets
 * and ends of strings stand, and reads it from memory of exactly its size. Prints what came out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pyalias.h"

struct file {
    uint8_t *bytes;
    size_t size;
};

static uint64_t state;

/* xorshift64*: the same runs for the same seed, on every machine. */
static uint64_t next_random(uint64_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * UINT64_C(0x2545F4914F6CDD1D) >> 11) % below;
}

static void store_be32(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* A place of four bytes that looks like a word with flags, or any place. */
static size_t some_word(const uint8_t *bytes, size_t size)
{
    for (int tries = 0; tries < 64; tries++) {
        size_t at = next_random(size - 3);
        if (bytes[at] >= 0x20 && (bytes[at] & 0x1F) == 0 && bytes[at + 1] == 0)
            return at;
    }
    return next_random(2) ? 8 : next_random(size - 3); /* 8: the root's */
}

static size_t some_zero(const uint8_t *bytes, size_t size)
{
    size_t start = next_random(size);
    const uint8_t *zero = memchr(bytes + start, 0, size - start);

    return zero ? (size_t)(zero - bytes) : start;
}

/* Puts one piece of damage; returns the size, which only cutting changes. */
static size_t damage(uint8_t *bytes, size_t size)
{
    static const uint8_t telling[] = {0, 1, 0x1F, 0x20, '*', '?', '[', '\\', 0x7F, 0x80, 0xFF};
    static const uint32_t numbers[] = {0, 1, 11, 12, 13, 0x0FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    size_t at = next_random(size - 3), other = next_random(size - 3);

    switch (next_random(9)) {
    case 0: /* any byte */
        bytes[at] = (uint8_t)next_random(256);
        break;
    case 1: /* a byte that means something */
        bytes[at] = telling[next_random(sizeof telling)];
        break;
    case 2: /* a bit */
        bytes[at] ^= (uint8_t)(1u << next_random(8));
        break;
    case 3: /* a word that leads somewhere else, with any flags */
        store_be32(bytes + some_word(bytes, size), (uint32_t)(next_random(8) << 29 | next_random(size + 8)));
        break;
    case 4: /* a word that leads where another one does: shared subtrees, and cycles */
        memmove(bytes + some_word(bytes, size), bytes + some_word(bytes, size), 4);
        break;
    case 5: /* an extreme number */
        store_be32(bytes + at, numbers[next_random(sizeof numbers / sizeof *numbers)]);
        break;
    case 6: /* a string that goes on */
        bytes[some_zero(bytes, size)] = (uint8_t)(1 + next_random(255));
        break;
    case 7: { /* a piece of the file at another place */
        size_t most = size - (at > other ? at : other);
        memmove(bytes + at, bytes + other, 1 + next_random(most < 64 ? most : 64));
        break;
    }
    default: /* the end is missing */
        return next_random(4) ? size : next_random(size + 1);
    }
    return size;
}

static volatile uint64_t sink;

/* Reads every byte of a text, so that the sanitizer sees where it lies. */
static void touch(pya_text text)
{
    for (uint32_t i = 0; i < text.length; i++)
        sink += text.bytes[i];
}

static uint64_t answers, errors;

static void count(int64_t code)
{
    if (code < 0 && code != PYA_EIMAGE && code != PYA_ELIMIT) {
        fprintf(stderr, "unexpected code %" PRId64 "\n", code);
        abort();
    }
    code < 0 ? errors++ : answers++;
}

/* A key that the file's own bytes suggest, or one that devices have. */
static size_t some_key(const struct file *file, uint8_t *key)
{
    static const char *const keys[] = {"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
                                       "usb:v1D6Bp0002d0612dc09dsc00dp01ic09isc00ip00in00", "ab", "****", ""};
    size_t length = 0;

    if (next_random(2)) {
        const char *chosen = keys[next_random(sizeof keys / sizeof *keys)];
        length = strlen(chosen);
        memcpy(key, chosen, length);
    } else if (file->size > 0) {
        const uint8_t *from = file->bytes + next_random(file->size);
        length = next_random(40);
        if (length > (size_t)(file->bytes + file->size - from))
            length = (size_t)(file->bytes + file->size - from);
        memcpy(key, from, length);
    }
    return length;
}

static void ask_everything(const struct file *file)
{
    uint8_t key[64];
    pya_error error;
    pya_bin_value value, *values;
    pya_text text;
    pya_bin_walk *walk = pya_bin_walk_new(file->bytes, file->size);
    int code = pya_bin_check(file->bytes, file->size, &error);

    count(code);
    while ((code = pya_bin_walk_next(walk, &text, &value, &error)) > 0) {
        touch(text);
        touch(value.text);
    }
    count(code);
    pya_bin_walk_free(walk);
    for (int i = 0; i < 4; i++) {
        size_t length = some_key(file, key);
        int64_t found = pya_bin_search(file->bytes, file->size, key, length, &value, &error);
        count(found);
        if (found > 0)
            touch(value.text);
        found = pya_bin_search_wild(file->bytes, file->size, key, length, &values, &error);
        count(found);
        for (int64_t j = 0; j < found; j++)
            touch(values[j].text);
        pya_bin_values_free(values);
    }
}

static struct file read_file(const char *path)
{
    struct file file = {NULL, 0};
    FILE *stream = fopen(path, "rb");

    if (stream == NULL || fseek(stream, 0, SEEK_END) != 0) {
        perror(path);
        exit(2);
    }
    file.size = (size_t)ftell(stream);
    file.bytes = malloc(file.size);
    rewind(stream);
    if (file.bytes == NULL || file.size < 4 || fread(file.bytes, 1, file.size, stream) != file.size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(stream);
    return file;
}

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

int main(int argc, char **argv)
{
    uint64_t runs;
    double slowest = 0, start = seconds();

    if (argc < 4) {
        fprintf(stderr, "usage: fuzz_bin RUNS SEED FILE...\n");
        return 2;
    }
    runs = strtoull(argv[1], NULL, 10);
    state = strtoull(argv[2], NULL, 10) * 2 + 1;
    for (uint64_t run = 0; run < runs; run++) {
        struct file good = read_file(argv[3 + run % (uint64_t)(argc - 3)]), bad;
        double before = seconds(), took;
        for (uint64_t places = 1 + next_random(6); places > 0 && good.size >= 4; places--)
            good.size = damage(good.bytes, good.size);
        bad = (struct file){malloc(good.size ? good.size : 1), good.size};
        memcpy(bad.bytes, good.bytes, good.size);
        ask_everything(&bad);
        took = seconds() - before;
        slowest = took > slowest ? took : slowest;
        free(bad.bytes);
        free(good.bytes);
    }
    printf("%" PRIu64 " damaged indexes: %" PRIu64 " answers, %" PRIu64
           " errors, no crash; %.0f s, the slowest index %.3f s\n",
           runs, answers, errors, seconds() - start, slowest);
    return 0;
}
