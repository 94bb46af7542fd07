"""Damaged images: refused, or answered from without harm; damage may even come with the right checksum."""

from __future__ import annotations

from collections import Counter
from random import Random
from struct import pack_into, unpack_from
from typing import TYPE_CHECKING

import pytest
from support.image_damage import ALIASES, VFIO_COLUMN, checksum, small_image, use_everything, with_checksum
from support.image_dump import section_names

from pyalias import AliasIndex, ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = 20261124
SEEDS = range(4)
CHANGES = 1_000
VERSION_AT = 8
SECTIONS_AT = 40


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return small_image(tmp_path_factory.mktemp("damage") / "modules")


@pytest.fixture(scope="module")
def kernel_image(indexes: dict[str, AliasIndex]) -> bytes:
    return indexes["6.12.117-cloud-amd64"].to_bytes()


def test_the_image_has_some_of_everything(image: bytes):
    """What is not there cannot be damaged."""
    sizes = {
        name: unpack_from("<QQ", image, SECTIONS_AT + 16 * number)[1]
        for number, name in enumerate(section_names())
    }
    assert [name for name, size in sizes.items() if not size] == []
    assert len(list(use_everything(image))) > 30


def test_checksum_is_the_compilers(image: bytes, kernel_image: bytes):
    for whole in (image, kernel_image):
        assert with_checksum(bytearray(whole)) == whole
        assert checksum(whole) != checksum(whole[:-128])


def test_the_image_has_a_flat_table(image: bytes):
    """And the column that is asked of it in every test below is answered from it, by some variant."""
    index = AliasIndex.from_bytes(image)
    assert index._image.has_pci_table(1)
    named = {name for names in index.lookup_many(VFIO_COLUMN).table for name in names}
    assert {name for _, name in ALIASES if name.startswith("vfio_")} <= named


def test_cut_at_every_length(image: bytes):
    for length in range(len(image)):
        with pytest.raises(ImageError):
            AliasIndex.from_bytes(image[:length])


def test_kernel_image_cut_at_many_lengths(kernel_image: bytes):
    random = Random(SEED)  # noqa: S311 - repeatable, not secret
    lengths = {*random.sample(range(len(kernel_image)), 100), len(kernel_image) - 1, len(kernel_image) - 128}
    for length in lengths:
        with pytest.raises(ImageError):
            AliasIndex.from_bytes(kernel_image[:length])


def test_bytes_behind_the_end(image: bytes):
    for more in (b"\0", bytes(128), image):
        with pytest.raises(ImageError):
            AliasIndex.from_bytes(image + more)


def test_every_byte_changed(image: bytes):
    """The checksum is made of bijections: a change of one byte cannot go unseen."""
    for at in range(len(image)):
        for change in (1, 0x80, 0xFF):
            damaged = bytearray(image)
            damaged[at] ^= change
            with pytest.raises(ImageError):
                AliasIndex.from_bytes(damaged)


def test_error_tells_file_and_what(image: bytes, tmp_path: Path):
    path = tmp_path / "damaged.pyalias"
    path.write_bytes(image[:-128])
    with pytest.raises(ImageError, match=r"damaged\.pyalias: .*\d") as error:
        AliasIndex.open(path)
    assert error.value.file == str(path)


def test_another_version(image: bytes):
    """An unknown major, or a minor newer than the reader: refused by name, even with the right checksum."""
    (own,) = unpack_from("<I", image, VERSION_AT)
    for version in (0, own - (1 << 16), own + (1 << 16), own | 0xFFFF, 0xFFFF0000):
        other = bytearray(image)
        pack_into("<I", other, VERSION_AT, version)
        with pytest.raises(ImageError, match="version"):
            AliasIndex.from_bytes(with_checksum(other))


@pytest.mark.parametrize("data", [b"", b"p", b"pyalias\x1a", bytes(64), b"x" * 4096, b"alias a b\n" * 100])
def test_what_is_no_image(data: bytes, tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(ImageError):
        AliasIndex.from_bytes(data)
    with pytest.raises(ImageError):
        AliasIndex.open(path)


# ---- damage behind a right checksum ----


def forged(image: bytes, random: Random, count: int) -> Iterator[bytes]:
    """Changes of the kind that a check may overlook: numbers nearly right, or copied from elsewhere."""
    extremes = (0, 1, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF)
    for _ in range(count):
        damaged = bytearray(image)
        for _ in range(random.choice((1, 1, 1, 2, 5))):
            at = random.randrange(SECTIONS_AT if random.random() < 0.9 else 12, len(image) - 3) & ~3
            (number,) = unpack_from("<I", damaged, at)
            changed = random.choice(
                (
                    number + 1,
                    number - 1,
                    number ^ 1 << random.randrange(32),
                    random.choice(extremes),
                    random.randrange(1 << random.choice((4, 8, 12, 32))),
                    unpack_from("<I", damaged, random.randrange(len(image) - 3) & ~3)[0],
                )
            )
            pack_into("<I", damaged, at, changed & 0xFFFFFFFF)
        yield with_checksum(damaged)


def outcome(damaged: bytes) -> str:
    """What became of a damaged image; anything but these, or a crash, fails the test."""
    try:
        for _ in use_everything(damaged):
            pass
    except ImageError:
        return "refused"
    return "answered"


@pytest.mark.parametrize("seed", SEEDS)
def test_forged_images_are_refused_or_harmless(image: bytes, seed: int):
    outcomes = Counter(outcome(damaged) for damaged in forged(image, Random(SEED + seed), CHANGES))  # noqa: S311
    assert outcomes.total() == CHANGES
    assert min(outcomes["refused"], outcomes["answered"]) > CHANGES / 20


def test_every_word_of_the_image_forged(image: bytes):
    for at in range(12, len(image) - 3, 4):
        for number in (1, 0xFFFFFFFF):
            damaged = bytearray(image)
            pack_into("<I", damaged, at, number)
            outcome(with_checksum(damaged))
