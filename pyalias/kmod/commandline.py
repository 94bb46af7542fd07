"""What the kernel's command line says to modprobe: ``modprobe.blacklist=`` and ``module.parameter=``."""

from __future__ import annotations

from pyalias._records import NamedTuple
from pyalias.names import normalise_alias

LONGEST = 4095
"""kmod reads so many bytes of /proc/cmdline (``KCMD_LINE_SIZE``) and no more."""

_BLANKS = b" \n\t\v\f\r"
_QUOTE = ord('"')


class KernelArguments(NamedTuple):
    """Names as they stand: those of a blacklist keep their dashes and stray quotes, as in kmod."""

    blacklist: list[bytes]
    options: list[tuple[bytes, bytes]]


def parse_command_line(text: bytes) -> KernelArguments:
    """Read a kernel command line as libkmod does (``kmod_config_parse_kcmdline``).

    An argument counts if it is ``module.parameter`` or ``module.parameter=value``. A value may hold
    blanks between double quotes, which stay in it; where a boot loader has put the quote before the
    module, it is moved to where it was meant. A module with stray brackets is passed over.
    """
    found = KernelArguments([], [])
    for argument in _arguments(text.partition(b"\0")[0][:LONGEST]):
        module, dot, parameter = argument.partition(b".")
        if not dot:
            continue
        name, equals, value = parameter.partition(b"=")
        if module.startswith(b'"') and equals:
            module, parameter = module[1:], name + b'="' + value
        if module == b"modprobe" and parameter.startswith(b"blacklist="):
            found.blacklist.extend(parameter.removeprefix(b"blacklist=").split(b","))
        elif (normal := normalise_alias(module)) is not None:
            found.options.append((normal, parameter))
    return found


def _arguments(text: bytes) -> list[bytes]:
    """Those of the form ``module.parameter`` or ``module.parameter=value``, quotes and all."""
    if b'"' not in text:
        return [argument for argument in text.split() if argument.partition(b"=")[0].count(b".") == 1]
    arguments = []
    start = 0
    while start <= len(text):
        end, well_formed = _argument_end(text, start)
        if well_formed:
            arguments.append(text[start:end])
        start = end + 1
    return arguments


def _argument_end(text: bytes, start: int) -> tuple[int, bool]:
    """Where the argument ends, and whether it has the form that counts."""
    quoted = False
    dots = 0
    ignored = in_value = False
    for at in range(start, len(text)):
        byte = text[at]
        if byte == _QUOTE:
            quoted = not quoted
            # Before the value only the very first byte may be a quote.
            if not in_value and not (quoted and at == start):
                ignored = True
        elif byte in _BLANKS:
            if not quoted:
                return at, bool(dots) and not ignored
            if not in_value:
                ignored = True
        elif byte == ord(".") and not in_value:
            dots += 1
            ignored = ignored or dots > 1
        elif byte == ord("=") and not in_value:
            in_value = bool(dots)
            ignored = ignored or not dots
    return len(text), bool(dots) and not ignored and not quoted
