"""Curves: rates and latencies by connections, by events per job, and by length of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import NamedTuple

from bench.baselines import mutable_row, naive
from bench.effort import Effort
from bench.history import from_the_beginning, lengthen, life, register, services_over, settle
from bench.load import load, signed, steps
from bench.stage import Stage
from domain.job.callback import Callback
from projections.tree.grower import Grower

CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128)
LENGTHS = (1, 10, 100, 1_000, 10_000, 100_000)
NAIVE_UP_TO = 1_000
LOGS = (10_000, 100_000, 1_000_000)
JOBS, ASKED = 100, 20


class Curve(NamedTuple):
    """One line of a plot."""

    plot: str
    name: str
    xs: Sequence[float]
    ys: Sequence[float]


def concurrency(stage: Stage, effort: Effort) -> Iterator[Curve]:
    """Yield rates and p99 of step callbacks by connections: Milepost, mutable rows, no-op."""
    with ExitStack() as stack:
        enter = stack.enter_context
        rows, events = stage.postgres(), stage.postgres()
        mutable_row.fill(rows, effort.jobs)
        register(events, effort.jobs, stage.folder / "home")
        servers = {
            "no-op": enter(stage.baseline("noop:app")),
            "mutable rows": enter(stage.baseline("mutable_row:create_app", rows)),
            "Milepost": enter(stage.milepost(events)),
        }
        by_name = {
            name: [
                load(
                    server,
                    steps(effort.jobs),
                    effort.seconds,
                    folder=stage.folder,
                    connections=connections,
                )
                for connections in CONNECTIONS
            ]
            for name, server in servers.items()
        }
    for name, results in by_name.items():
        yield Curve("rate by connections", name, CONNECTIONS, [each.rate for each in results])
        yield Curve("p99 by connections", name, CONNECTIONS, [each.p99 for each in results])


def history(stage: Stage, effort: Effort) -> Iterator[Curve]:
    """Yield rates by events per job: Milepost, and naive use up to 1,000 events per job."""
    lengths = [length for length in LENGTHS if length <= effort.long_history]
    ours, cold, theirs = [], [], []
    for length in lengths:
        database = stage.postgres()
        register(database, JOBS, stage.folder / "home")
        if length > 1:
            lengthen(database, "job", JOBS if length < LENGTHS[-1] else ASKED, life(length)[1:])
        settle(database, stage.folder / "home")
        with services_over(database, stage.folder / "home") as services:
            for n in range(ASKED):
                # One event more gives the job the snapshot that callbacks would have given it.
                services.milepost.record(Callback(job_id=f"job-{n}", type="heartbeat"))
            services.projector().catch_up()
            Grower(services.tree).catch_up()
        cold.append(_cold(stage, database))
        with stage.milepost(database) as server:
            requests = [
                signed({"job_id": f"job-{n}", "status": "provisioning", "step": "vm_created"})
                for n in range(ASKED)
            ]
            ours.append(load(server, requests, effort.seconds, folder=stage.folder).rate)
    short = [length for length in lengths if length <= NAIVE_UP_TO]
    for length in short:
        database = stage.postgres()
        naive.fill(database, JOBS, length)
        with stage.baseline("naive:create_app", database) as server:
            result = load(server, steps(JOBS), effort.seconds, folder=stage.folder)
            theirs.append(result.rate)
    yield Curve("rate by events per job", "Milepost", lengths, ours)
    yield Curve("rate by events per job", "naive library use", short, theirs)
    yield Curve("first callback by events per job", "Milepost, not in the cache", lengths, cold)


def _cold(stage: Stage, database: str) -> float:
    """Return the milliseconds that a job's first callback in a new process takes."""
    with services_over(database, stage.folder / "home") as services:
        fields = {"status": "provisioning", "step": "vm_created"}
        services.milepost.record(Callback(job_id="job-0", **fields))  # type: ignore[arg-type]
    with services_over(database, stage.folder / "home") as services:
        services.milepost.record(Callback(job_id="warm up the connection", **fields))  # type: ignore[arg-type]
        began = perf_counter()
        services.milepost.record(Callback(job_id="job-0", **fields))  # type: ignore[arg-type]
        return (perf_counter() - began) * 1000


def catching_up(stage: Stage, effort: Effort) -> Iterator[Curve]:
    """Yield the rates of the projector and of a rebuild by the log's length."""
    lengths = [length for length in LOGS if length <= max(effort.log * 5, LOGS[0])]
    projecting, rebuilding = [], []
    for length in lengths:
        database = stage.postgres()
        register(database, JOBS, stage.folder / "home")
        lengthen(database, "job", JOBS, life(length // JOBS))
        settle(database, stage.folder / "home")
        with services_over(database, stage.folder / "home") as services:
            projector = from_the_beginning(services)
            began = perf_counter()
            projecting.append(projector.catch_up() / (perf_counter() - began))
            began = perf_counter()
            rebuilt = services.rebuild().run(afresh=True)
            rebuilding.append(rebuilt.events / (perf_counter() - began))
    for name, rates in (("projector catching up", projecting), ("rebuild", rebuilding)):
        yield Curve("rate by length of the log", name, lengths, rates)


CURVES = (concurrency, history, catching_up)
UNITS = {
    "rate by connections": ("connections", "callbacks/s"),
    "p99 by connections": ("connections", "ms"),
    "rate by events per job": ("events per job", "callbacks/s"),
    "first callback by events per job": ("events per job", "ms"),
    "rate by length of the log": ("events", "events/s"),
}
