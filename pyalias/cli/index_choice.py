"""The options that say which aliases to look in, shared by all commands that look up."""

from __future__ import annotations

import os

from pyalias.index import AliasIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

MODULES_ROOT = "/lib/modules"


def add_index_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--modules``, ``--kernel`` and ``--index``, of which one may be given."""
    group = parser.add_argument_group("which aliases (default: those of the running kernel)")
    choice = group.add_mutually_exclusive_group()
    choice.add_argument("--modules", metavar="DIR", help="a kernel's module directory")
    choice.add_argument("--kernel", metavar="RELEASE", help=f"the same as --modules {MODULES_ROOT}/RELEASE")
    choice.add_argument("--index", metavar="FILE", help="an index written by pyalias compile")


def index_source(options: argparse.Namespace) -> str:
    """The file or directory that the options name."""
    if options.index is not None:
        return str(options.index)
    if options.modules is not None:
        return str(options.modules)
    return f"{MODULES_ROOT}/{options.kernel or os.uname().release}"


def open_index(options: argparse.Namespace) -> AliasIndex:
    """Open or compile the index that the options name."""
    source = index_source(options)
    if options.index is not None:
        return AliasIndex.open(source)
    return AliasIndex.from_modules(source)
