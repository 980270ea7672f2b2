"""Which tables a statement is about: the served ones, or those of a rebuild beside them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, LiteralString

SERVED: Final = "'served'"
REBUILT: Final = "'rebuilt'"


class Tables:
    """Statements are written for the served tables; calling this turns one to the others.

    `names` are the tables of rows. Their indexes are named after them and are turned too. How far
    the rows go is a row of a table that both share.
    """

    def __init__(self, names: Sequence[LiteralString]) -> None:
        self.names = tuple(names)
        self.rebuilt: tuple[LiteralString, ...] = tuple(map(_rebuilt, names))
        self.turned = cache(self._turned)

    def _turned(self, statement: LiteralString) -> LiteralString:
        """Return the statement about the tables of a rebuild."""
        for served, rebuilt in zip(self.names, self.rebuilt, strict=True):
            statement = statement.replace(served, rebuilt)
        return statement.replace(SERVED, REBUILT)


def _rebuilt(name: LiteralString) -> LiteralString:
    return name.replace("milepost_", "milepost_rebuilt_")
