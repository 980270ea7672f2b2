"""The contract of reading the log. Every read returns events as `Stored`.

The recorders of `memory.py`, `sqlite.py` and `postgres.py` one folder up implement it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from domain.log.snapshots import Snapshot
from domain.log.stored import Stored

NEWEST: Final = 2**62
"""A number above every version, position and number of rows."""


class Recalled(msgspec.Struct, frozen=True):
    """The snapshots of some jobs, and all events of these jobs after them, in order."""

    snapshots: Sequence[Snapshot]
    tail: Sequence[Stored]


class Recalling(Protocol):
    """Reads the snapshots and events that jobs are folded from before a transaction decides."""

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """Return the snapshots of these jobs and the events after them, in one consistent read.

        It leaves out a snapshot that is ahead of its job's events. It holds no lock.
        """
        ...

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """Return at most `limit` events of the job, of versions after `after` up to `until`."""
        ...


class Log(Recalling, Protocol):
    """Reads events, and the clock that they were recorded by.

    Every method may raise the library's `PersistenceError`.
    """

    def now(self) -> datetime:
        """Ask the store's clock."""
        ...

    def about_now(self) -> datetime:
        """Return the store's time without asking a database; it may be a little off."""
        ...

    def read_clock(self) -> None:
        """Ask the store's clock if `about_now` needs it."""
        ...

    def newest_position(self) -> int:
        """Return the position of the newest event; 0 if the log is empty."""
        ...

    def events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> Sequence[Stored]:
        """Return at most `limit` events in order of position, after `after` and up to `until`.

        With `topics`, it returns only events of these topics.
        """
        ...

    def histories(
        self, after: tuple[str, int], limit: int, until: int = NEWEST
    ) -> Sequence[Stored]:
        """Return at most `limit` events in order of job and version, after this job and version.

        It returns only events up to the position `until`.
        """
        ...

    def event(self, job_id: str, version: int) -> Stored | None:
        """Return the event of a job with this version; None if the job has no such event."""
        ...

    def count(self, upto: int) -> int:
        """Return the number of events up to the position `upto`."""
        ...


def recalled(rows: Iterable[tuple[Any, ...]]) -> Recalled:
    """Separate snapshots from events.

    An event's row has a position and a topic, a snapshot's row has a shape. Both have a job id, a
    version and a state.
    """
    snapshots: list[Snapshot] = []
    tail: list[Stored] = []
    for position, job_id, version, shape, topic, state in rows:
        if position is None:
            snapshots.append(Snapshot(job_id, version, shape, state))
        else:
            tail.append(Stored(position, job_id, version, topic, state))
    return Recalled(snapshots, tail)
