"""The compiled module itself, and what all that call it need."""

from __future__ import annotations

import errno

from pyalias._native import ffi, lib
from pyalias.errors import AliasFileError, ColumnError, ImageError, InvalidModaliasError, LimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["address_of", "ffi", "lib", "raise_error", "refusal", "text_of"]


def raise_error(code: int, error: Any, file: str | None = None) -> None:
    """Turn a code of the core into the exception that it stands for."""
    if code == lib.PYA_OK:
        return
    message = ffi.string(error.message).decode()
    if code == lib.PYA_ENOMEM:
        raise MemoryError(message)
    if code == lib.PYA_EIMAGE:
        raise ImageError(f"{message} (byte {error.position})", file)
    if code == lib.PYA_ETEXT:
        raise AliasFileError(message, file, error.position)
    if code == lib.PYA_ELIMIT:
        raise LimitError(message)
    raise ColumnError(message)


def refusal(code: int, key: bytes) -> InvalidModaliasError:
    shown = key if len(key) <= 80 else key[:77] + b"..."
    if code == lib.PYA_ETOOLONG:
        return InvalidModaliasError(
            f"{shown!r}: {len(key)} bytes are too long for libkmod (-ENAMETOOLONG): "
            "name and module must fit into 4096 bytes",
            key,
            errno.ENAMETOOLONG,
        )
    return InvalidModaliasError(
        f"{shown!r}: libkmod refuses it (-EINVAL): brackets must come in pairs, and no name holds a NUL", key
    )


def text_of(text: Any) -> bytes:
    found: bytes = ffi.unpack(ffi.cast("char *", text.bytes), text.length) if text.length else b""
    return found


def address_of(pointer: Any) -> int:
    return int(ffi.cast("uintptr_t", pointer))
