"""A checkpoint as text: a signed root of the tree."""

from __future__ import annotations

from api.errors import NoCheckpointKey
from api.wiring import Services
from domain.evidence.checkpoint import Checkpoint
from domain.evidence.signed_note import signed_note
from domain.log.vouching.contract import NotDurableYet
from projections.tree.contract import TreeBroken
from projections.tree.proofs import Root


def signed(services: Services, root: Root) -> str:
    """Return the checkpoint of this root, signed with every key.

    It waits until the events are as durable as a receipt promises: a log that lost some of them in
    a failover could not extend the checkpoint, and would look altered. Raises `NoCheckpointKey`,
    `NotDurableYet`, or `TreeBroken` if the log does not have the last event as it was hashed.
    """
    keys = services.signers()
    if not keys:
        raise NoCheckpointKey
    if root.size and not services.milepost.vouch_for(root.position, root.leaf):
        if services.evidence.root(root.size) != root:  # a failover came between
            raise NotDurableYet
        raise TreeBroken(
            f"the event at position {root.position}, number {root.size} in the tree, is not in the "
            "log as it was hashed"
        )
    made = Checkpoint(keys[0].name, root.size, root.root, root.position, services.clock())
    return signed_note(made.text, keys)
