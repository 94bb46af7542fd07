"""The alias indexes of several kernels as one: one file, and answers whose ids mean the same for all."""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pyalias import _binding
from pyalias._binding import SharedBuffer
from pyalias.errors import FileAccessError, ImageError, PyaliasError, UnknownKernelError
from pyalias.index import AliasIndex
from pyalias.index_set import file
from pyalias.index_set.answers import KernelCounts, SetAnswers, SharedAnswers
from pyalias.index_set.pairs import Pairs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Buffer

    from pyalias.answers import Answers, Names

__all__ = ["AliasIndexSet", "KernelCounts", "SetAnswers", "is_index_set", "open_aliases"]

_ANSWER_ROOM = 1 << 20


class AliasIndexSet(Mapping[str, AliasIndex]):
    """The alias indexes of several kernels, by name: made by ``from_kernels``, or ``open``.

    ``kernels["6.12.0-amd64"]`` is that kernel's ``AliasIndex``, with all that it does. Immutable, and safe
    to use from many threads. Kernels with exactly the same aliases share one index, in memory and in the
    file. The answers of ``lookup_many`` have ids of the set: equal ids are equal modules.

    A kernel of a file is checked when it is first asked for: only then ``ImageError`` says that its part
    of the file is damaged.
    """

    def __init__(self, images: Mapping[str, Buffer], path: str | None = None, label: str = "") -> None:
        self._images: dict[str, Buffer] | None = dict(images)
        self._names = tuple(images)
        self._path = path
        self._label = label
        self._lock = threading.RLock()
        self._opened: dict[str, AliasIndex] = {}
        self._by_image: dict[int, AliasIndex] = {}
        self._answers = SharedAnswers()
        self._pairs: list[Pairs] = []

    # ---- made, saved, opened ----

    @classmethod
    def from_kernels(cls, kernels: Mapping[str, AliasIndex | str | os.PathLike[str]]) -> Self:
        """A set of kernels by name, in the mapping's order.

        Args:
            kernels: an ``AliasIndex``, or what ``AliasIndex.from_modules`` takes: a module directory, a
                package, an archive.

        Raises:
            LimitError: no kernels, more than 65,536, or a name that is empty, longer than 255 bytes or has a
                NUL.
            FileAccessError, AliasFileError, PackageError, MissingLibraryError: as ``from_modules``.
        """
        stored: dict[bytes, bytes] = {}
        images: dict[str, Buffer] = {}
        for name, given in kernels.items():
            file.check_name(name)
            if isinstance(given, AliasIndex):
                image = given.to_bytes()
            else:
                with AliasIndex.from_modules(given) as index:
                    image = index.to_bytes()
            images[name] = stored.setdefault(image, image)
        file.check_count(len(images))
        return cls(images)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the set to a file, atomically: all of it, or nothing.

        Raises:
            FileAccessError: the file cannot be written; what stood there before still does.
        """
        from pyalias.atomic_file import AtomicFile  # noqa: PLC0415 what only reads needs none

        with AtomicFile(path) as output:
            for piece in file.pieces(self._stored()):
                output.write(piece)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Map a saved set into memory, shared with every process that does.

        Its table of kernels is checked at once, a kernel's index when it is first asked for. Replace such a
        file by ``save`` (which renames), never in place.

        Raises:
            FileAccessError: the file is missing or cannot be read.
            ImageError: it is no intact set of this version.
        """
        name = os.fspath(path)
        try:
            with open(path, "rb") as source:  # noqa: PTH123 as of AliasIndex
                if not os.fstat(source.fileno()).st_size:
                    raise ImageError("an empty file is no set of indexes", name)
                data = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise FileAccessError.from_oserror(error, path, "expected a set of indexes") from error
        return cls._over(data, name, os.path.join(os.getcwd(), name))  # noqa: PTH109, PTH118 no Path here

    @classmethod
    def from_bytes(cls, data: Buffer) -> Self:
        """Open a set that lies in memory; the buffer is borrowed and must not change.

        Raises:
            ImageError: it is no intact set of this version.
        """
        return cls._over(data)

    @classmethod
    def _over(cls, data: Buffer, label: str = "", path: str | None = None) -> Self:
        view = memoryview(data).cast("B")
        places = file.read_table(view, label or None)
        images = {place: view[place.at : place.at + place.size] for place in places.values()}
        return cls({name: images[place] for name, place in places.items()}, path, label)

    def to_bytes(self) -> bytes:
        """The set as ``save`` writes it."""
        return b"".join(file.pieces(self._stored()))

    def __reduce__(self) -> tuple[Any, tuple[str | bytes]]:
        # As of an index: what was opened is mapped again, by path.
        if self._path is not None:
            return type(self).open, (self._path,)
        return type(self).from_bytes, (self.to_bytes(),)

    def close(self) -> None:
        """Let go of all kernels' indexes, once lookups under way have ended. May be called twice."""
        with self._lock:
            for index in self._opened.values():
                index.close()
            self._images = None
            self._opened.clear()
            self._by_image.clear()
            self._pairs.clear()
            self._answers = SharedAnswers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _stored(self) -> dict[str, Buffer]:
        if self._images is None:
            raise PyaliasError("this AliasIndexSet is closed: open it again")
        return self._images

    # ---- the kernels ----

    def __getitem__(self, kernel: str) -> AliasIndex:
        """The index of a kernel.

        Raises:
            UnknownKernelError: the set has no such kernel; a KeyError.
            ImageError: its part of the file is damaged.
        """
        index = self._opened.get(kernel)
        return index if index is not None else self._open(kernel)

    def _open(self, kernel: str) -> AliasIndex:
        with self._lock:
            images = self._stored()
            if kernel not in images:
                names = ", ".join(self._names[:20]) + (", ..." if len(self._names) > 20 else "")
                where = f" in {self._label}" if self._label else ""
                raise UnknownKernelError(f"no kernel {kernel!r}{where}; there are: {names}")
            image = images[kernel]
            index = self._by_image.get(id(image))
            if index is None:
                label = f"{self._label}, kernel {kernel}" if self._label else f"kernel {kernel}"
                index = AliasIndex(_binding.Image(image, label))
                self._by_image[id(image)] = index
            self._opened[kernel] = index
        return index

    def __contains__(self, kernel: object) -> bool:
        return kernel in self._stored()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        if self._images is None:
            return "<AliasIndexSet, closed>"
        return f"<AliasIndexSet of {len(self)} kernels>"

    # ---- asked ----

    def lookup(self, kernel: str, modalias: str | bytes) -> Names:
        """The modules that claim a device on a kernel, as ``AliasIndex.lookup`` gives them.

        Raises:
            UnknownKernelError: the set has no such kernel.
            InvalidModaliasError: where libkmod gives -EINVAL or -ENAMETOOLONG.
        """
        return self[kernel].lookup(modalias)

    def lookup_many(self, devices: Any, kernels: Any, *, threads: int | None = 1) -> SetAnswers:
        """Look up a whole column of devices, each on its kernel.

        Args:
            devices: a column as ``AliasIndex.lookup_many`` takes it.
            kernels: the name of one kernel; or a name for each device, as a list of ``str`` or ``None``
                or an Arrow column of strings.
            threads: as of ``AliasIndex.lookup_many``.

        Rows that libkmod would refuse are listed in ``SetAnswers.invalid``, rows whose kernel the set lacks
        (or whose kernel is null) in ``SetAnswers.unknown``: neither raises.

        With one kernel rows are matched as fast as in its own index. With a column each distinct pair of
        device and kernel is looked up once and remembered, up to a million of them.

        Raises:
            ColumnError: another kind of input, or columns of different lengths.
            UnknownKernelError: ``kernels`` is one name, and the set has no such kernel.
            ImageError: the part of the file of a kernel that is asked for is damaged.
        """
        if isinstance(kernels, str):
            return self._of_one(kernels, self[kernels].lookup_many(devices, threads=threads))
        self._stored()
        pairs = self._take_pairs()
        # Not given back where it fails half way: it would not know what it has.
        answers = pairs.answers(devices, kernels, threads)
        self._give_pairs(pairs)
        return answers

    def _of_one(self, kernel: str, found: Answers) -> SetAnswers:
        buffer, validity, table = found.columns()
        answers = self._answers
        ids = answers.translated(buffer, table)
        settled = _binding.Settled(found.invalid, validity, found.null_count)
        self._renew(answers)
        counts = SharedBuffer(8 * len(answers))
        _binding.count_ids(ids, counts)
        without = counts.view().cast("Q")[0]
        invalid, nulls = len(found.invalid), found.null_count
        devices = len(found) - nulls
        numbers = KernelCounts(devices, len(found) - without, without - invalid - nulls, invalid)
        return SetAnswers(ids, answers, settled, (), {kernel: numbers} if devices else {})

    def _take_pairs(self) -> Pairs:
        try:
            return self._pairs.pop()
        except IndexError:
            return Pairs(self, self._answers)

    def _give_pairs(self, pairs: Pairs) -> None:
        self._renew(pairs.table)
        if pairs.table is self._answers and not pairs.is_full:
            self._pairs.append(pairs)

    def _renew(self, answers: SharedAnswers) -> None:
        """Forget the answers where hostile input has made them many; answers given before keep theirs."""
        if answers is self._answers and len(answers) > _ANSWER_ROOM:
            self._answers = SharedAnswers()
            self._pairs.clear()


def is_index_set(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a set's does; ``False`` for what cannot be read."""
    try:
        with open(path, "rb") as source:  # noqa: PTH123 as of AliasIndex
            return source.read(len(file.MAGIC)) == file.MAGIC
    except OSError:
        return False


def open_aliases(path: str | os.PathLike[str]) -> AliasIndex | AliasIndexSet:
    """Open a saved index or a saved set, whichever the file is.

    Raises:
        FileAccessError: the file is missing or cannot be read.
        ImageError: it is neither.
    """
    return AliasIndexSet.open(path) if is_index_set(path) else AliasIndex.open(path)
