"""What a caller may see: a job or an agent of another user is answered as one that is not there."""

from __future__ import annotations

from typing import Protocol, TypeVar

from api.errors import AgentNotFound
from api.tokens import Principal
from domain.errors import JobNotFound


class Owned(Protocol):
    """A row that belongs to a user, such as an instance or a timeline."""

    @property
    def user_id(self) -> str | None:
        """The user; None if it belongs to nobody."""
        ...


Row = TypeVar("Row", bound=Owned)


def visible_job(row: Row | None, caller: Principal) -> Row:
    """Return a job's row; raise `JobNotFound` unless the caller may see the job."""
    if row is None or not caller.sees(row.user_id):
        raise JobNotFound
    return row


def visible_agent(row: Row | None, caller: Principal) -> Row:
    """Return the row of an agent's job; raise `AgentNotFound` unless the caller may see it."""
    if row is None or not caller.sees(row.user_id):
        raise AgentNotFound
    return row
