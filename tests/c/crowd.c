/*
 * How many steps it takes to number strings that were made to meet in one slot, by somebody who knows the
 * seed of the hash. Counted as in steps.c.
 *
 *   crowd COUNT    prints the steps for as many strings that meet, and for strings that do not
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intern.h"

/* Strings that have all these bits of their hash in common meet in any table of up to so many slots. */
enum { MEETING_BITS = 0x1FFF, MOST = 4096 };

static const uint64_t known_seed = 0x123456789ABCDEFu;
static unsigned long steps;
static uint64_t strings[MOST];

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    steps++;
}

static void make_strings(unsigned count, int meeting)
{
    uint64_t number = 0;

    for (unsigned made = 0; made < count; number++)
        if (!meeting || (intern_hash(known_seed, &number, sizeof number) & MEETING_BITS) == 0)
            strings[made++] = number;
}

static unsigned long count_steps(unsigned count)
{
    struct interner interner = {.seed = known_seed};

    steps = 0;
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = 0; i < count; i++)
            if (intern(&interner, &strings[i], sizeof strings[i]) != i)
                exit(1);
    intern_free(&interner);
    return steps;
}

int main(int argc, char **argv)
{
    unsigned count = argc == 2 ? (unsigned)atoi(argv[1]) : 0;

    if (count == 0 || count > MOST)
        return 1;
    make_strings(count, 1);
    printf("%lu\n", count_steps(count));
    make_strings(count, 0);
    printf("%lu\n", count_steps(count));
    return 0;
}
