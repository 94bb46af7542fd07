"""Long scans into a directory: one file a part, and a manifest that says what they are parts of.

A part's file gets its name when it is complete, after the file with its counts: so what has a name is
finished, whatever became of who wrote it, and a later run writes only what is missing. The same inputs
give the same parts, and a part the same bytes, whoever writes it and however many write.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyalias.atomic_file import AtomicFile
from pyalias.engines import files
from pyalias.engines.parts import PartCounts, PartJob, joined, rejects_file, write_part
from pyalias.errors import EngineError, FileAccessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pyalias.engines.files import DeviceFiles, Part
    from pyalias.index import AliasIndex
    from pyalias.index_set import AliasIndexSet

MANIFEST = "manifest.json"
INDEX = "index.pyalias"
_VERSION = 1
# What a runner takes: the job, the parts to write with their files; it gives each part's place when done.
Task = tuple[int, "Part", str]


class Progress(NamedTuple):
    """How far a job is."""

    devices: int
    done: int
    parts: int
    redone: int


class Job:
    """A scan into a directory.

    Raises:
        EngineError: the directory holds something else, or another scan's parts, or (without
            ``resume``) this one's.
        FileAccessError: the directory cannot be written.
    """

    def __init__(
        self,
        index: AliasIndex | AliasIndexSet,
        devices: DeviceFiles,
        output: str,
        output_format: str,
        *,
        resume: bool,
    ) -> None:
        self.directory = Path(output)
        self.parts = files.plan_parts(devices)
        self._suffix = output_format
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileAccessError.from_oserror(error, output, "expected an output directory") from error
        image = index.to_bytes()
        self._claim(_manifest(image, devices, output_format, self.parts), resume)
        path = self.directory / INDEX
        if not path.exists() or path.read_bytes() != image:
            index.save(path)
        absolute = devices._replace(files=tuple(str(Path(name).absolute()) for name in devices.files))
        self.parts = [
            part._replace(files=tuple(str(Path(name).absolute()) for name in part.files))
            for part in self.parts
        ]
        self.work = PartJob(str(path.absolute()), absolute, output_format)

    def _claim(self, manifest: dict[str, Any], resume: bool) -> None:
        path = self.directory / MANIFEST
        if path.exists():
            if not resume:
                raise EngineError(
                    f"{self.directory} holds a scan already: go on with it by --resume, or name another"
                )
            try:
                found = json.loads(path.read_bytes())
            except ValueError as error:
                raise EngineError(
                    f"{path} is damaged: {error}; remove the directory and begin anew"
                ) from error
            if found != manifest:
                differing = sorted(key for key in manifest if found.get(key) != manifest[key])
                raise EngineError(
                    f"{self.directory} holds another scan, which differs in: {', '.join(differing)}; "
                    "name another directory"
                )
            return
        foreign = [entry.name for entry in self.directory.iterdir() if not entry.name.startswith(".pyalias-")]
        if foreign:
            raise EngineError(f"{self.directory} is not empty ({foreign[0]}): name a new directory")
        with AtomicFile(path) as file:
            file.write(json.dumps(manifest, indent=1).encode() + b"\n")

    def file_of(self, place: int) -> Path:
        """The file of a part."""
        return self.directory / f"part-{place:05}.{self._suffix}"

    def missing(self) -> list[Task]:
        """The parts that have no file yet."""
        return [
            (place, part, str(self.file_of(place).absolute()))
            for place, part in enumerate(self.parts)
            if not self.file_of(place).exists()
        ]

    def run(
        self,
        runner: Callable[[PartJob, list[Task]], Iterable[int]],
        progress: Callable[[Progress], None] | None = None,
        rejects: str | None = None,
    ) -> PartCounts:
        """Write the missing parts; the counts of all.

        ``rejects`` is a file for the rows of all parts that cannot be read, of devices that keep them.

        Raises:
            EngineError: a part failed; the parts that are finished stay.
        """
        start = time.perf_counter()
        self._sweep()
        missing = self.missing()
        done = len(self.parts) - len(missing)
        devices = 0
        for place in runner(self.work, missing):
            done += 1
            devices += self._counts(place).devices
            if progress:
                progress(Progress(devices, done, len(self.parts), len(missing)))
        left = self.missing()
        if left:
            raise EngineError(f"{len(left)} of {len(self.parts)} parts are missing, such as {left[0][2]}")
        total = joined([self._counts(place) for place in range(len(self.parts))])
        if rejects is not None:
            self._write_rejects(rejects)
        return total._replace(seconds=time.perf_counter() - start)

    def _counts(self, place: int) -> PartCounts:
        path = counts_file(str(self.file_of(place)))
        try:
            return PartCounts.from_json(path.read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise EngineError(
                f"{path}: the counts of a finished part are gone or damaged ({error}): "
                f"remove {self.file_of(place).name} and go on with --resume"
            ) from error

    def _write_rejects(self, path: str) -> None:
        with AtomicFile(path) as file:
            for place in range(len(self.parts)):
                part = rejects_file(str(self.file_of(place)))
                try:
                    file.write(part.read_bytes())
                except OSError as error:
                    raise EngineError(
                        f"{part}: the rejects of a finished part are gone ({error}): "
                        f"remove {self.file_of(place).name} and go on with --resume"
                    ) from error

    def _sweep(self) -> None:
        """Remove what a killed writer began."""
        for entry in self.directory.glob(".pyalias-*.tmp"):
            entry.unlink(missing_ok=True)


def counts_file(output: str) -> Path:
    """Where the counts of a part's file stand."""
    path = Path(output)
    return path.parent / f".{path.stem}.counts.json"


def write_counted(job: PartJob, part: Part, output: str) -> int:
    """Write a part and, before it gets its name, its counts; what workers call."""

    def settle(counts: PartCounts) -> None:
        with AtomicFile(counts_file(output)) as file:
            file.write(json.dumps(counts._asdict()).encode() + b"\n")

    return write_part(job, part, output, settle).devices


def _manifest(image: bytes, devices: DeviceFiles, output_format: str, parts: list[Part]) -> dict[str, Any]:
    import hashlib  # noqa: PLC0415 only jobs need it

    return {
        "pyalias_scan": _VERSION,
        "index": hashlib.sha256(image).hexdigest(),
        "inputs": [_identity(name) for name in devices.files],
        "column": devices.column,
        "columns": list(devices.columns),
        **({} if devices.kernel_column is None else {"kernel_column": devices.kernel_column}),
        **({"keep_rejects": True} if devices.keep_rejects else {}),
        "output_format": output_format,
        "parts": [{"files": list(part.files), "first": part.first, "rows": part.rows} for part in parts],
    }


def _identity(name: str) -> dict[str, Any]:
    status = Path(name).stat()
    return {"file": name, "size": status.st_size, "modified": status.st_mtime_ns}


# ---- runners ----


def in_this_process(job: PartJob, tasks: list[Task]) -> Iterator[int]:
    """Write parts one after the other."""
    for place, part, output in tasks:
        write_counted(job, part, output)
        yield place


def in_processes(workers: int) -> Callable[[PartJob, list[Task]], Iterator[int]]:
    """A runner of that many processes.

    Its iterator raises EngineError where a process was killed.
    """

    def run(job: PartJob, tasks: list[Task]) -> Iterator[int]:
        with _pool(workers) as pool:
            waiting = {pool.submit(write_counted, job, part, output): place for place, part, output in tasks}
            try:
                while waiting:
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        future.result()
                        yield waiting.pop(future)
            except BrokenProcessPool as error:
                raise EngineError(
                    "a worker process was killed (out of memory?): finished parts stay, go on with --resume"
                ) from error

    return run


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    # Not forked: DuckDB and Python threads of this process must not be copied half way.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
