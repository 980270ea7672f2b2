"""A full disk costs what must be written to it, and nothing else: no process ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes.disks import fill, small_disk
from tests.support.processes.server import Make, Server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "2m"):
        yield folder


def started(make_server: Make, disk: Path, database: Path) -> Server:
    """Start a server with its home on the disk."""
    server = make_server(f"sqlite:///{database}")
    server.env["MILEPOST_HOME"] = str(disk / "home")
    return server.start()


def heartbeat(server: Server) -> int:
    return server.callback({"job_id": "job-1", "type": "heartbeat"}).status


def pids(server: Server) -> list[int]:
    return [process.pid for process in server.processes()]


def test_a_full_disk_of_the_home_ends_no_worker_and_lets_another_one_start(
    make_server: Make, disk: Path, tmp_path: Path
) -> None:
    """A mapped file of a full disk would end the worker (SIGBUS) with its first count."""
    server = started(make_server, disk, tmp_path / "test.db")
    filler = fill(disk)
    before = pids(server)

    assert [heartbeat(server) for _ in range(5)] == [200] * 5
    server.processes()[1].kill()
    server.until(lambda: len(pids(server)) == 2 and pids(server) != before, "has no other worker")
    server.until(lambda: heartbeat(server) == 200, "takes no callbacks")

    after = pids(server)
    counted = server.get("/metrics").body
    assert 'milepost_callbacks_total{outcome="recorded"} 6.0\n' in counted
    assert [heartbeat(server) for _ in range(5)] == [200] * 5
    assert pids(server) == after
    assert filler.exists()


def test_a_full_disk_of_the_database_costs_callbacks_and_no_process(
    make_server: Make, disk: Path
) -> None:
    server = started(make_server, disk, disk / "test.db")
    assert heartbeat(server) == 200
    before, filler = pids(server), fill(disk)

    # The file of the newest commits has room for some more.
    server.until(lambda: heartbeat(server) == 503, "writes to a full disk")

    assert server.get("/readyz").body["reason"] == "disk_full"
    assert server.get("/api/jobs/job-1").status == 200
    filler.unlink()
    server.until(lambda: heartbeat(server) == 200, "takes no callbacks again")
    assert pids(server) == before
