"""The contract of a rebuild's tables, and of what they are compared with.

The twins are `sqlite_shadow.py` and `postgres_shadow.py`. Rows in memory end with their process and
are never rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from domain.errors import MilepostError
from domain.log.stored import Stored
from projections.read_model.contract import InstanceRow, ReadModel, Row


class RebuildForbidden(MilepostError):
    """Other tables cannot take the place of the present ones."""

    @classmethod
    def to_this_account(cls, error: Exception) -> RebuildForbidden:
        """Say what the database forbids."""
        return cls(
            f"A rebuild makes tables, which takes the account that owns the present ones. {error}"
        )

    @classmethod
    def by(cls, what: str, table: str) -> RebuildForbidden:
        """Say what would be lost with the table, or does not let go of it."""
        return cls(
            f"The {what} depends on the table {table}, which a rebuild replaces: drop it before "
            "the rebuild, and make it again after."
        )


class Left(msgspec.Struct, frozen=True):
    """What is left of the past of a rebuild: events up to a position, of jobs after this one."""

    until: int
    after: str


class Moment(Protocol):
    """The log and the served rows, all as of one moment."""

    def position(self) -> int:
        """Return the position up to which the rows are folded."""
        ...

    def rows(self, view: str, job_ids: Sequence[str]) -> Mapping[str, Row | InstanceRow]:
        """Return the rows of these jobs, by job id."""
        ...

    def events(self, job_ids: Sequence[str]) -> Iterator[Stored]:
        """Return these jobs' events one by one, a job's together and in order."""
        ...


class Shadow(Protocol):
    """Tables beside the served ones, which nobody reads before they take their place."""

    @property
    def read_model(self) -> ReadModel:
        """The rows in these tables, to be folded like any other."""
        ...

    def taken(self) -> AbstractContextManager[bool]:
        """Take the right to rebuild, held by one per database; False while another has it."""
        ...

    def begin(self, *, afresh: bool = False) -> int:
        """Go on with what an interrupted rebuild of this shape left, or with empty tables.

        Of empty tables the past is what the log has now. Returns the position to go on from.
        Raises `RebuildForbidden`, also for what somebody has made that depends on a served table.
        """
        ...

    def past(self) -> Left | None:
        """Return what is left of the past; None once it is over."""
        ...

    def end_past(self, generation: int, position: int, until: int) -> None:
        """Say that all up to there is folded; from then on rows are folded by position.

        Raises `PositionMoved` if these tables are not of that generation, at that position and
        with that end any more: somebody else has begun anew meanwhile.
        """
        ...

    def settle(self) -> None:
        """Prepare the folded rows to be served."""
        ...

    def swap(self) -> bool:
        """Serve these tables in the place of those that were, in one transaction.

        False, and nothing has changed, while the past is not over, they are behind what is served,
        or cannot be had. Raises `RebuildForbidden`.
        """
        ...

    def drop(self) -> bool:
        """Drop these tables; return whether there was a rebuild of them."""
        ...

    def clear(self) -> bool:
        """Take away a slice of what was replaced or dropped; return whether there was any."""
        ...

    def jobs(self, after: str, limit: int) -> Sequence[str]:
        """Return ids of jobs in the log that come after this one, in the database's order."""
        ...

    def strangers(self, view: str) -> Sequence[str]:
        """Return ids of served rows whose job the log does not know."""
        ...

    def moment(self) -> AbstractContextManager[Moment]:
        """Look at the log and the served rows; not for long, because it holds back cleaning."""
        ...

    def rows(self, view: str, after: str, limit: int) -> Sequence[Row | InstanceRow]:
        """Return rows of these tables by job id, those that come after this one."""
        ...
