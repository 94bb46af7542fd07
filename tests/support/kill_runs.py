"""Program: kills apply or restore before each of its calls in turn, and says what restore makes of it.

Arguments: the root of a simulated kernel, ``apply`` or ``restore``, the target as JSON. Prints a line of
JSON for each run; the last run is not killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from pyalias import vfio
from support.simulated_kernel import Faults, SimulatedKernel, SimulatedOperations


def main(root: str, action: str, target: str | int) -> None:
    kernel = SimulatedKernel(Path(root))
    before = kernel.state()

    def start(faults: Faults | None = None) -> SimulatedOperations:
        return SimulatedOperations(kernel, faults)

    def switch(faults: Faults | None = None) -> None:
        vfio.apply(plan, write=True, operations=lambda: start(faults))

    def restore(faults: Faults | None = None) -> None:
        vfio.restore(write=True, operations=lambda: start(faults))

    plan = vfio.plan(target, driver="vfio-pci", operations=start())
    chosen = {assignment.device.address for assignment in plan.assignments}
    number = 0
    ended = "killed"
    while ended == "killed":
        if action == "restore":
            switch()
        ended = _run(switch if action == "apply" else restore, Faults(number, "kill"))
        entries = vfio.status(operations=start())
        others = {address: state for address, state in kernel.state().items() if address not in chosen}
        restore()
        report = {
            "number": number,
            "ended": ended,
            "states": [entry.state for entry in entries],
            "others": others.items() <= before.items(),
            "mended": kernel.state() == before and not vfio.status(operations=start()),
        }
        print(json.dumps(report))
        number += 1


def _run(act, faults: Faults) -> str:
    child = os.fork()
    if not child:
        act(faults)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else f"status {status}"


if __name__ == "__main__":
    os.fsync = lambda _: None  # as in the tests of faults
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
