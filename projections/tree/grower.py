"""The grower: hash the events that were appended to the log, and append the hashes to the tree."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from domain.evidence.merkle import HASH_BYTES
from domain.log.bounded import is_full
from domain.log.stored import Stored
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.tree.contract import TILE, Head, TreeBroken, TreeMoved, TreeStore
from projections.tree.tiles import grown, tails

log = logging.getLogger("milepost.tree")

BATCH = 8 * TILE
BESIDE_PROJECTING = 4 * TILE
"""A batch of the projector's chore.

A batch of one tile takes 1.8 times the CPU for an event, because every batch reads the head, the
last event and the last tiles, and is a transaction. A larger batch would hold up the rows.
"""


class Grower:
    """A chore: let the tree grow with the log.

    The grower goes on only while the log has the tree's last event as it was hashed. If the log
    lost or changed that event, the grower stops and logs the fault: no proof could show that new
    leaves extend the tree that was signed before.
    """

    def __init__(self, tree: TreeStore, batch: int = BATCH) -> None:
        self._tree = tree
        self._batch = batch
        self._logged_fault = ""

    def begin(self) -> None:
        """Do nothing: the tree's head tells which event is next."""

    def step(self) -> float:
        """Append at most one batch; return seconds until the next step is due."""
        try:
            more = self._append()
        except TreeBroken as error:
            self._log_once(str(error))
            return IDLE_SECONDS
        except TreeMoved:
            log.warning("another process appended to the tree, starting again from there")
            return AT_ONCE
        self._logged_fault = ""
        return AT_ONCE if more else IDLE_SECONDS

    def catch_up(self) -> None:
        """Append all events that the log has; raise `TreeBroken` or `TreeMoved`."""
        while self._append():
            pass

    def _log_once(self, fault: str) -> None:
        # The projector asks every second, and the fault stays until an operator acts.
        if fault != self._logged_fault:
            log.error("the tree does not grow any more: %s; see milepost verify", fault)
        self._logged_fault = fault

    def _append(self) -> bool:
        """Append a batch; return whether the log may have more events."""
        head = self._tree.head()
        events, more = checked(self._tree, head, self._batch)
        if events:
            begun = self._tree.tiles(tails(head.size))
            leaves, positions = [e.leaf for e in events], [e.position for e in events]
            longer = Head(head.size + len(events), positions[-1])
            self._tree.append(head, longer, grown(head.size, begun, leaves, positions))
        return more


def checked(tree: TreeStore, head: Head, limit: int) -> tuple[Sequence[Stored], bool]:
    """Return at most `limit` events that come after the tree's last one, and whether more may.

    Raises `TreeBroken` if the log does not have the tree's last event as it was hashed.
    """
    if head.size == 0:
        events = tree.log.events(0, limit)
        return events, is_full(events, limit)
    events = tree.log.events(head.position - 1, limit + 1)
    if not events or events[0].position != head.position:
        others = "; others come after it" if events else ", nor is any after it"
        raise TreeBroken(
            f"the event at position {head.position}, the last of {head.size} in the tree, "
            f"is not in the log any more{others}"
        )
    index, offset = divmod(head.size - 1, TILE)
    tile = tree.tiles([(0, index)]).get((0, index))
    last = tile.hashes[offset * HASH_BYTES : (offset + 1) * HASH_BYTES] if tile else None
    if last != events[0].leaf:
        raise TreeBroken(
            f"the event at position {head.position}, the last of {head.size} in the tree, is not "
            "what was hashed"
        )
    if len(events) == 1 and is_full(events, limit + 1):
        # The last event alone fills a read.
        events = [*events, *tree.log.events(head.position, limit)]
    after = events[1:]
    return after, bool(after) and is_full(events, limit + 1)
