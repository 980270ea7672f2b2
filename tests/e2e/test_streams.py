"""Streams over kill -9: who resumes by Last-Event-ID reads the log, each event once, in order."""

from __future__ import annotations

import http.client
import json
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from threading import Event, Thread
from typing import Final, Protocol

import pytest

from domain.job.events import JobEvent
from tests.e2e.inspection import database_of, whole_log
from tests.e2e.killing import is_ready, kill_something, progress
from tests.e2e.load import Load
from tests.support.server import TOKEN, Make, Server

KILLS: Final = 20
JOBS: Final = 4
SILENT_SECONDS: Final = 20
"""Longer than the longest silence of a stream."""


class Listens(Protocol):
    """Something that answers HTTP at a port of this machine."""

    port: int


class Watcher:
    """Reads a stream, and connects again whenever it ends, to each server in turn."""

    def __init__(self, servers: Sequence[Listens], path: str) -> None:
        self.path = path
        self.positions: list[int] = []
        self.versions: list[int] = []
        self.ends = 0
        self.connections = 0
        self._servers = servers
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def last(self) -> int:
        """The last position that was read."""
        return self.positions[-1] if self.positions else 0

    def stop(self) -> None:
        """Stop at the next block."""
        self._stop.set()

    def _run(self) -> None:
        for number in count():
            if self._stop.is_set():
                return
            server = self._servers[number % len(self._servers)]
            with suppress(OSError, http.client.HTTPException):
                self._read(server)
            self._stop.wait(0.02)  # an EventSource waits for a second or more

    def _read(self, server: Listens) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SILENT_SECONDS)
        headers = {"Authorization": f"Bearer {TOKEN}", "Last-Event-ID": str(self.last)}
        try:
            connection.request("GET", self.path, headers=headers)
            response = connection.getresponse()
            if response.status == 200:
                self.connections += 1
                for fields in self._blocks(response):
                    self._take(fields)
            else:
                # 404: the job is not there yet. 204: it has ended, until its next callback.
                # Another status is a proxy's, which writes no problem: its server is away.
                is_ours = response.getheader("Content-Type") == "application/problem+json"
                assert response.status in (204, 404, 503) or not is_ours, response.status
                response.read()
        finally:
            connection.close()

    def _blocks(self, response: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
        fields: dict[str, str] = {}
        while not self._stop.is_set() and (line := response.readline()):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if line == b"\n":
                yield fields
                fields = {}
            else:
                fields[name] = value

    def _take(self, fields: dict[str, str]) -> None:
        if fields.get("event") == "end":
            self.ends += 1
        elif "data" in fields:
            document = json.loads(fields["data"])
            self.positions.append(int(fields["id"]))
            self.versions.append(document.get("version", 0))


@contextmanager
def watching(servers: Sequence[Listens], paths: Sequence[str]) -> Iterator[list[Watcher]]:
    """Let a watcher read each path until the context is left."""
    watchers = [Watcher(servers, path) for path in paths]
    try:
        yield watchers
    finally:
        for watcher in watchers:
            watcher.stop()


@pytest.fixture(params=["sqlite", "two servers on postgres"])
def servers(request: pytest.FixtureRequest, make_server: Make) -> list[Server]:
    """A server on SQLite; two on one PostgreSQL, the second with two workers."""
    if request.param == "sqlite":
        return [make_server().start()]
    dsn: str = request.getfixturevalue("postgres_dsn")
    return [make_server(dsn).start(), make_server(dsn, "--workers", "2").start()]


def test_readers_over_twenty_kills_read_the_log(servers: list[Server]) -> None:
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
            for number in range(KILLS):
                goal = len(load.receipts) + chance.randrange(1, 60)
                first.until(lambda goal=goal: progress(first, load, goal), "takes no callbacks")
                kill_something(servers[number % len(servers)], chance)
        finally:
            load.finish()
        for server in servers:
            server.until(lambda each=server: is_ready(each), "does not come back")
        with database_of(first) as services:
            log = whole_log(services)
        assert len(load.receipts) > KILLS
        for job_id, watcher in zip(jobs, of_jobs, strict=True):
            read_whole(first, watcher, [event for event in log if event.originator_id == job_id])
            assert watcher.versions == list(range(1, len(watcher.versions) + 1))
        read_whole(first, of_agent, [event for event in log if event.originator_id == jobs[0]])
        read_whole(first, of_all, log)
        assert of_all.connections > KILLS / len(servers) / 2
        assert any(watcher.ends for watcher in of_jobs)


def read_whole(server: Server, watcher: Watcher, expected: Sequence[JobEvent]) -> None:
    """See that a watcher has read these events in the end, each once and in order."""
    server.until(lambda: watcher.last >= expected[-1].position, f"tells {watcher.path} no more")
    positions = [event.position for event in expected]
    pairs = zip(watcher.positions, positions, strict=False)
    wrong = next((number for number, (read, due) in enumerate(pairs) if read != due), None)
    lengths = len(watcher.positions), len(positions)
    around = slice(max(0, (wrong or 0) - 3), (wrong or 0) + 12)
    seen = watcher.positions[around], positions[around]
    assert wrong is None, (watcher.path, wrong, lengths, seen)
    assert lengths[0] == lengths[1], (watcher.path, lengths)
