"""The one part that touches the compiled core: C handles in, plain Python objects out.

Everything cffi returns is ``Any`` and typed from here on. An opened image is immutable and each call takes
a scratch of its own from a pool, so any number of threads may look up at once; calls into C release the GIL,
but for lookups of single short strings. ``arrow`` is imported by those who need it.
"""

from pyalias._binding.bins import BinFile
from pyalias._binding.columns import (
    ROWS_OFFSETS32,
    ROWS_OFFSETS64,
    ROWS_VIEWS,
    Column,
    Search,
    SharedBuffer,
    count_ids,
    gather,
    joined,
    null_ids,
    row_end,
    settle,
    shared_bytes,
    text_bytes,
)
from pyalias._binding.distinct import ID_INVALID, Distinct, IdColumn, number_address, renumber
from pyalias._binding.images import (
    LONGEST_REMEMBERED,
    ORDER_PRIORITY,
    ORDER_VISIT,
    Counts,
    Image,
    Line,
    Numbers,
    SingleLookups,
    Source,
    bracket_end,
    chosen_variant,
    compile_image,
    glob_matches,
    variants,
)

__all__ = [
    "ID_INVALID",
    "LONGEST_REMEMBERED",
    "ORDER_PRIORITY",
    "ORDER_VISIT",
    "ROWS_OFFSETS32",
    "ROWS_OFFSETS64",
    "ROWS_VIEWS",
    "BinFile",
    "Column",
    "Counts",
    "Distinct",
    "IdColumn",
    "Image",
    "Line",
    "Numbers",
    "Search",
    "SharedBuffer",
    "SingleLookups",
    "Source",
    "bracket_end",
    "chosen_variant",
    "compile_image",
    "count_ids",
    "gather",
    "glob_matches",
    "joined",
    "null_ids",
    "number_address",
    "renumber",
    "row_end",
    "settle",
    "shared_bytes",
    "text_bytes",
    "variants",
]
