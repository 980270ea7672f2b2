"""The contract of the read model: rows that are folded from events, and their position.

Rows and position change in one transaction. The stores beside this file (`memory.py`, `sqlite.py`,
`postgres.py`) have the rows in the database of the events, so one statement reads a row and the
events that the row has not folded yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import msgspec

from domain.errors import MilepostError
from domain.log.reading.contract import Log
from domain.log.stored import Stored

SHAPE = "3"
"""The version of the rows: add 1 at each change of what rows hold, or of how they are folded.

The release with the larger number is the newer one: it folds new rows beside the served ones. An
older release leaves newer rows alone.
"""


GONE = (
    "The row with the position of these tables is gone. Of a rebuild, another process dropped it; "
    "of the served tables, milepost init-db makes it again."
)
"""The message of a store of rows that has lost its own position."""


NOTE_OF_DEADLINES, RESUMED, REFUSED, FIRST_START = "deadlines", "resumed", "refused", "first start"
"""The names of notes: what the watch over deadlines found out; when an operator ended a hold; when
callbacks could be stored again that had been answered 503; when this store was first opened by a
release with start deadlines."""


class PositionMoved(MilepostError):
    """Another projector moved the read model on, or a rebuild replaced its tables."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A view's document about one job, as of that job's version."""

    job_id: str
    version: int
    document: str


class InstanceRow(msgspec.Struct, frozen=True, gc=False):
    """The instance's document, and the columns that queries select and sort by.

    `due_at` is when the job is given up. `unresponsive_at` is when it counts as unresponsive; None
    while no heartbeat is expected. `look_at` is not later than both, and changes seldom, because it
    is indexed. From `attention_from` on, the job may need somebody; an `attention_rank` of 0 is the
    worst reason.
    """

    job_id: str
    version: int
    document: str
    first_position: int
    agent_id: str | None
    user_id: str | None
    status: str
    current_step: str | None
    due_at: datetime | None = None
    unresponsive_at: datetime | None = None
    look_at: datetime | None = None
    attention_rank: int | None = None
    attention_from: datetime | None = None


TIMES = ("due_at", "unresponsive_at", "look_at", "attention_from")
"""The columns of instances that are times."""


class DueRow(msgspec.Struct, frozen=True, gc=False):
    """An instance that is due, and its `look_at`."""

    job_id: str
    version: int
    document: str
    look_at: datetime


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """An event that could not be folded, and why."""

    position: int
    job_id: str
    version: int
    topic: str
    error: str
    view: str = "instances"


MAX_SIGHTED = 100
"""A sighting has at most this many events: a row is seldom behind by more."""
MAX_SIGHTED_BYTES = 4_096
"""A sighting ends before an event with a longer state; few callbacks are as long."""


class Sighting(msgspec.Struct, frozen=True):
    """A job's row, if it has one, and the job's events that the row has not folded yet.

    If `more` is true, further events may follow in the log. So 256 sightings in one statement fit
    into memory.
    """

    job_id: str
    document: str | None
    tail: Sequence[Stored]
    more: bool = False

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Sighting:
        """Make a sighting of the rows of one statement: a row per event, or one without an event.

        The columns are the job's id and document, and the event's version, topic, state and
        position. The state is None if it is longer than `MAX_SIGHTED_BYTES`.
        """
        job_id, document = rows[0][:2]
        tail: list[Stored] = []
        for _, _, version, topic, state, position in rows:
            if version is None:
                break
            if state is None:
                return cls(job_id, document, tail, more=True)
            tail.append(Stored(position, job_id, version, topic, state))
        return cls(job_id, document, tail, more=len(tail) >= MAX_SIGHTED)


def sightings(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Sighting | None]:
    """Put together what one statement found for several names, None for a name without rows.

    Each row has its name first, and then what `Sighting.of` takes.
    """
    by_name: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        by_name.setdefault(row[0], []).append(row[1:])
    return [Sighting.of(by_name[name]) if name in by_name else None for name in names]


class ViewSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A view's document about one job as it was at an earlier version.

    All events up to that version were recorded by `recorded_at`.
    """

    job_id: str
    view: str
    version: int
    recorded_at: datetime
    document: str


class Changes(msgspec.Struct, frozen=True):
    """What one batch of events changes; it starts from the position `since`.

    Events that were set aside, and snapshots, of the jobs in `tried_again` are deleted before
    `set_aside` and `snapshots` are added. `generation` is that of the rows when folding began.
    """

    since: int
    position: int
    instances: Sequence[InstanceRow] = ()
    timelines: Sequence[Row] = ()
    set_aside: Sequence[SetAside] = ()
    tried_again: Sequence[str] = ()
    snapshots: Sequence[ViewSnapshot] = ()
    generation: int = 0


class Edition(msgspec.Struct, frozen=True):
    """The identity of rows: their shape, and a generation number that no earlier tables had."""

    shape: str
    generation: int

    def is_older_than(self, shape: str) -> bool:
        """Tell whether an older release made the rows than the one with this shape."""
        return int(self.shape) < int(shape)


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list; None does not filter. `before` is a `first_position`."""

    agent_id: str | None = None
    user_id: str | None = None
    status: str | None = None
    before: int | None = None
    limit: int = 50


class AttentionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs may need somebody at the time `now`; None does not filter.

    `after` is the `attention_rank` and `first_position` of the last job of the page before.
    """

    now: datetime
    agent_id: str | None = None
    user_id: str | None = None
    status: str | None = None
    after: tuple[int, int] | None = None
    limit: int = 50


class WakeUps(Protocol):
    """What the holder of the projector's lock waits for while it has nothing to fold."""

    def wait(self, seconds: float) -> None:
        """Return when the log may have new events, or after that many seconds."""
        ...


class ReadModel(Protocol):
    """Rows of the views. Every method may raise the library's `PersistenceError`.

    `shape` is the shape that this release folds. `instances` returns rows of another shape as they
    are. A sighting ignores such rows: its tail is the job's whole history.
    """

    @property
    def log(self) -> Log:
        """The log that the rows are folded from."""
        ...

    @property
    def shape(self) -> str:
        """The shape of the rows that this release writes."""
        ...

    def prepare(self) -> None:
        """Record position 0 and this release's shape, unless a position is recorded already."""
        ...

    def edition(self) -> Edition:
        """Return the shape and generation of the rows."""
        ...

    def rebuilt_position(self) -> int | None:
        """Return the position of an unfinished rebuild; None without one."""
        ...

    def position(self) -> int:
        """Return the position up to which every event is folded."""
        ...

    def documents(self, view: str, job_ids: Collection[str]) -> Mapping[str, str]:
        """Return the documents of these jobs, by job id."""
        ...

    def apply(self, changes: Changes) -> None:
        """Write the batch and its position.

        Raises `PositionMoved` if the rows have another position than `changes.since`, or another
        shape or generation than the batch was folded for.
        """
        ...

    def sight(self, view: str, job_id: str) -> Sighting:
        """Return the job's row and unfolded events, in one statement."""
        ...

    def snapshot(
        self, view: str, job_id: str, until: int, recorded_by: datetime | None = None
    ) -> ViewSnapshot | None:
        """Return the job's newest snapshot of the view up to the version `until`; None without one.

        With `recorded_by`, only snapshots of events that were recorded by then.
        """
        ...

    def events_of(self, user_id: str, after: int, limit: int) -> Sequence[Stored]:
        """Return events after that position, in order, of the jobs that belong to the user.

        The rows say which jobs those are, so events after the read model's position are left out.
        """
        ...

    def sight_agents(self, agent_ids: Sequence[str]) -> Sequence[Sighting | None]:
        """Sight, for each agent, the instance of its newest job; None if the agent has no job.

        One statement reads all of them. No agent may be named twice.
        """
        ...

    def instances(self, wanted: JobFilter) -> Sequence[Row]:
        """Return at most `limit` instances, the newest first."""
        ...

    def attention(self, wanted: AttentionFilter) -> Sequence[Row]:
        """Return documents of jobs that may need somebody: the worst first, then the oldest."""
        ...

    def attention_counts(self, now: datetime) -> Mapping[int, int]:
        """Return the number of jobs that may need somebody, by `attention_rank`."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return the number of instances by status."""
        ...

    def due(self, before: datetime, after: DueRow | None, limit: int) -> Sequence[DueRow]:
        """Return at most `limit` instances that are due before that time, after the one given.

        An index finds them, however many jobs there are, in the order of `look_at` and job id.
        """
        ...

    def provisioning(self) -> int:
        """Return how many jobs are provisioning."""
        ...

    def silent(self, until: datetime, since: datetime | None = None) -> int:
        """Return how many jobs became unresponsive by that time; with `since`, after that one."""
        ...

    def set_aside(self, limit: int = 100) -> Sequence[SetAside]:
        """Return the newest events that were set aside."""
        ...

    def note(self, name: str) -> str | None:
        """Return the note with this name; None without one. Notes are no rows of a view."""
        ...

    def keep_note(self, name: str, text: str) -> None:
        """Store a note in the place of the one that had this name."""
        ...

    def wake(self) -> None:
        """Wake the active projector, in any process: the log has new events."""
        ...

    def projector_lock(self) -> AbstractContextManager[WakeUps | None]:
        """Hold the projector's lock, one per database; yield None while another one holds it."""
        ...
