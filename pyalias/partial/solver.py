"""Three-valued answers: what the alias lines say of all devices that a partial one may be."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from pyalias.partial.answers import NOTHING, PartialAnswer
from pyalias.partial.boxes import PatternBoxes
from pyalias.partial.covering import Covering

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyalias._binding import Image
    from pyalias.partial.forms import Form


_Boxes = dict[str, list[int]]
"""What each module claims."""


class Claim(NamedTuple):
    """What one pattern of a module claims: a box. Lines ascend in the order of answers."""

    box: int
    line: int
    source: int
    module: str


def claims_of(image: Image, form: Form) -> list[Claim]:
    """The claims of all lines that may match devices of a form, in the order of lines."""
    reader = PatternBoxes(form)
    claims = []
    for line in image.lines_possible(form.prefix.encode()):
        boxes = reader.boxes(image.line_normalised(line))
        if boxes:
            source = image.line_source(line)
            module = image.module(image.line_module(line)).decode("utf-8", "surrogateescape")
            claims += [Claim(box, line, source, module) for box in boxes]
    return claims


class Solver:
    """Answers for the partial devices of one form."""

    def __init__(self, form: Form, claims: Iterable[Claim]) -> None:
        self._form = form
        self._first, self._second = form.field_mask(form.first), form.field_mask(form.second)
        self._digits = form.fields[form.first].digits, form.fields[form.second].digits
        self._by_both: dict[tuple[int, int], list[Claim]] = defaultdict(list)
        self._by_first: dict[int, list[Claim]] = defaultdict(list)
        self._by_second: dict[int, list[Claim]] = defaultdict(list)
        self._all = list(claims)
        for claim in self._all:
            first, second = self._key(claim.box)
            self._by_both[first, second].append(claim)
            self._by_first[first].append(claim)
            self._by_second[second].append(claim)

    def _key(self, box: int) -> tuple[int, int]:
        """The two fields that tell devices apart, 0 for one that is not one number."""
        first, second = box & self._first, box & self._second
        # No lane of a box is empty, so that as many bits as lanes are one digit each.
        return (
            first if first.bit_count() == self._digits[0] else 0,
            second if second.bit_count() == self._digits[1] else 0,
        )

    def answer(self, space: int) -> PartialAnswer:
        """The answer for all device strings of a box.

        Raises:
            LimitError: it takes more work than any real patterns do.
        """
        by_source: dict[int, _Boxes] = defaultdict(lambda: defaultdict(list))
        for claim in self._candidates(space):
            met = claim.box & space
            if not self._form.lanes.is_empty(met):
                by_source[claim.source][claim.module].append(met)
        if not by_source:
            return NOTHING
        return _Question(self._form, space, [boxes for _, boxes in sorted(by_source.items())]).answer()

    def _candidates(self, space: int) -> list[Claim]:
        """The claims that the two fields do not rule out, in the order of lines."""
        first, second = self._key(space)
        if first and second:
            keys = ((first, second), (first, 0), (0, second), (0, 0))
            lists = [self._by_both.get(key, ()) for key in keys]
        elif first:
            lists = [self._by_first.get(key, ()) for key in (first, 0)]
        elif second:
            lists = [self._by_second.get(key, ()) for key in (second, 0)]
        else:
            return self._all
        return sorted((claim for claims in lists for claim in claims), key=lambda claim: claim.line)


class _Question:
    """One partial device, and the boxes in it that modules claim, source by source."""

    def __init__(self, form: Form, space: int, sources: list[_Boxes]) -> None:
        self._covering = Covering(form.lanes)
        self._space = space
        self._sources = sources
        self._all = [[box for boxes in modules.values() for box in boxes] for modules in sources]
        # A source is asked only for devices of which those before it know nothing.
        self._earlier = [list(chain(*self._all[:number])) for number in range(len(sources))]

    def answer(self) -> PartialAnswer:
        """Each module stands once, where its first line does."""
        names = dict.fromkeys(name for modules in self._sources for name in modules)
        certain = tuple(name for name in names if self._is_certain(name))
        possible = tuple(name for name in names if name not in certain and self._is_possible(name))
        always = bool(certain) or self._covering.covers(chain(*self._all), self._space)
        return PartialAnswer("certain" if always else "possible", certain, possible)

    def _is_certain(self, name: str) -> bool:
        """Whether each device is claimed by the module, in the first source that knows it at all."""
        own = [modules.get(name, []) for modules in self._sources]
        if not self._covering.covers(chain(*own), self._space):
            return False
        if len(self._sources) == 1:
            return True
        return all(
            self._covering.covers([*mine, *earlier], box)
            for mine, earlier, boxes in zip(own, self._earlier, self._all, strict=True)
            for box in boxes
        )

    def _is_possible(self, name: str) -> bool:
        """Whether there is a device that a source gives to the module and no earlier one knows."""
        return any(
            not (earlier and self._covering.covers(earlier, box))
            for modules, earlier in zip(self._sources, self._earlier, strict=True)
            for box in modules.get(name, ())
        )
