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
static bool match_open(const pya_image *image, struct pya_scratch *scratch, const struct open_rows *open)
{
    struct fields fields[ROWS_BLOCK];

    for (unsigned i = 0; i < open->count; i++) {
        const struct row *row = &open->rows[open->index[i]];
        fields[i] = parse_fields(row->text, row->length);
        if (fields[i].bus >= 0)
            prefetch_fields(image, &fields[i]);
    }
    for (unsigned i = 0; i < open->count; i++) {
        const struct row *row = &open->rows[open->index[i]];
        uint32_t *id = &open->ids[open->index[i]];
        int code = find_parsed_answer(image, scratch, &fields[i], row->text, row->length, id);
        if (!settle_code(scratch, code, id))
            return false;
    }
    return true;
}

/* All but null rows. */
static void open_all(const struct row *rows, unsigned count, uint32_t *ids, struct open_rows *open)
{
    *open = (struct open_rows){.rows = rows, .ids = ids};
    for (unsigned i = 0; i < count; i++) {
        ids[i] = PYA_ID_NULL;
        open->index[open->count] = (uint8_t)i;
        open->count += rows[i].text != NULL;
    }
}

bool match_rows(const pya_image *image, struct pya_scratch *scratch, const struct row *rows, unsigned count,
                uint32_t *ids)
{
    struct open_rows open;
    uint64_t hashes[ROWS_BLOCK];

    open_all(rows, count, ids, &open);
    if (!repeats_awake(&scratch->repeats, count))
        return match_open(image, scratch, &open);
    repeats_answer(&scratch->repeats, &open, hashes);
    if (!match_open(image, scratch, &open))
        return false;
    repeats_add(&scratch->repeats, &open, hashes);
    return true;
}
