"""The contract of the event store: one transaction reads, decides and appends.

The stores beside this file (`memory.py`, `sqlite.py`, `postgres.py`) are the eventsourcing
library's recorders, which also read the log as `reading/contract.py` says. The transaction decides
while it holds its lock. So versions have no gaps, keys are unique, and no conflict needs a retry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Final, Protocol

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
from domain.job.keys.key import Key
from domain.log.lost_end.contract import Losses
from domain.log.reading.contract import Log, Recalling
from domain.log.recalling.snapshots import Snapshot
from domain.log.stored import Stored
from domain.log.vouching.contract import Vouching

MAX_TAIL = 2_000
"""The most events, of all jobs together, that a transaction folds while it holds the lock."""
MAX_MISSED_BYTES = 16_384
"""The longest state of such an event: a larger one is not read while the lock is held."""


class NothingDecided(OperationalError):
    """Nothing was written: dead connection or stale versions. Retry once with an empty cache."""


class TooMuchMissed(NothingDecided):
    """Other processes appended many events to these jobs, or a large one; recall them first."""


class StoreNotEmpty(MilepostError):
    """The store has events already; only an empty store can be filled."""

    @classmethod
    def of(cls, events: int) -> StoreNotEmpty:
        """Say how many events the store has."""
        return cls(f"The store has {events:,} events already; only an empty one can be filled.")


class Found(msgspec.Struct, frozen=True):
    """What the transaction reads before it decides: newer events, and the keys asked for.

    The event of each known version is returned without its state, as proof that it still exists.
    An event of more than `MAX_MISSED_BYTES` bytes is returned without its state, too. At most
    `MAX_TAIL` + 1 events are returned. `now` is the time of the store's clock.
    """

    tail: Sequence[Stored]
    keys: Mapping[str, Key]
    now: datetime


class Append(msgspec.Struct, frozen=True):
    """What the transaction shall write, in the order below. Without events it writes nothing.

    Without events, an answer may still vouch for an earlier commit, as that to a redelivery: with
    `vouches`, the transaction ends only once all earlier commits are as durable as its own.

    `releases` are pairs of a name and a job id: delete the key if that job has it. `claims` are new
    keys: insert each unless its name is in use. `pointers` are keys that now point at these events.
    `snapshots` replace older ones; each job has at most one.
    """

    events: Sequence[StoredEvent] = ()
    claims: Sequence[Key] = ()
    pointers: Sequence[Key] = ()
    releases: Sequence[tuple[str, str]] = ()
    snapshots: Sequence[Snapshot] = ()
    vouches: bool = False


class Filling(Recalling, Protocol):
    """The one transaction that fills an empty store. It can read what it has appended."""

    def append(
        self,
        events: Sequence[Stored],
        claims: Sequence[Key] = (),
        pointers: Sequence[Key] = (),
        snapshots: Sequence[Snapshot] = (),
    ) -> None:
        """Append events at their own positions and versions; for the others see `Append`."""
        ...


class JobStore(Log, Losses, Vouching, Protocol):
    """A library recorder that can also read, decide and append in one transaction.

    `clock` takes the place of the store's own clock, if it is given.
    """

    clock: Callable[[], datetime] | None

    def check_place(self) -> None:
        """Raise the library's `PersistenceError` if commits go to where nobody finds them."""
        ...

    def transact(
        self,
        known: Mapping[str, int],
        names: Collection[str],
        decide: Callable[[Found], Append],
    ) -> Sequence[int]:
        """Append what `decide` returns; return the positions of its events.

        `known` maps a job id to the version that the caller already has; `names` are the keys to
        look up. Returns after the commit is durable. Raises the library's `PersistenceError` if the
        database does not answer. Then nothing is stored, except if the connection broke during the
        commit: in that case the caller cannot know.
        """
        ...

    def filling(self) -> AbstractContextManager[Filling]:
        """Fill an empty store; raise `StoreNotEmpty`.

        When the context ends without an error, all appended rows are durable; otherwise nothing is
        stored. Later events get positions above the appended ones.
        """
        ...


class _Translation:
    """See `translated`. It is entered for every read and every callback, so it is no generator."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and (unavailable := _translation(error)):
            raise unavailable from error


_TRANSLATION: Final = _Translation()


def translated() -> AbstractContextManager[None]:
    """Raise `StoreUnavailable` when the database cannot be reached or cannot do its work."""
    return _TRANSLATION


def _translation(error: BaseException) -> StoreUnavailable | None:
    """Return what to raise in place of an error; None for the error itself."""
    if isinstance(error, InterfaceError | OperationalError | InternalError):
        return StoreUnavailable(str(error))
    cause = error.__cause__
    if isinstance(error, ProgrammingError):
        advice = _advice(cause)
        return StoreUnavailable(f"{error}; {advice}") if advice else None
    if type(error) is DatabaseError:  # subclasses are bugs of ours and pass unchanged
        return StoreUnavailable(str(error))
    # No statement of ours writes a NULL.
    if isinstance(error, DatabaseError) and type(cause).__name__ == "NotNullViolation":
        return StoreUnavailable(
            f"{error}; a table lacks its defaults, as in the middle of a restore"
        )
    return None


def _advice(cause: object) -> str | None:
    """Return what to do about a refused statement; None if it is a bug of ours."""
    kind = type(cause).__name__
    if kind == "UndefinedTable":
        return "milepost init-db creates the tables"
    if kind == "RaiseException":
        return "a trigger in the database refuses this"
    if _hides_rows(cause):
        return (
            "Milepost needs every row: disable row-level security on its tables, or give the "
            "account BYPASSRLS"
        )
    if kind == "InsufficientPrivilege":
        return "milepost init-db --grants prints the GRANTs that an account needs"
    return None


def _hides_rows(cause: object) -> bool:
    # PostgreSQL has one code for a missing right and for a policy. Its message is in the language
    # of the server; the function that refuses is the same in every language.
    diagnosis = getattr(cause, "diag", None)
    return getattr(diagnosis, "source_function", None) == "check_enable_rls"
