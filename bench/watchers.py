"""Watchers: streams while callbacks come in, while nothing comes, and while all come again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bench.contenders import Mismatch, recording
from bench.effort import Effort
from bench.figures import Line
from bench.front import Beside, until_alone, worker_of
from bench.history import register
from bench.holding import Orders as Held
from bench.load import Request, steps
from bench.stage import ADMIN_TOKEN, ROOT, Server, Stage
from bench.watching import Orders, Report

LATEST_SECONDS = 0.25
AGAIN_SECONDS = 10
KILOBYTES = 64
GROWTH_KILOBYTES = 8
WARMING = 20
"""So many watchers come before the memory is measured: the first one needs code and a connection
of the database that are there once."""


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """PostgreSQL, one worker."""
    database = stage.postgres()
    register(database, max(effort.watched_live, effort.jobs), stage.folder / "home")
    with stage.milepost(database) as server:
        orders = Orders(
            server.port,
            effort.watchers,
            effort.watched_live,
            effort.watched_rate,
            effort.watched_seconds,
        )
        warm = msgspec.structs.replace(orders, watchers=WARMING, seconds=1)
        with _watchers(server, warm) as run_before:
            run_before.report()
        until_alone(server)
        yield from _live(server, orders)
        again = msgspec.structs.replace(orders, again=True, seconds=min(60, orders.seconds))
        yield from _again(server, again)
        # Each callback is of a job without a watcher, as most are.
        requests = steps(effort.jobs)[1:]
        alone = recording(stage, server, database, requests, effort.seconds)
        bearer = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        watch = Request("GET", "/api/jobs/job-0/stream", bearer)
        held = Held(server.port, effort.watchers, watch.raw(f"127.0.0.1:{server.port}").encode())
        yield Beside(server, alone, held).line("idle watchers", effort.pairs)


def _live(server: Server, orders: Orders) -> Iterator[Line]:
    before = _kilobytes(server)
    with _watchers(server, orders) as run:
        opened = _kilobytes(server)
        report = run.report()
        grown = _kilobytes(server) - opened
    what = f"{orders.watchers:,} watchers of {orders.jobs:,} jobs at {orders.rate} callbacks/s"
    yield from _exact(what, report)
    detail = f"p50 {report.p50 * 1000:.0f} ms, {report.seen:,} events seen"
    wanted = LATEST_SECONDS * 1000
    yield Line(f"{what}: p99 from receipt to socket", report.p99 * 1000, wanted, "ms", True, detail)
    each = (opened - before) / orders.watchers
    yield Line("memory of a watcher", each, KILOBYTES, "KB", at_most=True)
    detail = f"over {orders.seconds:g} s"
    each = grown / orders.watchers
    yield Line("… and its growth", each, GROWTH_KILOBYTES, "KB", at_most=True, detail=detail)
    until_alone(server)


def _again(server: Server, orders: Orders) -> Iterator[Line]:
    with _watchers(server, orders) as run:
        report = run.report()
    what = f"{orders.watchers:,} watchers that come again at once"
    yield from _exact(what, report)
    detail = f"{report.callbacks:,} callbacks meanwhile"
    yield Line(f"{what}: all served", report.again, AGAIN_SECONDS, "s", True, detail)
    until_alone(server)


def _exact(what: str, report: Report) -> Iterator[Line]:
    wrong = report.missed + report.repeated
    detail = f"{report.missed:,} missed, {report.repeated:,} repeated, of {report.seen:,}"
    yield Line(f"{what}: events not seen exactly once", wrong, 0, "", at_most=True, detail=detail)


class _Run:
    def __init__(self, process: subprocess.Popen[bytes], orders: Orders) -> None:
        self._process = process
        assert process.stdin
        assert process.stdout
        self._out = process.stdout
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        process.stdin.close()
        if not self._out.readline():
            raise Mismatch(f"{orders.watchers:,} streams cannot be opened")

    def report(self) -> Report:
        """Wait for the end of the run."""
        line = self._out.readline()
        if not line:
            raise Mismatch("the watchers ended with an error; see above")
        return msgspec.json.decode(line, type=Report)


@contextmanager
def _watchers(server: Server, orders: Orders) -> Iterator[_Run]:
    command = [sys.executable, "-m", "bench.watching"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as process:
        try:
            yield _Run(process, orders)
        finally:
            process.kill()


def _kilobytes(server: Server) -> float:
    return float(worker_of(server).memory_info().rss) / 1024
