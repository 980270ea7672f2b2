"""Prove that each event of one job is in the tree, and in each checkpoint that covers it."""

from __future__ import annotations

from collections.abc import Sequence

from domain.evidence import merkle
from domain.evidence.checkpoint import Checkpoint
from domain.log.stored import Stored
from projections.comparing.job_history import events
from projections.tree.contract import TILE, Head, TreeBroken, TreeStore
from projections.tree.tiles import Nodes
from projections.verification.findings import Finding, Kind, Report
from projections.verification.inspection.contract import Inspection
from projections.verification.tree_checks.suspects import Leaf, Suspects


class OneJob:
    """Proves the events of one job with hashes of the tree.

    A proof leads to a signed root only if the event is as it was hashed.
    """

    def __init__(
        self,
        tree: TreeStore,
        inspection: Inspection,
        head: Head,
        checkpoints: Sequence[Checkpoint],
        suspects: Suspects,
        report: Report,
    ) -> None:
        self._tree = tree
        self._inspection = inspection
        self._head = head
        self._suspects = suspects
        self._report = report
        self._nodes = Nodes(tree)
        self._leaves: dict[int, tuple[int, bytes]] = {}
        self._signed = [
            (c.size, c.root, f"the checkpoint of {c.made_at or f'{c.size} events'}")
            for c in checkpoints
        ]
        if head.size:
            self._signed.append((head.size, self._nodes.frontier(head.size).root, "the tree"))

    def check(self, job_id: str) -> None:
        """Check every event that the tree has reached; raise `TreeBroken`."""
        for event in events(self._inspection, job_id):
            if event.position <= self._head.position:
                self._check(event)

    def check_size(self) -> None:
        """Report a log that has fewer or more events than the tree has leaves.

        The numbers do not show which events are missing or were added.
        """
        size, position = self._head.size, self._head.position
        count = self._inspection.log.count(position)
        expected = f"{size} events up to position {position}, as many as were hashed"
        if count < size:
            found = f"{size - count} fewer; milepost verify, without --job, says which are gone"
            self._report(Finding(kind="missing", expected=expected, found=found))
        if count > size:
            found = f"{count - size} more; milepost verify, without --job, says which were added"
            self._report(Finding(kind="added", expected=expected, found=found))

    def _check(self, event: Stored) -> None:
        if event.position not in self._leaves:
            self._read_tile_of(event.position)
        if event.position not in self._leaves:
            return self._suspects.add(None, event)
        index, stored = self._leaves[event.position]
        if stored != event.leaf:
            self._suspects.add(Leaf(index, event.position, stored), event)
        for size, root, name in self._signed:
            if index < size:
                try:
                    self._prove(event, index, size, root)
                except (TreeBroken, merkle.InvalidProof) as error:
                    kind: Kind = "tile" if name == "the tree" else "checkpoint"
                    self._report_fault(kind, event, name, str(error))
        return None

    def _read_tile_of(self, position: int) -> None:
        # A tile has the leaves of many events of a job that reports often.
        if tile := self._tree.tile_of(position):
            leaves = zip(tile.leaf_positions(), tile.nodes(), strict=False)
            self._leaves = {}
            for index, (at, stored) in enumerate(leaves, tile.index * TILE):
                self._leaves.setdefault(at, (index, stored))

    def _prove(self, event: Stored, index: int, size: int, root: bytes) -> None:
        hashes = merkle.inclusion_proof(index, size, self._nodes.node)
        if merkle.root_of_inclusion(index, size, event.leaf, hashes) != root:
            raise merkle.InvalidProof("it is not: the proof leads to another root")

    def _report_fault(self, kind: Kind, event: Stored, name: str, fault: str) -> None:
        expected = f"the event to be in {name}"
        self._report(Finding.at(event, kind, expected=expected, found=fault))
