"""Histories to measure on: jobs that are registered, jobs that are long, stores that are big."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from api.config import from_environment
from api.wiring import Services, open_services
from bench.stage import ADMIN_TOKEN, SECRET
from domain.commands import QueueJob
from domain.events import HeartbeatReceived

WRITERS = 64
# Straight into the table, since a million callbacks would take longer than the measurement.
FILL = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    SELECT %(prefix)s || '-' || job, %(from)s + version, %(topic)s, %(state)s
      FROM generate_series(1, %(versions)s) AS version,
           generate_series(0, %(jobs)s - 1) AS job
"""


@contextmanager
def services_over(database: str, home: Path) -> Iterator[Services]:
    """Open a database without a server."""
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
    """Register `job-0` and so on, of `agent-0` and so on."""
    with services_over(database, home) as services, ThreadPoolExecutor(WRITERS) as pool:
        commands = (
            QueueJob(job_id=f"job-{n}", agent_id=f"agent-{n}", workflow="vm@1") for n in range(jobs)
        )
        for _ in pool.map(services.milepost.queue, commands):
            pass


def lengthen(dsn: str, prefix: str, jobs: int, versions: int) -> None:
    """Give registered jobs of a PostgreSQL database as many heartbeats more."""
    fact = HeartbeatReceived(recorded_at=datetime.now(UTC), signed_by="x-signature:00000000")
    state = msgspec.json.encode(fact)
    with psycopg.connect(dsn) as connection:
        given = {"prefix": prefix, "from": 1, "versions": versions, "jobs": jobs}
        connection.execute(FILL, {**given, "topic": "HeartbeatReceived", "state": state})


def settle(dsn: str) -> None:
    """Vacuum and checkpoint, so that the filling does not disturb the measuring."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE milepost_events")
        connection.execute("CHECKPOINT")


def events_in(database: str) -> int:
    """Count what is stored."""
    count = "SELECT count(*) FROM milepost_events"
    if database.startswith("sqlite:///"):
        with sqlite3.connect(database.removeprefix("sqlite:///")) as file:
            return int(file.execute(count).fetchone()[0])
    with psycopg.connect(database) as connection:
        found = connection.execute(count).fetchone()
        assert found is not None
        return int(found[0])
