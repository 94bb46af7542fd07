"""Fixtures that are made once a run: the bundled kernels, their indexes and oracles, the real libkmod."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from support.browser import Browser, open_browser
from support.libkmod import Libkmod, LibkmodMissingError
from support.module_tree import read_aliases, read_builtin_aliases
from support.oracle import Oracle
from support.other_sources import OtherSources
from support.random_trees import RandomTree, write_random_trees
from support.simulated_kernel import SHARED_EDU, SimulatedKernel, SimulatedOperations, directory, unpack
from support.tables import DATA, RELEASES

import pyalias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No deadlines: nothing in the tests may depend on the speed of the machine.
settings.register_profile("dev", max_examples=60, deadline=None)
settings.register_profile(
    "ci", max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick loop skips what takes long, and says so; with PYALIAS_ALL_TESTS=1, as in CI, nothing."""
    if os.environ.get("PYALIAS_ALL_TESTS") == "1":
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes long: run with PYALIAS_ALL_TESTS=1, as CI does"))


@pytest.fixture(scope="session")
def kernel_dirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundled module directories, unpacked: release to path."""
    base = tmp_path_factory.mktemp("kernels")
    for release in RELEASES:
        with tarfile.open(DATA / "kernels" / f"{release}.tar.xz") as archive:
            # Set, not passed: the first releases of Python 3.11 know no filters.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(base / release)  # noqa: S202 the project's own archive
    return {release: base / release for release in RELEASES}


@pytest.fixture(scope="session")
def indexes(kernel_dirs: dict[str, Path]) -> dict[str, pyalias.AliasIndex]:
    """The compiled index of each bundled kernel."""
    return {release: pyalias.AliasIndex.from_modules(path) for release, path in kernel_dirs.items()}


@pytest.fixture(scope="session")
def sysfs_roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The five captured sysfs roots, unpacked: name to the directory that holds ``sys``."""
    base = tmp_path_factory.mktemp("sysfs")
    with tarfile.open(DATA / "vfio" / "sysfs-snapshot.tar.gz") as archive:
        # "tar" and not "data": sysfs has absolute-looking links within its tree
        archive.extractall(base, filter="tar")
    return {path.name: path for path in base.iterdir() if path.is_dir()}


@pytest.fixture(scope="session")
def variant_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a tree with all VFIO variants, and cases of class, subsystem and tie: release 9.9.9."""
    base = tmp_path_factory.mktemp("variants")
    with tarfile.open(DATA / "vfio" / "variant-tree.tar.xz") as archive:
        archive.extractall(base, filter="data")
    return base


@pytest.fixture(scope="session")
def oracles(kernel_dirs: dict[str, Path]) -> dict[str, Oracle]:
    """The slow oracle of each bundled kernel."""
    return {
        release: Oracle(
            read_aliases(path / "modules.alias"), read_builtin_aliases(path / "modules.builtin.modinfo")
        )
        for release, path in kernel_dirs.items()
    }


@pytest.fixture(scope="session")
def other_sources(kernel_dirs: dict[str, Path], oracles: dict[str, Oracle]) -> dict[str, OtherSources]:
    """Of each bundled kernel, the sources of libkmod's lookup that are no alias index."""
    return {release: OtherSources(path, oracles[release]) for release, path in kernel_dirs.items()}


@pytest.fixture(scope="session")
def libkmod() -> Iterator[Libkmod]:
    """The real libkmod.so.2; PYALIAS_REQUIRE_LIBKMOD=1 turns its absence from a skip into a failure."""
    try:
        library = Libkmod()
    except LibkmodMissingError as error:
        reason = f"the real libkmod is not installed (Debian: libkmod2): {error}"
        if os.environ.get("PYALIAS_REQUIRE_LIBKMOD") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with library:
        yield library


@pytest.fixture(scope="session")
def random_trees(tmp_path_factory: pytest.TempPathFactory) -> list[RandomTree]:
    """Random pattern sets on disk, each with keys and the oracle's answers."""
    return write_random_trees(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="session")
def captured_machine() -> Iterator[Path]:
    """A captured PCI root, for copies of which a kernel is simulated."""
    with directory() as place:
        root = unpack("6.12-final", place)
        SimulatedKernel(root).unbind(SHARED_EDU)  # its capture is of a moment with vfio-pci
        yield root


@pytest.fixture
def system(captured_machine: Path) -> Iterator[SimulatedOperations]:
    """A machine of the test's own, whose devices can be switched."""
    root = captured_machine.with_name("root")
    shutil.copytree(captured_machine, root, symlinks=True)
    yield SimulatedOperations(SimulatedKernel(root))
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser; PYALIAS_REQUIRE_CHROMIUM=1 turns its absence from a skip into a failure."""
    with open_browser() as opened:
        yield opened
