/*
 * pyalias: the public contract of the C core. cffi reads this very text (from the first line that
 * is neither a comment nor a preprocessor line), so it holds plain C declarations only.
 *
 * What the core does: alias lines in, one position-independent image out (pya_builder_*); an image
 * and device strings in, answers out (pya_lookup, pya_match_*). It opens no file, keeps no global
 * state, sets no locale and holds no policy. Bytes are bytes: every comparison is that of libkmod
 * in the C locale.
 *
 * Threads: an opened image is immutable; any number of threads may read it. A pya_scratch belongs
 * to one call at a time. A pya_builder belongs to one thread.
 *
 * Errors: functions return PYA_OK or a negative PYA_E... code. Those with more to say fill a
 * pya_error that the caller owns (it may live on the stack); its message is a whole sentence.
 *
 * Ownership: what a function ..._new or ..._open gives is released by its ..._free; byte ranges
 * that are passed in stay the caller's and must outlive the object that they were given to.
 */
#ifndef PYALIAS_H
#define PYALIAS_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

#define PYA_OK 0
#define PYA_EINVAL (-1)   /* libkmod's -EINVAL: stray brackets; or a NUL byte, which no C string holds */
#define PYA_ETOOLONG (-2) /* libkmod's -ENAMETOOLONG: the name matched, name + module exceed PATH_MAX */
#define PYA_ENOMEM (-3)   /* out of memory */
#define PYA_EIMAGE (-4)   /* the bytes are no intact image of this version */
#define PYA_ETEXT (-5)    /* alias text that is none */
#define PYA_ELIMIT (-6)   /* beyond a limit of the format */
#define PYA_ECOLUMN (-7)  /* a column whose offsets or lengths contradict each other */
#define PYA_SEVERAL (-8)  /* pya_lookup: no stored answer; the lines are in the scratch */

/* In the ids of a batch, until pya_ids_number and pya_ids_settle: a row that libkmod refuses; a null row;
 * and, with this bit, the number of a combination of lines (pya_combination_lines). */
#define PYA_ID_INVALID 0xFFFFFFFF
#define PYA_ID_NULL 0xFFFFFFFE
#define PYA_ID_COMBINATION 0x80000000

#define PYA_PATTERN_ROOM 4096

/* How the lines of a source are ordered in an answer. */
#define PYA_ORDER_PRIORITY 0 /* modules.alias: by first appearance of the module, then by line */
#define PYA_ORDER_VISIT 1    /* modules.builtin.alias.bin: no priorities; libkmod's last visited first */

/* How the rows of a column lie in memory. */
#define PYA_ROWS_SEPARATED 0 /* text; each row ends at a separator byte or at the end */
#define PYA_ROWS_OFFSETS32 1 /* Arrow utf8 / binary */
#define PYA_ROWS_OFFSETS64 2 /* Arrow large_utf8 / large_binary */
#define PYA_ROWS_VIEWS 3     /* Arrow utf8_view / binary_view */

#define PYA_TEXT_ROWS 65536 /* the most rows that pya_match_text takes at once */

typedef struct pya_image pya_image;
typedef struct pya_scratch pya_scratch;
typedef struct pya_builder pya_builder;
typedef struct pya_answers pya_answers;
typedef struct pya_buffer pya_buffer;

typedef struct pya_error {
    int code;
    uint64_t position; /* byte offset in an image; line (from 1) in a text; row of a column */
    char message[200];
} pya_error;

typedef struct pya_counts {
    uint32_t sources, lines, patterns, modules, answers;
} pya_counts;

/* Borrowed text inside an image. */
typedef struct pya_text {
    const uint8_t *bytes;
    uint32_t length;
} pya_text;

typedef struct pya_line {
    pya_text pattern; /* as it stood in the source, not normalised */
    pya_text module;  /* normalised */
    pya_text source;  /* name of the source */
    uint32_t number;  /* line in the source, from 1; 0: none */
} pya_line;

typedef struct pya_column {
    uint32_t rows_layout;          /* PYA_ROWS_... */
    uint32_t separator;            /* PYA_ROWS_SEPARATED: the byte */
    uint64_t first, rows;          /* Arrow's offset and length; first is 0 for text */
    const uint8_t *data;           /* text or Arrow's data buffer; may be NULL when empty */
    uint64_t data_size;            /* bytes in data (text only) */
    const void *offsets;           /* rows + 1 offsets, or rows views of 16 bytes */
    const uint8_t *validity;       /* Arrow's bitmap, or NULL: all valid */
    const uint8_t *const *buffers; /* views: the variadic buffers */
    const int64_t *buffer_sizes;   /* views: their sizes */
    uint64_t buffer_count;
} pya_column;

/* ---- compile ---------------------------------------------------------------------------------- */

/* NULL when out of memory. */
pya_builder *pya_builder_new(void);
void pya_builder_free(pya_builder *builder);

/* Starts a source; the lines added next belong to it. Earlier sources answer first: a lookup
 * that finds something in one never asks the next (libkmod's __kmod_module_new_from_lookup). */
int pya_builder_source(pya_builder *builder, const char *name, size_t length, int order);

/* Adds aliases: bytes holds pattern, module, pattern, module, ... without gaps, lengths two
 * numbers an alias; numbers a line number an alias, or NULL for none. Bytes are borrowed. */
int pya_builder_aliases(pya_builder *builder, const uint8_t *bytes, size_t size, const uint32_t *lengths,
                        const uint32_t *numbers, size_t count, pya_error *error);

/* Adds the lines of a modules.alias text: "alias PATTERN MODULE", split at the last blank since
 * patterns may hold blanks; blank lines, comments and other commands are passed over. An alias
 * line without a module, or with a NUL, is PYA_ETEXT. Text is borrowed. */
int pya_builder_text(pya_builder *builder, const uint8_t *text, size_t size, pya_error *error);

/* The image, malloc'ed: *image and *size. Deterministic in the lines added. O(text) memory,
 * O(lines x log(lines)) comparisons. */
int pya_builder_compile(pya_builder *builder, uint8_t **image, size_t *size, pya_error *error);
void pya_bytes_free(uint8_t *bytes);

/* ---- image ------------------------------------------------------------------------------------ */

/* Checks the whole image (checksum, then every offset) and returns a handle over the borrowed
 * bytes. Afterwards no lookup can leave them, as long as nobody changes them. */
int pya_image_open(const uint8_t *bytes, size_t size, pya_image **image, pya_error *error);
void pya_image_free(pya_image *image);
pya_counts pya_image_counts(const pya_image *image);

/* The line with an id below counts.lines; ids ascend in answer order within a source. Its pattern is
 * put together in room where it must be: PYA_PATTERN_ROOM bytes, to be kept while the line is used. */
pya_line pya_image_line(const pya_image *image, uint32_t line, uint8_t *room);
uint32_t pya_image_line_module(const pya_image *image, uint32_t line);
pya_text pya_image_module(const pya_image *image, uint32_t module);
/* The number of modules of a stored answer (an id below counts.answers; 0 is the empty one); the
 * ids of the first `room` go to modules. */
uint32_t pya_image_answer(const pya_image *image, uint32_t answer, uint32_t *modules, uint32_t room);

/* The lines whose pattern starts with a text (where - and _ are one): their number; their ids,
 * ascending, go to lines, which has room for counts.lines. Linear in the lines. */
uint32_t pya_lines_with_prefix(const pya_image *image, const char *prefix, size_t length, uint32_t *lines);

/* ---- partial ids ------------------------------------------------------------------------------- */

/* The lines whose pattern may match a key that starts so, judged by the text before its first wildcard:
 * their number; their ids, ascending, go to lines, which has room for counts.lines. Lines that kmod
 * refuses are left out. Linear in the lines. */
uint32_t pya_lines_possible(const pya_image *image, const char *start, size_t length, uint32_t *lines);
/* The length of a line's normalised pattern, which goes to room: PYA_PATTERN_ROOM bytes. Not for lines
 * that kmod refuses. */
uint32_t pya_line_normalised(const pya_image *image, uint32_t line, uint8_t *room);
/* The number of the source that a line is of. */
uint32_t pya_image_line_source(const pya_image *image, uint32_t line);

/* Where a bracket ends whose inside starts at pattern[at], if it takes the byte: the index behind it;
 * otherwise 0. One that is never closed takes none. */
size_t pya_bracket_end(const char *pattern, size_t length, size_t at, int byte);

/* Rows that are alike, numbered in order of first appearance; one thread at a time. NULL when out of
 * memory. */
typedef struct pya_distinct pya_distinct;
pya_distinct *pya_distinct_new(void);
void pya_distinct_free(pya_distinct *distinct);

/* A column of whole numbers, some of them unknown. */
typedef struct pya_id_column {
    const void *values;      /* in this machine's order; NULL: all unknown */
    uint32_t value_size;     /* 1, 2, 4 or 8 bytes */
    uint32_t is_signed;      /* 1: a negative number is an error */
    uint32_t bits;           /* what a number may have: up to 32 */
    uint64_t first;          /* Arrow's offset, of values and validity */
    const uint8_t *validity; /* Arrow's bitmap, or NULL: all known */
    const uint8_t *known;    /* a byte a row, not 0 where it is known, or NULL: all */
} pya_id_column;

/* Numbers rows of some columns, up to 31 of them. A row's bytes are count + 1 uint32 in this machine's
 * order: a bit for each column that is known, then the numbers, 0 where unknown. PYA_ECOLUMN: position is
 * the row, the message tells the column by its place, from 0. */
int pya_distinct_ids(pya_distinct *distinct, const pya_id_column *columns, uint32_t count, uint64_t rows,
                     uint32_t *numbers, pya_error *error);
/* Numbers rows of text; null rows get PYA_ID_NULL. */
int pya_distinct_column(pya_distinct *distinct, const pya_column *column, uint32_t *numbers,
                        pya_error *error);
uint32_t pya_distinct_count(const pya_distinct *distinct);
/* The bytes of the first row with a number; borrowed until more rows are numbered. */
pya_text pya_distinct_row(const pya_distinct *distinct, uint32_t number);

/* Makes of each row's number the id that map has for it; PYA_ID_NULL stays. */
void pya_ids_renumber(uint32_t *ids, uint64_t rows, const uint32_t *map);

/* ---- match ------------------------------------------------------------------------------------ */

/* How columns of pci rows can be matched on this CPU: variants from 0, the portable one, to the
 * fastest. All give the same ids. */
unsigned pya_variant_count(void);
const char *pya_variant_name(unsigned variant);

/* Whether an image holds the table that variants work with: of pci (bus 0), of vfio_pci (1), of usb (2).
 * Without it columns of that bus are matched row by row, with the same ids. */
int pya_image_has_pci_table(const pya_image *image, unsigned bus);

/* Working memory for lookups in one image, some 9 bytes a pattern, and 2.3 MB once a long column was
 * asked; and the variant that they use. NULL when out of memory, or when there is no such variant. */
pya_scratch *pya_scratch_new(const pya_image *image, unsigned variant);
void pya_scratch_free(pya_scratch *scratch);

/* One lookup: an answer id (0: nothing), or PYA_SEVERAL (see pya_scratch_lines), or a refusal. */
int64_t pya_lookup(const pya_image *image, pya_scratch *scratch, const char *key, size_t length);

/* The lines that a lookup with PYA_SEVERAL found, in answer order; valid until the next lookup. */
uint32_t pya_scratch_lines(const pya_scratch *scratch, const uint32_t **lines);

/* The matching lines of one lookup, in answer order, repeats as libkmod gives them: their number
 * (0: nothing) or a refusal; *lines is valid until the scratch is used again. Always by the trie:
 * the field tables, which pya_lookup asks first for a bus's fixed form, must agree with it. */
int64_t pya_match_lines(const pya_image *image, pya_scratch *scratch, const char *key, size_t length,
                        const uint32_t **lines);

/* Forgets the combinations of the last batch: the start of a new one. */
void pya_combinations_clear(pya_scratch *scratch);

/* A column of device strings to ids, one a row: an answer id or one of PYA_ID_.... Several columns
 * may make one batch and share its combinations. Returns PYA_OK or an error. */
int pya_match_column(const pya_image *image, pya_scratch *scratch, const pya_column *column, uint32_t *ids,
                     pya_error *error);

/* How far pya_match_text came. */
typedef struct pya_matched {
    uint64_t rows, bytes;
} pya_matched;

/* The same from a text whose rows nobody has counted. It stops before a block of rows that may not
 * fit into `room` ids: call again with the rest of the text and more room. PYA_TEXT_ROWS ids are room
 * enough for one block. */
int pya_match_text(const pya_image *image, pya_scratch *scratch, const uint8_t *text, size_t size,
                   int separator, uint32_t *ids, uint64_t room, pya_matched *matched, pya_error *error);

/* The same from PCI ids: five columns of rows numbers; the class as 24 bits. */
int pya_match_pci_ids(const pya_image *image, pya_scratch *scratch, const uint32_t *vendor,
                      const uint32_t *device, const uint32_t *subvendor, const uint32_t *subdevice,
                      const uint32_t *class_code, uint64_t rows, uint32_t *ids, pya_error *error);

/* The combinations of the batch: their number, and the lines of each in answer order. */
uint32_t pya_combination_count(const pya_scratch *scratch);
uint32_t pya_combination_lines(const pya_scratch *scratch, uint32_t number, const uint32_t **lines);

/* ---- answers ---------------------------------------------------------------------------------- */

/* Numbers for the answers that lines make: a stored answer's id where the image has it, otherwise the
 * next free one, in order of first appearance. One thread at a time. NULL when out of memory. */
pya_answers *pya_answers_new(const pya_image *image);
void pya_answers_free(pya_answers *answers);
uint32_t pya_answers_count(const pya_answers *answers);
/* The id of the answer of some lines, or PYA_ENOMEM. */
int64_t pya_answers_number(pya_answers *answers, const uint32_t *lines, uint32_t count);
/* The same of the lines that the last pya_lookup found. */
int64_t pya_answers_number_last(pya_answers *answers, const pya_scratch *scratch);
/* As pya_image_answer, of every id below pya_answers_count. */
uint32_t pya_answers_modules(const pya_answers *answers, uint32_t answer, uint32_t *modules, uint32_t room);

/* fnmatch(pattern, text, 0) == 0 in the C locale: 1 or 0. What libkmod asks of the lines of
 * modprobe.d, whose patterns stand in no index. O(length x size) at worst. */
int pya_glob_match(const char *pattern, size_t length, const char *text, size_t size);

/* ---- columns ---------------------------------------------------------------------------------- */

/* Rows of a separated text: a separator at the very end starts no row. */
uint64_t pya_count_rows(const uint8_t *text, size_t size, int separator);

/* Where the row that a byte belongs to ends, behind its separator: a place to cut a text at. */
size_t pya_row_end(const uint8_t *text, size_t size, size_t at, int separator);

/* How many ids of a batch are no answer ids yet. */
typedef struct pya_unsettled {
    uint64_t combinations, invalid, nulls;
} pya_unsettled;
pya_unsettled pya_ids_unsettled(const uint32_t *ids, uint64_t rows);

/* The combinations among ids in the order of the rows, which numbers them alike however rows were sorted
 * to be matched: order gets their numbers; returns how many. seen: zeros, one for each combination. */
uint32_t pya_ids_combinations(const uint32_t *ids, uint64_t rows, uint8_t *seen, uint32_t *order);

/* Makes answer ids of combinations: combination_ids[number], of which there must be one at least. */
void pya_ids_number(uint32_t *ids, uint64_t rows, const uint32_t *combination_ids);

/* Makes 0 of refused rows, whose numbers go to invalid, and of null rows, whose bits in validity (all
 * set before) are cleared. */
void pya_ids_settle(uint32_t *ids, uint64_t rows, uint64_t *invalid, uint8_t *validity);

/* ids[i] = values[indices[i]] for a dictionary column; indices of 1, 2, 4 or 8 bytes; null rows
 * give PYA_ID_NULL. PYA_ECOLUMN when an index is outside the value_count values. */
int pya_ids_gather(uint32_t *ids, const uint32_t *values, uint64_t value_count, const void *indices,
                   int index_size, uint64_t first, uint64_t rows, const uint8_t *validity, pya_error *error);

/* ---- Arrow ------------------------------------------------------------------------------------ */

/* The Arrow C data and stream interfaces, as their specification gives them. */
struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

/* A table of answers as list<utf8>: list i holds texts list_offsets[i] to list_offsets[i + 1]. */
typedef struct pya_answer_table {
    pya_buffer *list_offsets, *text_offsets, *text;
    int64_t lists, texts;
} pya_answer_table;

/* Fills in dictionary<uint32, list<utf8>>: ids over a table. Nothing is copied: the arrays become
 * users of the buffers. validity may be NULL. PYA_ENOMEM leaves both structs released. */
int pya_arrow_answers(pya_buffer *ids, int64_t rows, pya_buffer *validity, int64_t nulls,
                      const pya_answer_table *table, struct ArrowSchema *schema, struct ArrowArray *array);

/* How often each id occurs, added to counts, which has a place for every id. */
void pya_ids_count(const uint32_t *ids, int64_t rows, uint64_t *counts);

/* The Arrow string views (16 bytes) of rows: table[ids[i]], from a table of views. */
void pya_ids_views(const uint32_t *ids, int64_t rows, const uint8_t *table, uint8_t *views);

/* A bit for each row, the lowest first: set where table[ids[i]] is not 0. bits hold zeros before. */
void pya_ids_bits(const uint32_t *ids, int64_t rows, const uint8_t *table, uint8_t *bits);

/* Fills in a utf8_view array over views into one text; text_size holds its size as an int64. Nothing is
 * copied; validity may be NULL. And one of 4-byte numbers, or of bits. PYA_ENOMEM leaves the array
 * released. */
int pya_arrow_views(pya_buffer *views, int64_t rows, pya_buffer *validity, int64_t nulls, pya_buffer *text,
                    pya_buffer *text_size, struct ArrowArray *array);
int pya_arrow_numbers(pya_buffer *numbers, int64_t rows, pya_buffer *validity, int64_t nulls,
                      struct ArrowArray *array);
/* Fills in a record batch without columns. PYA_ENOMEM leaves it released. */
int pya_arrow_batch(int64_t rows, struct ArrowArray *array);
/* Fills in the schema of such a column, or of a batch without any; format and name are borrowed for good. */
void pya_arrow_schema(const char *format, const char *name, struct ArrowSchema *schema);

/* A record batch with further columns at its end, which must be as long as its own. Batch and columns
 * are moved into the new one. PYA_ENOMEM leaves all as they were. */
int pya_arrow_widen(struct ArrowArray *batch, struct ArrowArray *added, int64_t count,
                    struct ArrowArray *array);
int pya_arrow_widen_schema(struct ArrowSchema *batch, struct ArrowSchema *added, int64_t count,
                           struct ArrowSchema *schema);

/* ---- depmod's binary indexes ------------------------------------------------------------------- */

/* One value of a modules.*.bin, borrowed from the file's bytes. */
typedef struct pya_bin_value {
    uint32_t priority;
    pya_text text;
} pya_bin_value;

typedef struct pya_bin_walk pya_bin_walk;

/* These read the bytes of a modules.alias.bin or its kin (csrc/kmodbin.h draws them), in either of
 * depmod's layouts. Nothing is checked beforehand but the header: each call checks what it comes
 * by, and gives PYA_EIMAGE with the byte's position where the file is damaged. Keys are compared
 * as they are: a key of an alias must have been normalised. No call reads more bytes than the file
 * has times two plus the wildcards in the key, however the file's nodes refer to each other. */
int pya_bin_check(const uint8_t *bytes, size_t size, pya_error *error);

/* The first value of exactly this key (kmod: index_mm_search): 1, or 0 for none, or an error. */
int pya_bin_search(const uint8_t *bytes, size_t size, const uint8_t *key, size_t length, pya_bin_value *value,
                   pya_error *error);

/* The values of all patterns that match the key, in libkmod's order and with its repeats (kmod:
 * index_mm_searchwild): their number or an error. *values is malloc'ed, NULL when there is none.
 * PYA_ELIMIT where patterns made for it would take more than some seconds to match. */
int64_t pya_bin_search_wild(const uint8_t *bytes, size_t size, const uint8_t *key, size_t length,
                            pya_bin_value **values, pya_error *error);
void pya_bin_values_free(pya_bin_value *values);

/* All values, in the order in which depmod and modprobe -c dump them. NULL when out of memory. */
pya_bin_walk *pya_bin_walk_new(const uint8_t *bytes, size_t size);
void pya_bin_walk_free(pya_bin_walk *walk);

/* The next value: 1, or 0 after the last one, or an error. The key lasts until the next call. */
int pya_bin_walk_next(pya_bin_walk *walk, pya_text *key, pya_bin_value *value, pya_error *error);

/* ---- memory that Arrow consumers may share ---------------------------------------------------- */

/* Zeroed bytes with a count of users, which starts at one. NULL when out of memory. */
pya_buffer *pya_buffer_new(size_t size);
uint8_t *pya_buffer_bytes(pya_buffer *buffer);
/* Another size for a buffer that has one user; what is new is not zeroed. NULL, and the buffer as it
 * was, when out of memory. */
pya_buffer *pya_buffer_resize(pya_buffer *buffer, size_t size);
pya_buffer *pya_buffer_use(pya_buffer *buffer); /* one user more; NULL stays NULL */
void pya_buffer_free(pya_buffer *buffer);       /* one user less */

#pragma GCC visibility pop
#endif
