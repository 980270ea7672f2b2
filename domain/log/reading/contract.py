"""The contract of reading the log. Every read returns events as `Stored`.

The recorders of `memory.py`, `sqlite.py` and `postgres.py` one folder up implement it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from domain.log.bounded import READ_BYTES, is_full
from domain.log.recalling.snapshots import Snapshot
from domain.log.stored import Stored

NEWEST: Final = 2**62
"""A number above every version, position and number of rows."""
PAGE: Final = 1_000
"""The most events of a page of a job's history."""


class Recalled(msgspec.Struct, frozen=True):
    """The snapshots of some jobs, and the events of these jobs after them, in order.

    If it `is_full`, it ended at the bound in bytes of a read: some jobs may have further events.
    """

    snapshots: Sequence[Snapshot]
    tail: Sequence[Stored]

    @property
    def job_ids(self) -> set[str]:
        """The jobs of which anything was read, a part of one at least."""
        return {each.job_id for each in self.snapshots} | {each.job_id for each in self.tail}

    @property
    def is_full(self) -> bool:
        """True if states of `READ_BYTES` bytes were read."""
        size = sum(len(each.state) for each in self.snapshots)
        return size + sum(len(each.state) for each in self.tail) >= READ_BYTES


class Recalling(Protocol):
    """Reads the snapshots and events that jobs are folded from before a transaction decides."""

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """Return the snapshots of these jobs and the events after them, in one consistent read.

        It ends at the bound of `domain/log/bounded.py`, which counts snapshots and events. It
        leaves out a snapshot that is ahead of its job's events. It holds no lock.
        """
        ...

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """Return at most `limit` events of the job, of versions after `after` up to `until`.

        See `domain/log/bounded.py` for the bound in bytes of this read and of those below.
        """
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


def pages_of(
    history: Callable[[str, int, int, int], Sequence[Stored]],
    job_id: str,
    after: int = 0,
    until: int = NEWEST,
) -> Iterator[Sequence[Stored]]:
    """Read a job's `history` of versions after `after` up to `until`, page by page."""
    while after < until and (events := history(job_id, after, until, PAGE)):
        yield events
        if not is_full(events, PAGE):
            return
        after = events[-1].version


def recalled(rows: Iterable[tuple[Any, ...]]) -> Recalled:
    """Separate snapshots from events.

    An event's row has a position and a topic, a snapshot's row has a shape. Both have a job id, a
    version and a state.
    """
    snapshots: list[Snapshot] = []
    tail: list[Stored] = []
    size = 0
    for position, job_id, version, shape, topic, state in rows:
        if position is None:
            snapshots.append(Snapshot(job_id, version, shape, state))
        else:
            tail.append(Stored(position, job_id, version, topic, state))
        size += len(state)
        if size >= READ_BYTES:
            break
    return Recalled(snapshots, tail)
