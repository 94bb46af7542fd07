"""The options that say which aliases to look in, shared by all commands that look up."""

from __future__ import annotations

import os

from pyalias.errors import ImageError, LimitError, UnknownKernelError
from pyalias.index import AliasIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from pyalias.index_set import AliasIndexSet

MODULES_ROOT = "/lib/modules"


def add_index_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--modules``, ``--kernel`` and ``--index``: one of them, or a set and one of its kernels."""
    group = parser.add_argument_group("which aliases (default: those of the running kernel)")
    choice = group.add_mutually_exclusive_group()
    choice.add_argument("--modules", metavar="DIR", help="a kernel's module directory")
    choice.add_argument(
        "--index", metavar="FILE", help="an index, or a set of several kernels, written by pyalias compile"
    )
    # One group of three would refuse --index and --kernel together; a group of two does not.
    other = group.add_mutually_exclusive_group()
    other._group_actions.append(choice._group_actions[0])  # noqa: SLF001 argparse has no other way
    other.add_argument(
        "--kernel",
        metavar="RELEASE",
        help=f"the same as --modules {MODULES_ROOT}/RELEASE; with --index which kernel of the set",
    )


def index_source(options: argparse.Namespace) -> str:
    """The file or directory that the options name, and the kernel of a set's file."""
    if options.index is not None:
        return str(options.index) if options.kernel is None else f"{options.index}, kernel {options.kernel}"
    if options.modules is not None:
        return str(options.modules)
    return f"{MODULES_ROOT}/{options.kernel or os.uname().release}"


def open_index(options: argparse.Namespace) -> AliasIndex:
    """Open or compile the index that the options name.

    Raises:
        UnknownKernelError: a set of kernels and none of them, or one that it has not.
    """
    if options.index is None:
        return AliasIndex.from_modules(index_source(options))
    if options.kernel is not None:
        from pyalias.index_set import AliasIndexSet  # noqa: PLC0415 lookups in one index need none of it

        return AliasIndexSet.open(options.index)[options.kernel]
    try:
        return AliasIndex.open(options.index)
    except ImageError:
        _refuse_set(options.index)
        raise


def open_aliases(options: argparse.Namespace) -> AliasIndex | AliasIndexSet:
    """The set that ``--index`` names, where ``--kernel-column`` is given; else as ``open_index``.

    Raises:
        LimitError: ``--kernel-column`` without a set, or beside ``--kernel``.
    """
    if options.kernel_column is None:
        return open_index(options)
    if options.index is None or options.kernel is not None:
        raise LimitError("--kernel-column wants a set of kernels as --index, and no --kernel")
    from pyalias.index_set import AliasIndexSet  # noqa: PLC0415 lookups in one index need none of it

    return AliasIndexSet.open(options.index)


def _refuse_set(path: str) -> None:
    from pyalias.index_set import AliasIndexSet, is_index_set  # noqa: PLC0415

    if is_index_set(path):
        names = ", ".join(AliasIndexSet.open(path))
        raise UnknownKernelError(f"{path} holds several kernels: name one with --kernel, of {names}")
