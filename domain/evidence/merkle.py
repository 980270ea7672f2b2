"""Merkle trees over the log: RFC 9162's hashing and proofs, over nodes that are kept elsewhere.

A node is named by level and index: leaves are level 0, and node (l, i) covers the leaves from
i · 2^l up to (i + 1) · 2^l. Only complete nodes are ever kept, and they never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import msgspec

from domain.errors import MilepostError

HASH_BYTES = 32
EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""

Node = Callable[[int, int], bytes]
"""Gives the hash of the complete node of this level and index."""


class InvalidProof(MilepostError):
    """A proof does not lead from what it starts with to the root it is meant for."""


def entry(position: int, job_id: str, version: int, topic: str, stored: bytes) -> bytes:
    """Return what a leaf is the hash of: where an event stands, a newline, its stored bytes.

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
    """Return the complete nodes of the level above; a last one without a sibling waits."""
    return [node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes) - 1, 2)]


def covering(hashes: Sequence[bytes]) -> bytes:
    """Return the complete node over these, of which there is a power of two."""
    while len(hashes) > 1:
        hashes = parents(hashes)
    return hashes[0]


class Frontier(msgspec.Struct, frozen=True):
    """A tree's size and its complete subtrees, from the left, which is all it takes to grow it."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def grown(self, nodes: Iterable[bytes], level: int = 0) -> Frontier:
        """Return the frontier after these leaf hashes were appended.

        Or, of another level, complete nodes, where the size has room for such as a whole.
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
    # The largest complete subtree that ends the old tree is where the proof starts.
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
    # The ranges of leaves beside the way from this leaf to the root, from below; those that are
    # no higher than `least` belong to the node that the way starts from.
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
