"""Streams over kill -9: who resumes by Last-Event-ID reads the log, each event once, in order."""

from __future__ import annotations

import random
import sys
from typing import Final

import pytest

from tests.e2e.inspection import database_of, whole_log
from tests.e2e.killing import is_ready, kill_something, progress
from tests.e2e.load import Load
from tests.e2e.watching import read_whole, watching
from tests.support.processes.server import Make, Server

JOBS: Final = 4


@pytest.fixture(
    params=[pytest.param("sqlite", marks=pytest.mark.survive), "two servers on postgres"]
)
def servers(request: pytest.FixtureRequest, make_server: Make) -> list[Server]:
    """A server on SQLite; two on one PostgreSQL, the second with two workers."""
    if request.param == "sqlite":
        return [make_server().start()]
    dsn: str = request.getfixturevalue("postgres_dsn")
    return [make_server(dsn).start(), make_server(dsn, "--workers", "2").start()]


def test_readers_over_kills_read_the_log(servers: list[Server], kills: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    sys.stdout.write(f"random seed {seed}\n")  # shown when the test fails
    first = servers[0]
    first.post("/api/jobs", {"job_id": "job-0", "agent_id": "agent-0"})
    jobs = [f"job-{number}" for number in range(JOBS)]
    paths = [f"/api/jobs/{job_id}/stream" for job_id in jobs]
    load = Load(first, jobs=JOBS, threads=2, limit=100_000)
    with watching(servers, [*paths, "/api/agents/agent-0/stream", "/api/stream"]) as watchers:
        *of_jobs, of_agent, of_all = watchers
        load.start()
        try:
            for number in range(kills):
                goal = len(load.receipts) + chance.randrange(1, 60)
                first.until(lambda goal=goal: progress(first, load, goal), "takes no callbacks")
                kill_something(servers[number % len(servers)], chance)
        finally:
            load.finish()
        for server in servers:
            server.until(lambda each=server: is_ready(each), "does not come back")
        with database_of(first) as services:
            log = whole_log(services)
        assert len(load.receipts) > kills
        for job_id, watcher in zip(jobs, of_jobs, strict=True):
            read_whole(first, watcher, [event for event in log if event.originator_id == job_id])
            assert watcher.versions == list(range(1, len(watcher.versions) + 1))
        read_whole(first, of_agent, [event for event in log if event.originator_id == jobs[0]])
        read_whole(first, of_all, log)
        assert of_all.connections > kills / len(servers) / 2
        assert any(watcher.ends for watcher in of_jobs)
