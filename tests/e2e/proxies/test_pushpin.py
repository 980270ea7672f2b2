"""Streams that Pushpin holds, as the documentation says: the same URLs, and the same bytes."""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

import pytest

from api.links import Links
from api.tokens import ADMIN, create, stored_time
from tests.e2e.inspection import database_of, whole_log
from tests.e2e.killing import is_ready, kill_something, progress
from tests.e2e.kinds import POSTGRES_IN_A_DRILL
from tests.e2e.load import Load
from tests.e2e.watching import read_whole, watching
from tests.support.people.shown_code import block
from tests.support.processes.nginx import nginx
from tests.support.processes.pushpin import Pushpin, free_ports, pushpin, settings
from tests.support.processes.server import PATIENCE_SECONDS, TOKEN, Make, Server

KILLS = 4
JOBS = 3
LINK_SECRET = "thirty-two or more characters of a secret"  # noqa: S105  of nothing
SILENT_SECONDS = 20
EVENTS_OF_SOME_PAGES = 250
"""One answer has fewer, and Pushpin asks for the rest."""
MOST_BEATS = 9
"""How many comments of 5 s a reader hears before he gives up: Pushpin asks again after 30 s."""


class Site(NamedTuple):
    """A server, the Pushpin in front of it, and the port at which readers ask."""

    server: Server
    pushpin: Pushpin
    port: int
    job: str = "job-1"
    agent: str = "agent/1"

    @property
    def stream(self) -> str:
        """The path of the job's stream."""
        return f"/api/jobs/{self.job}/stream"

    @property
    def agent_stream(self) -> str:
        """The path of the agent's stream."""
        return f"/api/agents/{quote(self.agent, '')}/stream"

    def report(self, status: str, job_id: str | None = None, **said: str) -> int:
        """Let a workflow say something, and return the position of the event."""
        answer = self.server.callback({"job_id": job_id or self.job, "status": status, **said})
        assert answer.status == 200
        return int(answer.body["position"])

    def register(self, job_id: str | None = None) -> int:
        """Register a job of the agent, and return the position of the event."""
        user = f"user of {self.agent}"
        body = {"job_id": job_id or self.job, "agent_id": self.agent, "user_id": user}
        answer = self.server.post("/api/jobs", body)
        assert answer.status == 201
        return int(answer.body["position"])


class Reader:
    """Reads one stream through Pushpin."""

    def __init__(self, port: int, path: str, token: str | None = TOKEN, last_id: int | None = None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SILENT_SECONDS)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_answered(path, headers):
            assert time.monotonic() < deadline, self.refusal
            time.sleep(0.02)  # another process is waited for, up to the deadline

    def _is_answered(self, path: str, headers: dict[str, str]) -> bool:
        """Ask for the stream; False if Pushpin itself refuses.

        Its processes refuse a stream by an error of their own, or by closing the connection, until
        they have found one another; a browser comes again. Every answer of Milepost has the id of
        its request.
        """
        self.connection.request("GET", path, headers=headers)
        try:
            self.answer = self.connection.getresponse()
        except http.client.RemoteDisconnected as closed:
            self.refusal: object = closed
        else:
            self.refusal = self.answer.status
            if self.answer.status < 500 or "X-Request-Id" in self.answer.headers:
                return True
        self.connection.close()
        return False

    def next(self) -> tuple[int, Any] | None:
        """Return the id and the document of the next block that has one; None at the end."""
        at = beats = 0
        while line := self.answer.readline():
            name, _, value = line.decode().strip().partition(": ")
            at = int(value) if name == "id" else at
            beats += line == b":\n"
            assert beats < MOST_BEATS, "nothing comes but beats"
            if name == "data":
                return at, json.loads(value)
        return None

    def status(self) -> tuple[int, str]:
        """Return the position and the job's status of the next document."""
        found = self.next()
        assert found
        at, document = found
        return at, document.get("instance", document)["status"]


@contextmanager
def reading(site: Site, path: str, **options: Any) -> Iterator[Reader]:
    """Read a stream until the context is left."""
    reader = Reader(site.port, path, **options)
    try:
        yield reader
    finally:
        reader.answer.close()
        reader.connection.close()


@contextmanager
def behind_pushpin(server: Server) -> Iterator[Site]:
    """Run a server behind Pushpin until the context is left."""
    ports = free_ports()
    server.env |= settings(ports.control) | {"MILEPOST_LINK_SECRET": LINK_SECRET}
    server.start()
    with pushpin(server.port, ports) as started:
        yield Site(server, started, started.port)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server behind Pushpin that no test ends."""
    server = Server(tmp_path_factory.mktemp("shared"))
    try:
        with behind_pushpin(server) as site:
            yield site
    finally:
        server.kill()


@pytest.fixture
def site(shared: Site) -> Site:
    """The shared server, with a job and an agent of the test's own."""
    name = uuid4().hex
    return shared._replace(job=f"job-{name}", agent=f"agent/{name}")


@pytest.fixture(params=POSTGRES_IN_A_DRILL)
def own_site(make_server: Make, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A server that a test may kill; over PostgreSQL it has two workers."""
    server = (
        make_server(request.getfixturevalue("postgres_dsn"), "--workers", "2")
        if request.param == "postgres"
        else make_server()
    )
    with behind_pushpin(server) as site:
        yield site


def test_a_held_stream_shows_a_job_until_it_ends(site: Site) -> None:
    first = site.register()
    with reading(site, site.stream) as reader:
        assert reader.answer.status == 200
        assert reader.answer.headers["Content-Type"] == "text/event-stream"
        assert "Grip-Hold" not in reader.answer.headers
        assert reader.status() == (first, "pending")
        assert (site.report("provisioning"), "provisioning") == reader.status()
        last = site.report("running")
        assert reader.status() == (last, "running")
        assert reader.next() == (last, {"status": "running", "outcome": "running"})
        assert reader.next() is None

    with reading(site, site.stream, last_id=last) as reader:
        assert reader.answer.status == 204
    with reading(site, site.stream, last_id=first) as reader:
        assert [reader.status()[1] for _ in range(2)] == ["provisioning", "running"]
        assert reader.next() == (last, {"status": "running", "outcome": "running"})
        assert reader.next() is None


def test_a_reader_who_was_away_is_sent_what_he_missed_first(site: Site) -> None:
    first = site.register()
    missed = [site.report("provisioning", note=str(number)) for number in range(250)]
    with reading(site, site.stream, last_id=first) as reader:
        assert [reader.status()[0] for _ in missed] == missed
        assert (site.report("provisioning"), "provisioning") == reader.status()


def test_a_held_stream_of_an_agent_goes_on_with_its_next_job(site: Site) -> None:
    first, after = site.register(), f"{site.job}-after"
    with reading(site, site.agent_stream) as reader:
        assert reader.status() == (first, "pending")
        assert (site.report("running"), "running") == reader.status()
        assert (site.register(after), "pending") == reader.status()
        site.report("provisioning", note="a late word of the job before")
        assert (site.report("provisioning", after), "provisioning") == reader.status()


@pytest.mark.parametrize("own_site", ["sqlite"], indirect=True)
def test_a_held_stream_outlives_a_restart_of_milepost_and_is_never_silent(
    own_site: Site,
) -> None:
    site = own_site
    first = site.register()
    with reading(site, site.stream) as reader:
        assert reader.status() == (first, "pending")
        site.server.kill()
        site.server.start()
        assert (site.report("provisioning"), "provisioning") == reader.status()
        site.server.kill()
        for _ in range(2):
            while reader.answer.readline() != b":\n":
                pass


def test_a_held_stream_ends_soon_after_its_token_is_revoked(site: Site) -> None:
    site.register()
    with database_of(site.server) as services:
        token, text = create(services.tokens, "page", ["read"], None, services.clock())
        _, kept = create(services.tokens, "page", ["read"], None, services.clock())
        with (
            reading(site, site.stream, token=text) as reader,
            reading(site, site.stream, token=kept) as another,
        ):
            assert reader.status()[1] == another.status()[1] == "pending"
            services.tokens.revoke(token.id, stored_time(services.clock()))

            assert reader.next() is None
            assert (site.report("provisioning"), "provisioning") == another.status()


def test_a_held_stream_of_a_link_ends_soon_after_the_link_expires(site: Site) -> None:
    first = site.register()
    path = site.stream
    link = Links([LINK_SECRET], TOKEN).make(path, ADMIN, int(time.time()) + 6)
    with reading(site, f"{path}?link={link}", token=None) as reader:
        assert reader.status() == (first, "pending")
        assert (site.report("provisioning"), "provisioning") == reader.status()
        assert reader.next() is None


@pytest.mark.parametrize(
    ("job_id", "token", "status"), [(None, "guessed", 401), ("nobody-s", TOKEN, 404)]
)
def test_who_may_not_read_is_refused_through_pushpin(
    site: Site, job_id: str | None, token: str, status: int
) -> None:
    site.register()
    asked = site._replace(job=job_id or site.job)
    with reading(asked, asked.stream, token=token) as reader:
        assert reader.answer.status == status


def test_a_stream_of_all_jobs_comes_through_pushpin_from_milepost_itself(site: Site) -> None:
    with reading(site, "/api/stream") as reader:
        assert (site.register(), "pending") == reader.status()


def test_readers_through_nginx_are_held_too(site: Site, tmp_path: Path) -> None:
    shown = block("operations/streaming.md", "# milepost.conf: with Pushpin")
    ours = shown.replace("127.0.0.1:8000", f"127.0.0.1:{site.server.port}")
    ours = ours.replace("127.0.0.1:7999", f"127.0.0.1:{site.pushpin.port}")
    first = site.register()
    with nginx(tmp_path / "nginx", ours) as port:
        with reading(site._replace(port=port), site.agent_stream) as reader:
            assert reader.status() == (first, "pending")
            assert (site.report("provisioning"), "provisioning") == reader.status()


def test_readers_under_a_path_that_nginx_takes_off_are_held_too(site: Site, tmp_path: Path) -> None:
    """Pushpin asks for what a reader missed by paths that it knows, without the prefix."""
    shown = block("operations/streaming.md", "# milepost.conf: with Pushpin, under a path")
    ours = shown.replace("127.0.0.1:8000", f"127.0.0.1:{site.server.port}")
    ours = ours.replace("127.0.0.1:7999", f"127.0.0.1:{site.pushpin.port}")
    first = site.register()
    positions = [site.report("provisioning") for _ in range(EVENTS_OF_SOME_PAGES)]
    with nginx(tmp_path / "nginx", ours) as port:
        path = f"/milepost{site.stream}"
        with reading(site._replace(port=port), path, last_id=first) as reader:
            assert [reader.status()[0] for _ in positions] == positions
            assert (site.report("running"), "running") == reader.status()


def test_held_readers_over_kills_read_the_log(own_site: Site) -> None:
    site = own_site
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    sys.stdout.write(f"random seed {seed}\n")  # shown when the test fails
    server = site.server
    server.post("/api/jobs", {"job_id": "job-0", "agent_id": "agent-0"})
    jobs = [f"job-{number}" for number in range(JOBS)]
    paths = [f"/api/jobs/{job_id}/stream" for job_id in jobs]
    load = Load(server, jobs=JOBS, threads=2, limit=100_000)
    with watching([site.pushpin], [*paths, "/api/agents/agent-0/stream"]) as watchers:
        *of_jobs, of_agent = watchers
        load.start()
        try:
            for number in range(KILLS):
                goal = len(load.receipts) + chance.randrange(1, 60)
                server.until(lambda goal=goal: progress(server, load, goal), "takes no callbacks")
                if number == KILLS // 2:
                    site.pushpin.kill()
                    site.pushpin.start()
                kill_something(server, chance)
        finally:
            load.finish()
        server.until(lambda: is_ready(server), "does not come back")
        with database_of(server) as services:
            log = whole_log(services)
        for job_id, watcher in zip(jobs, of_jobs, strict=True):
            read_whole(server, watcher, [event for event in log if event.originator_id == job_id])
        read_whole(server, of_agent, [event for event in log if event.originator_id == jobs[0]])
