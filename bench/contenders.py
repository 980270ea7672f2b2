"""Contenders: a server with its load, measured in turns, and checked for what it stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.history import events_in
from bench.load import CONNECTIONS, Request, Result, load
from bench.stage import Server, Stage


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
    """Return a turn of a server that is only asked: answers per second, without failures."""

    def turn() -> float:
        result = load(server, requests, seconds, folder=stage.folder)
        if result.failed and not may_fail:
            raise Mismatch(f"{result.failed} of {result.answered} requests failed")
        return (result.answered - result.failed) / result.seconds

    return turn


def check(result: Result, stored: int) -> None:
    """Raise `Mismatch` unless every answer is a stored event."""
    if result.failed:
        raise Mismatch(f"{result.failed} of {result.answered} callbacks failed")
    # wrk hangs up on what is under way when its time is over.
    if not result.answered <= stored <= result.answered + CONNECTIONS:
        raise Mismatch(f"{result.answered} callbacks were answered and {stored} stored")
