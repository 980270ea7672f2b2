"""Deadlines, on a loop whose time a test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.serving.deadlines import LOOK_SECONDS, Deadlines


class Loop:
    """The part of an event loop that deadlines need."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> Any:
        self.timers.append((self.now + seconds, call))
        return self.timers[-1]

    def run(self, seconds: float) -> None:
        """Let that much time pass, and call every timer when it is due."""
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            self.now, call = max(self.timers[0][0], self.now), self.timers.pop(0)[1]
            call()
        self.now = end

    def suspend(self, seconds: float) -> None:
        """Let time pass in which the process does not run."""
        self.now += seconds


class Case:
    """Deadlines of 10 s for names, some of which are done."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.done: set[str] = set()
        self.expired: list[str] = []
        loop: Any = self.loop
        self.deadlines = Deadlines[str](loop, 10, self.done.__contains__, self.expired.append)


def test_what_is_not_done_in_time_expires_once() -> None:
    case = Case()
    case.deadlines.add("slow")
    case.deadlines.add("quick")
    case.loop.run(9)
    case.done.add("quick")

    case.loop.run(1)
    assert case.expired == []
    case.loop.run(2 * LOOK_SECONDS)
    assert case.expired == ["slow"]

    case.loop.run(60)
    assert case.expired == ["slow"]
    assert case.loop.timers == [], "nothing waits, and the loop is woken all the same"


def test_what_begins_later_expires_later() -> None:
    case = Case()
    case.deadlines.add("first")
    case.loop.run(5)
    case.deadlines.add("second")

    case.loop.run(5 + 2 * LOOK_SECONDS)
    assert case.expired == ["first"]
    case.loop.run(5)
    assert case.expired == ["first", "second"]


def test_time_in_which_the_process_did_not_run_counts_against_nobody() -> None:
    """Its client has sent the body; the process was suspended, and has not read it yet."""
    case = Case()
    case.deadlines.add("in time")

    case.loop.suspend(17)
    case.loop.run(1)
    assert case.expired == []

    case.loop.run(10)
    assert case.expired == ["in time"]
