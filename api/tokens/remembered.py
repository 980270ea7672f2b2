"""A cache of tokens, so that a page that polls does not query the database for its token."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from time import monotonic
from typing import Final

from eventsourcing.persistence import PersistenceError

from api.fair_cache import FairCache
from api.tokens import Token, TokenStore

REMEMBERED_SECONDS: Final = 5.0
"""How long a token may still work after another process has revoked it."""
NOTED_SECONDS: Final = 60.0
"""How many seconds pass at least between two notes that a token was used."""
MAX_REMEMBERED: Final = 1000

log = logging.getLogger("milepost.tokens")


class RememberedTokens:
    """Cache valid tokens of another store, by id and with their hash, never with their secret."""

    def __init__(
        self,
        store: TokenStore,
        clock: Callable[[], float] = monotonic,
        writer: Executor | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cached = FairCache[tuple[float, Token]](MAX_REMEMBERED)
        # No request waits for the note of a use. The thread begins with the first one.
        self._writer = writer or ThreadPoolExecutor(1, "milepost-token-uses")
        self._due: dict[str, float] = {}
        self._has_failed = False

    def add(self, token: Token) -> None:
        """See `TokenStore.add`."""
        self._store.add(token)

    def find(self, token_id: str) -> Token | None:
        """Return a token by its id, at most 5 seconds old."""
        if token := self.remembered(token_id):
            return token
        token = self._store.find(token_id)
        # Only valid tokens are cached: an unknown token may be made meanwhile, and unknown ids that
        # somebody guesses must not fill the cache.
        if token and not token.revoked_at:
            found = self._clock() + REMEMBERED_SECONDS, token
            self._cached.put(token_id, found, token.user_id or token_id)
        else:
            self._cached.drop(token_id)
        return token

    def remembered(self, token_id: str) -> Token | None:
        """Return a cached token, at most 5 seconds old; None if the store must be queried."""
        now = self._clock()
        until, token = self._cached.get(token_id) or (now, None)
        return token if now < until else None

    def recognised(self, token_id: str) -> Token | None:
        """Return a token that was valid when it was last looked up, however long ago that was.

        That proves no right. It tells a request that may wait among those of strangers from one of
        a sender who was here before.
        """
        _, token = self._cached.get(token_id) or (0.0, None)
        return token

    def used(self, token: Token, now: datetime) -> None:
        """Note the use in another thread, at most once in `NOTED_SECONDS` for a token."""
        seconds = self._clock()
        if seconds < self._due.get(token.id, 0.0):
            return
        if len(self._due) >= MAX_REMEMBERED:
            self._due.clear()
        self._due[token.id] = seconds + NOTED_SECONDS
        # Another process may have noted a use.
        noted = token.last_used_at and datetime.fromisoformat(token.last_used_at)
        if not noted or (now - noted).total_seconds() >= NOTED_SECONDS:
            self._writer.submit(self._note, token, now)

    def _note(self, token: Token, now: datetime) -> None:
        try:
            self._store.used(token, now)
        except PersistenceError as error:
            if not self._has_failed:
                self._has_failed = True
                log.warning("cannot note when tokens were last used: %s", error)

    def close(self) -> None:
        """End the thread that notes uses; drop the notes that wait."""
        self._writer.shutdown(cancel_futures=True)

    def some(self, token_ids: Collection[str]) -> Sequence[Token]:
        """See `TokenStore.some`; what is remembered is not used."""
        return self._store.some(token_ids)

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        return self._store.all()

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`. A concurrent `find` may still cache the token for 5 seconds."""
        revoked = self._store.revoke(token_id, revoked_at)
        self._cached.drop(token_id)
        return revoked
