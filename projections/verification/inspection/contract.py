"""The contract of what verifying reads: rows as they are stored, in pages.

Each page is one short statement. So verifying holds no lock, no transaction stays open beside a
busy server, and memory does not grow. The stores beside this file (`sqlite.py`, `postgres.py`)
never write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from domain.log.reading.contract import Log
from domain.log.recalling.snapshots import Snapshot
from domain.log.stored import Stored
from projections.tree.contract import Tile


class StoredTile(NamedTuple):
    """A tile, and its columns with the first and last position."""

    tile: Tile
    first_position: int | None
    last_position: int | None


class StoredRow(NamedTuple):
    """A row of the read model: its document, and every other column."""

    document: str
    columns: Mapping[str, Any]

    @property
    def version(self) -> int:
        """The job's version that the row has folded, as its column says."""
        return int(self.columns["version"])


class StoredViewSnapshot(NamedTuple):
    """A snapshot of a view; `recorded_at` is as `utc_text` writes it."""

    job_id: str
    version: int
    view: str
    recorded_at: str
    document: str


class StoredSetAside(NamedTuple):
    """A record of an event that was set aside because a view could not fold it."""

    position: int
    view: str
    job_id: str
    version: int
    topic: str


class LostSnapshot(NamedTuple):
    """A snapshot whose event is missing. `view` is empty for a snapshot of a job."""

    job_id: str
    view: str
    version: int


class StoredKey(NamedTuple):
    """A key, and the position of its event, None if the event is missing.

    `keys_with_events` returns the event's topic and state too.
    """

    name: str
    job_id: str
    version: int
    digest: str
    position: int | None
    topic: str = ""
    state: bytes = b""

    @property
    def event(self) -> Stored | None:
        """The event that the key points at; None if the event is missing."""
        if self.position is None:
            return None
        return Stored(self.position, self.job_id, self.version, self.topic, self.state)


class Inspection(Protocol):
    """Reads all that Milepost stores. Every method may raise the library's `PersistenceError`."""

    @property
    def log(self) -> Log:
        """The log that is inspected."""
        ...

    def tiles(self, level: int, first: int, limit: int) -> Sequence[StoredTile]:
        """Return tiles of a level in order, from the index `first` on."""
        ...

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, StoredRow]:
        """Return the view's rows of these jobs, by job id. Times are as `utc_text` writes them."""
        ...

    def set_aside(self, job_ids: Collection[str]) -> Sequence[StoredSetAside]:
        """Return the records of set-aside events of these jobs whose events are in the log."""
        ...

    def set_aside_without_events(
        self, after: tuple[int, str], limit: int, job_id: str | None = None
    ) -> Sequence[StoredSetAside]:
        """Return the records of set-aside events that are not in the log, after these, in order."""
        ...

    def rows_without_events(self, view: str, after: str, limit: int) -> Mapping[str, StoredRow]:
        """Return the view's rows of jobs without events, by job id, after this job, in order."""
        ...

    def jobs_with_view_snapshots(self, job_ids: Collection[str]) -> Collection[str]:
        """Return the ids, among these, of jobs that have snapshots of their views."""
        ...

    def view_snapshots(
        self, job_id: str, after: tuple[int, str], upto: int, limit: int
    ) -> Sequence[StoredViewSnapshot]:
        """Return a job's view snapshots by version and view, after these, up to a version."""
        ...

    def job_snapshots(self, job_ids: Collection[str]) -> Sequence[Snapshot]:
        """Return the job snapshots, from which deciding starts, of these jobs."""
        ...

    def snapshots_without_events(
        self, after: tuple[str, str, int], limit: int, job_id: str | None = None
    ) -> Sequence[LostSnapshot]:
        """Return snapshots of both kinds whose event is missing, after this one, in order."""
        ...

    def keys(self, names: Collection[str]) -> Mapping[str, StoredKey]:
        """Return the keys with these names that exist, without the events that they point at."""
        ...

    def keys_with_events(self, after: str, limit: int) -> Sequence[StoredKey]:
        """Return keys after this name, in order, each with the event that it points at."""
        ...
