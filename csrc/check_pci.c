/*
 * The check of the pci tables at open. It costs as much as reading them, and is what lets a column's
 * ids be followed through them without a comparison.
 */
#include "check_parts.h"

static int table_damaged(pya_error *error, uint32_t bus, const char *what)
{
    return fail(error, PYA_EIMAGE, bus, "damaged: %s (section %d, table %u)", what, SECTION_PCI, bus);
}

CHECK bool nodes_fit(const struct pci_table *table)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < table->nodes; i++)
        bad |= not_below(load_u32(table->nodes_at + (size_t)i * 8 + 4), table->rows);
    return !is_bad(bad);
}

CHECK bool entries_fit(const struct pci_table *table)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < 1u << table->sub_slot_bits; i++)
        bad |= not_below(load_u32(table->sub_entries + (size_t)i * 8 + 4) >> 16, table->rows);
    return !is_bad(bad);
}

CHECK bool vendors_fit(const struct pci_table *table)
{
    for (unsigned i = 0; i < PCI_VENDORS; i++)
        if ((table->vendor_rows[i] & 0xFFFF) >= table->rows)
            return false;
    return true;
}

/* Reads the numbers of a table; false where its parts have no place. */
CHECK bool place_table(const pya_image *image, const uint32_t word[PCI_TABLE_WORDS], struct pci_table *table)
{
    if (!bits_fit(word[PCI_SLOT_BITS], word[PCI_BUCKET_BITS]) ||
        !bits_fit(word[PCI_SUB_SLOT_BITS], word[PCI_SUB_BUCKET_BITS]) || word[PCI_ROWS] == 0 ||
        word[PCI_ROWS] > 0x10000 || word[PCI_CLASSES] == 0 || word[PCI_CLASSES] > 256 ||
        word[PCI_NODES] > PCI_NODE)
        return false;
    *table = (struct pci_table){
        .present = true,
        .multiplier = word[PCI_MULTIPLIER],
        .slot_bits = word[PCI_SLOT_BITS],
        .bucket_mask = (1u << word[PCI_BUCKET_BITS]) - 1,
        .tag_mask = (1u << (32 - word[PCI_SLOT_BITS])) - 1,
        .rows = word[PCI_ROWS],
        .classes = word[PCI_CLASSES],
        .nodes = word[PCI_NODES],
        .sub_multiplier = word[PCI_SUB_MULTIPLIER],
        .sub_slot_bits = word[PCI_SUB_SLOT_BITS],
        .sub_bucket_mask = (1u << word[PCI_SUB_BUCKET_BITS]) - 1,
        .vendor_multiplier = word[PCI_VENDOR_MULTIPLIER],
        .displacements =
            part_of(image, SECTION_PCI, word[PCI_AT_DISPLACEMENTS], 1u << word[PCI_BUCKET_BITS], 2),
        .slots = part_of(image, SECTION_PCI, word[PCI_AT_SLOTS], 1u << word[PCI_SLOT_BITS], 4),
        .cells =
            part_of(image, SECTION_PCI, word[PCI_AT_CELLS], (uint64_t)word[PCI_ROWS] * word[PCI_CLASSES], 2),
        .nodes_at = part_of(image, SECTION_PCI, word[PCI_AT_NODES], word[PCI_NODES], 8),
        .sub_displacements =
            part_of(image, SECTION_PCI, word[PCI_AT_SUB_DISPLACEMENTS], 1u << word[PCI_SUB_BUCKET_BITS], 2),
        .sub_entries =
            part_of(image, SECTION_PCI, word[PCI_AT_SUB_ENTRIES], 1u << word[PCI_SUB_SLOT_BITS], 8),
        .class_tables = part_of(image, SECTION_PCI, word[PCI_AT_CLASS_TABLES], 1, CLASS_TABLES_SIZE),
    };
    memcpy(table->rare, word + PCI_RARE, sizeof table->rare);
    memcpy(table->vendor_rows, word + PCI_VENDOR_ROWS, sizeof table->vendor_rows);
    return table->displacements && table->slots && table->cells && table->nodes_at &&
           table->sub_displacements && table->sub_entries && table->class_tables;
}

CHECK int open_table(pya_image *image, uint32_t bus, pya_error *error)
{
    struct pci_table *table = &image->pci[bus];
    uint32_t word[PCI_TABLE_WORDS];
    bool rows_fit, answers_fit;

    for (unsigned i = 0; i < PCI_TABLE_WORDS; i++)
        word[i] = load_u32(image->section[SECTION_PCI] + ((size_t)bus * PCI_TABLE_WORDS + i) * 4);
    if (word[PCI_PRESENT] == 0)
        return PYA_OK;
    if (!place_table(image, word, table))
        return table_damaged(error, bus, "a pci table lies outside");
    /* All of it in any case: what comes behind branches is not made vector code of. */
    rows_fit = bits_below_u16(table->displacements, table->bucket_mask + 1, table->slot_bits);
    rows_fit &= slots_fit(table->slots, table->slot_bits, table->rows);
    rows_fit &= bits_below_u16(table->sub_displacements, table->sub_bucket_mask + 1, table->sub_slot_bits);
    rows_fit &= entries_fit(table);
    rows_fit &= nodes_fit(table);
    rows_fit &= vendors_fit(table);
    answers_fit = class_ids_fit(table->class_tables, table->classes);
    answers_fit &=
        cells_fit(table->cells, table->rows * table->classes, image->count[SECTION_ANSWERS], table->nodes);
    if (!rows_fit)
        return table_damaged(error, bus, "a pci table names no row");
    if (!answers_fit)
        return table_damaged(error, bus, "a pci table names no answer");
    return PYA_OK;
}

CHECK int look_at_pci_tables(pya_image *image, pya_error *error)
{
    if (image->size[SECTION_PCI] < PCI_BUSES * PCI_TABLE_WORDS * 4)
        return table_damaged(error, 0, "there are no pci tables");
    for (uint32_t bus = 0; bus < PCI_BUSES; bus++) {
        int code = open_table(image, bus, error);
        if (code != PYA_OK)
            return code;
    }
    return PYA_OK;
}

CHECK_BY_CPU(open_pci_tables, look_at_pci_tables)
