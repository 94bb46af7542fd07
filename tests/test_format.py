"""docs/format.md is the image: its dump is what the compiler writes, and the decoder understands all of it.

``python tests/test_format.py`` writes the dump of the page anew, after a change of the format.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # when run as a program

from support.image_dump import dump, section_names, undump

import pyalias

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "format.md"
ALIASES = (("dev-1", "one"), ("dev?[02]*", "two"), ("dev*x", "one"), ("dev-1", "two"))
BLOCK = re.compile(r"(?<=^```text\n)[0-9a-f]{4} .*?(?=^```$)", re.MULTILINE | re.DOTALL)


def image() -> bytes:
    return pyalias.AliasIndex.compile(ALIASES).to_bytes()


def shown() -> str:
    (block,) = BLOCK.findall(PAGE.read_text("utf-8"))
    return block


def test_page_shows_the_bytes_of_the_image():
    assert undump(shown()) == image()


def test_page_explains_them_as_the_decoder_does():
    assert shown() == dump(image())


def test_page_lists_the_aliases_of_the_image():
    for pattern, module in ALIASES:
        assert f'("{pattern}", "{module}")' in PAGE.read_text("utf-8")


def test_image_of_the_page_can_be_opened_and_asked():
    index = pyalias.AliasIndex.from_bytes(undump(shown()))
    assert index.lookup("dev-1") == ("one", "two")
    assert index.lookup("dev_2x") == ("one", "two")


def test_page_and_header_name_every_section():
    page, header = PAGE.read_text("utf-8"), (ROOT / "csrc" / "format.h").read_text("ascii")
    for name in section_names():
        assert f"| `{name}` |" in page, f"docs/format.md has no row on the section {name}"
        assert re.search(rf"^ \*   {name} ", header, re.MULTILINE) or name == "FIELDS"


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(BLOCK.sub(lambda _: dump(image()), text), "utf-8")
