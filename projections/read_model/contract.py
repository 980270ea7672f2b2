"""The contract of the read model: rows that are folded from events, and how far they go.

Rows and position change in one transaction. The stores beside this file (`memory.py`, `sqlite.py`,
`postgres.py`) keep the rows in the database that holds the events, so that one statement reads a
row together with the events it has not folded yet.
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

SHAPE = "1"
"""A number that every change of what the rows hold, or of how they are folded, counts up.

The release with the larger number is the newer one: it folds new rows beside the served ones. An
older release leaves newer rows alone.
"""


GONE = (
    "The row with the position of these tables is gone. Of a rebuild, another process dropped it; "
    "of the served tables, milepost init-db makes it again."
)
"""What a store of rows says when it has lost its own position."""


class PositionMoved(MilepostError):
    """Another projector moved the read model on, or a rebuild replaced its tables."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A view's document about one job, as of that job's version."""

    job_id: str
    version: int
    document: str


class InstanceRow(msgspec.Struct, frozen=True, gc=False):
    """The instance's document, and the columns by which instances are found."""

    job_id: str
    version: int
    document: str
    first_position: int
    agent_id: str | None
    user_id: str | None
    status: str
    current_step: str | None
    silent_since: datetime | None


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """An event that could not be folded, and why."""

    position: int
    job_id: str
    version: int
    topic: str
    error: str
    view: str = "instances"


class Sighting(msgspec.Struct, frozen=True):
    """A job's row, if it has one, and the job's events that the row has not folded yet."""

    job_id: str
    document: str | None
    tail: Sequence[Stored]

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Sighting:
        """Put together what one statement found: a row for each event, or one without an event.

        Each has the job id, the document, and of the event version, topic, state and position.
        """
        job_id, document = rows[0][:2]
        tail = [
            Stored(position, job_id, version, topic, state)
            for _, _, version, topic, state, position in rows
            if version is not None
        ]
        return cls(job_id, document, tail)


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

    All events up to there were recorded by `recorded_at`.
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


class Turn(Protocol):
    """The right to project, held by one projector per database."""

    def wait(self, seconds: float) -> None:
        """Return when there may be new events, or after that many seconds."""
        ...


class ReadModel(Protocol):
    """Rows of the views. Every method may raise the library's `PersistenceError`.

    `shape` is the shape that this release folds. Rows of another shape are listed as they are. A
    sighting ignores them: its tail is the job's whole history.
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
        """Begin at position 0 with rows of this release's shape, unless rows were begun before."""
        ...

    def edition(self) -> Edition:
        """Return which rows these are."""
        ...

    def rebuilt_position(self) -> int | None:
        """Return the position of an unfinished rebuild, None if there is none."""
        ...

    def position(self) -> int:
        """Return the position up to which every event is folded."""
        ...

    def documents(self, view: str, job_ids: Collection[str]) -> Mapping[str, str]:
        """Return the documents of these jobs, by job id."""
        ...

    def apply(self, changes: Changes) -> None:
        """Write the batch and its position.

        Raises `PositionMoved` if that is not where the batch starts, or the rows have another
        shape or generation.
        """
        ...

    def sight(self, view: str, job_id: str) -> Sighting:
        """Return the job's row and unfolded events, in one statement."""
        ...

    def snapshot(
        self, view: str, job_id: str, until: int, recorded_by: datetime | None = None
    ) -> ViewSnapshot | None:
        """Return the job's newest snapshot that is not beyond that version, nor that time."""
        ...

    def events_of(self, user_id: str, after: int, limit: int) -> Sequence[Stored]:
        """Return events after that position, in order, of the jobs that belong to the user.

        Which jobs those are is known up to the read model's position; later events are left out.
        """
        ...

    def sight_agents(self, agent_ids: Sequence[str]) -> Sequence[Sighting | None]:
        """Sight, for each agent, the instance of its newest job; None if the agent has no job.

        One statement reads all of them.
        """
        ...

    def instances(self, wanted: JobFilter) -> Sequence[Row]:
        """Return instances, the newest first, at most `limit` of them."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return how many instances there are of each status."""
        ...

    def silent(self, before: datetime) -> Sequence[str]:
        """Return ids of provisioning jobs that have been silent since before that time."""
        ...

    def set_aside(self, limit: int = 100) -> Sequence[SetAside]:
        """Return the newest events that could not be folded."""
        ...

    def wake(self) -> None:
        """Tell the projector, whichever process it is in, that there are new events."""
        ...

    def turn(self) -> AbstractContextManager[Turn | None]:
        """Take the projector's turn, or get None while another one has it."""
        ...
