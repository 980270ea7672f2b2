"""The contract of what a comparison reads: events job by job, and the served rows as they are.

Each method is one short statement, so that no transaction stays open beside a busy server.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from domain.log.reading.contract import Log

BEFORE_ALL = ("", -(2**63))
"""A job and version that come before all others."""
AFTER_LAST = 2**63 - 1
"""A version that comes after all others of a job."""


class ServedRow(Protocol):
    """A row of the read model: its document, and every other column but the job's id."""

    @property
    def document(self) -> str:
        """The view's state as it is stored."""
        ...

    @property
    def columns(self) -> Mapping[str, Any]:
        """The other columns by name. Times are texts as `utc_text` writes them."""
        ...


class SetAsideEvent(Protocol):
    """An event that a view could not fold, as the read model says."""

    @property
    def position(self) -> int:
        """The event's number in the log."""
        ...

    @property
    def view(self) -> str:
        """The name of the view."""
        ...


class ServedRows(Protocol):
    """Reads the log and the served rows. Each method may raise the library's `PersistenceError`."""

    @property
    def log(self) -> Log:
        """The log of the same database."""
        ...

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, ServedRow]:
        """Return the view's rows of these jobs, by job id."""
        ...

    def rows_without_events(self, view: str, after: str, limit: int) -> Mapping[str, ServedRow]:
        """Return the view's rows of jobs without events, by job id, after this job, in order."""
        ...

    def set_aside(self, job_ids: Collection[str]) -> Sequence[SetAsideEvent]:
        """Return the records of set-aside events of these jobs whose events are in the log."""
        ...
