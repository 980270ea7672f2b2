"""Contenders: a server with its load, measured in turns, and checked for what it stored."""

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


# What baselines are tried with; the best is measured.
THREADS = (4, 8, 16, 32)
ONE_WORKER = [Setup(threads) for threads in THREADS]
TWO_WORKERS = [Setup(threads, workers=2) for threads in THREADS]


class Mismatch(Exception):
    """What was answered is not what is stored."""


def recording(
    stage: Stage, server: Server, database: str, requests: Sequence[Request], seconds: float
) -> Callable[[], float]:
    """Return a turn of Milepost's: callbacks per second, of which all are stored."""

    def turn() -> float:
        before = events_in(database)
        result = load(server, requests, seconds, folder=stage.folder)
        check(result, events_in(database) - before)
        return result.rate

    return turn


def plain(
    stage: Stage,
    server: Server,
    requests: Sequence[Request],
    seconds: float,
    *,
    may_fail: bool = False,
) -> Callable[[], float]:
    """Return a turn of a server that is only asked: answers per second, without errors."""

    def turn() -> float:
        result = load(server, requests, seconds, folder=stage.folder)
        if result.broken or (result.refused and not may_fail):
            raise Mismatch(f"{result.refused} requests were refused, {result.broken} broken")
        return result.rate

    return turn


def check(result: Result, stored: int, runs: int = 1) -> None:
    """Raise `Mismatch` unless every answer is a stored event; `runs` is how many runs it was."""
    if result.refused or result.broken:
        raise Mismatch(f"{result.refused} callbacks were refused, {result.broken} broken")
    # wrk hangs up on what is under way when its time is over; also the run before this one.
    if not result.answered <= stored <= result.answered + (runs + 1) * CONNECTIONS:
        raise Mismatch(f"{result.answered} callbacks were answered and {stored} stored")


def best(
    stack: ExitStack, makers: Sequence[Callable[[], AbstractContextManager[Callable[[], float]]]]
) -> Callable[[], float]:
    """Return the turn of whoever does best in two, set up once more for as long as the stack."""
    scores = []
    for make in makers:
        with make() as turn:
            scores.append(turn() + turn())
    return stack.enter_context(makers[scores.index(max(scores))]())


@contextmanager
def noop(
    stage: Stage, requests: Sequence[Request], seconds: float, setup: Setup
) -> Iterator[Callable[[], float]]:
    """Run the no-op for these requests."""
    with stage.baseline("noop:app", **setup._asdict()) as server:
        yield plain(stage, server, requests, seconds)
