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

void mixed_start(struct mixed_rows *mixed, const pya_image *image, struct pya_scratch *scratch,
                 const uint8_t *readable)
{
    mixed->image = image;
    mixed->scratch = scratch;
    mixed->readable = readable;
    memset(mixed->kind_of_length, KIND_OTHER, sizeof mixed->kind_of_length);
    for (unsigned bus = 0; bus < TABLE_BUSES; bus++)
        if (table_answers(image, bus))
            mixed->kind_of_length[kinds[bus].length] = (uint8_t)bus;
    if (table_answers(image, BUS_USB) && image->usb.short_unknown)
        mixed->kind_of_length[USB_SHORT_LENGTH] = KIND_USB_SHORT;
    memset(mixed->waiting, 0, sizeof mixed->waiting);
}

/* ---- blocks ----------------------------------------------------------------------------------- */

static bool answer_others(struct mixed_rows *mixed)
{
    unsigned count = mixed->waiting[KIND_OTHER];
    struct row rows[ROWS_BLOCK] = {{0}};
    uint32_t found[ROWS_BLOCK];

    for (unsigned i = 0; i < count; i++)
        rows[i] = (struct row){mixed->text[KIND_OTHER][i], mixed->length[KIND_OTHER][i]};
    if (!match_rows(mixed->image, mixed->scratch, rows, count, found))
        return false;
    for (unsigned i = 0; i < count; i++)
        *mixed->id[KIND_OTHER][i] = found[i];
    mixed->waiting[KIND_OTHER] = 0;
    return true;
}

/* Variants read beyond a row: whether nobody may. */
static bool is_last(const struct mixed_rows *mixed, const uint8_t *text)
{
    return mixed->readable == NULL || (uintptr_t)mixed->readable - (uintptr_t)text < MIXED_READ;
}

/* Copies those of a bus's rows behind which nothing may be read. */
static void copy_last(const struct mixed_rows *mixed, unsigned bus, uint8_t copies[PCI_BLOCK][MIXED_READ],
                      const uint8_t **at)
{
    for (unsigned i = 0; i < mixed->waiting[bus]; i++) {
        if (!is_last(mixed, mixed->text[bus][i]))
            continue;
        memcpy(copies[i], mixed->text[bus][i], kinds[bus].length);
        at[i] = copies[i] + kinds[bus].before;
    }
}

/* A row that a variant refused waits for others that no table knows; but what several rows of the usb
 * table answer is remembered, and asked for at once. */
static bool answer_refused(struct mixed_rows *mixed, unsigned bus, unsigned place)
{
    const uint8_t *text = mixed->text[bus][place];
    unsigned length = kinds[bus].length, other = mixed->waiting[KIND_OTHER];

    if (bus == BUS_USB && parse_fields(text, length).bus == BUS_USB)
        return match_one(mixed->image, mixed->scratch, bus, text, length, mixed->id[bus][place]);
    mixed->text[KIND_OTHER][other] = text;
    mixed->length[KIND_OTHER][other] = length;
    mixed->id[KIND_OTHER][other] = mixed->id[bus][place];
    mixed->waiting[KIND_OTHER] = other + 1;
    return other < PCI_BLOCK - 1 || answer_others(mixed);
}

static bool answer_by_table(struct mixed_rows *mixed, unsigned bus)
{
    unsigned count = mixed->waiting[bus];
    uint8_t copies[PCI_BLOCK][MIXED_READ];
    const uint8_t *at[PCI_BLOCK];
    uint32_t found[PCI_BLOCK];
    uint64_t refused;
    bool last = false;

    for (unsigned i = 0; i < count; i++) {
        at[i] = mixed->text[bus][i] + kinds[bus].before;
        last |= is_last(mixed, mixed->text[bus][i]);
    }
    if (last)
        copy_last(mixed, bus, copies, at);
    for (unsigned i = count; i < PCI_BLOCK; i++)
        at[i] = at[0];
    refused = match_listed(mixed->image, mixed->scratch, bus, at, found);
    for (unsigned i = 0; i < count; i++)
        *mixed->id[bus][i] = found[i];
    for (refused &= ~0ull >> (PCI_BLOCK - count); refused != 0; refused &= refused - 1)
        if (!answer_refused(mixed, bus, (unsigned)__builtin_ctzll(refused)))
            return false;
    return true;
}

/* Keys without the interface's number, which no pattern matches, if it is only that which they lack. */
static bool answer_short_usb(struct mixed_rows *mixed)
{
    for (unsigned i = 0; i < mixed->waiting[KIND_USB_SHORT]; i++) {
        struct row row = {mixed->text[KIND_USB_SHORT][i], USB_SHORT_LENGTH};
        uint32_t *id = mixed->id[KIND_USB_SHORT][i];
        *id = 0;
        if (!is_short_usb_key(row.text) && !match_rows(mixed->image, mixed->scratch, &row, 1, id))
            return false;
    }
    return true;
}

static bool answer_waiting(struct mixed_rows *mixed, unsigned kind)
{
    bool done = kind == KIND_OTHER       ? answer_others(mixed)
                : kind == KIND_USB_SHORT ? answer_short_usb(mixed)
                                         : answer_by_table(mixed, kind);

    mixed->waiting[kind] = 0;
    return done;
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* Without a branch that depends on the row. */
static inline unsigned kind_of_row(const struct mixed_rows *mixed, const uint8_t *text, size_t length)
{
    unsigned kind = mixed->kind_of_length[length < LONGEST_OF_TABLES ? length : LONGEST_OF_TABLES];
    const uint8_t *start = kind == KIND_OTHER ? (const uint8_t *)kinds[KIND_OTHER].start : text;

    return memcmp(start, kinds[kind].start, 4) == 0 ? kind : KIND_OTHER;
}

static inline bool add_row(struct mixed_rows *mixed, const uint8_t *text, size_t length, uint32_t *id)
{
    unsigned kind = kind_of_row(mixed, text, length), place = mixed->waiting[kind];

    mixed->text[kind][place] = text;
    mixed->length[kind][place] = length;
    mixed->id[kind][place] = id;
    mixed->waiting[kind] = place + 1;
    return place < PCI_BLOCK - 1 || answer_waiting(mixed, kind);
}

bool mixed_add(struct mixed_rows *mixed, const struct row *rows, size_t count, uint32_t *ids)
{
    for (size_t i = 0; i < count; i++)
        if (!add_row(mixed, rows[i].text, rows[i].length, &ids[i]))
            return false;
    return true;
}

bool mixed_add_text(struct mixed_rows *mixed, const uint8_t *text, const uint64_t *ends, size_t count,
                    uint32_t *ids)
{
    uint64_t start = 0;

    for (size_t i = 0; i < count; i++) {
        if (!add_row(mixed, text + start, (size_t)(ends[i] - start), &ids[i]))
            return false;
        start = ends[i] + 1;
    }
    return true;
}

/* Others come last: refused rows become some. */
bool mixed_finish(struct mixed_rows *mixed)
{
    for (unsigned kind = 0; kind < ROW_KINDS; kind++)
        if (mixed->waiting[kind] > 0 && !answer_waiting(mixed, kind))
            return false;
    return true;
}
