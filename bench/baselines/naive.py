"""The eventsourcing library as in its tutorial: get the aggregate, trigger an event, save."""

from __future__ import annotations

import os
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from flask import Flask, jsonify
from psycopg.conninfo import conninfo_to_dict

from bench.baselines import verified

AT_ONCE = 100


class Job(Aggregate):
    """A job as an ordinary aggregate of the library."""

    @event("Queued")
    def __init__(self, name: str) -> None:
        self.name = name
        self.step: str | None = None

    @staticmethod
    def create_id(name: str) -> UUID:
        """Return the id of the job with that name."""
        return uuid5(NAMESPACE_URL, name)

    @event("StepReported")
    def report(self, step: str) -> None:
        """Report a step."""
        self.step = step


class Jobs(Application[UUID]):
    """The application as the tutorial writes it."""

    def queue(self, name: str) -> None:
        """Create a job."""
        self.save(Job(name))

    def report(self, name: str, step: str) -> None:
        """Get the job, trigger the event, save the job."""
        job: Job = self.repository.get(Job.create_id(name))
        job.report(step)
        self.save(job)


def environment(dsn: str) -> dict[str, str]:
    """Return the library's settings for a database."""
    given = conninfo_to_dict(dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(given["dbname"]),
        "POSTGRES_HOST": str(given["host"]),
        "POSTGRES_PORT": str(given.get("port", 5432)),
        "POSTGRES_USER": str(given.get("user", "postgres")),
        "POSTGRES_PASSWORD": str(given.get("password", "")),
    }


def fill(dsn: str, jobs: int, events: int) -> None:
    """Store this many jobs, `job-0` and so on, each with this many events."""
    application = Jobs(environment(dsn))
    for start in range(0, jobs, AT_ONCE):
        made = [Job(f"job-{n}") for n in range(start, min(start + AT_ONCE, jobs))]
        application.save(*made)
        for job in made:
            for number in range(1, events):
                job.report("vm_created")
                # While it sends the events of one save, the library does not read answers. With too
                # many events, client and server would wait for each other.
                if number % AT_ONCE == 0:
                    application.save(job)
            application.save(job)
    application.close()


def create_app() -> Flask:
    """Return the application over the database that BENCH_DATABASE_URL names."""
    app, jobs = Flask(__name__), Jobs(environment(os.environ["BENCH_DATABASE_URL"]))

    @app.post("/api/webhooks/github")
    def callback() -> Any:
        fields = verified()
        jobs.report(fields["job_id"], fields["step"])
        return jsonify(received=True)

    return app
