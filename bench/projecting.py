"""The projector that catches up, against reading and decoding alone, and the stock runner."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from bench.baselines import stock_runner
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.history import from_the_beginning, lengthen, life, register, services_over
from bench.stage import Stage
from projections.projecting.stepper import BATCH

JOBS = 2_000
STOCK_SHARE = 20
"""The stock runner gets a twentieth of the log: its rate does not depend on the length."""


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Measure the folding of one log on PostgreSQL."""
    home, database = stage.folder / "home", stage.postgres()
    jobs = min(JOBS, effort.log // 10)
    register(database, jobs, home)
    lengthen(database, "job", jobs, life(effort.log // jobs))
    with services_over(database, home) as services:
        store, mapper, events = services.milepost.store, services.milepost.mapper, effort.log + jobs

        def project() -> float:
            projector, began = from_the_beginning(services), perf_counter()
            folded = projector.catch_up()
            if folded != events:
                raise AssertionError(f"{folded} events were folded, not {events}")
            return folded / (perf_counter() - began)

        recorder = services.milepost.recorder

        def decode() -> float:
            position, seen, began = 0, 0, perf_counter()
            while rows := recorder.select_notifications(position, BATCH, inclusive_of_start=False):
                for row in rows:
                    mapper.to_domain_event(row)
                position, seen = rows[-1].id, seen + len(rows)
            return seen / (perf_counter() - began)

        def decode_lean() -> float:
            position, seen, began = 0, 0, perf_counter()
            while rows := store.events(position, BATCH):
                for row in rows:
                    mapper.read(row)
                position, seen = rows[-1].position, seen + len(rows)
            return seen / (perf_counter() - began)

        pair = alternate(project, decode, effort.pairs)
        lean = alternate(project, decode_lean, effort.pairs)
        yield Line(
            "projector catching up / only reading and decoding",
            pair.ratio,
            0.3,
            detail=f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s as the library reads; "
            f"{lean.ratio:.3g} × {lean.theirs:,.0f}/s as the projector does",
        )
        with stock_runner.over(stage.postgres(), effort.log // STOCK_SHARE) as stock:
            pair = alternate(project, stock, effort.pairs)
        yield Line(
            "projector catching up / the library's ProjectionRunner",
            pair.ratio,
            25,
            detail=f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s",
        )
