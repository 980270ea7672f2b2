"""The connection to a stream, in words: whether the shown state is live, and what time it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from api.client.following import Live, Lost
from projections.views.durations import span

SAME_CLOCK: Final = timedelta(seconds=2)
"""A server's time comes in whole seconds, and late. A smaller difference is no difference."""


class Connection:
    """What is known of the connection, from its news."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._ahead = timedelta()
        self._lost: Lost | None = None
        self._lost_at = self._tried_at = 0.0

    @property
    def is_live(self) -> bool:
        """True unless the stream is lost."""
        return self._lost is None

    def take(self, news: Live | Lost) -> None:
        """Take news of the connection."""
        if isinstance(news, Lost):
            self._tried_at = self._clock()
            if self._lost is None:
                self._lost_at = self._tried_at
            self._lost = news
            return
        self._lost = None
        if news.server_time:
            ahead = news.server_time - datetime.now(UTC)
            self._ahead = ahead if abs(ahead) > SAME_CLOCK else timedelta()

    def now(self) -> datetime:
        """Return the time as the server's clock has it: the clock of all times that are shown."""
        return datetime.now(UTC) + self._ahead

    def trouble(self) -> str:
        """Return in a sentence that the stream is lost; an empty text while it is live."""
        if self._lost is None:
            return ""
        seconds = int(self._clock() - self._lost_at)
        since = f" {span(seconds)} ago" if seconds else ""
        left = int(self._tried_at + self._lost.seconds - self._clock() + 0.5)
        again = f"Trying again in {span(left)}." if left > 0 else "Trying again."
        return f"Live updates stopped{since}: {self._lost.why.rstrip('.')}. {again}"
