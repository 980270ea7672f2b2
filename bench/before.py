"""This release against an earlier one, side by side: rates, and the CPU time of each process.

MILEPOST_BENCH_BEFORE names the `milepost` command of the earlier release, in an environment of
its own; without it, this module yields no figure. PostgreSQL's CPU time is the sum over all its
processes, those of the projector included; idle processes use almost none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import click
import psutil

from bench.contenders import ONE_WORKER, best, check, noop, plain
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.history import events_in, register
from bench.load import Request, load, reads, steps
from bench.reading import conditional
from bench.stage import Server, Stage

VARIABLE: Final = "MILEPOST_BENCH_BEFORE"
MICRO: Final = 1e6


class Spent(NamedTuple):
    """CPU time for each callback, in microseconds."""

    worker: float
    projector: float
    database: float


class Release:
    """A server of one release; each call measures its callbacks per second, all of them stored."""

    def __init__(
        self,
        stage: Stage,
        server: Server,
        database: str,
        requests: list[Request],
        seconds: float,
    ) -> None:
        self.spent: list[Spent] = []
        self._stage, self._server, self._database = stage, server, database
        self._requests, self._seconds = requests, seconds

    def __call__(self) -> float:
        """Load the server once; return its callbacks per second."""
        stored, began = events_in(self._database), self._times()
        result = load(self._server, self._requests, self._seconds, folder=self._stage.folder)
        ended = self._times()
        check(result, events_in(self._database) - stored)
        spent = [
            (end - start) * MICRO / result.answered for start, end in zip(began, ended, strict=True)
        ]
        self.spent.append(Spent(*spent))
        return result.rate

    def _times(self) -> tuple[float, float, float]:
        parent = psutil.Process(self._server.process.pid)
        workers = sum(_cpu(child) for child in parent.children())
        return workers, _cpu(parent), sum(map(_cpu, self._stage.database_processes()))

    @property
    def median(self) -> Spent:
        """The median of each part over all calls."""
        return Spent(*map(median, zip(*self.spent, strict=True)))


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Compare callbacks and reads of instances with the earlier release; PostgreSQL."""
    command = os.environ.get(VARIABLE)
    if not command:
        missing = f"{VARIABLE} does not name the earlier release's command"
        click.echo(f"before is left out: {missing}.", err=True)
        return
    requests = steps(effort.jobs)
    with ExitStack() as stack:
        new, old = (
            stack.enter_context(_release(stage, effort, requests, program))
            for program in (None, Path(command))
        )
        pair = alternate(new, old, effort.pairs)
        rates = f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s"
        yield Line("step callbacks / before", pair.ratio, 1.25, detail=rates)
        parts = zip(Spent._fields, new.median, old.median, (0.65, 1.0, 0.8), strict=True)
        for part, ours, theirs, wanted in parts:
            detail = f"{ours:.0f} us, {theirs:.0f} us a callback"
            claim = f"CPU of the {part} / before"
            yield Line(claim, ours / theirs, wanted, at_most=True, detail=detail)
        flask = best(
            stack,
            [partial(noop, stage, requests, effort.seconds, setup) for setup in ONE_WORKER],
        )
        pair = alternate(new, flask, effort.pairs)
        rates = f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s"
        yield Line("step callbacks / no-op Flask POST", pair.ratio, 0.8, detail=rates)
    for status, asked in ((200, _plain), (304, conditional)):
        with ExitStack() as stack:
            new_reads, old_reads = (
                stack.enter_context(_reads(stage, effort, program, asked))
                for program in (None, Path(command))
            )
            pair = alternate(new_reads, old_reads, effort.pairs)
            rates = f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s"
            yield Line(f"GET instance, {status} / before", pair.ratio, 1.0, detail=rates)


@contextmanager
def _release(
    stage: Stage, effort: Effort, requests: list[Request], program: Path | None
) -> Iterator[Release]:
    database = stage.postgres()
    with stage.milepost(database, "--workers", "1", program=program) as server:
        register(database, effort.jobs, stage.folder / "home")
        yield Release(stage, server, database, requests, effort.seconds)


@contextmanager
def _reads(
    stage: Stage,
    effort: Effort,
    program: Path | None,
    asked: Callable[[Server, int], list[Request]],
) -> Iterator[Callable[[], float]]:
    database = stage.postgres()
    with stage.milepost(database, "--workers", "1", program=program) as server:
        register(database, effort.jobs, stage.folder / "home")
        yield plain(stage, server, asked(server, effort.jobs), effort.seconds)


def _plain(_: Server, jobs: int) -> list[Request]:
    return reads(jobs)


def _cpu(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
