/*
 * Rows that were answered before: a bounded table from a row's whole text to its id. Columns of real
 * machines repeat few texts: 65 million devices of a million hosts hold some 4,700. Where texts do not
 * repeat, the table rests.
 */
#ifndef PYALIAS_REPEATS_H
#define PYALIAS_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROWS_BLOCK = 64 };

struct row {
    const uint8_t *text; /* NULL: a null row */
    size_t length;
};

/* The rows of a block that nobody has answered yet. */
struct open_rows {
    const struct row *rows;
    uint32_t *ids;
    uint8_t index[ROWS_BLOCK];
    unsigned count;
};

struct repeat;

struct repeats {
    struct repeat *entries; /* NULL until a column is long enough for it to pay */
    uint8_t *text;          /* of the rows in the table, one after the other */
    uint32_t text_size;
    uint32_t asked, missed; /* since it last woke */
    uint64_t wait;          /* rows to let pass before it wakes */
    bool holds_combinations;
};

void repeats_start(struct repeats *repeats);
void repeats_free(struct repeats *repeats);

/* Whether the next `count` rows are to be asked for; rows that are not bring the end of a rest nearer. */
bool repeats_awake(struct repeats *repeats, unsigned count);

/* Answers the open rows whose very bytes it has seen; the others stay open, and hashes gets what
 * repeats_add wants to know of them. */
void repeats_answer(struct repeats *repeats, struct open_rows *open, uint64_t *hashes);

/* Remembers what the rows that stayed open were answered in the end. */
void repeats_add(struct repeats *repeats, const struct open_rows *open, const uint64_t *hashes);

/* The numbers of combinations mean nothing any more. */
void repeats_forget_combinations(struct repeats *repeats);

#endif
