"""An event as it is stored. Milepost reads, hashes and folds the log in this form."""

from __future__ import annotations

from typing import NamedTuple

from domain.evidence import merkle


class Stored(NamedTuple):
    """An event's row, with the bytes of its state, encrypted or not.

    In SQLite, somebody can write bytes into a job's id. A read returns such an id as it is, so its
    hash differs. A fold converts it with `str`.
    """

    position: int
    job_id: str
    version: int
    topic: str
    state: bytes

    @property
    def entry(self) -> bytes:
        """The bytes whose hash is the event's leaf in the tree."""
        return merkle.entry(*self)

    @property
    def leaf(self) -> bytes:
        """The event's leaf: its hash in the tree."""
        return merkle.leaf_hash(self.entry)
