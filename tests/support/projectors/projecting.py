"""Projectors that run in threads, or end where a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Any, Literal, cast

from projections.projecting.projector import Projector
from projections.read_model.contract import ReadModel
from projections.read_model.rows import Changes
from tests.support.stores.deployment import Deployment

PATIENCE = 20.0
"""How long a test waits for what must happen, before it fails."""


class Crash(Exception):
    """The process ended here."""


class UnreliableReadModel:
    """A read model whose `apply` ends the process before or after it, as planned."""

    def __init__(self, real: ReadModel, plan: list[Literal["before", "after", "never"]]) -> None:
        self._real, self._plan = real, plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def apply(self, changes: Changes) -> None:
        crash = self._plan.pop(0) if self._plan else "never"
        if crash == "before":
            raise Crash
        self._real.apply(changes)
        if crash == "after":
            raise Crash


def projector(made: Deployment, read_model: object = None, **options: Any) -> Projector:
    """Return a projector over this deployment, or over another read model."""
    return Projector(
        made.milepost.store,
        cast("ReadModel", read_model or made.read_model),
        made.milepost.mapper,
        made.workflows,
        **options,
    )


class Rests(Event):
    """An event that nobody waits for: it notes for how long somebody wanted to, and is then set."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note the seconds, and be set."""
        assert timeout is not None
        self.seconds.append(timeout)
        self.set()
        return True


@contextmanager
def running(*projectors: Projector) -> Iterator[list[Event]]:
    """Run projectors, a thread each, until their events are set or the block ends."""
    stops = [Event() for _ in projectors]
    threads = [
        Thread(target=each.run, args=(stop,)) for each, stop in zip(projectors, stops, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield stops
    finally:
        for each, stop in zip(projectors, stops, strict=True):
            stop.set()
            each.interrupt()
        for thread in threads:
            thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, at most PATIENCE seconds."""
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline
        Event().wait(0.01)
