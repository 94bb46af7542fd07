#include "rows.h"

#include "lookup.h"

bool settle_code(struct pya_scratch *scratch, int code, uint32_t *id)
{
    uint32_t combination;

    switch (code) {
    case PYA_OK:
        return true;
    case PYA_SEVERAL:
        combination =
            intern(&scratch->combinations, scratch->lines, scratch->line_count * sizeof *scratch->lines);
        *id = PYA_ID_COMBINATION | combination;
        return *id < PYA_ID_NULL;
    case PYA_EINVAL:
    case PYA_ETOOLONG:
        *id = PYA_ID_INVALID;
        return true;
    default:
        return false;
    }
}

/* While the fields of a block's rows are read, the entries that the first of them will need travel to
 * the cache. Without this a quarter of the time is spent waiting for them. */
bool match_rows(const pya_image *image, struct pya_scratch *scratch, const struct row *rows, unsigned count,
                uint32_t *ids)
{
    struct fields fields[ROWS_BLOCK];

    for (unsigned i = 0; i < count; i++) {
        if (rows[i].text == NULL)
            continue;
        fields[i] = parse_fields(rows[i].text, rows[i].length);
        if (fields[i].bus >= 0)
            prefetch_fields(image, &fields[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        int code;
        ids[i] = PYA_ID_NULL;
        if (rows[i].text == NULL)
            continue;
        code = find_parsed_answer(image, scratch, &fields[i], rows[i].text, rows[i].length, &ids[i]);
        if (!settle_code(scratch, code, &ids[i]))
            return false;
    }
    return true;
}
