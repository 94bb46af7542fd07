"""Dask distributed: the parts of a scan as tasks of a cluster.

Workers must see the input files and the output directory under the same names (a shared file system).
The compiled index lies in the output directory, and each worker maps it once. A task writes its part's
file and returns a number: no rows pass through the scheduler. A task whose worker is lost runs again
elsewhere; should both have written, they have written the same bytes.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from pyalias.engines.job import write_counted
from pyalias.engines.libraries import load
from pyalias.errors import EngineError, PyaliasError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyalias.engines.job import Task
    from pyalias.engines.parts import PartJob

_SECONDS_TO_CONNECT = 30
_RETRIES = 2


def on_cluster(address: str) -> Callable[[PartJob, list[Task]], Iterator[int]]:
    """A runner on the cluster of the scheduler at an address, such as ``tcp://10.0.0.1:8786``.

    Raises:
        MissingLibraryError: distributed is not installed.
        EngineError: from its iterator: no scheduler there, or a task lost too many workers.
    """
    distributed = load("distributed", "dask")

    def run(job: PartJob, tasks: list[Task]) -> Iterator[int]:
        try:
            client = distributed.Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineError(f"no Dask scheduler at {address}: {error}") from error
        with client:
            yield from _run(distributed, client, job, tasks)

    return run


def _run(distributed: Any, client: Any, job: PartJob, tasks: list[Task]) -> Iterator[int]:
    # A key that an earlier run used might still be known to the scheduler, and be that run's result.
    run = os.urandom(8).hex()
    keys = [f"pyalias-{run}-{place}" for place, _, _ in tasks]
    futures = client.map(partial(_write, job), tasks, key=keys, pure=False, retries=_RETRIES)
    places = {future.key: task[0] for future, task in zip(futures, tasks, strict=True)}
    try:
        for future in distributed.as_completed(futures, loop=client.loop):
            try:
                future.result()
            except PyaliasError:
                raise
            except Exception as error:
                raise EngineError(
                    f"part {places[future.key]}: {error}; finished parts stay, go on with --resume"
                ) from error
            yield places[future.key]
    finally:
        client.cancel(futures)


def _write(job: PartJob, task: Task) -> int:
    _, part, output = task
    return write_counted(job, part, output)
