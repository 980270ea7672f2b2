"""The check of tokens: a stream ends soon after its token is revoked, or has expired."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from api.serving.threads import BoundedThreads
from api.tokens import ADMIN
from api.wiring import Services
from domain.errors import Unavailable
from domain.log.store import translated


class TokenCheck:
    """Asks for the tokens of all streams at once, so that a stream costs no statement."""

    def __init__(self, services: Services, threads: BoundedThreads) -> None:
        self._services = services
        self._threads = threads

    async def ended(self, token_ids: Collection[str]) -> Collection[str]:
        """Return which tokens are valid no more; none of them while the database is away."""
        # The admin token of the settings stays valid for as long as the process lives.
        asked = frozenset(token_ids) - {ADMIN}
        if not asked:
            return ()
        try:
            return asked - await self._threads.run(partial(self._valid, asked))
        except Unavailable:
            return ()

    def _valid(self, token_ids: Collection[str]) -> frozenset[str]:
        with translated():
            tokens = self._services.tokens.some(token_ids)
        now = self._services.clock()
        return frozenset(
            token.id for token in tokens if not (token.revoked_at or token.has_expired(now))
        )
