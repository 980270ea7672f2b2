"""A cache of sessions, so that a page that is open does not query the database for its session."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from time import monotonic
from typing import Final

from eventsourcing.persistence import PersistenceError

from api.fair_cache import FairCache
from api.sessions import Session, SessionStore

REMEMBERED_SECONDS: Final = 5.0
"""How long a session may still work after another process has ended it."""
NOTED_SECONDS: Final = 3600.0
"""How many seconds pass at least between two notes that a session was used."""
MAX_REMEMBERED: Final = 1000

log = logging.getLogger("milepost.sessions")


class RememberedSessions:
    """Cache sessions of another store, by hash, never with their secret."""

    def __init__(
        self,
        store: SessionStore,
        clock: Callable[[], float] = monotonic,
        writer: Executor | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cached = FairCache[tuple[float, Session]](MAX_REMEMBERED)
        # No request waits for the note of a use. The thread begins with the first one.
        self._writer = writer or ThreadPoolExecutor(1, "milepost-session-uses")
        self._due: dict[str, float] = {}
        self._has_failed = False

    def add(self, session: Session) -> None:
        """See `SessionStore.add`."""
        self._store.add(session)

    def find(self, hash_: str) -> Session | None:
        """Return a session by its hash, at most 5 seconds old."""
        if session := self.remembered(hash_):
            return session
        session = self._store.find(hash_)
        if session:
            found = self._clock() + REMEMBERED_SECONDS, session
            self._cached.put(hash_, found, session.issuer)
        else:
            self._cached.drop(hash_)
        return session

    def remembered(self, hash_: str) -> Session | None:
        """Return a cached session, at most 5 seconds old; None if the store must be queried."""
        now = self._clock()
        until, session = self._cached.get(hash_) or (now, None)
        return session if now < until else None

    def recognised(self, hash_: str) -> Session | None:
        """Return a session that was there when it was last looked up, however long ago that was.

        That proves no right; see `RememberedTokens.recognised`.
        """
        _, session = self._cached.get(hash_) or (0.0, None)
        return session

    def seen(self, session: Session, now: datetime) -> None:
        """Note the use in another thread, at most once in `NOTED_SECONDS` for a session."""
        seconds = self._clock()
        if seconds < self._due.get(session.hash, 0.0):
            return
        if len(self._due) >= MAX_REMEMBERED:
            self._due.clear()
        self._due[session.hash] = seconds + NOTED_SECONDS
        # Another process may have noted a use.
        if (now - datetime.fromisoformat(session.seen_at)).total_seconds() >= NOTED_SECONDS:
            self._writer.submit(self._note, session, now)

    def _note(self, session: Session, now: datetime) -> None:
        try:
            self._store.seen(session, now)
        except PersistenceError as error:
            if not self._has_failed:
                self._has_failed = True
                log.warning("cannot note when sessions were last used: %s", error)

    def close(self) -> None:
        """End the thread that notes uses; drop the notes that wait."""
        self._writer.shutdown(cancel_futures=True)

    def some(self, hashes: Collection[str]) -> Sequence[Session]:
        """See `SessionStore.some`; what is remembered is not used."""
        return self._store.some(hashes)

    def end(self, hash_: str) -> None:
        """See `SessionStore.end`. A concurrent `find` may still cache the session for 5 seconds."""
        self._store.end(hash_)
        self._cached.drop(hash_)
