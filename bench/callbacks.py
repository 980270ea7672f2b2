"""Signed step callbacks against a no-op, mutable rows and naive use of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bench.baselines import mutable_row, naive
from bench.contenders import ONE_WORKER, TWO_WORKERS, Setup, best, noop, plain, recording
from bench.effort import Effort
from bench.figures import Line, Pair, alternate
from bench.history import register
from bench.load import steps
from bench.stage import Stage

FEW_EVENTS_JOBS = 5_000
"""Naive use gets slower with each event of a job, so this measurement needs many jobs."""
THOUSAND = 1_000


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Compare one worker each; against the mutable rows, the best setup of each side."""
    requests = steps(effort.jobs)
    with ExitStack() as stack:
        one = stack.enter_context(_milepost(stage, effort, workers=1))
        two = stack.enter_context(_milepost(stage, effort, workers=2))

        flask = best(
            stack,
            [partial(noop, stage, requests, effort.seconds, setup) for setup in ONE_WORKER],
        )
        pair = alternate(one, flask, effort.pairs)
        yield _line("step callbacks, 1 worker / no-op POST", pair, 0.5)

        rows = best(
            stack,
            [partial(_mutable_row, stage, effort, setup) for setup in ONE_WORKER + TWO_WORKERS],
        )
        ours = max((one, two), key=lambda measure: measure() + measure())
        pair = alternate(ours, rows, effort.pairs)
        yield _line("step callbacks / the mutable rows, best of each", pair, 1.5)

        for events, jobs, wanted in ((1, FEW_EVENTS_JOBS, 5), (THOUSAND, 200, 100)):
            with _naive(
                stage,
                effort,
                jobs=min(jobs, effort.jobs * 100),
                events=min(events, effort.long_history),
            ) as library:
                pair = alternate(one, library, effort.pairs)
            claim = f"step callbacks / naive library use, {events:,} events a job"
            yield _line(claim, pair, wanted)

        yield _line("2 workers / 1 worker", alternate(two, one, effort.pairs), 1.2)


def _line(claim: str, pair: Pair, wanted: float) -> Line:
    detail = f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s"
    return Line(claim, pair.ratio, wanted, detail=detail)


@contextmanager
def _milepost(stage: Stage, effort: Effort, *, workers: int) -> Iterator[Callable[[], float]]:
    database = stage.postgres()
    register(database, effort.jobs, stage.folder / "home")
    with stage.milepost(database, "--workers", str(workers)) as server:
        yield recording(stage, server, database, steps(effort.jobs), effort.seconds)


@contextmanager
def _mutable_row(stage: Stage, effort: Effort, setup: Setup) -> Iterator[Callable[[], float]]:
    database = stage.postgres()
    mutable_row.fill(database, effort.jobs)
    with stage.baseline("mutable_row:create_app", database, **setup._asdict()) as server:
        yield plain(stage, server, steps(effort.jobs), effort.seconds)


@contextmanager
def _naive(
    stage: Stage, effort: Effort, *, jobs: int, events: int
) -> Iterator[Callable[[], float]]:
    database = stage.postgres()
    naive.fill(database, jobs, events)
    with stage.baseline("naive:create_app", database) as server:
        # If two requests write to one job at once, the library refuses one of them.
        yield plain(stage, server, steps(jobs), effort.seconds, may_fail=True)
