"""Text as kmod's C strings hold it: bytes inside, ``str`` with surrogateescape outside."""

from __future__ import annotations

from pyalias.errors import ColumnError, InvalidModaliasError
from pyalias.names import normalise_alias


def to_text(data: bytes) -> str:
    """Any bytes as text; ``to_bytes`` gives them back."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str | bytes) -> bytes:
    """The bytes of a text.

    Raises:
        InvalidModaliasError: a lone surrogate, which is no byte.
        ColumnError: no text at all.
    """
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidModaliasError(f"{text!r} holds a lone surrogate, which is no byte", text) from error
    except AttributeError as error:
        raise ColumnError(f"expected str or bytes, found {type(text).__name__}") from error


def normalised(name: str | bytes) -> bytes:
    """A name as all of libkmod's sources see it (kmod: ``alias_normalize``).

    Raises:
        InvalidModaliasError: libkmod refuses it: stray brackets, or a NUL, which no C string holds.
    """
    key = to_bytes(name)
    normal = None if b"\0" in key else normalise_alias(key)
    if normal is None:
        shown = key if len(key) <= 80 else key[:77] + b"..."
        raise InvalidModaliasError(
            f"{shown!r}: libkmod refuses it (-EINVAL): brackets must come in pairs, and no name holds a NUL",
            name,
        )
    return normal
