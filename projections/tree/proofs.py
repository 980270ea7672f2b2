"""Evidence: the tree's size, its roots, inclusion proofs and consistency proofs."""

from __future__ import annotations

import msgspec

from domain.errors import MilepostError
from domain.evidence import merkle
from domain.evidence.merkle import HASH_BYTES, InvalidProof
from domain.log.reading.contract import NEWEST
from domain.log.store import translated
from domain.log.stored import Stored
from projections.tree.contract import TILE, Head, TreeBroken, TreeStore
from projections.tree.grower import checked
from projections.tree.tiles import Nodes


class NotInTreeYet(MilepostError):
    """The tree does not go as far yet."""


class NoSuchTree(MilepostError):
    """The log has fewer events than this."""


class Growth(msgspec.Struct, frozen=True):
    """The tree's size and last position, and the fault that stops its growth, if there is one."""

    size: int
    position: int
    fault: str | None = None

    def lag(self, log_position: int) -> int:
        """Return how many positions the tree is behind the log."""
        return max(0, log_position - self.position)


class Root(msgspec.Struct, frozen=True):
    """The root of the tree's first `size` leaves, the last leaf, and the position of its event."""

    size: int
    root: bytes
    position: int
    leaf: bytes = b""


class Proof(msgspec.Struct, frozen=True):
    """An event's leaf, and the hashes that lead from it to the root (RFC 9162, 2.1.3)."""

    event: Stored
    leaf_index: int
    root: Root
    hashes: list[bytes]


class Evidence:
    """Answers from the tree. Every method may raise `StoreUnavailable`."""

    def __init__(self, tree: TreeStore) -> None:
        self._tree = tree

    def growth(self) -> Growth:
        """Return the tree's size and position, and a fault if the log lost its last event."""
        with translated():
            head = Head()
            try:
                head = self._tree.head()
                checked(self._tree, head, 0)
            except TreeBroken as error:
                return Growth(head.size, head.position, str(error))
        return Growth(head.size, head.position)

    def root(self, size: int | None = None) -> Root:
        """Return the root of the first `size` leaves, of all leaves if `size` is None.

        Raises `NotInTreeYet`, `NoSuchTree`, or `TreeBroken` if the log lost or changed the last
        leaf's event.
        """
        with translated():
            head = self._tree.head()
            checked(self._tree, head, 0)
            return self._root(Nodes(self._tree), head, size)

    def proof(self, job_id: str, version: int, size: int | None = None) -> Proof | None:
        """Prove that an event is among the first `size` leaves; return None without such an event.

        Raises `NotInTreeYet`, `NoSuchTree`, `InvalidProof` if the event comes after the first
        `size` leaves, or `TreeBroken` if the event is not what was hashed.
        """
        if version > NEWEST:
            return None
        with translated():
            event = self._tree.log.event(job_id, version)
            if event is None:
                return None
            head, nodes = self._tree.head(), Nodes(self._tree)
            root = self._root(nodes, head, size)
            if event.position > root.position:
                if root.size < head.size:
                    raise InvalidProof(
                        f"The event is not among the first {root.size} events of the log."
                    )
                raise NotInTreeYet(f"The tree ends before this event, at size {head.size}.")
            tile = self._tree.tile_of(event.position)
            if tile is None:
                raise TreeBroken(f"the event at position {event.position} is not in the tree")
            offset = tile.leaf_positions().index(event.position)
            if tile.hashes[offset * HASH_BYTES : (offset + 1) * HASH_BYTES] != event.leaf:
                raise TreeBroken(f"the event at position {event.position} is not what was hashed")
            index = tile.index * TILE + offset
            hashes = merkle.inclusion_proof(index, root.size, nodes.node)
            return Proof(event, index, root, hashes)

    def extension(self, first: int, size: int | None = None) -> tuple[Root, list[bytes]]:
        """Prove that the first `size` leaves extend the first `first` leaves (RFC 9162, 2.1.4).

        Raises `NotInTreeYet`, `NoSuchTree`, `InvalidProof` for sizes that have no proof, or
        `TreeBroken`.
        """
        if size is not None and first > size:
            raise InvalidProof(f"A log of {size} events cannot extend one of {first}.")
        with translated():
            nodes, head = Nodes(self._tree), self._tree.head()
            if first > head.size:
                raise self._beyond(head, first)
            root = self._root(nodes, head, size)
            return root, merkle.consistency_proof(first, root.size, nodes.node)

    def _root(self, nodes: Nodes, head: Head, size: int | None) -> Root:
        size = head.size if size is None else size
        if size > head.size:
            raise self._beyond(head, size)
        if size == 0:
            return Root(0, nodes.frontier(0).root, 0)
        position = head.position if size == head.size else nodes.position(size - 1)
        return Root(size, nodes.frontier(size).root, position, nodes.node(0, size - 1))

    def _beyond(self, head: Head, size: int) -> MilepostError:
        """Return why there is no tree of a size above the head's: not yet, or never so far."""
        # Positions have gaps, so the log may have fewer events; once the tree is there, it is sure.
        most = head.size + max(0, self._tree.log.newest_position() - head.position)
        if size > most:
            return NoSuchTree(f"The log has {most} events, so there is no tree of {size}.")
        return NotInTreeYet(f"The tree has {head.size} events so far, and {size} are wanted.")
