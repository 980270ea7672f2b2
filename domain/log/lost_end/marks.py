"""The memory of a process: some events of the log that it has seen, the newest one among them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from domain.log.stored import Stored

MOST_MARKS: Final = 32
DENSE_MARKS: Final = 16
"""How many of the newest marks are never thinned out."""


class Mark(msgspec.Struct, frozen=True):
    """An event that was in the log at this time. `leaf` is the hash of the whole stored event."""

    position: int
    job_id: str
    version: int
    leaf: bytes
    at: datetime

    @classmethod
    def of(cls, event: Stored, at: datetime) -> Mark:
        """Return the mark of an event that was seen at this time."""
        return cls(event.position, str(event.job_id), event.version, event.leaf, at)


class Memory(msgspec.Struct, frozen=True):
    """Marks in order of position, and the losses known when the log was last compared with them."""

    marks: tuple[Mark, ...] = ()
    known: frozenset[str] = frozenset()

    @property
    def position(self) -> int:
        """The position of the newest mark; 0 without a mark."""
        return self.marks[-1].position if self.marks else 0

    def with_mark(self, mark: Mark) -> Memory:
        """Return the memory with a newer mark.

        If there are more than `MOST_MARKS`, every second of the older marks is dropped. So older
        marks are farther apart, and all of them together show about when an end was lost.
        """
        marks = (*self.marks, mark)
        if len(marks) > MOST_MARKS:
            marks = (*marks[:-DENSE_MARKS:2], *marks[-DENSE_MARKS:])
        return Memory(marks, self.known)

    def up_to(self, position: int) -> Memory:
        """Return the memory without the marks after this position."""
        marks = tuple(mark for mark in self.marks if mark.position <= position)
        return Memory(marks, self.known)
