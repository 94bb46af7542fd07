"""One part of a scan: rows of files in, one file with answers out, through two DuckDBs.

The first reads, pyalias matches in the stream between them, the second writes. (A connection whose
result is being read takes no other query.)
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections import Counter
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from pyalias.atomic_file import AtomicFile
from pyalias.engines import files, match_batches
from pyalias.engines.libraries import load
from pyalias.engines.pipe import PipeTo
from pyalias.engines.rejects import rejects_of
from pyalias.errors import ColumnError, FileAccessError, PyaliasError
from pyalias.index_set import KernelCounts, open_aliases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyalias._arrow_stream import MatchedBatches
    from pyalias.engines.files import DeviceFiles, Part
    from pyalias.index import AliasIndex
    from pyalias.index_set import AliasIndexSet
    from pyalias.inventory import Reject

OUTPUT_FORMATS = ("parquet", "csv", "jsonl", "duckdb")
_COPY_OPTIONS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER true",
    "jsonl": "FORMAT json",
}
_NAMES = "CASE WHEN modules = '' THEN [] ELSE string_split(modules, ' ') END"
_OWN_COLUMNS = ("device", "modules", "error")
_NO_ROOM = {os.strerror(code): code for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}


class PartCounts(NamedTuple):
    """What a part held. ``modules`` counts the devices that each module claims.

    ``devices`` = ``matched`` + ``unmatched`` + ``invalid`` + ``null`` + ``unknown``: the kernels of the last
    are not in the set. ``kernels`` has the counts of each kernel, where rows name one.
    """

    devices: int
    matched: int
    unmatched: int
    invalid: int
    null: int
    modules: dict[str, int]
    rejected: int
    seconds: float
    unknown: int = 0
    kernels: dict[str, KernelCounts] | None = None

    @classmethod
    def from_json(cls, text: bytes) -> PartCounts:
        """What ``_asdict`` gave, and JSON made of it.

        Raises:
            ValueError, TypeError: it is something else.
        """
        counts = cls(**json.loads(text))
        if counts.kernels is None:
            return counts
        return counts._replace(kernels={name: KernelCounts(*some) for name, some in counts.kernels.items()})


class PartJob(NamedTuple):
    """All that a worker must know to write parts: small, and the same for each."""

    image: str
    devices: DeviceFiles
    output_format: str
    threads: int | None = 1


@lru_cache(maxsize=4)
def open_once(path: str) -> AliasIndex | AliasIndexSet:
    """The index, or the set of indexes, of a file, mapped once in a process."""
    return open_aliases(path)


def write_part(
    job: PartJob, part: Part, output: str, before: Callable[[PartCounts], None] | None = None
) -> PartCounts:
    """Match a part and write its file, atomically; ``before`` takes the counts before it has its name.

    Raises:
        EngineError: DuckDB cannot read the files or write the output.
        FileAccessError: there is no room for the output; what stood there before still does.
    """
    return copy_matched(
        open_once(job.image),
        job.devices,
        part,
        output,
        job.output_format,
        threads=job.threads,
        rejects=str(rejects_file(output)) if job.devices.keep_rejects else None,
        before=before,
    )


def rejects_file(output: str) -> Path:
    """Where the rows of a part that cannot be read stand, until the job writes those of all."""
    path = Path(output)
    return path.parent / f".{path.stem}.rejects.jsonl"


def copy_matched(
    index: AliasIndex | AliasIndexSet,
    devices: DeviceFiles,
    part: Part,
    output: str | BinaryIO,
    output_format: str,
    *,
    threads: int | None = None,
    sql: str | None = None,
    rejects: str | None = None,
    progress: Callable[[int], None] | None = None,
    before: Callable[[PartCounts], None] | None = None,
) -> PartCounts:
    """Match a part with an open index; ``sql`` is a query on the result, the table ``devices``.

    ``rejects`` is a file for the rows that cannot be read, of ``devices`` that keep them.
    """
    start = time.perf_counter()
    # Rows come from one stream in their order. Several writing threads would hold back whole row groups to
    # keep that order: 3 GB for 50 million rows, where one thread needs 0.2 GB for any number.
    reading, writing = files.connect(threads), files.connect(threads if sql else 1)
    with closing(reading), closing(writing):
        matched = _matched(index, reading, devices, part)
        matched.tell(progress)
        with _path_of(output) as (path, finish):
            _write(writing, matched, devices, output_format, path, sql)
            rejected = rejects_of(reading, devices, part) if devices.keep_rejects else []
            if rejects is not None:
                _write_rejects(rejected, rejects)
            counts = _counted(matched, len(rejected), time.perf_counter() - start)
            if before:
                before(counts)
            finish()
    return counts


@contextmanager
def _path_of(output: str | BinaryIO) -> Iterator[tuple[str, Callable[[], None]]]:
    """A path that DuckDB may write, and what to call when all is written.

    A file gets its name then; a device or pipe is written as it is; and for a stream, such as standard
    output, there is a pipe: opened by name it would be cut to nothing where it goes to a file.
    """
    if not isinstance(output, str):
        with PipeTo(output) as pipe:
            yield pipe.path, pipe.finish
        return
    # A link keeps pointing to the file that it points to.
    target = Path(output).resolve()
    if target.exists() and not target.is_file():
        yield str(target), lambda: None
        return
    # Its own name, as two workers may write the same part when one was thought lost.
    written = target.parent / f".pyalias-{os.urandom(8).hex()}.tmp"
    try:
        yield str(written), lambda: _settle(written, target)
    except OSError as error:
        if isinstance(error, PyaliasError):
            raise
        raise FileAccessError.from_oserror(error, output, "nothing was written") from error
    finally:
        written.unlink(missing_ok=True)


def _matched(
    index: AliasIndex | AliasIndexSet, connection: Any, devices: DeviceFiles, part: Part
) -> MatchedBatches:
    duckdb = load("duckdb", "scan")
    name = ", ".join(part.files)
    try:
        relation = connection.sql(devices.query(part))
        return match_batches(index, relation, devices.column, kernel_column=devices.kernel_text)
    except duckdb.Error as error:
        raise files.engine_error(error, name) from error


def _write(
    connection: Any, matched: MatchedBatches, devices: DeviceFiles, form: str, output: str, sql: str | None
) -> None:
    duckdb = load("duckdb", "scan")
    try:
        connection.register("matched", matched)
        if sql is None:
            query = _select(devices, form)
        else:
            added = {devices.kernel_text} - {None, devices.kernel_column}
            without = "".join(f" EXCLUDE ({files.quoted(name)})" for name in added if name)
            connection.execute(f"CREATE TEMP TABLE devices AS SELECT *{without} FROM matched")  # noqa: S608
            query = sql.rstrip().removesuffix(";")
        if form == "duckdb":
            connection.execute(f"ATTACH {files.literal(output)} AS answers")
            connection.execute(f"CREATE TABLE answers.devices AS {query}")
            connection.execute("DETACH answers")
        else:
            connection.execute(f"COPY ({query}) TO {files.literal(output)} ({_COPY_OPTIONS[form]})")
    except duckdb.Error as error:
        failure = matched.failure
        if isinstance(failure, ColumnError):  # what the first DuckDB said comes in the second one's words
            raise files.engine_error(failure, ", ".join(devices.files[:3])) from error
        if failure is not None:
            raise failure from error
        if any(sign in str(error) for sign in _NO_ROOM):
            text = next(sign for sign in _NO_ROOM if sign in str(error))
            raise OSError(_NO_ROOM[text], text) from error
        raise files.engine_error(error, ", ".join(devices.files[:3])) from error


def _select(devices: DeviceFiles, form: str) -> str:
    """The input's other columns, then device, modules and error."""
    others = [name for name in devices.columns if name != devices.column]
    if devices.format == "jsonl" and form != "jsonl":
        columns = [f"{files.quoted(name)} ->> '$' AS {files.quoted(name)}" for name in others]
    elif devices.format == "jsonl":
        columns = [f"CAST({files.quoted(name)} AS JSON) AS {files.quoted(name)}" for name in others]
    else:
        columns = [_plain(devices, form, name) + f" AS {files.quoted(name)}" for name in others]
    names = "nullif(modules, '') AS modules" if form == "csv" else f"{_NAMES} AS modules"
    device = _plain(devices, form, devices.column) + " AS device"
    return f"SELECT {', '.join([*columns, device, names, 'error'])} FROM matched"  # noqa: S608 names are quoted


def _plain(devices: DeviceFiles, form: str, name: str) -> str:
    """A column; from CSV to CSV an empty cell stays empty, where DuckDB would write two quotes."""
    column = files.quoted(name)
    return f"nullif({column}, '')" if form == devices.format == "csv" else column


def _settle(written: Path, target: Path) -> None:
    """Give a complete file its name, once it is on the disk."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(target)


def _write_rejects(rejects: list[Reject], path: str) -> None:
    with AtomicFile(path) as file:
        for reject in rejects:
            file.write(reject.to_json())


def _counted(matched: MatchedBatches, rejected: int, seconds: float) -> PartCounts:
    answers = matched.answers
    modules: Counter[str] = Counter()
    claimed = 0
    for names, count in answers.totals().items():
        claimed += count if names else 0
        for module in set(names):
            modules[module] += count
    # A row of an unknown kernel has no answer, as a null row has none.
    null = answers.nulls - answers.unknown
    unmatched = answers.rows - claimed - answers.invalid - answers.nulls
    return PartCounts(
        answers.rows,
        claimed,
        unmatched,
        answers.invalid,
        null,
        dict(modules),
        rejected,
        seconds,
        answers.unknown,
        answers.kernels or None,
    )


def joined(counts: list[PartCounts]) -> PartCounts:
    """The counts of several parts as one; ``seconds`` are added up."""
    modules: Counter[str] = Counter()
    kernels: dict[str, KernelCounts] = {}
    for part in counts:
        modules.update(part.modules)
        for kernel, some in (part.kernels or {}).items():
            kernels[kernel] = kernels.get(kernel, KernelCounts()).plus(some)
    return PartCounts(
        devices=sum(part.devices for part in counts),
        matched=sum(part.matched for part in counts),
        unmatched=sum(part.unmatched for part in counts),
        invalid=sum(part.invalid for part in counts),
        null=sum(part.null for part in counts),
        modules=dict(sorted(modules.items(), key=lambda item: (-item[1], item[0]))),
        rejected=sum(part.rejected for part in counts),
        seconds=sum(part.seconds for part in counts),
        unknown=sum(part.unknown for part in counts),
        kernels=dict(sorted(kernels.items())) or None,
    )
