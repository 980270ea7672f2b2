"""Tokens in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from api.tokens import Token, stored_time


class MemoryTokens:
    """Store tokens in a dictionary."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def add(self, token: Token) -> None:
        """See `TokenStore.add`."""
        self._tokens[token.id] = token

    def find(self, token_id: str) -> Token | None:
        """See `TokenStore.find`."""
        return self._tokens.get(token_id)

    def used(self, token: Token, now: datetime) -> None:
        """See `TokenLookup.used`."""
        if stored := self._tokens.get(token.id):
            used = msgspec.structs.replace(stored, last_used_at=stored_time(now))
            self._tokens[token.id] = used

    def some(self, token_ids: Collection[str]) -> Sequence[Token]:
        """See `TokenStore.some`."""
        return [self._tokens[token_id] for token_id in token_ids if token_id in self._tokens]

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        return list(self._tokens.values())

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`."""
        token = self._tokens.get(token_id)
        if token is None or token.revoked_at:
            return False
        self._tokens[token_id] = msgspec.structs.replace(token, revoked_at=revoked_at)
        return True
