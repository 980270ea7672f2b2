"""An event as its row holds it. The log is read, hashed and folded in this form."""

from __future__ import annotations

from typing import NamedTuple

from domain.evidence import merkle


class Stored(NamedTuple):
    """An event's row, with the bytes of its state, encrypted or not.

    SQLite lets an editor write bytes over a job's id. Such an id is returned as it is, so that its
    hash differs; a fold converts it with `str`.
    """

    position: int
    job_id: str
    version: int
    topic: str
    state: bytes

    @property
    def entry(self) -> bytes:
        """The bytes that are hashed for its leaf in the tree."""
        return merkle.entry(*self)

    @property
    def leaf(self) -> bytes:
        """Its hash in the tree."""
        return merkle.leaf_hash(self.entry)
