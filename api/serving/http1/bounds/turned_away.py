"""Connections that were turned away: counted, and logged once a minute and not once each."""

from __future__ import annotations

import logging
from typing import Final

from api.http.counting.counters import TURNED_AWAY

log = logging.getLogger("milepost")

PAUSE_SECONDS: Final = 60
MEANINGS: Final = {
    "per_address": "refused, because their address has MILEPOST_CONNECTIONS_PER_ADDRESS of them; "
    "name it in MILEPOST_TRUSTED_PROXIES if it is a proxy",
    "full": "refused, because there are MILEPOST_CONNECTIONS of them, all with requests under way",
    "displaced": "ended to make way, because there are MILEPOST_CONNECTIONS of them",
    "unfinished": "refused a large request, because others fill the room for them",
    "unsent": "ended with an answer that its client was slow to take, to make room",
}


class TurnedAway:
    """Counts connections that make way, or are refused, and tells of them in the log."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._silent_until = 0.0

    def note(self, reason: str, client: str) -> None:
        """Count a connection of a client."""
        TURNED_AWAY[reason].inc()
        self._counts[reason] = self._counts.get(reason, 0) + 1
        self._last[reason] = client

    def tell(self, now: float) -> None:
        """Log what was counted since the last line, unless that was less than a minute ago."""
        if not self._counts or now < self._silent_until:
            return
        for reason, count in self._counts.items():
            last = self._last[reason]
            log.warning("connections %s: %d, the last of %s", MEANINGS[reason], count, last)
        self._counts.clear()
        self._silent_until = now + PAUSE_SECONDS
