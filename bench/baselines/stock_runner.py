"""The library's own ProjectionRunner with one row per job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import singledispatchmethod
from time import perf_counter
from typing import Any

import psycopg
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql

from bench.baselines.naive import Jobs, environment, fill
from bench.contenders import Mismatch

EVENTS_A_JOB = 10
CREATE = "CREATE TABLE IF NOT EXISTS stock_steps (job_id uuid PRIMARY KEY, step text)"
SELECT_TABLES = """
    SELECT tablename FROM pg_tables
     WHERE schemaname = 'public' AND (tablename LIKE '%tracking%' OR tablename = 'stock_steps')
"""
UPSERT = """
    INSERT INTO stock_steps VALUES (%s, %s)
    ON CONFLICT (job_id) DO UPDATE SET step = excluded.step
"""


class Steps(PostgresTrackingRecorder):
    """The last step of every job, beside the tracking."""

    def _create_table(self, curs: Any) -> None:
        super()._create_table(curs)
        curs.execute(CREATE)

    def set_step(self, job_id: Any, step: str | None, tracking: Tracking) -> None:
        """Write the step and the position in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(UPSERT, (job_id, step))


class StepsProjection(Projection[Steps]):
    """Fold event by event."""

    name = "steps"

    @singledispatchmethod
    def process_event(self, domain_event: DomainEventProtocol[Any], tracking: Tracking) -> None:
        """Write the event's step."""
        step = getattr(domain_event, "step", None)
        self.view.set_step(domain_event.originator_id, step, tracking)


@contextmanager
def over(dsn: str, events: int) -> Iterator[Callable[[], float]]:
    """Yield a function that measures events per second over a log of this many events."""
    jobs = max(1, events // EVENTS_A_JOB)
    fill(dsn, jobs, EVENTS_A_JOB)
    settings = {**environment(dsn), "PROJECTION_NAME": "steps"}

    def measure() -> float:
        _forget(dsn)
        began = perf_counter()
        with ProjectionRunner(
            application_class=Jobs, projection_class=StepsProjection, view_class=Steps, env=settings
        ) as runner:
            runner.wait(runner.app.recorder.max_notification_id(), timeout=600)
        rate = jobs * EVENTS_A_JOB / (perf_counter() - began)
        with psycopg.connect(dsn) as connection:
            [rows] = connection.execute("SELECT count(*) FROM stock_steps").fetchone() or [0]
        if rows != jobs:
            raise Mismatch(f"the stock runner wrote {rows} of {jobs} jobs")
        return rate

    yield measure


def _forget(dsn: str) -> None:
    """Drop the tables, so that the next measurement begins at the first event."""
    with psycopg.connect(dsn) as connection:
        for (table,) in connection.execute(SELECT_TABLES).fetchall():
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))
