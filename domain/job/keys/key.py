"""Keys: unique names, each of which points at the event that claimed it.

The transaction that appends the event writes the key. Keys are rows beside the events and no part
of a job's state, so that the state does not grow with its history. All of them can be derived from
the events.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

import msgspec


class Key(msgspec.Struct, frozen=True, gc=False):
    """A unique name and its event. A repeated request has the same `digest` as the first one.

    `position` is None until the event is stored.
    """

    name: str
    job_id: str
    version: int
    digest: str = ""
    position: int | None = None


def callback_key(job_id: str, callback_id: str) -> str:
    """Name a callback within its job by an id that its signature covers."""
    return f"callback/{_quoted(job_id)}/{callback_id}"


def unsigned_callback_key(job_id: str, callback_id: str, digest: str | None) -> str:
    """Name a callback within its job by an id that no signature covers, and by its body.

    Anybody who sees a callback can send it again under the id of another one. So the id alone must
    not decide that a callback is refused.
    """
    return f"unsigned-callback/{_quoted(job_id)}/{digest or ''}/{callback_id}"


def registration_key(owner: str | None, idempotency_key: str) -> str:
    """Name a registration request. Each user that tokens are bound to has names apart."""
    return f"registration/{_quoted(owner or '')}/{idempotency_key}"


def in_progress_key(user_id: str) -> str:
    """Name the one job that a user may have in progress."""
    return f"in-progress/{user_id}"


def agent_key(agent_id: str) -> str:
    """Name an agent's newest job."""
    return f"agent/{agent_id}"


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    # A job has many callbacks, so reading a log asks for the same id again and again.
    return quote(text, safe="")
