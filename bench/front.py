"""Step callbacks beside clients that hold connections: slow senders, idle ones, silent answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import mean, median
from threading import Event
from time import monotonic
from typing import Final

import msgspec
import psutil

from api.serving.http1.bounds.limits import LIMITS
from bench import silent
from bench.contenders import Mismatch, recording
from bench.crowd import crowd
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.history import register
from bench.holding import Orders
from bench.load import Request, steps
from bench.stage import Server, Stage

SPREAD_SECONDS: Final = LIMITS.body + 1
"""Slow senders begin one after the other: when all are there, the server ends some each second."""
LATE_SECONDS: Final = 2
"""How much later than its deadline the server may end a client; the machine may be busy."""
GONE_SECONDS: Final = 30
"""How long the server may take to let go of connections that their clients have closed."""


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """PostgreSQL, one worker: with the clients in one turn, without them in the next."""
    seconds, requests = effort.seconds, steps(effort.jobs)
    database = stage.postgres()
    register(database, effort.jobs, stage.folder / "home")
    with stage.milepost(database) as server:
        alone = recording(stage, server, database, requests, seconds)
        senders = _slow_senders(server, effort.held)
        spread = msgspec.structs.replace(senders, spread=SPREAD_SECONDS, again=True)
        yield Beside(server, alone, spread).line("slow senders", effort.pairs)
        yield from _ended("slow senders, ended with 408", senders, LIMITS.body)
        idle = _askers(server, Request("GET", "/livez", {}), effort.held)
        yield Beside(server, alone, idle).line("idle connections", effort.pairs)
        if effort.watched:
            watched = msgspec.structs.replace(idle, clients=effort.watched)
            yield from _ended("idle connections, ended", watched, LIMITS.idle)
    with stage.silent(database) as server:
        alone = recording(stage, server, database, requests, seconds)
        # With this header an answer that ended would end its connection, too.
        request = Request("GET", silent.PATH, {"Connection": "close"})
        watchers = _askers(server, request, effort.silent)
        yield Beside(server, alone, watchers).line("open, silent answers", effort.pairs)


class Beside:
    """Turns beside a crowd of clients, each with new connections."""

    def __init__(self, server: Server, turn: Callable[[], float], orders: Orders) -> None:
        self._server, self._turn, self._orders = server, turn, orders
        self._shares: list[float] = []
        self._megabytes: list[float] = []
        self._timed_out = 0

    def __call__(self) -> float:
        """Take one turn; raise `Mismatch` if a client's connection ended that should be open."""
        with crowd(self._orders) as clients:
            rate = self._turn()
            self._shares.append(clients.share)
            self._megabytes.append(worker_of(self._server).memory_info().rss / 1e6)
            report = clients.end()
        timed_out = report.ended.pop("408", 0) if self._orders.drip else 0
        if report.ended or (not self._orders.drip and report.open != self._orders.clients):
            raise Mismatch(f"of {self._orders.clients} clients {report.open} are left: {report}")
        self._timed_out += timed_out
        until_alone(self._server)
        return rate

    def line(self, what: str, pairs: int) -> Line:
        """Measure in pairs with turns without the clients."""
        pair = alternate(self, self._turn, pairs)
        detail = (
            f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s; the worker has "
            f"{median(self._megabytes):.0f} MB, the clients take {mean(self._shares):.1%} of a core"
        )
        if self._timed_out:
            detail += f"; {self._timed_out:,} clients were ended with 408 and came again"
        claim = f"step callbacks beside {self._orders.clients:,} {what} / without them"
        return Line(claim, pair.ratio, 0.9, detail=detail)


def _slow_senders(server: Server, clients: int) -> Orders:
    """Return senders of a signed callback's head, and of a byte of its body each second."""
    callback = steps(1)[0]
    head, _, _ = callback.raw(f"127.0.0.1:{server.port}").partition("\r\n\r\n")
    return Orders(server.port, clients, f"{head}\r\n\r\n".encode(), callback.body.encode())


def _askers(server: Server, request: Request, clients: int) -> Orders:
    """Return clients that ask once, and then are as silent as the server."""
    return Orders(server.port, clients, request.raw(f"127.0.0.1:{server.port}").encode())


def _ended(what: str, orders: Orders, deadline: float) -> Iterator[Line]:
    """Say how many clients the server ends, and how long the last of them stayed."""
    with crowd(orders) as clients:
        Event().wait(deadline + LATE_SECONDS)
        report = clients.end()
    ended = report.ended.get("408", 0) if orders.drip else sum(report.ended.values())
    detail = f"after {report.shortest:.1f} to {report.longest:.1f} s"
    yield Line(f"{orders.clients:,} {what}", ended, orders.clients, "", detail=detail)
    latest = deadline + LATE_SECONDS
    yield Line("the longest that one stayed", report.longest, latest, "s", at_most=True)


def until_alone(server: Server) -> None:
    """Wait until the worker has let go of its clients' connections."""
    worker, until = worker_of(server), monotonic() + GONE_SECONDS
    while left := [
        each
        for each in worker.net_connections("tcp")
        if each.raddr and each.laddr[1] == server.port
    ]:
        if monotonic() > until:
            raise Mismatch(f"the server holds {len(left):,} connections without a client")
        Event().wait(0.1)


def worker_of(server: Server) -> psutil.Process:
    """Return the process that answers."""
    # The server's other child, multiprocessing's resource tracker, is smaller.
    children = psutil.Process(server.process.pid).children()
    return max(children, key=lambda child: int(child.memory_info().rss))
