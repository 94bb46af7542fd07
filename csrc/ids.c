/*
 * The ids of a batch after matching: combinations become answer ids, refused and null rows become 0.
 */
#include <stdbool.h>

#include "pyalias.h"

pya_unsettled pya_ids_unsettled(const uint32_t *ids, uint64_t rows)
{
    pya_unsettled count = {0, 0, 0};
    uint64_t marked = 0;

    for (uint64_t i = 0; i < rows; i++) {
        marked += ids[i] >> 31;
        count.invalid += ids[i] == PYA_ID_INVALID;
        count.nulls += ids[i] == PYA_ID_NULL;
    }
    count.combinations = marked - count.invalid - count.nulls;
    return count;
}

/* Whether an id is a combination, as all bits or none: a column has them in any order, and a wrong guess
 * at each would cost more than all else here. */
static uint32_t combination_mask(uint32_t id)
{
    return -(uint32_t)((id >= PYA_ID_COMBINATION) & (id < PYA_ID_NULL));
}

uint32_t pya_ids_combinations(const uint32_t *ids, uint64_t rows, uint8_t *seen, uint32_t *order)
{
    uint32_t found = 0;

    for (uint64_t i = 0; i < rows; i++) {
        uint32_t mask = combination_mask(ids[i]), number = ids[i] & ~PYA_ID_COMBINATION & mask;
        if (!((uint8_t)mask & !seen[number]))
            continue;
        seen[number] = 1;
        order[found++] = number;
    }
    return found;
}

void pya_ids_number(uint32_t *ids, uint64_t rows, const uint32_t *combination_ids)
{
    for (uint64_t i = 0; i < rows; i++) {
        uint32_t mask = combination_mask(ids[i]), number = ids[i] & ~PYA_ID_COMBINATION & mask;
        ids[i] = (combination_ids[number] & mask) | (ids[i] & ~mask);
    }
}

void pya_ids_settle(uint32_t *ids, uint64_t rows, uint64_t *invalid, uint8_t *validity)
{
    for (uint64_t i = 0; i < rows; i++) {
        if (ids[i] < PYA_ID_NULL)
            continue;
        if (ids[i] == PYA_ID_INVALID)
            *invalid++ = i;
        else
            validity[i / 8] &= (uint8_t)~(1u << i % 8);
        ids[i] = 0;
    }
}

void pya_ids_renumber(uint32_t *ids, uint64_t rows, const uint32_t *map)
{
    for (uint64_t i = 0; i < rows; i++)
        if (ids[i] != PYA_ID_NULL)
            ids[i] = map[ids[i]];
}
