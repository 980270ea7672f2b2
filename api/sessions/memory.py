"""Sessions in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from api.sessions import MOST_OF_ONE, Session
from api.tokens import stored_time


class MemorySessions:
    """Store sessions in a dictionary."""

    def __init__(self, most_of_one: int = MOST_OF_ONE) -> None:
        self._most_of_one = most_of_one
        self._sessions: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        """See `SessionStore.add`."""
        now = datetime.fromisoformat(session.made_at)
        alive = [each for each in self._sessions.values() if not each.has_ended(now)]
        alive.sort(key=lambda each: (each.seen_at, each.hash))
        of_issuer = [each.hash for each in alive if each.issuer == session.issuer]
        ended = set(of_issuer[: max(0, len(of_issuer) - self._most_of_one + 1)])
        self._sessions = {each.hash: each for each in alive if each.hash not in ended}
        self._sessions[session.hash] = session

    def find(self, hash_: str) -> Session | None:
        """See `SessionLookup.find`."""
        return self._sessions.get(hash_)

    def seen(self, session: Session, now: datetime) -> None:
        """See `SessionLookup.seen`."""
        if stored := self._sessions.get(session.hash):
            seen = msgspec.structs.replace(stored, seen_at=stored_time(now))
            self._sessions[session.hash] = seen

    def some(self, hashes: Collection[str]) -> Sequence[Session]:
        """See `SessionStore.some`."""
        return [self._sessions[each] for each in hashes if each in self._sessions]

    def end(self, hash_: str) -> None:
        """See `SessionStore.end`."""
        self._sessions.pop(hash_, None)
