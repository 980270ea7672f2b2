"""The cost of growth: long jobs against new ones, a big store against an empty one."""

from __future__ import annotations

from collections.abc import Iterator

from bench.contenders import recording
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.history import lengthen, life, register, services_over, settle
from bench.load import signed
from bench.stage import Stage
from domain.job.callback import Callback

LONG_JOBS = 20


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Compare long jobs with new jobs in one store, then a big store with an empty one."""
    database = stage.postgres()
    register(database, 2 * LONG_JOBS, stage.folder / "home")
    lengthen(database, "job", LONG_JOBS, life(effort.long_history)[:-1])
    settle(database, stage.folder / "home")
    with services_over(database, stage.folder / "home") as services:
        for n in range(LONG_JOBS):
            # One event more gives the job the snapshot that callbacks would have given it.
            services.milepost.record(Callback(job_id=f"job-{n}", type="heartbeat"))
    with stage.milepost(database) as server:
        fields = {"status": "provisioning", "step": "vm_created"}
        long, new = (
            recording(
                stage,
                server,
                database,
                [signed({"job_id": f"job-{n}", **fields}) for n in jobs],
                effort.seconds,
            )
            for jobs in (range(LONG_JOBS), range(LONG_JOBS, 2 * LONG_JOBS))
        )
        pair = alternate(long, new, effort.pairs)
    yield Line(
        f"jobs with {effort.long_history:,} events / new jobs",
        pair.ratio,
        0.9,
        detail=f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s",
    )

    big, empty = stage.postgres(), stage.postgres()
    for each in (big, empty):
        register(each, effort.jobs, stage.folder / "home")
    lengthen(big, "old", effort.big_store // 100, life(100))
    settle(big, stage.folder / "home")
    with stage.milepost(big) as old_server, stage.milepost(empty) as new_server:
        requests = [signed({"job_id": f"job-{n}", **fields}) for n in range(effort.jobs)]
        pair = alternate(
            recording(stage, old_server, big, requests, effort.seconds),
            recording(stage, new_server, empty, requests, effort.seconds),
            effort.pairs,
        )
    yield Line(
        f"a store with {effort.big_store:,} events / an empty one",
        pair.ratio,
        0.85,
        detail=f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s",
    )
