/*
 * Rows of pci text by vectors of 16 bytes (bytes16.h). An includer says how nodes are marked: MARK_NODES.
 */
/* What a block's rows have in common, and what was wrong with them. */
struct shape {
    bytes16 text[4], different[4], bad_digits;
};

static const uint8_t form_at[4] = {0, 16, 32, 38};

/* Two rows' ids to key, sub, key, sub; the last 16 bytes of each, where the class is, to *last. */
TARGET_INLINE numbers4 read_two_rows(const uint8_t *first, const uint8_t *second, struct shape *shape,
                                     bytes16 last[2])
{
    const bytes16 keys = {14, 15, 12, 13, 5, 6, 3, 4, EIGHT_ZEROS};
    const bytes16 subs = {EIGHT_ZEROS, 12, 13, 10, 11, 2, 3, 0, 1};
    const uint8_t *rows[2] = {first, second};
    bytes16 values[2];

#pragma GCC unroll 2
    for (unsigned i = 0; i < 2; i++) {
        fetch_ahead(rows[i]);
        last[i] = load16(rows[i] + 38);
#pragma GCC unroll 4
        for (unsigned j = 0; j < 4; j++)
            shape->different[j] |= load16(rows[i] + form_at[j]) ^ shape->text[j];
        values[i] =
            values_of(pick(load16(rows[i] + 6), keys) | pick(load16(rows[i] + 28), subs), &shape->bad_digits);
    }
    return (numbers4)narrow(join(values[0]), join(values[1]));
}

TARGET_INLINE void read_four_rows(const struct text_rows *rows, size_t index, bool listed,
                                  struct shape *shape, struct pci_block *block, uint32_t *sub, unsigned i)
{
    const bytes16 first_class = {13, 14, 10, 11, 6, 7, 13, 14, EIGHT_ZEROS};
    const bytes16 second_class = {EIGHT_ZEROS, 13, 14, 10, 11, 6, 7, 13, 14};
    const uint8_t *row[4] = {row_of(rows, index, listed), row_of(rows, index + 1, listed),
                             row_of(rows, index + 2, listed), row_of(rows, index + 3, listed)};
    bytes16 last[4], low_class, high_class;
    numbers4 low = read_two_rows(row[0], row[1], shape, last);
    numbers4 high = read_two_rows(row[2], row[3], shape, last + 2), key, subs, class_code;

    key = __builtin_shufflevector(low, high, 0, 2, 4, 6);
    subs = __builtin_shufflevector(low, high, 1, 3, 5, 7);
    low_class = values_of(pick(last[0], first_class) | pick(last[1], second_class), &shape->bad_digits);
    high_class = values_of(pick(last[2], first_class) | pick(last[3], second_class), &shape->bad_digits);
    class_code = (numbers4)narrow(join(low_class), join(high_class));
    memcpy(block->key + i, &key, sizeof key);
    memcpy(sub + i, &subs, sizeof subs);
    memcpy(block->class_code + i, &class_code, sizeof class_code);
}

TARGET_INLINE bool read_block(const struct text_rows *rows, size_t index, bool listed,
                              struct pci_block *block, uint32_t *sub)
{
    struct shape shape;
    bytes16 bad;

    memset(&shape, 0, sizeof shape);
    for (unsigned j = 0; j < 4; j++)
        shape.text[j] = load16(rows->form->text + form_at[j]);
    for (unsigned i = 0; i < PCI_BLOCK; i += 4)
        read_four_rows(rows, index + i, listed, &shape, block, sub, i);
    bad = shape.bad_digits;
    for (unsigned j = 0; j < 4; j++)
        bad |= shape.different[j] & load16(rows->form->mask + form_at[j]);
    return any_bit(bad);
}

TARGET static size_t match_text(const struct pci_table *table, const struct text_rows *rows, size_t blocks,
                                uint32_t *ids, uint64_t *refused)
{
    if (rows->at != NULL)
        return text_to_ids(table, rows, blocks, ids, refused, true, read_block, MARK_NODES);
    return text_to_ids(table, rows, blocks, ids, refused, false, read_block, MARK_NODES);
}

TARGET static size_t match_numbers(const struct pci_table *table, const struct pci_numbers *numbers,
                                   size_t blocks, uint32_t *ids, uint64_t *refused)
{
    return numbers_to_ids(table, numbers, blocks, ids, refused, MARK_NODES);
}
