"""A checkpoint as text: a signed root of the tree."""

from __future__ import annotations

from api.errors import NoCheckpointKey
from api.wiring import Services
from domain.evidence.checkpoint import Checkpoint
from domain.evidence.signed_note import signed_note
from projections.tree.proofs import Root


def signed(services: Services, root: Root) -> str:
    """Return the checkpoint of this root, signed with every key; raise `NoCheckpointKey`."""
    keys = services.signers()
    if not keys:
        raise NoCheckpointKey
    made = Checkpoint(keys[0].name, root.size, root.root, root.position, services.clock())
    return signed_note(made.text, keys)
