"""An event as its row has it: what the log is read as, hashed as, and folded from."""

from __future__ import annotations

from typing import NamedTuple

from domain.evidence import merkle


class Stored(NamedTuple):
    """An event's row, with the bytes of its state, encrypted or not.

    Where somebody has written bytes over a job's id, as SQLite allows, they are here as they are
    there; folds spell such an id out with `str`.
    """

    position: int
    job_id: str
    version: int
    topic: str
    state: bytes

    @property
    def entry(self) -> bytes:
        """What its leaf in the tree is the hash of."""
        return merkle.entry(*self)

    @property
    def leaf(self) -> bytes:
        """The hash that the tree has of it."""
        return merkle.leaf_hash(self.entry)
