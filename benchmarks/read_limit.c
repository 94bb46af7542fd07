/*
 * The floor under every matcher of text: reading the same bytes once, with the widest loads this machine has.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t lanes __attribute__((vector_size(64)));

/* The sum of the words of text; four sums at once so that no load waits for an addition. */
uint64_t read_all(const unsigned char *text, size_t size)
{
    lanes sums[4] = {{0}};
    uint64_t total = 0;
    size_t at = 0;

    for (; at + sizeof sums <= size; at += sizeof sums) {
        for (size_t i = 0; i < 4; i++) {
            lanes words;

            memcpy(&words, text + at + i * sizeof words, sizeof words);
            sums[i] += words;
        }
    }
    for (; at < size; at++)
        total += text[at];
    for (size_t lane = 0; lane < sizeof(lanes) / sizeof(uint64_t); lane++)
        total += sums[0][lane] + sums[1][lane] + sums[2][lane] + sums[3][lane];
    return total;
}

/* The floor under what answers numbers with ids: writing as many words once. */
void write_all(unsigned char *words, size_t size, unsigned char byte)
{
    memset(words, byte, size);
}
