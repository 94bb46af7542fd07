"""The cases as they stand in ``cases.json``."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

if TYPE_CHECKING:
    from pathlib import Path


class Lookup(TypedDict):
    """One name and what it stands for."""

    name: str
    modules: NotRequired[list[str]]
    error: NotRequired[str]
    filter: NotRequired[str]
    older: NotRequired[dict[str, Any]]


class Shown(TypedDict):
    """One name and what loading it would do."""

    name: str
    lines: list[str]
    options: NotRequired[list[str]]


class Case(TypedDict):
    """A module directory, a configuration, and questions."""

    name: str
    source: str
    tree: dict[str, Any]
    config: NotRequired[dict[str, str]]
    cmdline: NotRequired[str]
    locale: NotRequired[str]
    lookups: NotRequired[list[Lookup]]
    show_depends: NotRequired[list[Shown]]


def load_cases(path: Path | None = None) -> list[Case]:
    """The cases of a file, by default those of this package."""
    text = _package_file("cases.json") if path is None else path.read_text("utf-8")
    return cast("list[Case]", json.loads(text)["cases"])


def load_schema() -> dict[str, Any]:
    """The JSON Schema of case files."""
    return cast("dict[str, Any]", json.loads(_package_file("schema.json")))


def _package_file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
