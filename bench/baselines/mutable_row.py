"""The seed system's way, ported to Flask and psycopg: one row per job, one per agent, updated."""

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
    """Make the tables, with `job-0` and so on."""
    with psycopg.connect(dsn) as connection:
        connection.execute(CREATE)
        connection.execute(FILL_JOBS, (jobs,))
        connection.execute(FILL_INSTANCES)


def create_app() -> Flask:
    """Return the application over the database named by BENCH_DATABASE_URL."""
    app = Flask(__name__)
    pool = ConnectionPool(
        os.environ["BENCH_DATABASE_URL"], min_size=16, kwargs={"autocommit": True}, open=True
    )

    @app.post("/api/webhooks/github")
    def callback() -> Any:
        told = verified()
        with pool.connection() as connection:
            if told.get("type") == "heartbeat":
                connection.execute(SET_HEARTBEAT, (told["job_id"],), prepare=True)
            else:
                job = connection.execute(SELECT_JOB, (told["job_id"],), prepare=True).fetchone()
                if job and job[1] == "provisioning":
                    connection.execute(SET_STEP, (told["step"], job[0]), prepare=True)
        return jsonify(received=True)

    return app
