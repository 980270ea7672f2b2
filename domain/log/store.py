"""The contract of the event store: one transaction that looks, decides and appends.

The stores beside this file (`memory.py`, `sqlite.py`, `postgres.py`) are the eventsourcing
library's recorders with this one method more. Deciding inside the transaction, after its lock is
taken, is what makes versions contiguous and keys unique without a conflict to retry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import msgspec
from eventsourcing.persistence import (
    DatabaseError,
    InterfaceError,
    InternalError,
    Notification,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)

from domain.errors import MilepostError, StoreUnavailable
from domain.job.keys import Key
from domain.log.snapshots import Snapshot
from domain.log.stored import Stored

MAX_TAIL = 10_000
"""How many events of its jobs, taken together, a transaction may have missed."""


class NothingDecided(OperationalError):
    """The connection was dead or the known versions old; afresh, with nothing known, it may do."""


class TooMuchMissed(NothingDecided):
    """More has happened to these jobs, elsewhere, than is folded under the lock."""


class StoreNotEmpty(MilepostError):
    """The store has events already, and only an empty one can be filled."""

    @classmethod
    def of(cls, events: int) -> StoreNotEmpty:
        """Say how many there are."""
        return cls(f"The store has {events:,} events already; only an empty one can be filled.")


class Found(msgspec.Struct, frozen=True):
    """What the transaction sees: events from the known versions on, and the keys that are taken.

    Of a known event it sees that it is there, without its state; of more than `MAX_TAIL`, one too
    many.
    """

    tail: Sequence[StoredEvent]
    keys: Mapping[str, Key]


class Append(msgspec.Struct, frozen=True):
    """What the transaction shall write.

    In this order: `releases` are (name, job id) pairs, dropped if that job holds them; `claims`
    are new keys, kept only if free; `pointers` are keys that move. `snapshots`, one a job, go in
    the place of older ones. Without events, nothing is written.
    """

    events: Sequence[StoredEvent] = ()
    claims: Sequence[Key] = ()
    pointers: Sequence[Key] = ()
    releases: Sequence[tuple[str, str]] = ()
    snapshots: Sequence[Snapshot] = ()


class Recalled(msgspec.Struct, frozen=True):
    """What is stored of some jobs: their snapshots, and every event after those, in order."""

    snapshots: Sequence[Snapshot]
    tail: Sequence[StoredEvent]


class Recalling(Protocol):
    """What jobs can be folded from."""

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """Return snapshots of these jobs and the events after them, as of one moment.

        A snapshot that is ahead of its job's events is left out. Takes no lock.
        """
        ...

    def select_events(self, originator_id: str) -> Sequence[StoredEvent]:
        """Return the events of a job, in order."""
        ...


class Filling(Recalling, Protocol):
    """The one transaction that fills an empty store; it sees what it has appended."""

    def append(
        self,
        events: Sequence[Notification],
        claims: Sequence[Key] = (),
        pointers: Sequence[Key] = (),
        snapshots: Sequence[Snapshot] = (),
    ) -> None:
        """Append events at the positions and versions that they have, and the rest as `Append`."""
        ...


class JobStore(Recalling, Protocol):
    """A library recorder that can also look, decide and append in one transaction."""

    def transact(
        self,
        known: Mapping[str, int],
        names: Collection[str],
        decide: Callable[[Found], Append],
    ) -> Sequence[int]:
        """Append what `decide` returns and give the positions of its events.

        `known` maps job ids to the version already known of each; `names` are the keys to look
        up. Returns after the commit is durable. Raises the library's `PersistenceError` when the
        database does not answer; then nothing is stored, or, if the connection broke during the
        commit, that cannot be known.
        """
        ...

    def filling(self) -> AbstractContextManager[Filling]:
        """Fill an empty store; raise `StoreNotEmpty`.

        What is appended is there once the context is left, durably, and all of it, or nothing if
        it is left with an error or the process dies. New events then get positions after those.
        """
        ...

    def log(self, after: int, limit: int) -> Sequence[Stored]:
        """Return events of the whole store in order of position, from the one after `after`."""
        ...

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return events of the whole store in order of position, from or after `start`.

        Up to and with `stop`, of these topics, where they are given.
        """
        ...


def recalled(rows: Iterable[tuple[Any, ...]]) -> Recalled:
    """Tell snapshots from events, in rows that have a shape or a topic."""
    snapshots: list[Snapshot] = []
    tail: list[StoredEvent] = []
    for job_id, version, shape, topic, state in rows:
        if topic is None:
            snapshots.append(Snapshot(job_id, version, shape, state))
        else:
            tail.append(StoredEvent(job_id, version, topic, state))
    return Recalled(snapshots, tail)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `StoreUnavailable` when the database cannot be reached or cannot do its work."""
    try:
        yield
    except (InterfaceError, OperationalError, InternalError) as error:
        raise StoreUnavailable(str(error)) from error
    except ProgrammingError as error:
        if type(error.__cause__).__name__ == "UndefinedTable":
            raise StoreUnavailable(f"{error}; milepost init-db creates the tables") from error
        raise
    except DatabaseError as error:
        if type(error) is DatabaseError:  # its children are our own mistakes and stay what they are
            raise StoreUnavailable(str(error)) from error
        raise
