#include "distinct.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

enum { MOST_COLUMNS = 31 };

pya_distinct *pya_distinct_new(void)
{
    return calloc(1, sizeof(struct pya_distinct));
}

void pya_distinct_free(pya_distinct *distinct)
{
    if (distinct != NULL)
        intern_free(&distinct->rows);
    free(distinct);
}

uint32_t pya_distinct_count(const pya_distinct *distinct)
{
    return distinct->rows.count;
}

pya_text pya_distinct_row(const pya_distinct *distinct, uint32_t number)
{
    const struct interned *row = &distinct->rows.strings[number];

    return (pya_text){distinct->rows.text.data + row->offset, row->length};
}

/* ---- columns of numbers ------------------------------------------------------------------------ */

static bool is_known(const pya_id_column *column, uint64_t row)
{
    uint64_t bit = column->first + row;

    if (column->values == NULL || (column->known != NULL && column->known[row] == 0))
        return false;
    return column->validity == NULL || (column->validity[bit / 8] >> bit % 8 & 1);
}

/* The number as 64 bits; a negative one is made too large for any column. */
static uint64_t value_at(const pya_id_column *column, uint64_t row)
{
    const uint8_t *p = (const uint8_t *)column->values + (column->first + row) * column->value_size;
    union {
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } value;
    uint64_t number;

    /* Of a size that the compiler knows each is one load, where a call of memcpy takes as long as the rest.
     */
    switch (column->value_size) {
    case 1:
        number = *p;
        break;
    case 2:
        memcpy(&value.u16, p, 2);
        number = value.u16;
        break;
    case 4:
        memcpy(&value.u32, p, 4);
        number = value.u32;
        break;
    default:
        memcpy(&value.u64, p, 8);
        number = value.u64;
    }
    return column->is_signed && number >> (column->value_size * 8 - 1) ? UINT64_MAX : number;
}

static int wrong_number(const pya_id_column *column, uint32_t place, uint64_t row, pya_error *error)
{
    return fail(error, PYA_ECOLUMN, row, "column %u, row %llu: expected a number of %u bits", (unsigned)place,
                (unsigned long long)row, (unsigned)column->bits);
}

int pya_distinct_ids(pya_distinct *distinct, const pya_id_column *columns, uint32_t count, uint64_t rows,
                     uint32_t *numbers, pya_error *error)
{
    uint32_t words[MOST_COLUMNS + 1];

    if (count > MOST_COLUMNS)
        return fail(error, PYA_ELIMIT, 0, "more than %d columns", MOST_COLUMNS);
    for (uint64_t row = 0; row < rows; row++) {
        words[0] = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t value = 0;
            if (is_known(&columns[i], row)) {
                value = value_at(&columns[i], row);
                if (value >> columns[i].bits)
                    return wrong_number(&columns[i], i, row, error);
                words[0] |= 1u << i;
            }
            words[i + 1] = (uint32_t)value;
        }
        numbers[row] = intern(&distinct->rows, words, (count + 1) * sizeof *words);
        if (numbers[row] == INTERN_FAILED)
            return fail(error, PYA_ENOMEM, row, "out of memory at row %llu", (unsigned long long)row);
    }
    return PYA_OK;
}
