"""The contract of the tables of a rebuild.

The twins are `sqlite.py` and `postgres.py`. Rows in memory end with their process and are never
rebuilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from domain.errors import MilepostError
from projections.read_model.contract import ReadModel
from projections.read_model.rows import Row


class RebuildForbidden(MilepostError):
    """The tables of a rebuild cannot be swapped with the served ones."""

    @classmethod
    def to_this_account(cls, error: Exception) -> RebuildForbidden:
        """Say that the database forbids this account to make the tables."""
        return cls(
            f"A rebuild makes tables, which takes the account that owns the present ones. {error}"
        )

    @classmethod
    def by(cls, what: str, table: str) -> RebuildForbidden:
        """Name an object that the swap would break, or that would be lost with the table."""
        return cls(
            f"The {what} depends on the table {table}, which a rebuild replaces: drop it before "
            "the rebuild, and make it again after."
        )


class FirstPassLeft(msgspec.Struct, frozen=True):
    """The rest of the first pass: events up to position `until` of the jobs after `after`."""

    until: int
    after: str


def can_go_on(shape: str, left_shape: str, reached: int, newest: int) -> bool:
    """Tell whether a rebuild can go on with the tables that an interrupted rebuild left.

    Their rows must have this `shape`. `reached` is the later of their position and the end of their
    first pass. `newest` is the log's last position. If `reached` is after it, somebody restored an
    older log.
    """
    return left_shape == shape and reached <= newest


class Shadow(Protocol):
    """The tables of a rebuild, beside the served ones. No reader uses them before the swap."""

    @property
    def read_model(self) -> ReadModel:
        """The rows in these tables, which are folded like the served ones."""
        ...

    def lock(self) -> AbstractContextManager[bool]:
        """Hold the lock of rebuilds, one per database; yield False while another process has it."""
        ...

    def begin(self, *, afresh: bool = False) -> int:
        """Go on with the tables that an interrupted rebuild of this shape left, or make empty ones.

        With `afresh`, always make empty ones. Their first pass ends where the log ends now. Returns
        the position up to which these tables are folded. Raises `RebuildForbidden`, also where a
        user's own view, trigger or the like depends on a served table.
        """
        ...

    def first_pass(self) -> FirstPassLeft | None:
        """Return the rest of the first pass; None when it has ended."""
        ...

    def end_first_pass(self, generation: int, position: int, until: int) -> None:
        """Set the position to `until`: every event up to it is folded. The first pass has ended.

        Raises `PositionMoved` if the tables have another generation, position or end of the first
        pass: another process has begun a rebuild afresh in the meantime.
        """
        ...

    def make_indexes(self) -> None:
        """Make the indexes that the folded rows need before they are served."""
        ...

    def swap(self) -> bool:
        """Serve these tables in place of the served ones, in one transaction.

        Returns False and changes nothing while the first pass has not ended, these rows are behind
        the served ones, or another transaction holds the tables. Raises `RebuildForbidden`.
        """
        ...

    def drop(self) -> bool:
        """Drop these tables; return whether a rebuild had made any."""
        ...

    def clear(self) -> bool:
        """Delete a slice of the replaced and dropped tables; return False without one."""
        ...

    def rows(self, view: str, after: str, limit: int) -> Sequence[Row]:
        """Return documents of these tables in order of job id, after this job."""
        ...
