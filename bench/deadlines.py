"""The watch over deadlines: the cost of a round where few of many jobs are due, and its effect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter

from bench.contenders import recording
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.history import lengthen, life, register, services_over, settle
from bench.load import signed
from bench.stage import Stage
from domain.job.events import Fact, StatusReported
from projections.reactions.deadlines import DeadlineWatch

DUE = 10
IN_PROGRESS_SHARE = 10
"""Of this many jobs, one is in progress and alive; the others have ended."""
ROUNDS = 200


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Measure rounds over a store with many jobs, on both databases, and callbacks beside them."""
    for name, database in (("PostgreSQL", stage.postgres()), ("SQLite", stage.sqlite())):
        fill(stage, database, effort.watched_jobs)
        with services_over(database, stage.folder / "home") as services:
            watch = DeadlineWatch(services.milepost, services.read_model, services.workflows)
            watch.begin()
            watch.step()  # the first look is patient
            rows = services.read_model
            seconds = []
            for _ in range(ROUNDS if effort.pairs > 1 else 5):
                began = perf_counter()
                now = services.milepost.store.now()
                found = rows.due(now, None, 50)
                rows.silent(now)
                watch.step()
                seconds.append(perf_counter() - began)
            if len(found) != DUE:
                raise AssertionError(f"{len(found)} jobs are due, not {DUE}")
            began = perf_counter()
            counted = rows.provisioning()
            counting = perf_counter() - began
        yield Line(
            f"a round over {effort.watched_jobs:,} jobs, {DUE} of them due, on {name}",
            median(seconds) * 1000,
            20,
            unit="ms",
            at_most=True,
            detail=f"slowest {max(seconds) * 1000:.1f} ms; counting {counted:,} provisioning jobs, "
            f"when more than four are silent, takes {counting * 1000:.0f} ms",
        )
    yield from ingest(stage, effort)


def ingest(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Compare callbacks beside a full store that is watched with those of an empty one."""
    full, empty = stage.postgres(), stage.postgres()
    fill(stage, full, effort.watched_jobs)
    for each in (full, empty):
        register(each, effort.jobs, stage.folder / "home")
    requests = [signed({"job_id": f"job-{n}", "type": "heartbeat"}) for n in range(effort.jobs)]
    with stage.milepost(full) as watched, stage.milepost(empty) as alone:
        pair = alternate(
            recording(stage, watched, full, requests, effort.seconds),
            recording(stage, alone, empty, requests, effort.seconds),
            effort.pairs,
        )
    yield Line(
        f"callbacks beside {effort.watched_jobs:,} watched jobs / beside none",
        pair.ratio,
        0.85,
        detail=f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s",
    )


def fill(stage: Stage, database: str, jobs: int) -> None:
    """Fill a store with ended jobs, a share of jobs that are alive, and some that are due."""
    home = stage.folder / "home"
    with services_over(database, home):
        pass
    alive = max(1, jobs // IN_PROGRESS_SHARE)
    lengthen(database, "ended", jobs - alive - DUE, life(2))
    # Folding the ended ones may take longer than a heartbeat deadline.
    settle(database, home)
    lengthen(database, "alive", alive, claimed(timedelta()))
    lengthen(database, "dead", DUE, claimed(timedelta(hours=1)))
    settle(database, home)


def claimed(ago: timedelta) -> list[Fact]:
    """Return the claim of a job that was last heard that long ago."""
    return [StatusReported(recorded_at=datetime.now(UTC) - ago, status="provisioning")]
