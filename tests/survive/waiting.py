"""Waiting for other processes, with the patience that a busy machine needs."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic

PATIENCE_SECONDS = 180


def until(condition: Callable[[], bool], complaint: str) -> None:
    """Wait until the condition holds; fail with the complaint after `PATIENCE_SECONDS`."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not condition():
        assert monotonic() < deadline, complaint
        Event().wait(0.05)
