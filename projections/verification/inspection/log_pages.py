"""The log, page by page, in whatever portions it is wanted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from domain.log.reading.contract import Log
from domain.log.stored import Stored

PAGE = 2_048
POSITION = attrgetter("position")


class Events:
    """The events after one position, up to another."""

    def __init__(self, log: Log, after: int, upto: int) -> None:
        self._log = log
        self._after, self._upto = after, upto
        self._page: Sequence[Stored] = ()
        self._at = 0

    def until(self, position: int) -> list[Stored]:
        """Return the events up to a position."""
        found: list[Stored] = []
        while self._has_more():
            end = bisect_right(self._page, position, self._at, key=POSITION)
            found += self._page[self._at : end]
            self._at = end
            if end < len(self._page):
                break
        return found

    def take(self, count: int) -> list[Stored]:
        """Return so many events, or as many as there are."""
        found: list[Stored] = []
        while len(found) < count and self._has_more():
            end = min(self._at + count - len(found), len(self._page))
            found += self._page[self._at : end]
            self._at = end
        return found

    def _has_more(self) -> bool:
        """Tell whether the page has more events; of one that has not, read the next."""
        if self._at == len(self._page) and self._after < self._upto:
            page = self._log.events(self._after, PAGE)
            self._page, self._at = page[: bisect_right(page, self._upto, key=POSITION)], 0
            # Where there is none any more, there will be none.
            self._after = self._page[-1].position if len(self._page) == PAGE else self._upto
        return self._at < len(self._page)
