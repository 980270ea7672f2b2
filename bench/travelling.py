"""Time travel into the middle of a long job; the application runs in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from time import perf_counter

from api.app import create_app
from api.wiring import Services
from bench.contenders import Mismatch
from bench.effort import Effort
from bench.figures import Line
from bench.history import life, services_over
from bench.stage import ADMIN_TOKEN, Stage
from domain.job.events import Fact, JobEvent
from domain.log.store import Append

ASKED = 50
AT_ONCE = 10_000


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Measure a GET with `?at=` on each database, after the projector has caught up."""
    facts = life(effort.long_history)
    middle = facts[len(facts) // 2].recorded_at.isoformat().replace("+00:00", "Z")
    for name, database in (("SQLite", stage.sqlite()), ("PostgreSQL", stage.postgres())):
        with services_over(database, stage.folder / "home") as services:
            _live(services, facts)
            services.projector().catch_up()
            times = sorted(_times_of(services, f"/api/jobs/job?at={middle}"))
        yield Line(
            f"?at= in the middle of {effort.long_history:,} events, {name}",
            median(times),
            100,
            unit="ms",
            at_most=True,
            detail=f"at most {times[-1]:.1f} ms of {ASKED} times",
        )


def _live(services: Services, facts: Sequence[Fact]) -> None:
    """Store the facts as the events of one job."""
    store, mapper = services.milepost.store, services.milepost.mapper
    events = [JobEvent("job", version, fact) for version, fact in enumerate(facts, start=1)]
    for start in range(0, len(events), AT_ONCE):
        rows = [mapper.to_stored_event(event) for event in events[start : start + AT_ONCE]]
        store.transact({}, [], lambda _, rows=rows: Append(rows))  # type: ignore[misc]


def _times_of(services: Services, path: str) -> Iterator[float]:
    client = create_app(services).test_client()
    for _ in range(ASKED):
        began = perf_counter()
        answer = client.get(path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        yield (perf_counter() - began) * 1000
        if answer.status_code != 200:
            raise Mismatch(f"{path} is answered {answer.status}")
