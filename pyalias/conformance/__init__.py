"""Cases of module lookup as data, and a runner that puts them to any command.

``cases.json`` holds them, in the form of ``schema.json``; ``python -m pyalias.conformance`` runs them.
Text in cases is Latin-1: a character stands for the byte of its number.
"""

from pyalias.conformance.cases import Case, load_cases, load_schema
from pyalias.conformance.commands import Command
from pyalias.conformance.report import Outcome, run_cases, summary
from pyalias.conformance.tree import Tree, write_tree

__all__ = [
    "Case",
    "Command",
    "Outcome",
    "Tree",
    "load_cases",
    "load_schema",
    "run_cases",
    "summary",
    "write_tree",
]
