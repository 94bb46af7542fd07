"""Three-valued answers beside asking for every device: ``make partial-soak``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from support.partial_cases import SEED, disagreement, partial_cases

DEVICES_EACH = 25


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    start = time.process_time()
    states: Counter[str] = Counter()
    for case in partial_cases(options.cases // DEVICES_EACH, DEVICES_EACH, options.seed):
        index = case.index()
        for device in case.devices:
            wrong = disagreement(index, case, device)
            if wrong:
                print(wrong)
                return 1
            answer = index.lookup_partial(device)
            together = answer.state == "certain" and not answer.certain
            states["certain, by several modules together" if together else answer.state] += 1
    print(f"{states.total():,} cases agree, {time.process_time() - start:.0f} s: {dict(states)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
