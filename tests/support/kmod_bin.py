"""A writer of kmod's binary indexes (``modules.alias.bin`` and its kin), byte for byte as depmod does.

With it the real libkmod can be asked about any set of patterns, without depmod and without modules.

A file is big-endian throughout: magic, version, the root's offset word, then the nodes: up to v33 children
before their parent and the root last, from v34 on the parent before its children. A node is its prefix, its
table of children and its values, each only if there is any; the top bits of the word that points to it say
which.
"""

from __future__ import annotations

from struct import pack

MAGIC = 0xB007F457
VERSION = 0x00020001
HAS_PREFIX = 0x80000000
HAS_VALUES = 0x40000000
HAS_CHILDREN = 0x20000000


class _Node:
    """A node of the radix tree; the byte that leads to it is its place among its parent's children."""

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.children: dict[int, _Node] = {}
        self.values: list[tuple[int, bytes]] = []

    def split(self, length: int) -> None:
        """Keep ``length`` bytes of the prefix and move all else to a child of its own."""
        lower = _Node(self.prefix[length + 1 :])
        lower.children, lower.values = self.children, self.values
        self.children = {self.prefix[length]: lower}
        self.values = []
        self.prefix = self.prefix[:length]

    def add_value(self, priority: int, value: bytes) -> None:
        """Sorted by priority; among equals the newest stands first, as in kmod's ``index_add_value``."""
        place = next((i for i, (other, _) in enumerate(self.values) if other >= priority), len(self.values))
        self.values.insert(place, (priority, value))


class Index:
    """One index under construction."""

    def __init__(self) -> None:
        self._root = _Node(b"")

    def insert(self, key: bytes, value: bytes, priority: int) -> None:
        """Add one entry; equal entries are kept."""
        node = self._root
        while True:
            shared = _shared_length(node.prefix, key)
            if shared < len(node.prefix):
                node.split(shared)
            if shared == len(key):
                node.add_value(priority, value)
                return
            edge, key = key[shared], key[shared + 1 :]
            node = node.children.setdefault(edge, _Node(key))

    def to_bytes(self) -> bytes:
        """The file as depmod up to v33 writes it."""
        nodes = bytearray(12)
        root = _write(self._root, nodes)
        nodes[:12] = pack(">III", MAGIC, VERSION, root)
        return bytes(nodes)

    def to_bytes_parent_first(self) -> bytes:
        """The file as depmod from v34 on writes it."""
        nodes = bytearray(12)
        root = _write_parent_first(self._root, nodes)
        nodes[:12] = pack(">III", MAGIC, VERSION, root)
        return bytes(nodes)


def _shared_length(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    both = min(len(one), len(other))
    return next((i for i in range(both) if one[i] != other[i]), both)


def _write(node: _Node, out: bytearray) -> int:
    """Append the children, then the node; returns the word that points to it."""
    words = {edge: _write(child, out) for edge, child in sorted(node.children.items())}
    word = len(out)
    flags, own = _own_bytes(node, words)
    out += own
    return word | flags


def _write_parent_first(node: _Node, out: bytearray) -> int:
    """Append the node with words that are filled in once its children have been written."""
    word = len(out)
    unknown = dict.fromkeys(node.children, 0)
    flags, own = _own_bytes(node, unknown)
    out += own
    words = {edge: _write_parent_first(child, out) for edge, child in sorted(node.children.items())}
    out[word : word + len(own)] = _own_bytes(node, words)[1]
    return word | flags


def _own_bytes(node: _Node, words: dict[int, int]) -> tuple[int, bytes]:
    """The flags of a node and what it consists of, given the words of its children."""
    flags, out = 0, bytearray()
    if node.prefix:
        flags |= HAS_PREFIX
        out += node.prefix + b"\0"
    if words:
        flags |= HAS_CHILDREN
        first, last = min(words), max(words)
        out += pack(">BB", first, last)
        for edge in range(first, last + 1):
            out += pack(">I", words.get(edge, 0))
    if node.values:
        flags |= HAS_VALUES
        out += pack(">I", len(node.values))
        for priority, value in node.values:
            out += pack(">I", priority) + value + b"\0"
    return flags, bytes(out)
