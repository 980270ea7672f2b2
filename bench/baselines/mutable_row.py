"""The seed system's way in Flask and psycopg: it updates one row per job and one per agent."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from flask import Flask, jsonify
from psycopg_pool import ConnectionPool

from bench.baselines import verified

CREATE = """
    CREATE TABLE jobs (id text PRIMARY KEY, agent_id text NOT NULL, status text NOT NULL,
                       workflow_run_id text, last_heartbeat_at timestamptz);
    CREATE TABLE instances (agent_id text PRIMARY KEY, status text NOT NULL, current_step text,
                            updated_at timestamptz NOT NULL);
"""
FILL_JOBS = """
    INSERT INTO jobs (id, agent_id, status)
    SELECT 'job-' || n, 'agent-' || n, 'provisioning' FROM generate_series(0, %s - 1) AS n
"""
FILL_INSTANCES = "INSERT INTO instances SELECT agent_id, status, NULL, now() FROM jobs"
SELECT_JOB = "SELECT agent_id, status FROM jobs WHERE id = %s"
SET_STEP = "UPDATE instances SET current_step = %s, updated_at = now() WHERE agent_id = %s"
SET_HEARTBEAT = """
    UPDATE jobs SET last_heartbeat_at = now() WHERE id = %s AND status = 'provisioning'
"""


def fill(dsn: str, jobs: int) -> None:
    """Create the tables with this many jobs: `job-0`, `job-1` and so on."""
    with psycopg.connect(dsn) as connection:
        connection.execute(CREATE)
        connection.execute(FILL_JOBS, (jobs,))
        connection.execute(FILL_INSTANCES)


def create_app() -> Flask:
    """Return the application over the database that BENCH_DATABASE_URL names."""
    app = Flask(__name__)
    pool = ConnectionPool(
        os.environ["BENCH_DATABASE_URL"], min_size=16, kwargs={"autocommit": True}, open=True
    )

    @app.post("/api/webhooks/github")
    def callback() -> Any:
        fields = verified()
        with pool.connection() as connection:
            if fields.get("type") == "heartbeat":
                connection.execute(SET_HEARTBEAT, (fields["job_id"],), prepare=True)
            else:
                job = connection.execute(SELECT_JOB, (fields["job_id"],), prepare=True).fetchone()
                if job and job[1] == "provisioning":
                    connection.execute(SET_STEP, (fields["step"], job[0]), prepare=True)
        return jsonify(received=True)

    return app
