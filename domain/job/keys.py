"""Names that must be unique, decided in the transaction that appends.

A key points at the event that took it. Keys live in a table beside the events, never in a job's
state, so that no state grows with its history; all of them can be derived from the events again.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

import msgspec


class Key(msgspec.Struct, frozen=True, gc=False):
    """A taken name. `digest` tells whether the one who asks again asks for the same thing.

    `position` is known once the event that took it is stored.
    """

    name: str
    job_id: str
    version: int
    digest: str = ""
    position: int | None = None


def callback_key(job_id: str, callback_id: str) -> str:
    """Name a callback within its job."""
    return f"callback/{_quoted(job_id)}/{callback_id}"


def registration_key(owner: str | None, idempotency_key: str) -> str:
    """Name a registration request; a token bound to a user has names of its own."""
    return f"registration/{_quoted(owner or '')}/{idempotency_key}"


def in_progress_key(user_id: str) -> str:
    """Name the one job that a user may have in progress."""
    return f"in-progress/{user_id}"


def agent_key(agent_id: str) -> str:
    """Name an agent's newest job."""
    return f"agent/{agent_id}"


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    # A job has many callbacks, and whoever reads a log asks for all of them.
    return quote(text, safe="")
