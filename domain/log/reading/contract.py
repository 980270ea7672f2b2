"""The contract of reading the log. Every event is a `Stored`, whoever reads it and for what.

The recorders of `memory.py`, `sqlite.py` and `postgres.py` one folder up implement it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec

from domain.log.snapshots import Snapshot
from domain.log.stored import Stored

NEWEST: Final = 2**62
"""A number above every version, position and number of rows."""


class Recalled(msgspec.Struct, frozen=True):
    """What is stored of some jobs: their snapshots, and every event after those, in order."""

    snapshots: Sequence[Snapshot]
    tail: Sequence[Stored]


class Recalling(Protocol):
    """Reads what jobs are folded from, before the log decides about them."""

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """Return snapshots of these jobs and the events after them, as of one moment.

        A snapshot that is ahead of its job's events is left out. Takes no lock.
        """
        ...

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """Return the job's events of the versions after `after` and up to `until`, in order."""
        ...


class Log(Recalling, Protocol):
    """Reads events. Every method may raise the library's `PersistenceError`."""

    def newest_position(self) -> int:
        """Return the position of the newest event, 0 if there is none."""
        ...

    def events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> Sequence[Stored]:
        """Return events in order of position, those after `after` and up to `until`.

        With `topics`, only events of these topics.
        """
        ...

    def histories(
        self, after: tuple[str, int], limit: int, until: int = NEWEST
    ) -> Sequence[Stored]:
        """Return events in order of job and version, those after this job and version.

        Only events up to the position `until` are returned.
        """
        ...

    def event(self, job_id: str, version: int) -> Stored | None:
        """Return the event of a job with this version, None if there is none."""
        ...

    def count(self, upto: int) -> int:
        """Return how many events have positions up to this one."""
        ...


def recalled(rows: Iterable[tuple[Any, ...]]) -> Recalled:
    """Part snapshots from events. A row has a position or a shape, and then what both have."""
    snapshots: list[Snapshot] = []
    tail: list[Stored] = []
    for position, job_id, version, shape, topic, state in rows:
        if position is None:
            snapshots.append(Snapshot(job_id, version, shape, state))
        else:
            tail.append(Stored(position, job_id, version, topic, state))
    return Recalled(snapshots, tail)
