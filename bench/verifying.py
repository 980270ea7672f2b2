"""The rate at which the tree grows; the rate and memory of `milepost verify`."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import msgspec

from bench.commands import milepost
from bench.contenders import Mismatch
from bench.effort import Effort
from bench.figures import Line
from bench.history import lengthen, life, register, services_over
from bench.stage import Stage
from projections.tree.grower import Grower

EVENTS_PER_JOB = 50


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Yield the figures of both databases, with equal logs."""
    for name, database in (("SQLite", stage.sqlite()), ("PostgreSQL", stage.postgres())):
        home = stage.folder / f"verified-{name}"
        jobs = max(1, effort.log // EVENTS_PER_JOB)
        register(database, jobs, home)
        lengthen(database, "job", jobs, life(EVENTS_PER_JOB - 1))
        with services_over(database, home) as services:
            services.projector().catch_up()
            began = perf_counter()
            Grower(services.tree).catch_up()
            grown = services.tree.head().size / (perf_counter() - began)
        yield Line(f"growing the tree, {name}", grown, 20_000, "events/s")
        cost = milepost(home, database, "verify", "--json")
        seconds, events = cost.seconds, int(msgspec.json.decode(cost.output)["events"])
        if events != jobs * EVENTS_PER_JOB:
            raise Mismatch(f"{events} events were verified")
        amount = f"{events:,} events of {jobs:,} jobs in {seconds:.1f} s"
        yield Line(f"milepost verify, {name}", events / seconds, 8_000, "events/s", detail=amount)
        yield Line(
            f"its peak memory, {name}", cost.megabytes, 300, "MB", at_most=True, detail=amount
        )
