#include "pci_column.h"

#include "error.h"
#include "lookup.h"

/* The form of the rows of a bus (bus.h) from their last prefix on, and what ends them. */
static struct row_form form_of_rows(unsigned bus, int separator)
{
    static const char pci[] = "pci:v0000....d0000....sv0000....sd0000....bc..sc..i..";
    static const char usb[] = "usb:v....p....d....dc..dsc..dp..ic..isc..ip..in..";
    const char *text = bus == BUS_USB ? usb : pci;
    struct row_form form = {.length = length_of_rows(bus)};

    for (unsigned i = 0; i < form.length; i++) {
        form.text[i] = (uint8_t)text[i];
        form.mask[i] = text[i] == '.' ? 0 : 0xFF;
        form.digits[i] = (uint8_t)~form.mask[i];
    }
    if (separator >= 0) {
        form.text[form.length] = (uint8_t)separator;
        form.mask[form.length] = 0xFF;
    }
    return form;
}

/* Names this long leave no answer out (lookup.c). */
bool table_answers(const pya_image *image, unsigned bus)
{
    bool present = bus == BUS_USB ? image->usb.present : image->pci[bus].present;

    return present && buses[bus].key_length + image->longest_module + 2 <= NAME_ROOM;
}

static size_t match_by_variant(const pya_image *image, struct pya_scratch *scratch, unsigned bus,
                               const struct text_rows *rows, size_t blocks, uint32_t *ids, uint64_t *refused)
{
    if (bus == BUS_USB)
        return scratch->variant->usb(&image->usb, &scratch->usb_memory, rows, blocks, ids, refused);
    return scratch->variant->text(&image->pci[bus], rows, blocks, ids, refused);
}

bool match_one(const pya_image *image, struct pya_scratch *scratch, unsigned bus, const uint8_t *text,
               size_t length, uint32_t *id)
{
    struct row row = {text, length};
    struct usb_rows rows = {0};
    bool found = false;

    if (bus == BUS_USB) {
        struct fields fields = parse_fields(text, length);
        found = fields.bus == BUS_USB && usb_find_rows(&image->usb, fields.words, &rows);
        if (found && usb_recall(&scratch->usb_memory, usb_rows_key(&rows), id))
            return true;
    }
    if (!match_rows(image, scratch, &row, 1, id))
        return false;
    if (found)
        usb_remember(&scratch->usb_memory, usb_rows_key(&rows), *id);
    return true;
}

uint64_t match_listed(const pya_image *image, struct pya_scratch *scratch, unsigned bus,
                      const uint8_t *const at[PCI_BLOCK], uint32_t *ids)
{
    struct row_form form = form_of_rows(bus, -1);
    struct text_rows rows = {.at = at, .form = &form};
    uint64_t refused;

    match_by_variant(image, scratch, bus, &rows, 1, ids, &refused);
    return refused;
}

/* ---- rows of one length ----------------------------------------------------------------------- */

/* Rows of one bus that lie `stride` bytes apart. */
struct strided {
    unsigned bus, length;
    size_t stride;
    int separator; /* negative: none */
    struct row_form form;
};

/* Settles the refused rows of a block by the generic matcher: how many rows of the block are answered,
 * up to the first that is of another length; -1 when out of memory. */
static int settle_refused(const pya_image *image, struct pya_scratch *scratch, const struct strided *strided,
                          const uint8_t *block, uint64_t refused, uint32_t *ids)
{
    for (; refused != 0; refused &= refused - 1) {
        int i = __builtin_ctzll(refused);
        const uint8_t *row = block + (size_t)i * strided->stride;
        if (strided->separator >= 0 && (row[strided->length] != strided->separator ||
                                        memchr(row, strided->separator, strided->length) != NULL))
            return i;
        if (!match_one(image, scratch, strided->bus, row, strided->length, &ids[i]))
            return -1;
    }
    return PCI_BLOCK;
}

/* As many blocks as a variant takes at once; returns the rows answered, less than it was given where
 * one is of another length; -1 when out of memory. */
static int64_t match_blocks(const pya_image *image, struct pya_scratch *scratch,
                            const struct strided *strided, const uint8_t *first, size_t blocks, uint32_t *ids)
{
    struct text_rows rows = {first, strided->stride, NULL, &strided->form};
    uint64_t refused[MOST_BLOCKS];
    size_t done = match_by_variant(image, scratch, strided->bus, &rows, blocks, ids, refused);

    for (size_t b = 0; b < done; b++) {
        int settled = refused[b] == 0
                          ? PCI_BLOCK
                          : settle_refused(image, scratch, strided, first + b * PCI_BLOCK * strided->stride,
                                           refused[b], ids + b * PCI_BLOCK);
        if (settled < PCI_BLOCK)
            return settled < 0 ? -1 : (int64_t)(b * PCI_BLOCK) + settled;
    }
    return (int64_t)(done * PCI_BLOCK);
}

int64_t match_strided(const pya_image *image, struct pya_scratch *scratch, unsigned length,
                      const uint8_t *first, int separator, uint64_t rows, const uint8_t *readable,
                      uint32_t *ids)
{
    unsigned bus = length == USB_LENGTH ? BUS_USB : BUS_PCI;
    struct strided strided = {bus, length, length + (separator >= 0), separator,
                              form_of_rows(bus, separator)};
    size_t room = (size_t)(readable - first), done = 0, blocks = (size_t)(rows / PCI_BLOCK);
    size_t fit = room < PCI_READ ? 0 : (room - PCI_READ) / strided.stride + 1;

    if (!table_answers(image, bus))
        return 0;
    blocks = fit / PCI_BLOCK < blocks ? fit / PCI_BLOCK : blocks;
    while (done < blocks * PCI_BLOCK) {
        size_t left = blocks - done / PCI_BLOCK;
        int64_t answered = match_blocks(image, scratch, &strided, first + done * strided.stride,
                                        left < MOST_BLOCKS ? left : MOST_BLOCKS, ids + done);
        if (answered < 0)
            return -1;
        done += (size_t)answered;
        if (answered % PCI_BLOCK != 0 || answered == 0)
            break;
    }
    return (int64_t)done;
}

unsigned text_stride(const uint8_t *text, size_t size, uint8_t separator)
{
    static const uint8_t lengths[] = {PCI_LENGTH, USB_LENGTH};

    for (unsigned l = 0; l < sizeof lengths; l++) {
        size_t length = lengths[l], row = 0;
        while (row < PCI_BLOCK && size > row * (length + 1) + length &&
               text[row * (length + 1) + length] == separator)
            row++;
        if (row == PCI_BLOCK)
            return (unsigned)length;
    }
    return 0;
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static int match_number_row(const pya_image *image, struct pya_scratch *scratch,
                            const struct pci_numbers *numbers, uint64_t i, uint32_t *id, pya_error *error)
{
    struct fields fields = {BUS_PCI,
                            {numbers->vendor[i], numbers->device[i], numbers->subvendor[i],
                             numbers->subdevice[i], numbers->class_code[i]}};
    int code;

    if (numbers->class_code[i] > 0xFFFFFF)
        return fail(error, PYA_ECOLUMN, i, "class %08X of row %llu has more than 24 bits",
                    numbers->class_code[i], (unsigned long long)i);
    print_fields(&fields, scratch->pci_text);
    code = find_parsed_answer(image, scratch, &fields, scratch->pci_text, buses[BUS_PCI].key_length, id);
    if (!settle_code(scratch, code, id))
        return fail(error, PYA_ENOMEM, i, "out of memory at row %llu", (unsigned long long)i);
    return PYA_OK;
}

/* Rows one by one: all from `from` on up to `to`, or of these only the refused. */
static int match_number_rows(const pya_image *image, struct pya_scratch *scratch,
                             const struct pci_numbers *numbers, uint64_t from, uint64_t to, uint64_t refused,
                             uint32_t *ids, pya_error *error)
{
    for (uint64_t i = from; i < to; i++, refused >>= 1) {
        int code = refused & 1 ? match_number_row(image, scratch, numbers, i, &ids[i], error) : PYA_OK;
        if (code != PYA_OK)
            return code;
    }
    return PYA_OK;
}

int match_numbers(const pya_image *image, struct pya_scratch *scratch, const struct pci_numbers *numbers,
                  uint64_t rows, uint32_t *ids, pya_error *error)
{
    uint64_t done = 0, blocks = table_answers(image, BUS_PCI) ? rows / PCI_BLOCK : 0;

    while (done < blocks * PCI_BLOCK) {
        struct pci_numbers rest = {numbers->vendor + done, numbers->device + done, numbers->subvendor + done,
                                   numbers->subdevice + done, numbers->class_code + done};
        size_t left = (size_t)(blocks - done / PCI_BLOCK), now;
        uint64_t refused[MOST_BLOCKS];
        now = scratch->variant->numbers(&image->pci[BUS_PCI], &rest, left < MOST_BLOCKS ? left : MOST_BLOCKS,
                                        ids + done, refused);
        for (size_t b = 0; b < now; b++, done += PCI_BLOCK) {
            int code = refused[b] == 0 ? PYA_OK
                                       : match_number_rows(image, scratch, numbers, done, done + PCI_BLOCK,
                                                           refused[b], ids, error);
            if (code != PYA_OK)
                return code;
        }
    }
    for (; done < rows; done += PCI_BLOCK) {
        uint64_t to = rows - done < PCI_BLOCK ? rows : done + PCI_BLOCK;
        int code = match_number_rows(image, scratch, numbers, done, to, ~0ull, ids, error);
        if (code != PYA_OK)
            return code;
    }
    return PYA_OK;
}
