"""The check of callers: a stream ends soon after its token is revoked, or its session has ended."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import NamedTuple

from api.serving.threads import BoundedThreads
from api.tokens import ADMIN
from api.wiring import Services
from domain.errors import Unavailable
from domain.log.store import translated


class Ended(NamedTuple):
    """Tokens and sessions that are not valid any more."""

    tokens: Collection[str] = ()
    sessions: Collection[str] = ()


class TokenCheck:
    """Looks up the tokens and sessions of all streams at once, with one statement for each kind."""

    def __init__(self, services: Services, threads: BoundedThreads) -> None:
        self._services = services
        self._threads = threads

    async def ended(self, token_ids: Collection[str], sessions: Collection[str]) -> Ended:
        """Return which of these are not valid any more. While the database is away, return none."""
        # The admin token of the settings stays valid for as long as the process lives.
        asked = frozenset(token_ids) - {ADMIN}, frozenset(sessions)
        if not any(asked):
            return Ended()
        try:
            return await self._threads.run(partial(self._ended, *asked))
        except Unavailable:
            return Ended()

    def _ended(self, token_ids: frozenset[str], sessions: frozenset[str]) -> Ended:
        now = self._services.clock()
        with translated():
            tokens = self._services.tokens.some(token_ids) if token_ids else ()
            begun = self._services.sessions.some(sessions) if sessions else ()
        valid = {each.id for each in tokens if not (each.revoked_at or each.has_expired(now))}
        going_on = {each.hash for each in begun if not each.has_ended(now)}
        return Ended(token_ids - valid, sessions - going_on)
