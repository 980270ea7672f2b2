"""The contract of the read model: rows that are folded from events, and their position.

Rows and position change in one transaction. The stores beside this file (`memory.py`, `sqlite/`,
`postgres/`) have the rows in the database of the events, so one statement reads a row and the
events that the row has not folded yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from domain.errors import MilepostError, Unavailable
from domain.log.reading.contract import Log
from domain.log.stored import Stored
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.read_model.machines import MachineUses
from projections.read_model.rows import Changes, DueRow, Edition, Row, SetAside, ViewSnapshot
from projections.read_model.sightings import Sighting

SHAPE = "9"
"""The version of the rows: add 1 at each change of what rows hold, or of how they are folded.

The release with the larger number is the newer one: it folds new rows beside the served ones. An
older release leaves newer rows alone.
"""
NOTE_OF_DEADLINES, RESUMED, REFUSED, FIRST_START = "deadlines", "resumed", "refused", "first start"
"""The names of notes: what the watch over deadlines found out; when an operator ended a hold; when
callbacks could be stored again that had been answered 503; when this store was first opened by a
release with start deadlines."""


class PositionMoved(MilepostError):
    """Another projector moved the read model on, or a rebuild replaced its tables."""


class PositionGone(PositionMoved, Unavailable):
    """The row with the read model's position is gone; milepost init-db makes it again.

    Of the tables of a rebuild, another process dropped them.
    """


class WakeUps(Protocol):
    """What somebody who follows the log waits for while there is nothing new."""

    def wait(self, seconds: float) -> None:
        """Return when the log may have new events, or after that many seconds."""
        ...

    def interrupt(self) -> None:
        """End the wait under way, and each later one at once; any thread may call this."""
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

    def documents(self, view: str, job_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the documents of the first of these jobs, by job id and in this order.

        A job without a row has none. See `bounded.py`.
        """
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
        """Return at most `limit` instances, the newest first; see `bounded.py`."""
        ...

    def uses_of(self, machines: Collection[str]) -> MachineUses | None:
        """Return the jobs that work or run on the machines with these digests.

        At most `MOST_USES` jobs are named of each machine. None while rows of another shape are
        served.
        """
        ...

    def last_run(self, workflow: str) -> Row | None:
        """Return the newest instance of a workflow (`name@version`), or of none (empty).

        An index finds it, however many jobs there are.
        """
        ...

    def count(self, wanted: JobFilter) -> int:
        """Return how many instances pass the filter, at most `limit`."""
        ...

    def attention(self, wanted: AttentionFilter) -> Sequence[Row]:
        """Return documents of jobs that may need somebody: the worst first, then the oldest.

        See `bounded.py`.
        """
        ...

    def attention_counts(self, now: datetime) -> Mapping[int, int]:
        """Return the number of jobs that may need somebody, by `attention_rank`."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return the number of instances by status."""
        ...

    def due(self, before: datetime, after: DueRow | None, limit: int) -> Sequence[DueRow]:
        """Return at most `limit` instances that are due before that time, after the one given.

        See `bounded.py`.

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

    def wake_ups(self) -> AbstractContextManager[WakeUps]:
        """Yield what wakes any number of followers of the log, who hold no lock."""
        ...

    def projector_lock(self) -> AbstractContextManager[WakeUps | None]:
        """Hold the projector's lock, one per database; yield None while another one holds it."""
        ...
