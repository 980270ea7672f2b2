"""Histories for measurements: registered jobs, long jobs, big stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from api.settings.config import from_environment
from api.wiring import Services, open_services
from bench.stage import ADMIN_TOKEN, SECRET
from domain.job.commands.registration import QueueJob
from domain.job.events import Fact, HeartbeatReceived, StatusReported, StepReported
from projections.projecting.projector import Projector

WRITERS = 64
# SQL fills the table, since a million callbacks would take longer than the measurement.
FILL = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    SELECT %(prefix)s || '-' || job, version + 1, event.topic, convert_to(event.state, 'UTF8')
      FROM ROWS FROM (json_to_recordset(%(events)s::json) AS (topic text, state text))
           WITH ORDINALITY AS event (topic, state, version),
           generate_series(0, %(jobs)s - 1) AS job
     ORDER BY version, job
"""
FILL_SQLITE = """
    WITH RECURSIVE job (number) AS (
         SELECT 0 UNION ALL SELECT number + 1 FROM job WHERE number < :jobs - 1)
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    SELECT :prefix || '-' || job.number, event.key + 2,
           event.value ->> '$.topic', CAST(event.value ->> '$.state' AS BLOB)
      FROM json_each(:events) AS event CROSS JOIN job
     ORDER BY event.key, job.number
"""
STEPS = ("vm_created", "network_configured", "ansible_started", "ansible_complete")
EVERY_SECONDS = 60


@contextmanager
def services_over(database: str, home: Path) -> Iterator[Services]:
    """Open the services over a database in this process."""
    environment = {
        "MILEPOST_HOME": str(home),
        "MILEPOST_DATABASE_URL": database,
        "MILEPOST_CALLBACK_SECRET": SECRET,
        "MILEPOST_ADMIN_TOKEN": ADMIN_TOKEN,
    }
    services = open_services(from_environment(environment))
    services.prepare()
    try:
        yield services
    finally:
        services.close()


def register(database: str, jobs: int, home: Path) -> None:
    """Register this many jobs: `job-0` of `agent-0`, `job-1` of `agent-1`, and so on."""
    with services_over(database, home) as services, ThreadPoolExecutor(WRITERS) as pool:
        commands = (
            QueueJob(job_id=f"job-{n}", agent_id=f"agent-{n}", workflow="vm@1") for n in range(jobs)
        )
        for _ in pool.map(services.milepost.queue, commands):
            pass


def life(events: int) -> list[Fact]:
    """Return this many facts of one workflow: the start, steps between heartbeats, the end."""
    facts: list[Fact] = []
    for n in range(events):
        common: dict[str, Any] = {
            "recorded_at": datetime.now(UTC) + timedelta(seconds=EVERY_SECONDS * (n - events)),
            "signed_by": "x-signature:00000000",
            "digest": "0" * 64,
        }
        step, is_new = divmod(n * (len(STEPS) + 1), events)
        if n == 0:
            facts.append(StatusReported(**common, status="provisioning", workflow_run_id="1"))
        elif n == events - 1:
            facts.append(StatusReported(**common, status="running"))
        elif is_new <= len(STEPS) and step:
            facts.append(StepReported(**common, step=STEPS[step - 1]))
        else:
            facts.append(HeartbeatReceived(**common))
    return facts


def lengthen(database: str, prefix: str, jobs: int, facts: Sequence[Fact]) -> None:
    """Append these facts to each of the jobs, which must be registered and have no other event."""
    events = [
        {"topic": type(fact).__name__, "state": msgspec.json.encode(fact).decode()}
        for fact in facts
    ]
    given = {"prefix": prefix, "events": msgspec.json.encode(events).decode(), "jobs": jobs}
    if database.startswith("sqlite:///"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as file, file:
            file.execute(FILL_SQLITE, given)
        return
    with psycopg.connect(database) as connection:
        connection.execute(FILL, given)


def settle(dsn: str, home: Path) -> None:
    """Fold, vacuum and checkpoint, so that the filling does not disturb the measurement."""
    with services_over(dsn, home) as services:
        # In a long log of alternating jobs, a rebuild is faster than the projector.
        services.rebuild().run()
        services.rebuild().delete_replaced()
    if dsn.startswith("sqlite:///"):
        with closing(sqlite3.connect(dsn.removeprefix("sqlite:///"))) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE milepost_events")
        connection.execute("CHECKPOINT")


def from_the_beginning(services: Services) -> Projector:
    """Return a projector that begins at position 0, with rows beside the served ones."""
    services.shadow.begin(afresh=True)
    services.shadow.make_indexes()  # its rows need the same indexes as the served rows
    milepost, rows = services.milepost, services.shadow.read_model
    return Projector(milepost.store, rows, milepost.mapper, services.workflows)


def events_in(database: str) -> int:
    """Return the number of stored events."""
    count = "SELECT count(*) FROM milepost_events"
    if database.startswith("sqlite:///"):
        with sqlite3.connect(database.removeprefix("sqlite:///")) as file:
            return int(file.execute(count).fetchone()[0])
    with psycopg.connect(database) as connection:
        row = connection.execute(count).fetchone()
        assert row is not None
        return int(row[0])
