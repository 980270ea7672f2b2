"""The contract of what verifying reads: rows as they are, in pages, each one a short statement.

So nothing is locked, no transaction stays open beside a busy server, and memory stays flat. The
stores beside this file (`sqlite.py`, `postgres.py`) read; they never write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from domain.log.reading.contract import Log
from domain.log.snapshots import Snapshot
from domain.log.stored import Stored
from projections.tree.contract import Tile


class StoredTile(NamedTuple):
    """A tile, and the positions by which it is found."""

    tile: Tile
    first_position: int | None
    last_position: int | None


class StoredRow(NamedTuple):
    """A row of the read model: its document, and every other column."""

    document: str
    columns: Mapping[str, Any]

    @property
    def version(self) -> int:
        """The version that it says it is of."""
        return int(self.columns["version"])


class StoredViewSnapshot(NamedTuple):
    """A snapshot of a view; `recorded_at` is as `utc_text` writes it."""

    job_id: str
    version: int
    view: str
    recorded_at: str
    document: str


class StoredSetAside(NamedTuple):
    """An event that, it is said, a view could not fold."""

    position: int
    view: str
    job_id: str
    version: int
    topic: str


class LostSnapshot(NamedTuple):
    """A snapshot whose event is not there; of a job, where it is of no view."""

    job_id: str
    view: str
    version: int


class StoredKey(NamedTuple):
    """A key, and of its event the position, if there is one; the rest where it was asked for."""

    name: str
    job_id: str
    version: int
    digest: str
    position: int | None
    topic: str = ""
    state: bytes = b""

    @property
    def event(self) -> Stored | None:
        """The event that it points at."""
        if self.position is None:
            return None
        return Stored(self.position, self.job_id, self.version, self.topic, self.state)


class Inspection(Protocol):
    """Reads of everything. Every method may raise the library's `PersistenceError`."""

    @property
    def log(self) -> Log:
        """The log that is inspected."""
        ...

    def tiles(self, level: int, first: int, limit: int) -> Sequence[StoredTile]:
        """Return tiles of a level in order, from the one with this index."""
        ...

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, StoredRow]:
        """Return the view's rows of these jobs. Times are as `utc_text` writes them."""
        ...

    def set_aside(self, job_ids: Collection[str]) -> Sequence[StoredSetAside]:
        """Return what events of these jobs were set aside, of those that are there."""
        ...

    def set_aside_without_events(
        self, after: tuple[int, str], limit: int, job_id: str | None = None
    ) -> Sequence[StoredSetAside]:
        """Return what was set aside and is not there, in order, from after these."""
        ...

    def rows_without_events(self, view: str, after: str, limit: int) -> Mapping[str, StoredRow]:
        """Return the view's rows of jobs that have no event, in order, from after this job."""
        ...

    def jobs_with_view_snapshots(self, job_ids: Collection[str]) -> Collection[str]:
        """Return those of these jobs that have snapshots of their views."""
        ...

    def view_snapshots(
        self, job_id: str, after: tuple[int, str], upto: int, limit: int
    ) -> Sequence[StoredViewSnapshot]:
        """Return a job's in order of version and view, from after these, up to a version."""
        ...

    def job_snapshots(self, job_ids: Collection[str]) -> Sequence[Snapshot]:
        """Return the snapshots of these jobs, from which decisions begin."""
        ...

    def snapshots_without_events(
        self, after: tuple[str, str, int], limit: int, job_id: str | None = None
    ) -> Sequence[LostSnapshot]:
        """Return snapshots of both kinds without their event, in order, from after this one."""
        ...

    def keys(self, names: Collection[str]) -> Mapping[str, StoredKey]:
        """Return those of these keys that there are, without the events that they point at."""
        ...

    def keys_with_events(self, after: str, limit: int) -> Sequence[StoredKey]:
        """Return keys in order, from after this name, each with the event that it points at."""
        ...
