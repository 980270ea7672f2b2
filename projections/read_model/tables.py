"""The names of the tables of rows: the served tables, and the tables of a rebuild."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, LiteralString

VIEWS: Final[tuple[LiteralString, ...]] = ("instances", "timelines")
"""The views whose documents are rows, each in the table `milepost_` and its name."""
SERVED: Final = "'served'"
REBUILT: Final = "'rebuilt'"


class Tables:
    """Statements name the served tables; `renamed` makes the same statement for a rebuild's tables.

    `names` are the served tables of rows, `dropped` those that a rebuild has replaced. An index has
    the name of its table in its own name, so it is renamed too. The position is in a table that
    both share, in a row of its own for each.
    """

    def __init__(self, names: Sequence[LiteralString]) -> None:
        self.names = tuple(names)
        self.rebuilt: tuple[LiteralString, ...] = tuple(map(_rebuilt, names))
        self.dropped: tuple[LiteralString, ...] = tuple(map(_dropped, names))
        self.renamed = cache(self._renamed)

    def _renamed(self, statement: LiteralString) -> LiteralString:
        """Return the statement with the names of a rebuild's tables."""
        for served, rebuilt in zip(self.names, self.rebuilt, strict=True):
            statement = statement.replace(served, rebuilt)
        return statement.replace(SERVED, REBUILT)


def _rebuilt(name: LiteralString) -> LiteralString:
    return name.replace("milepost_", "milepost_rebuilt_")


def _dropped(name: LiteralString) -> LiteralString:
    return name.replace("milepost_", "milepost_dropped_")


TABLES: Final = Tables(
    (
        "milepost_instances",
        "milepost_timelines",
        "milepost_set_aside",
        "milepost_view_snapshots",
        "milepost_machines",
    )
)
"""The tables of rows. A rebuild makes new ones of all of them."""
# Not `TABLES.names`, which grows with later releases: a released step never changes.
STEP_1_MAKES: Final = (
    "milepost_read_model.generation",
    "milepost_instances",
    "milepost_timelines",
    "milepost_set_aside",
    "milepost_view_snapshots",
)
