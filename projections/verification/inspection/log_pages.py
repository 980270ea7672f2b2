"""The log, read page by page and returned in the portions that a check needs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from domain.log.bounded import is_full
from domain.log.reading.contract import Log
from domain.log.stored import Stored

PAGE = 2_048
POSITION = attrgetter("position")


class Events:
    """The events after the position `after`, up to the position `upto`, each returned once."""

    def __init__(self, log: Log, after: int, upto: int) -> None:
        self._log = log
        self._after, self._upto = after, upto
        self._page: Sequence[Stored] = ()
        self._at = 0

    def until(self, position: int) -> list[Stored]:
        """Return the next events, up to a position."""
        events: list[Stored] = []
        while self._has_more():
            end = bisect_right(self._page, position, self._at, key=POSITION)
            events += self._page[self._at : end]
            self._at = end
            if end < len(self._page):
                break
        return events

    def next(self, count: int) -> list[Stored]:
        """Return the next `count` events; fewer at the end."""
        events: list[Stored] = []
        while len(events) < count and self._has_more():
            end = min(self._at + count - len(events), len(self._page))
            events += self._page[self._at : end]
            self._at = end
        return events

    def _has_more(self) -> bool:
        """Tell whether more events follow; read the next page if this one has ended."""
        if self._at == len(self._page) and self._after < self._upto:
            page = self._log.events(self._after, PAGE)
            more = is_full(page, PAGE)
            self._page, self._at = page[: bisect_right(page, self._upto, key=POSITION)], 0
            # After a page that is not full, no events up to `upto` follow.
            self._after = self._page[-1].position if self._page and more else self._upto
        return self._at < len(self._page)
