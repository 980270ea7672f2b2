"""The contract of the event store: one transaction that looks, decides and appends.

The stores beside this file (`memory.py`, `sqlite.py`, `postgres.py`) are the eventsourcing
library's recorders, which also read the log as `reading/contract.py` says. The transaction decides
after it has taken its lock. So versions are contiguous and keys are unique, and no conflict has to
be retried.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import msgspec
from eventsourcing.persistence import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)

from domain.errors import MilepostError, StoreUnavailable
from domain.job.keys import Key
from domain.log.reading.contract import Log, Recalling
from domain.log.snapshots import Snapshot
from domain.log.stored import Stored

MAX_TAIL = 10_000
"""The most events, of all its jobs together, that a transaction folds under the lock."""


class NothingDecided(OperationalError):
    """Nothing was written: dead connection or stale versions. Retry once with an empty cache."""


class TooMuchMissed(NothingDecided):
    """Other processes appended more than `MAX_TAIL` events to these jobs; recall them first."""


class StoreNotEmpty(MilepostError):
    """The store has events already; only an empty store can be filled."""

    @classmethod
    def of(cls, events: int) -> StoreNotEmpty:
        """Say how many there are."""
        return cls(f"The store has {events:,} events already; only an empty one can be filled.")


class Found(msgspec.Struct, frozen=True):
    """What the transaction reads before it decides: newer events, and the keys asked for.

    The event of each known version is returned without its state, as proof that it still exists.
    At most `MAX_TAIL` + 1 events are returned.
    """

    tail: Sequence[Stored]
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


class Filling(Recalling, Protocol):
    """The one transaction that fills an empty store; it sees what it has appended."""

    def append(
        self,
        events: Sequence[Stored],
        claims: Sequence[Key] = (),
        pointers: Sequence[Key] = (),
        snapshots: Sequence[Snapshot] = (),
    ) -> None:
        """Append events at the positions and versions that they have, and the rest as `Append`."""
        ...


class JobStore(Log, Protocol):
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

        All that was appended is durable once the context is left without an error; otherwise
        nothing is stored. Later events get positions above those that were filled in.
        """
        ...


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
