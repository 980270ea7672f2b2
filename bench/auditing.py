"""`milepost rebuild` and `milepost verify` of a big store, while its server answers callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import perf_counter

import msgspec

from bench.commands import Cost, milepost
from bench.contenders import Mismatch
from bench.effort import Effort
from bench.figures import Line
from bench.history import events_in, lengthen, life, register, services_over, settle
from bench.load import CONNECTIONS, Result, load, reads, signed
from bench.stage import Server, Stage
from domain.application import Milepost
from projections.projecting.stepper import BATCH
from projections.tree.grower import Grower

ASKED = 100
"""How many jobs the callbacks and reads are about."""
EVENTS_PER_JOB = 50
SLICE_SECONDS = 2
PAUSE = 100
"""Milliseconds between a connection's requests: some hundred callbacks and reads per second."""


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Yield the figures of both databases."""
    for name, database in (("PostgreSQL", stage.postgres()), ("SQLite", stage.sqlite())):
        home = stage.folder / f"audited-{name}"
        jobs = max(1, effort.audited // EVENTS_PER_JOB)
        register(database, jobs, home)
        lengthen(database, "job", jobs, life(EVENTS_PER_JOB - 1)[:-1])
        settle(database, home)
        with services_over(database, home) as services:
            Grower(services.tree).catch_up()
            decoding = _decoded(services.milepost)
        with stage.milepost(database) as server:
            for command in ("rebuild", "verify"):
                cost, result = _beside(stage, server, database, jobs, command)
                events = int(msgspec.json.decode(cost.output.splitlines()[-1])["events"])
                rate = events / cost.seconds
                amount = f"{events:,} events of {jobs:,} jobs in {cost.seconds:.1f} s"
                yield Line(
                    f"milepost {command} beside a server / only decoding, {name}",
                    rate / decoding,
                    0.3,
                    detail=f"{rate:,.0f}/s, {decoding:,.0f}/s; {amount}",
                )
                yield Line(
                    f"its peak memory, {name}",
                    cost.megabytes,
                    300,
                    "MB",
                    at_most=True,
                    detail=amount,
                )
                yield Line(
                    f"p99 of callbacks and reads meanwhile, {name}",
                    result.p99,
                    1000,
                    "ms",
                    at_most=True,
                    detail=f"{result.answered:,} answered, none refused",
                )


def _decoded(application: Milepost) -> float:
    """Return how many events per second can be read and decoded."""
    position, seen, began = 0, 0, perf_counter()
    recorder, mapper = application.recorder, application.mapper
    while rows := recorder.select_notifications(position, BATCH, inclusive_of_start=False):
        for row in rows:
            mapper.to_domain_event(row)
        position, seen = rows[-1].id, seen + len(rows)
    return seen / (perf_counter() - began)


def _beside(
    stage: Stage, server: Server, database: str, jobs: int, command: str
) -> tuple[Cost, Result]:
    """Run a command beside a loaded server; return its cost and the slowest slice's result."""
    asked, fields = min(jobs, ASKED), {"status": "provisioning", "step": "vm_created"}
    callbacks = [signed({"job_id": f"job-{n}", **fields}) for n in range(asked)]
    requests = [each for pair in zip(callbacks, reads(asked), strict=True) for each in pair]
    before, ended, results = events_in(database), Event(), list[Result]()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(milepost, stage.folder / "home", database, command, "--json")
        work.add_done_callback(lambda _: ended.set())
        while not ended.is_set() or not results:
            results.append(load(server, requests, SLICE_SECONDS, folder=stage.folder, pause=PAUSE))
        cost = work.result()
    answered = sum(result.answered for result in results)
    if failed := sum(result.refused + result.broken for result in results):
        raise Mismatch(f"{failed} requests failed beside milepost {command}")
    # Every second request is a callback. At a slice's end some requests are unanswered.
    stored = events_in(database) - before
    if abs(2 * stored - answered) > 2 * CONNECTIONS * len(results):
        raise Mismatch(f"{answered} were answered, half of them callbacks, and {stored} stored")
    slowest = max(results, key=lambda result: result.p99)
    return cost, slowest._replace(answered=answered)
