"""A worker's memory under many callbacks."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from bench.contenders import check
from bench.effort import Effort
from bench.figures import Line
from bench.history import events_in, register
from bench.load import heartbeats, load, steps
from bench.stage import Server, Stage

SLICE_SECONDS = 20


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
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


def _megabytes(server: Server) -> float:
    """Return the size of the largest process: a worker, or their parent, which projects."""
    parent = psutil.Process(server.process.pid)
    family = [parent, *parent.children(recursive=True)]
    return max(process.memory_info().rss for process in family) / 1e6
