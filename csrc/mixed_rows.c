#include "mixed_rows.h"

#include "lookup.h"

/* How rows of a kind start; and how many bytes the table's form leaves out. */
static const struct {
    char start[4];
    uint8_t length, before;
} kinds[ROW_KINDS] = {
    [BUS_PCI] = {"pci:", PCI_LENGTH, 0},
    [BUS_VFIO_PCI] = {"vfio", VFIO_PCI_LENGTH, VFIO_PCI_LENGTH - PCI_LENGTH},
    [BUS_USB] = {"usb:", USB_LENGTH, 0},
    [KIND_USB_SHORT] = {"usb:", USB_SHORT_LENGTH, 0},
};

void mixed_start(struct mixed_rows *mixed, const pya_image *image, struct pya_scratch *scratch)
{
    mixed->image = image;
    mixed->scratch = scratch;
    memset(mixed->kind_of_length, KIND_OTHER, sizeof mixed->kind_of_length);
    for (unsigned bus = 0; bus < TABLE_BUSES; bus++)
        if (table_answers(image, bus))
            mixed->kind_of_length[kinds[bus].length] = (uint8_t)bus;
    if (table_answers(image, BUS_USB) && image->usb.short_unknown)
        mixed->kind_of_length[USB_SHORT_LENGTH] = KIND_USB_SHORT;
    for (unsigned kind = 0; kind < ROW_KINDS; kind++)
        mixed->waiting[kind].count = 0;
}

/* ---- blocks ----------------------------------------------------------------------------------- */

static bool answer_by_table(struct mixed_rows *mixed, unsigned bus)
{
    struct waiting_rows *waiting = &mixed->waiting[bus];
    unsigned count = waiting->count, before = kinds[bus].before;
    const uint8_t *at[PCI_BLOCK];
    uint32_t found[PCI_BLOCK];
    uint64_t refused;

    for (unsigned i = 0; i < PCI_BLOCK; i++)
        at[i] = waiting->text[i < count ? i : 0] + before;
    refused = match_listed(mixed->image, mixed->scratch, bus, at, found);
    for (unsigned i = 0; i < count; i++)
        *waiting->id[i] = found[i];
    refused &= ~0ull >> (PCI_BLOCK - count);
    for (; refused != 0; refused &= refused - 1) {
        unsigned i = (unsigned)__builtin_ctzll(refused);
        if (!match_one(mixed->image, mixed->scratch, bus, waiting->text[i], kinds[bus].length,
                       waiting->id[i]))
            return false;
    }
    return true;
}

/* Keys without the interface's number, which no pattern matches, if it is only that which they lack. */
static bool answer_short_usb(struct mixed_rows *mixed)
{
    struct waiting_rows *waiting = &mixed->waiting[KIND_USB_SHORT];

    for (unsigned i = 0; i < waiting->count; i++) {
        struct row row = {waiting->text[i], USB_SHORT_LENGTH};
        *waiting->id[i] = 0;
        if (!is_short_usb_key(row.text) && !match_rows(mixed->image, mixed->scratch, &row, 1, waiting->id[i]))
            return false;
    }
    return true;
}

static bool answer_others(struct mixed_rows *mixed)
{
    struct waiting_rows *waiting = &mixed->waiting[KIND_OTHER];
    struct row rows[ROWS_BLOCK];
    uint32_t found[ROWS_BLOCK];

    for (unsigned i = 0; i < waiting->count; i++)
        rows[i] = (struct row){waiting->text[i], waiting->length[i]};
    if (!match_rows(mixed->image, mixed->scratch, rows, waiting->count, found))
        return false;
    for (unsigned i = 0; i < waiting->count; i++)
        *waiting->id[i] = found[i];
    return true;
}

static bool answer_waiting(struct mixed_rows *mixed, unsigned kind)
{
    bool done = kind == KIND_OTHER       ? answer_others(mixed)
                : kind == KIND_USB_SHORT ? answer_short_usb(mixed)
                                         : answer_by_table(mixed, kind);

    mixed->waiting[kind].count = 0;
    return done;
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* Without branches that depend on the row. */
static unsigned kind_of_row(const struct mixed_rows *mixed, const struct row *row)
{
    size_t length = row->length < LONGEST_OF_TABLES ? row->length : LONGEST_OF_TABLES;
    unsigned kind = mixed->kind_of_length[length];
    const uint8_t *start = kind == KIND_OTHER ? (const uint8_t *)kinds[KIND_OTHER].start : row->text;

    return memcmp(start, kinds[kind].start, 4) == 0 ? kind : KIND_OTHER;
}

/* Variants read beyond a row. */
static void copy_waiting(struct mixed_rows *mixed, unsigned kind, unsigned place)
{
    struct waiting_rows *waiting = &mixed->waiting[kind];
    uint8_t *copy = mixed->copies[kind][place];

    memcpy(copy, waiting->text[place], kinds[kind].length);
    waiting->text[place] = copy;
}

bool mixed_add(struct mixed_rows *mixed, const struct row *rows, size_t count, const uint8_t *readable,
               uint32_t *ids)
{
    for (size_t i = 0; i < count; i++) {
        unsigned kind = kind_of_row(mixed, &rows[i]), place = mixed->waiting[kind].count++;
        struct waiting_rows *waiting = &mixed->waiting[kind];
        waiting->text[place] = rows[i].text;
        waiting->length[place] = rows[i].length;
        waiting->id[place] = &ids[i];
        if ((readable == NULL || (uintptr_t)readable - (uintptr_t)rows[i].text < MIXED_READ) &&
            kind < TABLE_BUSES)
            copy_waiting(mixed, kind, place);
        if (place == PCI_BLOCK - 1 && !answer_waiting(mixed, kind))
            return false;
    }
    return true;
}

bool mixed_finish(struct mixed_rows *mixed)
{
    for (unsigned kind = 0; kind < ROW_KINDS; kind++)
        if (mixed->waiting[kind].count > 0 && !answer_waiting(mixed, kind))
            return false;
    return true;
}
