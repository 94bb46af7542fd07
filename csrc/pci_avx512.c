/*
 * The variant for AVX-512 with byte permutes (VBMI): Ice Lake, Zen 4 and later.
 *
 * A row fits one vector. Two rows' digits are gathered by one permute and turned into numbers by a
 * second, whose table gives for each character its value and the upper half that it must have: what
 * comes out differs from what went in, in that half, where no digit stood.
 */
#include "avx512_rows.h"

#if defined(__x86_64__)

/* Where the digits of two rows go: upper digits of all bytes in the first half, lower in the second.
 * Bytes of a half: two keys, two sub-ids, then base classes, sub-classes, interfaces; rest is free. */
#define ROW2 64
#define HALF(n)                                                                                              \
    20 + n, 18 + n, 11 + n, 9 + n, ROW2 + 20 + n, ROW2 + 18 + n, ROW2 + 11 + n, ROW2 + 9 + n, 40 + n,        \
        38 + n, 30 + n, 28 + n, ROW2 + 40 + n, ROW2 + 38 + n, ROW2 + 30 + n, ROW2 + 28 + n, 44 + n,          \
        ROW2 + 44 + n, 48 + n, ROW2 + 48 + n, 51 + n, ROW2 + 51 + n, 44 + n, 44 + n, 44 + n, 44 + n, 44 + n, \
        44 + n, 44 + n, 44 + n, 44 + n, 44 + n

static const uint8_t pick_digits[64] = {HALF(0), HALF(1)};

/* From the class bytes of 2 x 16 rows, eight a pair of rows: base classes and sub-classes of all. */
#define PAIRS(n)                                                                                             \
    n, n + 1, n + 8, n + 9, n + 16, n + 17, n + 24, n + 25, n + 32, n + 33, n + 40, n + 41, n + 48, n + 49,  \
        n + 56, n + 57
static const uint8_t pick_classes[64] = {PAIRS(0), PAIRS(64), PAIRS(2), PAIRS(66)};
static const uint8_t pick_interfaces[64] = {PAIRS(4), PAIRS(68), PAIRS(4), PAIRS(68)};

static const uint32_t sixteen[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint64_t pick_ids[8] = {0, 4, 8, 12, 1, 5, 9, 13};
static const uint64_t pick_class_bytes[8] = {2, 6, 10, 14, 2, 6, 10, 14};

/* A block between its phases. */
struct block {
    uint32_t key[PCI_BLOCK], cells[PCI_BLOCK];
    uint32_t *sub;    /* in the group */
    uint8_t *classes; /* likewise: class ids */
    uint64_t refused;
};

/* The class bytes of a block. */
struct classes {
    __m512i base, sub, interface;
};

/* What stays the same for all rows. */
struct constants {
    struct row_constants rows;
    __m512i pick_ids, pick_class_bytes;
};

TARGET_INLINE struct constants load_constants(const struct row_form *form)
{
    return (struct constants){
        row_constants_of(form, pick_digits),
        _mm512_loadu_si512(pick_ids),
        _mm512_loadu_si512(pick_class_bytes),
    };
}

/* Sixteen rows: keys and sub-ids to memory; class bytes are returned, eight a pair of rows. */
TARGET_INLINE __m512i read_step(const struct text_rows *rows, size_t index, bool listed,
                                const struct constants *k, struct differences *different, uint32_t *key,
                                uint32_t *sub)
{
    __m512i a, b, ids01, ids23, class01, class23;

    a = read_four_rows(rows, index, listed, &k->rows, different);
    b = read_four_rows(rows, index + 4, listed, &k->rows, different);
    ids01 = _mm512_permutex2var_epi64(a, k->pick_ids, b);
    class01 = _mm512_permutex2var_epi64(a, k->pick_class_bytes, b);
    a = read_four_rows(rows, index + 8, listed, &k->rows, different);
    b = read_four_rows(rows, index + 12, listed, &k->rows, different);
    ids23 = _mm512_permutex2var_epi64(a, k->pick_ids, b);
    class23 = _mm512_permutex2var_epi64(a, k->pick_class_bytes, b);
    _mm512_storeu_si512(key, _mm512_shuffle_i64x2(ids01, ids23, 0x44));
    _mm512_storeu_si512(sub, _mm512_shuffle_i64x2(ids01, ids23, 0xEE));
    return _mm512_shuffle_i64x2(class01, class23, 0x44);
}

TARGET_INLINE struct classes classes_of_bytes(const __m512i bytes[STEPS])
{
    __m512i pick = _mm512_loadu_si512(pick_classes), pick_last = _mm512_loadu_si512(pick_interfaces);
    __m512i low = _mm512_permutex2var_epi8(bytes[0], pick, bytes[1]);
    __m512i high = _mm512_permutex2var_epi8(bytes[2], pick, bytes[3]);
    __m512i low_last = _mm512_permutex2var_epi8(bytes[0], pick_last, bytes[1]);
    __m512i high_last = _mm512_permutex2var_epi8(bytes[2], pick_last, bytes[3]);

    return (struct classes){_mm512_shuffle_i64x2(low, high, 0x44), _mm512_shuffle_i64x2(low, high, 0xEE),
                            _mm512_shuffle_i64x2(low_last, high_last, 0x44)};
}

/* The hashes of sixteen keys, and where their displacements lie. */
TARGET_INLINE void hash_step(const struct pci_table *table, const uint32_t *key, uint32_t *hashes,
                             uint32_t *looks)
{
    __m512i h = _mm512_mullo_epi32(_mm512_loadu_si512(key), _mm512_set1_epi32((int)table->multiplier));

    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 16));
    _mm512_storeu_si512(hashes, h);
    _mm512_storeu_si512(looks, _mm512_and_si512(h, _mm512_set1_epi32((int)table->bucket_mask)));
}

TARGET_INLINE void slot_step(const struct pci_table *table, const uint32_t *hashes, uint32_t *looks)
{
    __m512i top =
        _mm512_srl_epi32(_mm512_loadu_si512(hashes), _mm_cvtsi32_si128((int)(32 - table->slot_bits)));

    _mm512_storeu_si512(looks, _mm512_xor_si512(top, _mm512_loadu_si512(looks)));
}

TARGET_INLINE __m512i vendor_row_step(const struct pci_table *table, __m512i key)
{
    __m512i vendor = _mm512_srli_epi32(key, 16);
    __m512i place =
        _mm512_srli_epi32(_mm512_mullo_epi32(vendor, _mm512_set1_epi32((int)table->vendor_multiplier)), 27);
    __m512i row = _mm512_permutex2var_epi32(_mm512_loadu_si512(table->vendor_rows), place,
                                            _mm512_loadu_si512(table->vendor_rows + 16));
    __mmask16 known = _mm512_cmpeq_epi32_mask(_mm512_srli_epi32(row, 16), vendor);

    return _mm512_maskz_and_epi32(known, row, _mm512_set1_epi32(0xFFFF));
}

/* From slots to where the cells lie; the rows with rare devices. */
TARGET_INLINE uint32_t cell_step(const struct pci_table *table, const uint32_t *keys, const uint32_t *hashes,
                                 const uint8_t *classes, uint32_t *looks)
{
    __m512i key = _mm512_loadu_si512(keys), slot = _mm512_loadu_si512(looks);
    __m512i differs = _mm512_xor_si512(slot, _mm512_loadu_si512(hashes));
    __mmask16 unknown = _mm512_test_epi32_mask(differs, _mm512_set1_epi32((int)table->tag_mask)), rare = 0;
    __m512i row = _mm512_srl_epi32(slot, _mm_cvtsi32_si128((int)(32 - table->slot_bits)));
    __m512i device = _mm512_and_si512(key, _mm512_set1_epi32(0xFFFF));

    row = _mm512_mask_mov_epi32(row, unknown, vendor_row_step(table, key));
    row = _mm512_mullo_epi32(row, _mm512_set1_epi32((int)table->classes));
    row =
        _mm512_add_epi32(row, _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)classes)));
    _mm512_storeu_si512(looks, row);
    for (unsigned i = 0; i < PCI_RARE_DEVICES; i++)
        rare |= _mm512_mask_cmpeq_epi32_mask(unknown, device, _mm512_set1_epi32((int)table->rare[i]));
    return rare;
}

/* Sixteen rows of numbers; the bits of those with more than 16 bits, or a class with more than 24. */
TARGET_INLINE uint32_t number_step(const struct pci_numbers *numbers, size_t at, uint32_t *key, uint32_t *sub,
                                   uint8_t *base, uint8_t *sub_class, uint8_t *interface)
{
    __m512i v = _mm512_loadu_si512(numbers->vendor + at), d = _mm512_loadu_si512(numbers->device + at);
    __m512i sv = _mm512_loadu_si512(numbers->subvendor + at),
            sd = _mm512_loadu_si512(numbers->subdevice + at);
    __m512i class_code = _mm512_loadu_si512(numbers->class_code + at);
    __m512i ids = _mm512_or_si512(_mm512_or_si512(v, d), _mm512_or_si512(sv, sd));

    fetch_ahead(numbers->vendor + at);
    fetch_ahead(numbers->device + at);
    fetch_ahead(numbers->subvendor + at);
    fetch_ahead(numbers->subdevice + at);
    fetch_ahead(numbers->class_code + at);
    _mm512_storeu_si512(key, _mm512_or_si512(_mm512_slli_epi32(v, 16), d));
    _mm512_storeu_si512(sub, _mm512_or_si512(_mm512_slli_epi32(sv, 16), sd));
    _mm_storeu_si128((__m128i *)(void *)base, _mm512_cvtepi32_epi8(_mm512_srli_epi32(class_code, 16)));
    _mm_storeu_si128((__m128i *)(void *)sub_class, _mm512_cvtepi32_epi8(_mm512_srli_epi32(class_code, 8)));
    _mm_storeu_si128((__m128i *)(void *)interface, _mm512_cvtepi32_epi8(class_code));
    return _mm512_test_epi32_mask(ids, _mm512_set1_epi32((int)0xFFFF0000)) |
           _mm512_test_epi32_mask(class_code, _mm512_set1_epi32((int)0xFF000000));
}

/* ---- the phases ------------------------------------------------------------------------------- */

/* Where rows come from, and how tables are looked into. */
enum source { STRIDED, LISTED, NUMBERS };

struct input {
    const struct text_rows *rows;
    const struct pci_numbers *numbers;
    struct constants k;
};

TARGET_INLINE void read_numbers_of_block(const struct pci_table *table, const struct pci_numbers *numbers,
                                         size_t index, struct block *block)
{
    uint8_t base[PCI_BLOCK], sub[PCI_BLOCK], interface[PCI_BLOCK];

    for (unsigned i = 0; i < PCI_BLOCK; i += STEP)
        block->refused |= (uint64_t)number_step(numbers, index + i, block->key + i, block->sub + i, base + i,
                                                sub + i, interface + i)
                          << i;
    _mm512_storeu_si512(block->classes, class_ids(table->class_tables, _mm512_loadu_si512(base),
                                                  _mm512_loadu_si512(sub), _mm512_loadu_si512(interface)));
}

/* True where some row of the block has not the form. */
TARGET_INLINE bool read_text_of_block(const struct pci_table *table, const struct input *input, bool listed,
                                      size_t index, struct block *block)
{
    struct differences different = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    __m512i bytes[STEPS];
    struct classes classes;

    for (unsigned i = 0; i < STEPS; i++)
        bytes[i] = read_step(input->rows, index + (size_t)i * STEP, listed, &input->k, &different,
                             block->key + i * STEP, block->sub + i * STEP);
    classes = classes_of_bytes(bytes);
    _mm512_storeu_si512(block->classes,
                        class_ids(table->class_tables, classes.base, classes.sub, classes.interface));
    if (!differ(&input->k.rows, &different))
        return false;
    block->refused = rows_without_form(input->rows, index, listed);
    return true;
}

TARGET_INLINE void find_cells_512(const struct pci_table *table, enum looks how, struct block *block)
{
    uint32_t hashes[PCI_BLOCK], *looks = block->cells;

    for (unsigned i = 0; i < PCI_BLOCK; i += STEP) {
        hash_step(table, block->key + i, hashes + i, looks + i);
        look_16(table->displacements, how, looks + i);
    }
    for (unsigned i = 0; i < PCI_BLOCK; i += STEP) {
        slot_step(table, hashes + i, looks + i);
        look_32(table->slots, how, looks + i);
    }
    for (unsigned i = 0; i < PCI_BLOCK; i += STEP) {
        block->refused |=
            (uint64_t)cell_step(table, block->key + i, hashes + i, block->classes + i, looks + i) << i;
        look_16(table->cells, how, looks + i);
    }
}

/* From cells to ids: most are. Rows with nodes are listed. */
TARGET_INLINE void store_cells(const uint32_t *cells, unsigned first, struct pci_group *group, uint32_t *ids)
{
    __m512i rows = _mm512_add_epi32(_mm512_set1_epi32((int)first), _mm512_loadu_si512(sixteen));

    for (unsigned i = 0; i < PCI_BLOCK; i += STEP) {
        __m512i some = _mm512_loadu_si512(cells + i);
        __mmask16 nodes = _mm512_test_epi32_mask(some, _mm512_set1_epi32(PCI_NODE));
        _mm512_storeu_si512(ids + i, some);
        _mm512_storeu_si512(group->nodes + group->node_count, _mm512_maskz_compress_epi32(nodes, rows));
        group->node_count += (unsigned)__builtin_popcount(nodes);
        rows = _mm512_add_epi32(rows, _mm512_set1_epi32(STEP));
    }
}

TARGET_INLINE size_t run(const struct pci_table *table, const struct input *input, enum source source,
                         enum looks how, size_t blocks, uint32_t *ids, uint64_t *refused)
{
    struct block block;
    struct pci_group group;

    for (size_t b = 0; b < blocks;) {
        size_t start = b, end = blocks - b < GROUP ? blocks : b + GROUP;
        group.node_count = 0;
        if (source == STRIDED)
            fetch_pages(row_of(input->rows, b * PCI_BLOCK, false),
                        (end - b) * PCI_BLOCK * input->rows->stride);
        for (; b < end; b++) {
            unsigned first = (unsigned)(b - start) * PCI_BLOCK;
            block.sub = group.sub + first;
            block.classes = group.classes + first;
            block.refused = 0;
            if (source == NUMBERS)
                read_numbers_of_block(table, input->numbers, b * PCI_BLOCK, &block);
            else if (read_text_of_block(table, input, source == LISTED, b * PCI_BLOCK, &block))
                blocks = end = b + 1;
            find_cells_512(table, how, &block);
            store_cells(block.cells, first, &group, ids + b * PCI_BLOCK);
            refused[b] = block.refused;
        }
        follow_pci_nodes(table, &group, ids + start * PCI_BLOCK, refused + start);
    }
    return blocks;
}

/* ---- the variants ----------------------------------------------------------------------------- */

TARGET static size_t text_by_loads(const struct pci_table *table, const struct text_rows *rows, size_t blocks,
                                   uint32_t *ids, uint64_t *refused)
{
    struct input input = {.rows = rows, .k = load_constants(rows->form)};

    if (rows->at != NULL)
        return run(table, &input, LISTED, PLAIN_LOADS, blocks, ids, refused);
    return run(table, &input, STRIDED, PLAIN_LOADS, blocks, ids, refused);
}

TARGET static size_t text_by_gathers(const struct pci_table *table, const struct text_rows *rows,
                                     size_t blocks, uint32_t *ids, uint64_t *refused)
{
    struct input input = {.rows = rows, .k = load_constants(rows->form)};

    if (rows->at != NULL)
        return run(table, &input, LISTED, GATHERS, blocks, ids, refused);
    return run(table, &input, STRIDED, GATHERS, blocks, ids, refused);
}

TARGET static size_t numbers_by_loads(const struct pci_table *table, const struct pci_numbers *numbers,
                                      size_t blocks, uint32_t *ids, uint64_t *refused)
{
    struct input input = {.numbers = numbers};

    return run(table, &input, NUMBERS, PLAIN_LOADS, blocks, ids, refused);
}

TARGET static size_t numbers_by_gathers(const struct pci_table *table, const struct pci_numbers *numbers,
                                        size_t blocks, uint32_t *ids, uint64_t *refused)
{
    struct input input = {.numbers = numbers};

    return run(table, &input, NUMBERS, GATHERS, blocks, ids, refused);
}

const struct variant pci_avx512 = {"avx512", text_by_loads, numbers_by_loads, usb_avx512, row_ends_avx512};
const struct variant pci_avx512_gather = {"avx512-gather", text_by_gathers, numbers_by_gathers,
                                          usb_avx512_gather, row_ends_avx512};
#endif
