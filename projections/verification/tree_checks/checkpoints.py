"""Check checkpoints against roots that are computed from the events of the log."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import msgspec

from domain.evidence.checkpoint import Checkpoint
from domain.evidence.merkle import EMPTY, Frontier
from projections.tree.contract import HEIGHT, TILE, TreeBroken, TreeStore
from projections.tree.tiles import Nodes
from projections.verification.findings import Finding, Report


class RootAtSize(msgspec.Struct, frozen=True):
    """The root of the first `size` events, and the last one's position."""

    size: int
    root: bytes
    position: int


class Roots(msgspec.Struct, frozen=True):
    """The frontier of the events that were read, and the roots at the sizes of checkpoints."""

    frontier: Frontier = Frontier()
    met: tuple[RootAtSize, ...] = ()

    def grown(
        self,
        leaves: Sequence[bytes],
        positions: Sequence[int],
        asked: Sequence[int],
        root: bytes = b"",
    ) -> Roots:
        """Return the roots after these leaves. `root`, if given, is the root over all of them."""
        size, met = self.frontier.size, list(self.met)
        for wanted in asked:
            if size < wanted <= size + len(leaves):
                then = self.frontier.grown(leaves[: wanted - size])
                met.append(RootAtSize(wanted, then.root, positions[wanted - size - 1]))
        if root and size % TILE == 0 and len(leaves) == TILE:
            return Roots(self.frontier.grown([root], HEIGHT), tuple(met))
        return Roots(self.frontier.grown(leaves), tuple(met))


def check_checkpoints(
    roots: Roots, checkpoints: Sequence[Checkpoint], tree: TreeStore, report: Report
) -> None:
    """Report every checkpoint that the log does not extend, with the last one that it extends."""
    computed = {each.size: each for each in (RootAtSize(0, EMPTY, 0), *roots.met)}
    extended: Checkpoint | None = None
    for checkpoint in sorted(checkpoints, key=lambda each: each.size):
        actual = computed.get(checkpoint.size)
        if actual and actual.root == checkpoint.root:
            extended = checkpoint
            continue
        upto = f"up to position {computed[extended.size].position}" if extended else ""
        since = (
            f"the first {extended.size} events, {upto}, are as they were signed{_when(extended)}"
            if extended
            else "no smaller checkpoint holds"
        )
        if actual is None:
            lost = checkpoint.size - roots.frontier.size
            found = f"{lost} events fewer; {since}"
        else:
            found = (
                f"{b64encode(actual.root).decode()}, the last of them at position "
                f"{actual.position}; {since}; {_answer_of_tree(checkpoint, tree)}"
            )
        report(
            Finding(
                kind="checkpoint",
                position=checkpoint.position,
                expected=f"{checkpoint.size} events with the root "
                f"{b64encode(checkpoint.root).decode()}, signed{_when(checkpoint)}",
                found=found,
            )
        )


def _when(checkpoint: Checkpoint) -> str:
    return f" at {checkpoint.made_at}" if checkpoint.made_at else ""


def _answer_of_tree(checkpoint: Checkpoint, tree: TreeStore) -> str:
    try:
        root = Nodes(tree).frontier(checkpoint.size).root
    except TreeBroken:
        root = b""
    if root == checkpoint.root:
        return "the tree still has what was signed, so what differs from it is what was changed"
    return "the tree does not have what was signed either"
