"""What a process remembers of the log: some events that it has seen, up to the newest one."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from domain.log.stored import Stored

MOST_MARKS: Final = 32
DENSE_MARKS: Final = 16
"""How many of the newest marks are never thinned out."""


class Mark(msgspec.Struct, frozen=True):
    """An event that was in the log at this time. Its leaf is the hash of all that is stored."""

    position: int
    job_id: str
    version: int
    leaf: bytes
    at: datetime

    @classmethod
    def of(cls, event: Stored, at: datetime) -> Mark:
        """Return the mark of an event that was seen now."""
        return cls(event.position, str(event.job_id), event.version, event.leaf, at)


class Memory(msgspec.Struct, frozen=True):
    """Marks in order of position, and the losses that were known when the marks were last right."""

    marks: tuple[Mark, ...] = ()
    known: frozenset[str] = frozenset()

    @property
    def position(self) -> int:
        """The newest position that was seen; 0 without any."""
        return self.marks[-1].position if self.marks else 0

    def with_mark(self, mark: Mark) -> Memory:
        """Return the memory with a newer mark.

        Of more than `MOST_MARKS` marks, every second older one is left out. So the marks are the
        farther apart the older they are, and they tell about when an end was lost.
        """
        marks = (*self.marks, mark)
        if len(marks) > MOST_MARKS:
            marks = (*marks[:-DENSE_MARKS:2], *marks[-DENSE_MARKS:])
        return Memory(marks, self.known)

    def up_to(self, position: int) -> Memory:
        """Return the memory without the marks after this position."""
        marks = tuple(mark for mark in self.marks if mark.position <= position)
        return Memory(marks, self.known)
