"""Merkle trees over the log: RFC 9162's hashing and proofs, over nodes that the caller stores.

A node is named by level and index: leaves are level 0, and node (l, i) covers the leaves from
i · 2^l up to, but not including, (i + 1) · 2^l. Only complete nodes are stored, and they never
change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import msgspec

from domain.errors import MilepostError

HASH_BYTES = 32
EMPTY = sha256(b"").digest()
"""The root of a tree without leaves (RFC 9162, 2.1.1)."""

Node = Callable[[int, int], bytes]
"""Returns the hash of the complete node at this level and index."""


class InvalidProof(MilepostError):
    """A proof does not lead from what it starts with to the root it is meant for."""


def entry(position: int, job_id: str, version: int, topic: str, stored: bytes) -> bytes:
    """Return the data of a leaf: an event's place, a newline, and its stored bytes.

    The first line is the JSON array `[position,"job id",version,"topic"]` without spaces, as
    UTF-8.
    """
    return msgspec.json.encode((position, job_id, version, topic)) + b"\n" + stored


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162, 2.1.1)."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two others (RFC 9162, 2.1.1)."""
    return sha256(b"\1" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the complete nodes of the level above. A last node without a sibling gets none yet."""
    return [node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes) - 1, 2)]


def covering(hashes: Sequence[bytes]) -> bytes:
    """Return the complete node over these nodes, whose number is a power of two."""
    while len(hashes) > 1:
        hashes = parents(hashes)
    return hashes[0]


class Frontier(msgspec.Struct, frozen=True):
    """A tree's size and the roots of its complete subtrees, from the left: enough to grow it."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def grown(self, nodes: Iterable[bytes], level: int = 0) -> Frontier:
        """Return the frontier after these leaf hashes are appended.

        With a level above 0, `nodes` are complete nodes of that level, and the size must be a
        multiple of the 2^level leaves that each of them covers.
        """
        size, peaks = self.size >> level, list(self.peaks)
        for node in nodes:
            peak, rest = node, size
            while rest & 1:
                peak, rest = node_hash(peaks.pop(), peak), rest >> 1
            peaks.append(peak)
            size += 1
        return Frontier(size << level, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The tree's root hash."""
        return _joined(self.peaks)


def frontier(size: int, node: Node) -> Frontier:
    """Return the frontier of the tree's first `size` leaves."""
    return Frontier(size, tuple(node(level, index) for level, index in subtrees(0, size)))


def subtrees(start: int, stop: int) -> list[tuple[int, int]]:
    """Return the largest complete nodes that together cover these leaves, from the left."""
    found = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        found.append((level, start >> level))
        start += 1 << level
    return found


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the hashes that lead from a leaf to the root of `size` leaves (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise InvalidProof(f"there is no leaf {index} among {size}")
    return [_covering(part, node) for part in _siblings(index, size)]


def consistency_proof(first: int, size: int, node: Node) -> list[bytes]:
    """Return the hashes that prove the first leaves unchanged (RFC 9162, 2.1.4.1)."""
    if not 0 < first <= size:
        raise InvalidProof(f"a tree of {size} leaves extends none of {first}")
    # The proof starts at the largest complete subtree that ends the old tree.
    level = (first & -first).bit_length() - 1
    index = (first >> level) - 1
    parts = [] if first == 1 << level else [(index << level, (index + 1) << level)]
    parts += _siblings(index << level, size, level)
    return [] if first == size else [_covering(part, node) for part in parts]


def root_of_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise InvalidProof(f"there is no leaf {index} among {size}")
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise InvalidProof("the proof is too long")
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise InvalidProof("the proof is too short")
    return found


def check_consistency(
    first: int, first_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise `InvalidProof` unless the tree extends the older one (RFC 9162, 2.1.4.2)."""
    if first == size:
        if proof or first_root != root:
            raise InvalidProof(f"two roots of {size} leaves differ")
        return
    if not 0 < first < size:
        raise InvalidProof(f"a tree of {size} leaves extends none of {first}")
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        raise InvalidProof("the proof is too short")
    at, last = first - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise InvalidProof("the proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise InvalidProof("the proof is too short")
    if old != first_root:
        raise InvalidProof(f"the first {first} leaves are not those of the older root")
    if new != root:
        raise InvalidProof(f"the proof does not lead to the root of {size} leaves")


def _joined(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY
    *others, found = peaks
    for peak in reversed(others):
        found = node_hash(peak, found)
    return found


def _covering(leaves: tuple[int, int], node: Node) -> bytes:
    return _joined([node(level, index) for level, index in subtrees(*leaves)])


def _siblings(leaf: int, size: int, least: int = 0) -> list[tuple[int, int]]:
    # Returns the ranges of leaves beside the path from this leaf to the root, lowest first. Ranges
    # up to the level `least` belong to the node that the path starts from and are left out.
    found, start, stop = [], 0, size
    while stop - start > 1 << least:
        half = start + (1 << (stop - start - 1).bit_length() - 1)
        if leaf < half:
            found.append((half, stop))
            stop = half
        else:
            found.append((start, half))
            start = half
    return found[::-1]
