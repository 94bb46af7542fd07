/*
 * Rows of usb text by vectors of 16 bytes (bytes16.h). An includer says what to call the function:
 * USB_FUNCTION.
 */
struct usb_shape {
    bytes16 text[4], different[4], bad_digits;
};

static const uint8_t usb_form_at[4] = {0, 16, 32, 34};

/* The packed words of a row. */
TARGET_INLINE numbers4 read_usb_row(const uint8_t *row, struct usb_shape *shape)
{
    /* product, vendor, then device subclass, device class, bcdDevice; each lower byte first */
    const bytes16 ids = {7, 8, 5, 6, 2, 3, 0, 1, ZERO, ZERO, ZERO, ZERO, 12, 13, 10, 11};
    const bytes16 device = {ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO,
                            9,    10,   4,    5,    ZERO, ZERO, ZERO, ZERO};
    /* protocol, subclass, class of the interface, device protocol, then the interface's number */
    const bytes16 classes = {13, 14, 9, 10, 4, 5, 0, 1, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO};
    const bytes16 number = {ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, 14, 15, 14, 15, 14, 15, 14, 15};
    bytes16 low, high;
    numbers4 words;

    fetch_ahead(row);
#pragma GCC unroll 4
    for (unsigned j = 0; j < 4; j++)
        shape->different[j] |= load16(row + usb_form_at[j]) ^ shape->text[j];
    low = values_of(pick(load16(row + 5), ids) | pick(load16(row + 17), device), &shape->bad_digits);
    high = values_of(pick(load16(row + 30), classes) | pick(load16(row + 33), number), &shape->bad_digits);
    words = (numbers4)narrow(join(low), join(high));
    return words;
}

TARGET_INLINE void read_four_usb_rows(const struct text_rows *rows, size_t index, bool listed,
                                      struct usb_shape *shape, struct usb_block *block, unsigned i)
{
    numbers4 a = read_usb_row(row_of(rows, index, listed), shape);
    numbers4 b = read_usb_row(row_of(rows, index + 1, listed), shape);
    numbers4 c = read_usb_row(row_of(rows, index + 2, listed), shape);
    numbers4 d = read_usb_row(row_of(rows, index + 3, listed), shape);
    numbers4 low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5),
             low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    numbers4 high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    numbers4 high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    numbers4 words[4] = {__builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5),
                         __builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7),
                         __builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5),
                         __builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7) & 0xFF};

    for (unsigned w = 0; w < 4; w++)
        memcpy(block->words[w] + i, &words[w], sizeof words[w]);
}

TARGET_INLINE bool read_usb_rows(const struct usb_table *table, const struct text_rows *rows, size_t index,
                                 bool listed, struct usb_block *block)
{
    struct usb_shape shape;
    bytes16 bad;

    memset(&shape, 0, sizeof shape);
    for (unsigned j = 0; j < 4; j++)
        shape.text[j] = load16(rows->form->text + usb_form_at[j]);
    for (unsigned i = 0; i < PCI_BLOCK; i += 4)
        read_four_usb_rows(rows, index + i, listed, &shape, block, i);
    find_class_rows(table, block);
    bad = shape.bad_digits;
    for (unsigned j = 0; j < 4; j++)
        bad |= shape.different[j] & load16(rows->form->mask + usb_form_at[j]);
    return any_bit(bad);
}

TARGET size_t USB_FUNCTION(const struct usb_table *table, const struct usb_memory *memory,
                           const struct text_rows *rows, size_t blocks, uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return usb_to_ids(table, memory, rows, blocks, ids, refused, true, read_usb_rows, plain_looks);
    return usb_to_ids(table, memory, rows, blocks, ids, refused, false, read_usb_rows, plain_looks);
}
