"""Tokens remembered for seconds, so that a page that polls does not ask for its token each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from api.tokens import Token, TokenStore

REMEMBERED_SECONDS: Final = 5.0
"""How long a token may go on working after another process has revoked it."""
MAX_REMEMBERED: Final = 1000


class RememberedTokens:
    """Remember valid tokens of another store, by id and with their hash, never their secret."""

    def __init__(self, store: TokenStore, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._found: dict[str, tuple[float, Token]] = {}

    def add(self, token: Token) -> None:
        """See `TokenStore.add`."""
        self._store.add(token)

    def find(self, token_id: str) -> Token | None:
        """Return a token by its id, as it was at most five seconds ago."""
        if token := self.remembered(token_id):
            return token
        found = self._store.find(token_id)
        # What opens nothing is asked for anew: it may be made meanwhile, and anybody can guess ids.
        if found and not found.revoked_at:
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            self._found[token_id] = (self._clock() + REMEMBERED_SECONDS, found)
        return found

    def remembered(self, token_id: str) -> Token | None:
        """Return a token as it was at most five seconds ago; None if the store must be asked."""
        now = self._clock()
        until, token = self._found.get(token_id, (now, None))
        return token if now < until else None

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        return self._store.all()

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`; forget it, unless somebody is asking for it just now."""
        revoked = self._store.revoke(token_id, revoked_at)
        self._found.pop(token_id, None)
        return revoked
