"""A worker's memory while callbacks come and come."""

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
    """PostgreSQL, one worker, as many callbacks as the effort says over as many jobs."""
    database = stage.postgres()
    register(database, effort.many_jobs, stage.folder / "home")
    first = events_in(database)
    # With heartbeats, or jobs would time out in a long run, which is an event too.
    pairs = zip(steps(effort.many_jobs), heartbeats(effort.many_jobs), strict=True)
    requests = [request for pair in pairs for request in pair]
    seconds = min(SLICE_SECONDS, max(1, effort.callbacks // 10_000))
    sizes: list[tuple[int, float]] = []
    with stage.milepost(database) as server:
        answered = stored = 0
        while stored < effort.callbacks:
            at = answered % len(requests)
            in_turn = requests[at:] + requests[:at]
            result = load(server, in_turn, seconds, folder=stage.folder)
            answered, stored = answered + result.answered, events_in(database) - first
            sizes.append((stored, _megabytes(server)))
            # What was under way at a slice's end may be stored during the next one.
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
