"""Waking followers of the log in the process that commits, where the database cannot do it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

LOOK_SECONDS: Final = 0.25
"""How long a follower waits at most: commits of other processes do not wake it."""


class Callers:
    """The followers of one process. A commit without followers pays for an empty loop."""

    def __init__(self) -> None:
        self._called: tuple[Called, ...] = ()

    def wake(self) -> None:
        """Wake every follower; return at once."""
        for each in self._called:
            each.event.set()

    @contextmanager
    def called(self) -> Iterator[Called]:
        """Yield what a follower waits for; it hears of every commit from now on."""
        called = Called()
        self._called = (*self._called, called)
        try:
            yield called
        finally:
            self._called = tuple(each for each in self._called if each is not called)


class Called:
    """Waits for a commit of this process, for a short time."""

    def __init__(self) -> None:
        self.event = Event()

    def wait(self, seconds: float) -> None:
        """See `WakeUps.wait`."""
        self.event.wait(min(seconds, LOOK_SECONDS))
        self.event.clear()
