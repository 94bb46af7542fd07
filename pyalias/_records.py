"""``typing.NamedTuple`` without ``typing``, whose import takes longer than all of pyalias's own.

A lookup is a process of some 20 ms, and a machine that starts up runs many. So no module that a lookup
imports imports ``typing``; each sets ``TYPE_CHECKING = False`` itself, which checkers know as they know
the one in ``typing``.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:

    class _Maker(type):
        """Makes a named tuple of a class body, as typing's does."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body["__annotations__"]
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])  # noqa: PYI024
            for key, value in body.items():
                if key not in made._fields and key not in {"__classcell__", "__firstlineno__"}:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """What records are derived from."""


__all__ = ["NamedTuple"]
