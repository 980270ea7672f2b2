"""Contenders: servers under load. Each measurement checks that the server stored its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple

from bench.history import events_in
from bench.load import CONNECTIONS, Request, Result, load
from bench.stage import Server, Stage


class Setup(NamedTuple):
    """How a baseline is run."""

    threads: int
    workers: int = 1


# Each baseline is tried with all of these; the best setup is measured.
THREADS = (4, 8, 16, 32)
ONE_WORKER = [Setup(threads) for threads in THREADS]
TWO_WORKERS = [Setup(threads, workers=2) for threads in THREADS]


class Mismatch(Exception):
    """The answers of a server differ from what it stored."""


def recording(
    stage: Stage, server: Server, database: str, requests: Sequence[Request], seconds: float
) -> Callable[[], float]:
    """Return a function that measures Milepost: callbacks per second, all of them stored."""

    def measure() -> float:
        before = events_in(database)
        result = load(server, requests, seconds, folder=stage.folder)
        check(result, events_in(database) - before)
        return result.rate

    return measure


def plain(
    stage: Stage,
    server: Server,
    requests: Sequence[Request],
    seconds: float,
    *,
    may_fail: bool = False,
) -> Callable[[], float]:
    """Return a function that measures answers per second, and does not look at a database."""

    def measure() -> float:
        result = load(server, requests, seconds, folder=stage.folder)
        if result.broken or (result.refused and not may_fail):
            raise Mismatch(f"{result.refused} requests were refused, {result.broken} broken")
        return result.rate

    return measure


def check(result: Result, stored: int, runs: int = 1) -> None:
    """Raise `Mismatch` unless every answer is a stored event; `runs` is the number of wrk runs."""
    if result.refused or result.broken:
        raise Mismatch(f"{result.refused} callbacks were refused, {result.broken} broken")
    # At its end, wrk closes connections whose requests may still be stored; so did the run before.
    if not result.answered <= stored <= result.answered + (runs + 1) * CONNECTIONS:
        raise Mismatch(f"{result.answered} callbacks were answered and {stored} stored")


def best(
    stack: ExitStack, makers: Sequence[Callable[[], AbstractContextManager[Callable[[], float]]]]
) -> Callable[[], float]:
    """Return the function of the fastest of these; it stays set up as long as the stack is open."""
    scores = []
    for make in makers:
        with make() as measure:
            scores.append(measure() + measure())
    return stack.enter_context(makers[scores.index(max(scores))]())


@contextmanager
def noop(
    stage: Stage, requests: Sequence[Request], seconds: float, setup: Setup
) -> Iterator[Callable[[], float]]:
    """Run the no-op server for these requests."""
    with stage.baseline("noop:app", **setup._asdict()) as server:
        yield plain(stage, server, requests, seconds)
