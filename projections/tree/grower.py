"""Growing the tree: what was appended to the log since is hashed and appended to the tree."""

from __future__ import annotations

import logging

from eventsourcing.persistence import PersistenceError

from domain.evidence.merkle import HASH_BYTES
from domain.log.stored import Stored
from projections.tree.contract import TILE, Head, TreeBroken, TreeMoved, TreeStore
from projections.tree.tiles import grown, tails

log = logging.getLogger("milepost.tree")

BATCH = 8 * TILE


class Grower:
    """Keeps the tree up with the log; of any number, whoever projects grows it.

    It goes on only from a log that still has the tree's last event as it was hashed. From another
    one, which lost events or got others, it stops and says so: what it would append could never
    be proven to extend what was signed before.
    """

    def __init__(self, tree: TreeStore, batch: int = BATCH) -> None:
        self._tree = tree
        self._batch = batch
        self._told = ""

    def grow(self) -> bool:
        """Append a batch, if it can be; tell whether there is more. What is wrong, the log says.

        Raises nothing but the library's `PersistenceError`.
        """
        try:
            count = self._step()
        except TreeBroken as error:
            self._tell(str(error))
            return False
        except TreeMoved:
            log.warning("another process appended to the tree, starting again from there")
            return True
        except PersistenceError:
            raise
        except Exception:
            # A bug of ours must be seen, here and as a growing lag, and not disturb the projector.
            log.exception("the tree cannot grow, trying again")
            return False
        self._told = ""
        return count == self._batch

    def _tell(self, fault: str) -> None:
        # Once, and again when it is something else: this is called every second.
        if fault != self._told:
            log.error("the tree does not grow any more: %s; see milepost verify", fault)
        self._told = fault

    def catch_up(self) -> None:
        """Append all that the log has; raise `TreeBroken` or `TreeMoved`."""
        while self._step():
            pass

    def _step(self) -> int:
        head = self._tree.head()
        events = checked(self._tree, head, self._batch)
        if events:
            begun = self._tree.tiles(tails(head.size))
            leaves, positions = [e.leaf for e in events], [e.position for e in events]
            longer = Head(head.size + len(events), positions[-1])
            self._tree.append(head, longer, grown(head.size, begun, leaves, positions))
        return len(events)


def checked(tree: TreeStore, head: Head, limit: int) -> list[Stored]:
    """Return events that come after the tree's last one; raise `TreeBroken` if that is changed."""
    if head.size == 0:
        return list(tree.log.events(0, limit))
    events = list(tree.log.events(head.position - 1, limit + 1))
    if not events or events[0].position != head.position:
        others = "; others come after it" if events else ", nor is any after it"
        raise TreeBroken(
            f"the event at position {head.position}, the last of {head.size} in the tree, "
            f"is not in the log any more{others}"
        )
    index, place = divmod(head.size - 1, TILE)
    tile = tree.tiles([(0, index)]).get((0, index))
    last = tile.hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES] if tile else None
    if last != events[0].leaf:
        raise TreeBroken(
            f"the event at position {head.position}, the last of {head.size} in the tree, is not "
            "what was hashed"
        )
    return events[1:]
