"""Single lookups, and what is remembered of them."""

from __future__ import annotations

from pyalias import _binding
from pyalias.answers import AnswerTable
from pyalias.errors import ColumnError, InvalidModaliasError, PyaliasError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyalias._binding import Image
    from pyalias.answers import Names

ROOM = 1 << 16
"""How many lookups are remembered."""

_ANSWER_ROOM = 1 << 20
_CLOSED = "this AliasIndex is closed: open it again"


class Memo:
    """Answers of lookups: remembered ones at the speed of a dictionary, others by searching the image.

    The function that ``make_lookup`` gives is one of C that does both for short strings, without a Python
    frame; it leaves to ``_missing`` what is longer, of another type, refused, or no stored answer.
    """

    def __init__(self, image: Image) -> None:
        self._image: Image | None = image
        self._answers: AnswerTable | None = AnswerTable(image)
        self.remembered: dict[str | bytes, Names] = {}
        self._single = _binding.SingleLookups(image, self._answers.known)

    def make_lookup(self) -> Callable[[str | bytes], Names]:
        """The function that looks up; it holds this memo, and must not be held by it."""
        return self._single.function(self.remembered, self._missing, ROOM)

    @property
    def image(self) -> Image:
        """The image.

        Raises:
            PyaliasError: it was let go of.
        """
        if self._image is None:
            raise PyaliasError(_CLOSED)
        return self._image

    @property
    def answers(self) -> AnswerTable:
        """The answers known by now.

        Raises:
            PyaliasError: the image was let go of.
        """
        if self._answers is None:
            raise PyaliasError(_CLOSED)
        return self._answers

    def _missing(self, modalias: str | bytes) -> Names:
        image, answers = self.image, self.answers
        key = key_of(modalias)
        names = answers.names(image.lookup(key, answers.numbers))
        if len(key) <= _binding.LONGEST_REMEMBERED:
            if len(self.remembered) >= ROOM:
                self.renew()
            self.remembered[modalias] = names
        return names

    def renew(self) -> None:
        """Forget the lookups, and the answers too where hostile input has made them many."""
        self.remembered.clear()
        if self.has_many_answers:
            self._answers = AnswerTable(self.image)  # answers given before keep theirs
            self._single.use_answers(self._answers.known)

    @property
    def has_many_answers(self) -> bool:
        """Whether so many answers were numbered that they should be forgotten."""
        return self._image is not None and len(self.answers) > _ANSWER_ROOM + self._image.counts.answers

    @property
    def is_closed(self) -> bool:
        """Whether the image was let go of."""
        return self._image is None

    def close(self) -> None:
        """Let go of the image."""
        self._image = self._answers = None
        self._single.close()
        self.remembered.clear()


def encoded(text: str | bytes) -> bytes:
    """The bytes of a text.

    Raises:
        TypeError: it is none.
        UnicodeEncodeError: it holds a lone surrogate.
    """
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    # bytes(5) would be five NULs, and bytes(10**10) ten gigabytes of them.
    raise TypeError(text)


def key_of(modalias: str | bytes) -> bytes:
    """The bytes to look up.

    Raises:
        InvalidModaliasError, ColumnError: there are none.
    """
    try:
        return encoded(modalias)
    except UnicodeEncodeError as error:
        raise InvalidModaliasError(
            f"{modalias!r} holds a lone surrogate, which is no byte", modalias
        ) from error
    except TypeError as error:
        raise ColumnError(f"expected str or bytes, found {type(modalias).__name__}") from error
