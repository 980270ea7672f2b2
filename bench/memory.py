"""Memory: a worker's under many callbacks, and every process's under long errors and large ones."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from bench.contenders import check
from bench.effort import Effort
from bench.figures import Line
from bench.history import events_in, register
from bench.load import heartbeats, load, steps
from bench.stage import Server, Stage
from tests.support.processes import heavy
from tests.support.processes.server import Server as LocalServer

SLICE_SECONDS = 20
FAILED_JOBS, LARGE_CALLBACKS = 20_000, 300


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Measure a worker under many callbacks, and every process under large ones."""
    yield from _many(stage, effort)
    yield from _large(stage, effort)


def _many(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Send `effort.callbacks` callbacks over `effort.many_jobs` jobs; PostgreSQL, one worker."""
    database = stage.postgres()
    register(database, effort.many_jobs, stage.folder / "home")
    first = events_in(database)
    # Without heartbeats, jobs would time out in a long run, and a timeout is an event, too.
    pairs = zip(steps(effort.many_jobs), heartbeats(effort.many_jobs), strict=True)
    requests = [request for pair in pairs for request in pair]
    seconds = min(SLICE_SECONDS, max(1, effort.callbacks // 10_000))
    sizes: list[tuple[int, float]] = []
    with stage.milepost(database) as server:
        answered = stored = 0
        while stored < effort.callbacks:
            at = answered % len(requests)
            rotated = requests[at:] + requests[:at]
            result = load(server, rotated, seconds, folder=stage.folder)
            answered, stored = answered + result.answered, events_in(database) - first
            sizes.append((stored, _megabytes(server)))
            # A request that is unanswered at a slice's end may be stored during the next slice.
            check(result._replace(answered=answered), stored, runs=len(sizes))
    half = next(size for stored, size in sizes if stored >= effort.callbacks // 2)
    yield Line(
        f"memory of a worker after {effort.callbacks:,} callbacks over {effort.many_jobs:,} jobs",
        sizes[-1][1],
        250,
        "MB",
        at_most=True,
        detail=f"{half:.0f} MB halfway",
    )
    yield Line("the same, against halfway", sizes[-1][1] / half, 1.05, at_most=True)


def _large(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Fail up to 20,000 jobs with errors of 60 KB, and send up to 300 callbacks of 1 MiB."""
    jobs, large = min(FAILED_JOBS, effort.many_jobs), min(LARGE_CALLBACKS, effort.callbacks // 200)
    for kind, database in (("SQLite", stage.sqlite()), ("PostgreSQL", stage.postgres())):
        home = stage.folder / f"heavy-{kind}"
        home.mkdir()
        server = LocalServer(home, database)
        try:
            found = heavy.burden(server.start(), jobs, large)
        finally:
            server.kill()
        for process, size in found.items():
            yield Line(
                f"memory of {process} with {jobs:,} long errors and {large} callbacks of 1 MiB",
                size / 1e6,
                heavy.MOST_BYTES / 1e6,
                "MB",
                at_most=True,
                detail=kind,
            )


def _megabytes(server: Server) -> float:
    """Return the size of the largest process: a worker, or their parent, which projects."""
    parent = psutil.Process(server.process.pid)
    family = [parent, *parent.children(recursive=True)]
    return max(process.memory_info().rss for process in family) / 1e6
