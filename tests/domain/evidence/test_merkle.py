"""The trees are RFC 9162's: held against the recursive definitions that the RFC gives."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.evidence import merkle
from domain.evidence.merkle import Frontier, InvalidProof

LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(130)]


def split(count: int) -> int:
    """Return the largest power of two below this count."""
    return 1 << (count - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 9162, 2.1.1 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    half = split(len(leaves))
    return sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """Return PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    half = split(len(leaves))
    if index < half:
        return [*path(index, leaves[:half]), root(leaves[half:])]
    return [*path(index - half, leaves[half:]), root(leaves[:half])]


def subproof(first: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """Return SUBPROOF of RFC 9162, 2.1.4.1."""
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    half = split(len(leaves))
    if first <= half:
        return [*subproof(first, leaves[:half], whole), root(leaves[half:])]
    return [*subproof(first - half, leaves[half:], False), root(leaves[:half])]


def node(level: int, index: int) -> bytes:
    """Return a complete node over `LEAVES`."""
    leaves = LEAVES[index << level : (index + 1) << level]
    assert len(leaves) == 1 << level, "only complete nodes are asked for"
    return root(leaves)


sizes = st.integers(1, len(LEAVES))


@given(st.integers(0, len(LEAVES)), st.integers(0, len(LEAVES)))
def test_a_tree_grown_in_pieces_has_the_root_of_the_whole(a: int, b: int) -> None:
    first, size = sorted((a, b))
    grown = Frontier().grown(LEAVES[:first]).grown(LEAVES[first:size])
    assert (grown.size, grown.root) == (size, root(LEAVES[:size]))
    assert merkle.frontier(size, node) == grown


@given(st.integers(0, 16), st.integers(0, 16), st.integers(0, 3))
def test_a_tree_grown_by_complete_nodes_has_the_root_of_the_whole(
    first: int, more: int, level: int
) -> None:
    nodes = [node(level, index) for index in range(min(first + more, len(LEAVES) >> level))]
    grown = Frontier().grown(nodes[:first], level).grown(nodes[first:], level)
    assert (grown.size, grown.root) == (len(nodes) << level, root(LEAVES[: len(nodes) << level]))


@given(sizes, st.data())
def test_an_inclusion_proof_is_that_of_the_rfc_and_leads_to_the_root(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, node)
    assert proof == path(index, LEAVES[:size])
    assert merkle.root_of_inclusion(index, size, LEAVES[index], proof) == root(LEAVES[:size])


@given(sizes, sizes)
def test_a_consistency_proof_is_that_of_the_rfc_and_is_accepted(a: int, b: int) -> None:
    first, size = sorted((a, b))
    proof = merkle.consistency_proof(first, size, node)
    assert proof == subproof(first, LEAVES[:size])
    merkle.check_consistency(first, root(LEAVES[:first]), size, root(LEAVES[:size]), proof)


@given(sizes, sizes, st.data())
def test_a_changed_proof_is_refused(a: int, b: int, data: st.DataObject) -> None:
    first, size = sorted((a, b))
    old, new = root(LEAVES[:first]), root(LEAVES[:size])
    proof = merkle.consistency_proof(first, size, node)
    index = data.draw(st.integers(0, size - 1))
    path_ = merkle.inclusion_proof(index, size, node)
    wrong = merkle.leaf_hash(b"wrong")
    assert merkle.root_of_inclusion(index, size, wrong, path_) != new
    for changed in ([*proof, wrong], [wrong, *proof], proof[:-1] if proof else [wrong]):
        with pytest.raises(InvalidProof):
            merkle.check_consistency(first, old, size, new, changed)
    for first_root, last_root in ((wrong, new), (old, wrong)):
        with pytest.raises(InvalidProof):
            merkle.check_consistency(first, first_root, size, last_root, proof)
    with pytest.raises(InvalidProof):
        merkle.root_of_inclusion(index, size, LEAVES[index], [*path_, wrong])
    if path_:
        with pytest.raises(InvalidProof):
            merkle.root_of_inclusion(index, size, LEAVES[index], path_[:-1])


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    for wrong in (-1, 3):
        with pytest.raises(InvalidProof, match="no leaf"):
            merkle.inclusion_proof(wrong, 3, node)
        with pytest.raises(InvalidProof, match="no leaf"):
            merkle.root_of_inclusion(wrong, 3, LEAVES[0], [])
    for first in (0, 4):
        with pytest.raises(InvalidProof, match="extends none"):
            merkle.consistency_proof(first, 3, node)
        with pytest.raises(InvalidProof, match="extends none"):
            merkle.check_consistency(first, LEAVES[0], 3, LEAVES[0], [])


def test_parents_are_the_complete_nodes_of_the_level_above() -> None:
    assert merkle.parents(LEAVES[:5]) == [node(1, 0), node(1, 1)]
    assert merkle.parents(LEAVES[:1]) == []
    for level in range(5):
        assert merkle.covering(LEAVES[: 1 << level]) == node(level, 0)


def test_an_entry_says_where_the_event_stands_and_then_its_stored_bytes() -> None:
    entry = merkle.entry(7, "job\n1 ü", 2, "StepReported", b'{"step":"x"}\n\0')
    assert entry == '[7,"job\\n1 ü",2,"StepReported"]\n{"step":"x"}\n\0'.encode()
    assert merkle.leaf_hash(b"") == sha256(b"\0").digest()
