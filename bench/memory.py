"""A worker's memory while callbacks come and come."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from bench.effort import Effort
from bench.figures import Line
from bench.history import events_in, register
from bench.load import load, steps
from bench.stage import Server, Stage

SLICE_SECONDS = 20


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """PostgreSQL, one worker, as many callbacks as the effort says over as many jobs."""
    database = stage.postgres()
    register(database, effort.many_jobs, stage.folder / "home")
    first = events_in(database)
    requests = steps(effort.many_jobs)
    seconds = min(SLICE_SECONDS, effort.callbacks // 1_000)
    sizes: list[tuple[int, float]] = []
    with stage.milepost(database) as server:
        while (stored := events_in(database) - first) < effort.callbacks:
            load(server, requests, seconds, folder=stage.folder)
            sizes.append((stored, _worker_megabytes(server)))
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


def _worker_megabytes(server: Server) -> float:
    workers = psutil.Process(server.process.pid).children(recursive=True)
    return max(worker.memory_info().rss for worker in workers) / 1e6
