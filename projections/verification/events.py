"""The log, page by page, in whatever portions it is wanted."""

from __future__ import annotations

from projections.tree import Stored, TreeStore

PAGE = 2_048


class Events:
    """The events after one position, up to another."""

    def __init__(self, tree: TreeStore, after: int, upto: int) -> None:
        self._tree = tree
        self._after, self._upto = after, upto
        self._page: list[Stored] = []
        self._at = 0

    def until(self, position: int) -> list[Stored]:
        """Return the events up to a position."""
        found: list[Stored] = []
        while (event := self._next()) and event.position <= position:
            found.append(event)
            self._at += 1
        return found

    def take(self, count: int) -> list[Stored]:
        """Return so many events, or as many as there are."""
        found: list[Stored] = []
        while len(found) < count and (event := self._next()):
            found.append(event)
            self._at += 1
        return found

    def _next(self) -> Stored | None:
        if self._at == len(self._page):
            page = self._tree.log(self._after, PAGE)
            self._page = [event for event in page if event.position <= self._upto]
            self._at = 0
            if not self._page:
                return None
            self._after = self._page[-1].position
        return self._page[self._at]
