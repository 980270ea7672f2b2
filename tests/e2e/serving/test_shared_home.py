"""Servers that share a home, over different databases or one, leave each other's files alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes.server import Make, Server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of both servers."""
    return tmp_path / "home"


@pytest.fixture(params=["two SQLite files", "SQLite and PostgreSQL", "one PostgreSQL"])
def servers(
    request: pytest.FixtureRequest, make_server: Make, home: Path, tmp_path: Path
) -> list[Server]:
    """Two servers that are not started yet."""
    if request.param == "two SQLite files":
        urls = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]
    else:
        dsn = request.getfixturevalue("postgres_dsn")
        urls = [dsn if "one" in request.param else f"sqlite:///{tmp_path}/a.db", dsn]
    made = [make_server(url) for url in urls]
    for server in made:
        server.env["MILEPOST_HOME"] = str(home)
    return made


def files(home: Path) -> dict[str, bytes]:
    """Return the files of the home, without what each process has seen of its own database."""
    return {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}


def recorded(server: Server) -> str:
    """Return how many callbacks the server says that it recorded."""
    start = 'milepost_callbacks_total{outcome="recorded"} '
    [line] = [each for each in server.get("/metrics").body.splitlines() if each.startswith(start)]
    return str(line).removeprefix(start)


def test_a_server_that_starts_and_ends_changes_nothing_of_another_s(
    servers: list[Server], home: Path
) -> None:
    first, second = servers
    first.start()
    before = files(home)
    for number in range(3):
        assert first.callback({"job_id": "first", "type": "heartbeat", "n": number}).status == 200

    second.start()
    assert second.callback({"job_id": "second", "type": "heartbeat"}).status == 200
    both = files(home), recorded(first), recorded(second)
    assert second.stop() == 0

    assert both == (before, "3.0", "1.0")
    assert (files(home), recorded(first)) == (before, "3.0")
    assert len(first.get("/api/jobs/first/events").body["events"]) == 3


def test_two_servers_that_start_at_once_have_one_set_of_credentials(
    servers: list[Server], home: Path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Server.start, servers))

    shown = {server.get("/api/checkpoint").status for server in servers}
    assert shown == {200}
    assert sorted(files(home)) == ["checkpoint-key", "job-key-secret", "link-secret"]
