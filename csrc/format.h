/*
 * The image: the one description of the compiled index, shared by compiler and matcher and by
 * nobody else. docs/format.md decodes a tiny one byte by byte.
 *
 *   header | section table | sections, each starting at a multiple of 8, gaps zero
 *
 * All numbers are little-endian. Offsets are relative to the image (sections) or to their section
 * (everything else), so an image can be mapped anywhere and shared by processes.
 *
 *   HEADER     magic[8]  version u32  section_count u32  size u64  checksum u64
 *              longest_module u32  zero u32
 *   SECTION    offset u64  size u64                       one for each SECTION_..., in that order
 *
 *   STRINGS    names; whoever needs one names it by (offset, length)
 *   MODULES    {text u32, length u32}                     module id -> normalised name
 *   SOURCES    {text u32, length u32, root u32, lines_end u32, sorted_end u32,
 *              irregular_end u32, order u32}
 *              root: the NODE that the source's trie starts with, or NEVER: it is empty; ..._end: its
 *              LINES, SORTED and IRREGULAR are those from the previous source's end up to here
 *   LINES      module u32                                 in answer order; the top bits are LINE_... flags
 *   LINE_NUMBERS number u32                               of the line in its file, 0: not known
 *   LINE_PLACES place u32                                 of the line in PATTERNS; and where the last ends
 *   LINE_SHARES {start u8, end u8}                        how much it shares with its head (below)
 *   PATTERNS   {middle, [text]}  a line's pattern as kmod normalises it: so many bytes of the start of
 *              its head, the middle, so many of the head's end. The head is the first line of a block
 *              of LINES_A_HEAD, and shares nothing; nor does anybody with a head that is refused.
 *              LINE_WRITTEN: it was written otherwise: text, of the same length as the whole pattern
 *              LINE_CUT: kmod keeps NAME_MAX_LENGTH bytes of it: they are the middle; text is all of it
 *              LINE_REFUSED: kmod refuses the pattern: no middle, only text as written
 *   SORTED     line u32                                   per source, by normalised pattern with
 *              the end of a pattern after every byte: the order in which libkmod visits values
 *              below a wildcard; used for keys that hold wildcard bytes themselves (wildkey.c)
 *   VALUES     line u32                                   a value: the lines of one set of equal
 *              patterns, numbered in the order in which they hang on NODES; then those of IRREGULAR.
 *              LAST_LINE | its one line, or the place of its first one in VALUE_LINES
 *   VALUE_TAILS tail u32                                  the rest of the pattern, in TAILS, if the value
 *              hangs on a leaf; else 0
 *   VALUE_ANSWERS answer u32                              the answer if a value is all that matches
 *   VALUE_LINES line u32                                  ascending within a value; the last one is
 *              marked LAST_LINE
 *   IRREGULAR  value u32                                  patterns whose brackets fnmatch closes at
 *              different places for different bytes (tokens.h): matched as text, one by one
 *   ANSWERS    modules_end u32                            answer id -> ANSWER_MODULES up to here
 *   ANSWER_MODULES module u32
 *   CLASSES    u8[32]                                     256 bits: which bytes a [...] takes
 *   TAILS      TAIL programs (below), and TAILS_PADDING zeros, in which any of them would end
 *   NODES      {head u32, label u32, nodes u32, values u32}  the tries (below)
 *   LABELS     their bytes, and LABELS_PADDING zeros, so that eight may be read at once
 *   FIELDS     FIELD_TABLEs, one for each source and bus, then what they point to (below)
 *   PCI        PCI_TABLEs, one for pci and one for vfio_pci, then what they point to (below)
 *   USB        the USB_TABLE, then what it points to (below)
 *
 * THE TRIE holds patterns as tokens: a byte, "any byte" (?), "a byte of a class" ([...]), "any
 * bytes" (*). Runs of ? and * are reordered to ?...?* first; equal token strings share a value.
 *
 *   NODE       Roots come first, then the nodes below the first of them, below the next, and so on: what
 *              is below a node are the nodes from its `nodes` and the values from its `values` up to
 *              those of the next NODE. So each node and each value hangs in one place, and walks end.
 *              The last NODE only says where the one before ends.
 *              head: LABEL length 12 bits | listed nodes 8 bits | listed values 8 bits | flags
 *              Its values: HAS_VALUE: of the pattern that ends here; HAS_STAR_LEAF; wildcard edges to
 *              leaves; the listed ones. Its nodes: HAS_STAR_NODE: of what follows a *; wildcard edges
 *              to nodes; the listed ones. A leaf is the rest of one pattern, VALUE_TAILS[value] (behind
 *              a star it starts with the *).
 *   LABEL      literal bytes that come first; the bytes that lead to the listed nodes, then to the listed
 *              values, each ascending; in nodes that are entered by a star a class u32 of the bytes that
 *              something below starts with; HAS_WILD: a class u32 for each wildcard edge. A number
 *              that is no class takes any byte.
 *
 *   TAIL       bytes: TAIL_LITERAL n bytes... | TAIL_ANY n | TAIL_CLASS u8[32] | TAIL_END, and for a
 *              star: TAIL_STAR_END (trailing), TAIL_STAR_FIND n16 (followed by a segment of n
 *              bytes' width and another star), TAIL_STAR_LAST n16 (by the last segment)
 *
 * THE FIELD TABLES answer keys in the kernel's own fixed form of a bus (bus.h) without the trie. Such
 * a key is a row of numbers, packed into FIELD_WORDS words; a pattern is a mask over them, its
 * signature, and the bits it wants under the mask. Patterns whose mask covers the two fields that
 * tell devices apart (vendor and device, say), or one of them, are behind a gate: an entry found by
 * those fields that tells which signatures are worth a look, and holds the value of the pattern that
 * asks for nothing else. All others are rules, found by signature and masked words; those behind no
 * gate, which every key must ask for, are few and have a table of their own.
 *
 *   FIELD_TABLE  state u32 (FIELDS_...), then {at u32, size u32, buckets u32} of
 *                gates by both fields, by the first, by the second; rules; rules without a gate;
 *                signatures; residue;
 *                then ungated u64: bits of the signatures behind no gate.
 *                at counts words of FIELDS: buckets displacements (perfect.h), then size entries
 *   GATE         {key u64, value u32 or NEVER, signatures u64}
 *   RULE         {value u32 or NEVER, signature u32, words u32[FIELD_WORDS]}
 *   SIGNATURE    words u32[FIELD_WORDS]
 *   RESIDUE      value u32: patterns that can match such keys but are no row of fields; as text
 *
 * A free GATE has no value and no signatures, a free RULE no value.
 *
 * THE PCI TABLES hold all sources' patterns of a bus with the answers worked out, so that a column of
 * ids that fit 16 bits is answered by three small looks: vendor and device to a row, row and class to
 * a cell, and where sub-ids matter, node and sub-ids to another row. docs/performance.md draws it.
 * A bus that has such a table needs no FIELD_TABLEs (they are FIELDS_TRIE): the other keys are few.
 *
 *   PCI_TABLE  the words of enum pci_word; PCI_AT_... count bytes of the section
 *   key        vendor << 16 | device; h = key * multiplier; h ^= h >> 16
 *   displacement u16, one a bucket: the low bucket_bits of h
 *   slot       u32, 1 << slot_bits of them, at (h's top slot_bits) ^ displacement:
 *              row << (32 - slot_bits) | the low 32 - slot_bits bits of h, which tell the key.
 *              A free slot tells some key that no pattern names, and the row which that has anyway.
 *   vendor     u32 vendor << 16 | row, at (vendor * multiplier) >> 27: the row of an unknown device;
 *              row 0 where the vendor is another. A device in PCI_RARE may have any vendor: ask the
 *              generic matcher.
 *   class tables u8[256] each, at CLASS_...: with pair = BASE[bc] + SUB[sc] the class id is
 *              IDS[START[pair] + (INTERFACE[i] & MASK[pair])]; sums modulo 256
 *   cell       u16, PCI_CLASSES to a row: an answer, or PCI_NODE | node, or PCI_ASK
 *   node       {mask u32, row u32}: sub-ids are subvendor << 16 | subdevice; row: where none is known.
 *              Found or not, a row's cell for the same class comes next; at most PCI_STEPS times.
 *   entry      u64: sub-ids & mask | node << 32 | row << 48, by h = (sub + node * multiplier) *
 *              0x9E3779B1; h ^= h >> 16, and displacements as above; node is 0xFFFF in a free one
 *
 * THE USB TABLE answers from four rows: what the patterns for a device's vendor and product say, those
 * for its vendor, those for any interface of its class, those for any device of its class. A row is a
 * set of patterns that match; row 0 is none. Where only one of the four is another row, its cell is
 * the answer. Which others come together is not foreseen: the generic matcher is asked, and a column
 * remembers what it said (usb_memory.h). The field tables of usb are there beside it.
 *
 *   USB_TABLE  the words of enum usb_word; USB_AT_... count bytes of the section
 *   key        vendor << 16 | product; displacements and slots as of pci, but a free slot is zero
 *   vendor     u32 vendor << 16 | row, at (vendor * multiplier) >> (32 - vendor_bits); free ones zero
 *   class tables as of pci, whose ids are rows: of the interface's class, and of the device's
 *   cell       u16, one a row: an answer, or USB_NODE | node, or USB_ASK
 *   node       {mask u64, row u32}: of the rest of a device, which is interface class | interface
 *              number << 24 | device subclass << 32 | device class << 40 | bcdDevice << 48; row: where
 *              none is known. The row that is found may have a node again; at most USB_STEPS times.
 *   entry      {rest & mask u64, node u16, row u16} by usb_rest_hash; node is 0xFFFF in a free one
 */
#ifndef PYALIAS_FORMAT_H
#define PYALIAS_FORMAT_H

#define IMAGE_MAGIC "pyalias\x1a"
/* major << 16 | minor; a reader takes its own major and any minor up to its own */
#define IMAGE_VERSION 0x00010000u

enum {
    HEADER_MAGIC = 0,
    HEADER_VERSION = 8,
    HEADER_SECTION_COUNT = 12,
    HEADER_SIZE = 16,
    HEADER_CHECKSUM = 24,
    HEADER_LONGEST_MODULE = 32,
    HEADER_ZERO = 36,
    HEADER_SECTIONS = 40,
    SECTION_ENTRY = 16
};

enum section {
    SECTION_STRINGS,
    SECTION_MODULES,
    SECTION_SOURCES,
    SECTION_LINES,
    SECTION_LINE_NUMBERS,
    SECTION_LINE_PLACES,
    SECTION_LINE_SHARES,
    SECTION_PATTERNS,
    SECTION_SORTED,
    SECTION_VALUES,
    SECTION_VALUE_TAILS,
    SECTION_VALUE_ANSWERS,
    SECTION_VALUE_LINES,
    SECTION_IRREGULAR,
    SECTION_ANSWERS,
    SECTION_ANSWER_MODULES,
    SECTION_CLASSES,
    SECTION_TAILS,
    SECTION_NODES,
    SECTION_LABELS,
    SECTION_FIELDS,
    SECTION_PCI,
    SECTION_USB,
    SECTION_COUNT
};

/* Bytes of an entry of the sections that are tables. */
enum { MODULE_ENTRY = 8, SOURCE_ENTRY = 28, SHARES_ENTRY = 2, CLASS_ENTRY = 32, NODE_ENTRY = 16 };

#define IMAGE_START (HEADER_SECTIONS + SECTION_COUNT * SECTION_ENTRY)
#define NEVER 0xFFFFFFFFu
#define LINE_WRITTEN 0x80000000u
#define LINE_REFUSED 0x40000000u
#define LINE_CUT 0x20000000u
#define LINE_MODULE 0x1FFFFFFFu
#define LAST_LINE 0x80000000u
#define ANY_BYTE 0xFFFFFFFFu

/* A NODE's fields, and its head. */
enum { NODE_HEAD = 0, NODE_LABEL = 4, NODE_NODES = 8, NODE_VALUES = 12 };
enum { HEAD_LABEL_MASK = 0xFFF, HEAD_LIST_MASK = 0xFF, HEAD_NODES_SHIFT = 12, HEAD_LEAVES_SHIFT = 20 };
#define HAS_VALUE (1u << 28)
#define HAS_STAR_NODE (1u << 29)
#define HAS_STAR_LEAF (1u << 30)
#define HAS_WILD (1u << 31)

enum { LABELS_PADDING = 8, MOST_LABELS = 1 << 30 }; /* bytes */

enum { TAIL_END, TAIL_LITERAL, TAIL_ANY, TAIL_CLASS, TAIL_STAR_END, TAIL_STAR_FIND, TAIL_STAR_LAST };

/* More than the longest operation. */
enum { TAILS_PADDING = 264 };

enum { LINES_A_HEAD = 16 };

enum { FIELDS_NONE, FIELDS_TABLE, FIELDS_TRIE }; /* nothing for this bus; a table; use the trie */

enum {
    FIELD_WORDS = 5,
    GATE_KINDS = 3,
    FIELD_PARTS = GATE_KINDS + 4,
    PART_RULES = GATE_KINDS,
    PART_UNGATED_RULES,
    PART_SIGNATURES,
    PART_RESIDUE,
    PART_WORDS = 3,
    FIELD_TABLE_WORDS = 1 + PART_WORDS * FIELD_PARTS + 2,
    FIELD_UNGATED = FIELD_TABLE_WORDS - 2,
    GATE_WORDS = 5,
    RULE_WORDS = 2 + FIELD_WORDS,
    MOST_SIGNATURES = 64,
    MOST_RESIDUE = 16
};

/* ---- the pci tables ---- */

enum { PCI_BUSES = 2, PCI_VENDORS = 32, PCI_RARE_DEVICES = 4, PCI_STEPS = 3 };
enum { PCI_NODE = 0x8000, PCI_ASK = 0xFFFF };
enum {
    CLASS_BASE = 0,
    CLASS_SUB = 256,
    CLASS_INTERFACE = 512,
    CLASS_START = 768,
    CLASS_MASK = 1024,
    CLASS_IDS = 1280,
    CLASS_TABLES_SIZE = 1536
};
#define PCI_NODE_FACTOR 0x9E3779B1u

enum pci_word {
    PCI_PRESENT, /* 0: no table, ask the generic matcher */
    PCI_MULTIPLIER,
    PCI_SLOT_BITS,
    PCI_BUCKET_BITS,
    PCI_ROWS,
    PCI_CLASSES,
    PCI_NODES,
    PCI_SUB_MULTIPLIER,
    PCI_SUB_SLOT_BITS,
    PCI_SUB_BUCKET_BITS,
    PCI_VENDOR_MULTIPLIER,
    PCI_AT_DISPLACEMENTS,
    PCI_AT_SLOTS,
    PCI_AT_CELLS,
    PCI_AT_NODES,
    PCI_AT_SUB_DISPLACEMENTS,
    PCI_AT_SUB_ENTRIES,
    PCI_AT_CLASS_TABLES,
    PCI_RARE,
    PCI_VENDOR_ROWS = PCI_RARE + PCI_RARE_DEVICES,
    PCI_TABLE_WORDS = PCI_VENDOR_ROWS + PCI_VENDORS
};

/* ---- the usb table ---- */

enum { USB_NODE = 0x8000, USB_ASK = 0xFFFF, USB_STEPS = 16, USB_NODE_ENTRY = 12, USB_ENTRY = 12 };

enum usb_word {
    USB_PRESENT,       /* 0: no table */
    USB_SHORT_UNKNOWN, /* 1: no pattern matches a key that lacks the interface's number */
    USB_MULTIPLIER,
    USB_SLOT_BITS,
    USB_BUCKET_BITS,
    USB_ROWS,
    USB_NODES,
    USB_REST_MULTIPLIER,
    USB_REST_SLOT_BITS,
    USB_REST_BUCKET_BITS,
    USB_VENDOR_MULTIPLIER,
    USB_VENDOR_BITS,
    USB_AT_DISPLACEMENTS,
    USB_AT_SLOTS,
    USB_AT_VENDORS,
    USB_AT_CELLS,
    USB_AT_NODES,
    USB_AT_REST_DISPLACEMENTS,
    USB_AT_REST_ENTRIES,
    USB_AT_INTERFACE_TABLES,
    USB_AT_DEVICE_TABLES,
    USB_TABLE_WORDS
};

/* kmod's PATH_MAX: alias_normalize keeps PATH_MAX - 1 bytes and drops the rest without a word. */
enum { NAME_ROOM = 4096, NAME_MAX_LENGTH = NAME_ROOM - 1 };

#endif
