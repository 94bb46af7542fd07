"""Whether boxes cover a box: exactly, by splitting it where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyalias.errors import LimitError
from pyalias.partial.boxes import ANY_DIGIT, LANE, Lanes

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_STEPS = 1 << 21
"""What may be done for one device: a step for each box that is compared, ``SPLIT_STEPS`` for each measured.

A device of known vendor and device takes some hundred of them, one of which nothing is known two hundred
thousand; patterns made for it could take more than there are devices. It is a matter of seconds.
"""
SPLIT_STEPS = 8


class Covering:
    """The questions about one device, which share a bound on their work."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._steps = 0

    def covers(self, boxes: Iterable[int], space: int) -> bool:
        """Whether every string of ``space`` is in one of the boxes.

        Raises:
            LimitError: it takes more than ``MOST_STEPS`` to find out.
        """
        met = {box & space for box in boxes}
        self._step(len(met))
        return self._cover({box for box in met if not self._lanes.is_empty(box)}, space)

    def _step(self, count: int) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise LimitError(
                f"whether the patterns cover all that the device may be takes more than {MOST_STEPS:,} "
                "steps: tell more of its ids, or leave out patterns made of many partial wildcards"
            )

    def _cover(self, boxes: set[int], space: int) -> bool:
        """The same of boxes inside the space. As deep as there are digits."""
        self._step(SPLIT_STEPS * (len(boxes) + 1))
        if space in boxes:
            return True
        # Few strings cannot fill many places: what ends nearly every question about real patterns.
        if sum(map(self._lanes.size, boxes)) < self._lanes.size(space):
            return False
        lane = self._lane_to_split(boxes, space)
        return all(
            self._cover({box & part for box in boxes if box & part & lane_mask(lane)}, part)
            for part in self._parts(boxes, space, lane)
        )

    def _lane_to_split(self, boxes: set[int], space: int) -> int:
        """The digit that most boxes ask something of: with it known, most of them are out or say less."""

        def asking(lane: int) -> int:
            mask = lane_mask(lane)
            return sum(1 for box in boxes if (box ^ space) & mask)

        return max(self._lanes.open_lanes(space), key=asking)

    def _parts(self, boxes: set[int], space: int, lane: int) -> list[int]:
        """The space in parts, in each of which no box tells the lane's digits apart; least covered first."""
        shift = LANE * lane
        alike: dict[tuple[int, ...], int] = {}
        ordered = list(boxes)
        for digit in range(16):
            bit = 1 << shift << digit
            if space & bit:
                key = tuple(number for number, box in enumerate(ordered) if box & bit)
                alike[key] = alike.get(key, 0) | bit
        rest = space & ~lane_mask(lane)
        return [rest | digits for _, digits in sorted(alike.items(), key=lambda part: len(part[0]))]


def lane_mask(lane: int) -> int:
    """One lane, full."""
    return ANY_DIGIT << (LANE * lane)
