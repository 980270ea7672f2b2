"""A cache of tokens, so that a page that polls does not query the database for its token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from api.tokens import Token, TokenStore

REMEMBERED_SECONDS: Final = 5.0
"""How long a token may still work after another process has revoked it."""
MAX_REMEMBERED: Final = 1000


class RememberedTokens:
    """Cache valid tokens of another store, by id and with their hash, never with their secret."""

    def __init__(self, store: TokenStore, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._cached: dict[str, tuple[float, Token]] = {}

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
            if len(self._cached) >= MAX_REMEMBERED:
                self._cached.clear()
            self._cached[token_id] = (self._clock() + REMEMBERED_SECONDS, token)
        return token

    def remembered(self, token_id: str) -> Token | None:
        """Return a cached token, at most 5 seconds old; None if the store must be queried."""
        now = self._clock()
        until, token = self._cached.get(token_id, (now, None))
        return token if now < until else None

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        return self._store.all()

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`. A concurrent `find` may still cache the token for 5 seconds."""
        revoked = self._store.revoke(token_id, revoked_at)
        self._cached.pop(token_id, None)
        return revoked
