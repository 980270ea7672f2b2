"""How long a request's caller still waits: work that has to wait gives up with its caller."""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic
from typing import Final

PATIENCE_SECONDS: Final = 15.0
"""How long a caller waits for its answer, with the wait for a thread."""
GIVEN_UP_AT: Final[ContextVar[float | None]] = ContextVar("GIVEN_UP_AT", default=None)
"""The `monotonic` time at which the caller of this work gives up; None if nothing has set it."""


def begin(seconds: float = PATIENCE_SECONDS) -> None:
    """Let the caller of all that this context does wait for so many seconds from now."""
    GIVEN_UP_AT.set(monotonic() + seconds)


def seconds_left() -> float:
    """Return how many seconds the caller still waits, at least 0.

    A WSGI server of another make sets no time, so its callers have all of their patience.
    """
    given_up_at = GIVEN_UP_AT.get()
    return PATIENCE_SECONDS if given_up_at is None else max(0.0, given_up_at - monotonic())
