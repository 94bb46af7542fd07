"""One alias: a glob pattern, the module that claims it, and where the claim stands."""

from __future__ import annotations

from pyalias._records import NamedTuple


class Alias(NamedTuple):
    """One line of ``modules.alias`` (or one ``alias=`` of ``modules.builtin.modinfo``).

    ``pattern`` is the text as it stands in the file, not normalised; ``module`` is normalised
    (``-`` became ``_``). ``file`` is the base name of the file and ``line`` counts from 1; in
    ``modules.builtin.modinfo`` it counts the NUL-ended records. Both are ``None`` for aliases
    that came from memory.
    """

    pattern: str
    module: str
    file: str | None = None
    line: int | None = None
