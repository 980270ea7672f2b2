"""The publisher: it sends events to a proxy that holds streams.

1. It is a chore, so only one process over a database does it: the one that projects.
2. A thread follows the log and publishes each event, in order, waiting for a proxy that is away.
   Each proxy has a thread of its own, and none of them holds up the projector.
3. A note in the database has the position up to which events are published. The next publisher
   begins there. Publishing an event twice does no harm: the proxy compares the ids.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event
from time import monotonic
from typing import Final

from api.http.grip.instructions import EXPIRY_SECONDS, close, of_expiry, of_token
from api.serving.publishing.held_readers import HeldReaders
from api.serving.publishing.proxy import Proxy
from api.wiring import Services
from domain.log.store import translated
from projections.chore import IDLE_SECONDS, Chore
from projections.reading.follower import Follower

log = logging.getLogger("milepost.publishing")

ACTIVE_SECONDS: Final = 5.0
"""How long the thread goes on after the last step of the chore. Then another process may be the
active one."""
MOST_BEHIND: Final = 10_000
"""A publisher begins at most this many positions before the newest one."""
TOKEN_SECONDS: Final = 5.0
"""How often the publisher looks for tokens that have ended."""
RECENT: Final = timedelta(hours=1)
"""A token that ended earlier ends no stream: the proxy has asked for each stream since then."""


class Publisher:
    """A chore: publish the log's events to one proxy."""

    def __init__(
        self, services: Services, uri: str, clock: Callable[[], float] = monotonic
    ) -> None:
        self._services = services
        self._clock = clock
        self._active_until = 0.0
        self._readers = HeldReaders(services, Proxy(uri), self._is_active)
        self._follower = Follower(services.read_model, services.milepost.mapper, self._readers)
        self._note = f"grip {uri}"
        self._noted = 0

    def begin(self) -> None:
        """Follow the log from the position where the last publisher ended, in whichever process."""
        newest = self._services.read_model.log.newest_position()
        note = self._services.read_model.note(self._note)
        if note is None:
            note = str(newest)
            self._services.read_model.keep_note(self._note, note)
        noted = int(note)
        self._active_until = self._clock() + ACTIVE_SECONDS
        self._noted = min(max(noted, newest - MOST_BEHIND), newest)
        if not self.follows:
            self._follow(self._noted)

    def step(self) -> float:
        """Store the published position in the note; return seconds until the next step is due."""
        self._active_until = self._clock() + ACTIVE_SECONDS
        if not self.follows:
            self._follow(self._readers.published)
        if self._readers.published != self._noted:
            self._noted = self._readers.published
            self._services.read_model.keep_note(self._note, str(self._noted))
        return IDLE_SECONDS

    @property
    def follows(self) -> bool:
        """Whether the thread follows the log."""
        return self._follower.is_running

    def close(self) -> None:
        """End the thread."""
        self._active_until = 0.0
        self._readers.stop()
        self._follower.close()

    def _follow(self, published: int) -> None:
        self._readers.begin(published)
        self._follower.ensure(published)

    def _is_active(self) -> bool:
        return self._clock() < self._active_until


class TokenEnds:
    """A chore: end the held streams of tokens that were revoked, or have expired."""

    def __init__(self, services: Services, uris: Sequence[str]) -> None:
        self._services = services
        self._proxies = [Proxy(uri) for uri in uris]
        # A proxy that is away must not hold up the projector.
        self._executor = ThreadPoolExecutor(1, "milepost-token-ends")
        self._looking: Future[None] | None = None
        self._published: set[str] = set()
        self._expired_until = int(services.clock().timestamp())
        self._stop = Event()

    def begin(self) -> None:
        """Do nothing: to end a stream twice does no harm."""

    def step(self) -> float:
        """Look once; return seconds until the next step is due."""
        if self._looking is None or self._looking.done():
            self._looking = self._executor.submit(self._look)
        return TOKEN_SECONDS

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._executor.shutdown(cancel_futures=True)

    def _look(self) -> None:
        now = self._services.clock()
        with translated():
            tokens = self._services.tokens.all()
        ended = [
            token.id
            for token in tokens
            if token.id not in self._published
            and _ended_since(token.revoked_at or token.expires_at, now)
        ]
        last = int(now.timestamp())
        # If a proxy was away for longer than that, it asks for the links that expired earlier.
        since = max(self._expired_until, last - int(RECENT.total_seconds()))
        following = (since // EXPIRY_SECONDS + 1) * EXPIRY_SECONDS
        expired = range(following, last + 1, EXPIRY_SECONDS)
        channels = [*map(of_token, ended), *map(of_expiry, expired)]
        items = [close(each) for each in channels]
        is_published = [proxy.publish(items, lambda: False, self._stop) for proxy in self._proxies]
        # A proxy that is away gets the ends at the next look. The other proxies get them twice.
        if all(is_published):
            self._published.update(ended)
            self._expired_until = last


@contextmanager
def publishing(services: Services) -> Iterator[Sequence[Chore]]:
    """Yield the chores that publish to the proxies of the settings; end their threads."""
    uris = services.settings.grip_control_uris
    if not uris:
        yield ()
        return
    publishers = [Publisher(services, uri) for uri in uris]
    ends = TokenEnds(services, uris)
    try:
        yield (*publishers, ends)
    finally:
        ends.close()
        for publisher in publishers:
            publisher.close()


def _ended_since(ended_at: str | None, now: datetime) -> bool:
    return ended_at is not None and now - RECENT <= datetime.fromisoformat(ended_at) <= now
