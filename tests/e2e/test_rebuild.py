"""`milepost rebuild` beside a server at work: killed, gone on with, and from release to release."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from domain.job.events import StopRequested
from domain.log.store import Append
from projections.read_model.contract import SHAPE
from tests.e2e.inspection import assert_nothing_lost_nothing_doubled, database_of
from tests.e2e.kinds import on_each_database
from tests.e2e.load import Load
from tests.support.processes.server import MILEPOST, Make, Server
from tests.support.projectors.rebuilding import NEWER
from tests.support.stores.deployment import NOON

KILLS = 4
HISTORY, OLD_JOBS = 20_000, 100
NEXT_RELEASE = """
from projections.read_model import contract
contract.SHAPE = str(int(contract.SHAPE) + 1)
"""


def lengthen(server: Server) -> None:
    """Give the log a past that takes seconds to fold."""
    state = msgspec.json.encode(StopRequested(recorded_at=NOON))
    with database_of(server) as services:
        for version in range(1, HISTORY // OLD_JOBS + 1):
            requests = [
                StoredEvent(f"old-{number}", version, "StopRequested", state)
                for number in range(OLD_JOBS)
            ]
            append = Append(requests)
            services.milepost.store.transact({}, [], lambda _, append=append: append)  # type: ignore[misc]


def milepost(server: Server, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(MILEPOST), *arguments],
        env=server.env,
        cwd=server.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(server: Server, *arguments: str) -> str:
    """Run a command that goes well and return what it prints."""
    process = milepost(server, *arguments)
    said, complaints = process.communicate(timeout=120)
    assert process.returncode == 0, complaints
    return said


def rebuild_position(server: Server) -> int | None:
    position: int | None = server.get("/readyz").body["rebuild_position"]
    return position


@contextmanager
def asked_again_and_again(server: Server) -> Iterator[list[int]]:
    """Read jobs and lists all the while; yield the statuses of what was answered."""
    stop, statuses = Event(), list[int]()

    def ask() -> None:
        while not stop.is_set():
            for path in ("/api/jobs/old-7", "/api/jobs/old-7/timeline", "/api/jobs?limit=200"):
                answer = server.get(path)
                statuses.append(answer.status)
                if answer.status == 200 and path.endswith("old-7"):
                    assert answer.body["version"] == HISTORY // OLD_JOBS
                if answer.status == 200 and "limit" in path:
                    ids = {job["id"] for job in answer.body["jobs"]}
                    assert {f"old-{number}" for number in range(OLD_JOBS)} <= ids

    wrong: list[BaseException] = []

    def noted() -> None:
        try:
            ask()
        except BaseException as error:
            wrong.append(error)

    thread = Thread(target=noted)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join(30)
    if wrong:
        raise wrong[0]


def test_callbacks_and_reads_go_on_during_a_rebuild(server: Server) -> None:
    lengthen(server)
    server.until(lambda: server.get("/readyz").body["lag_events"] == 0, "is not projected")
    load = Load(server, jobs=5, threads=1, limit=100_000).start()
    try:
        with asked_again_and_again(server) as statuses:
            for _ in range(2):
                report = json.loads(done(server, "rebuild", "--json").splitlines()[-1])
                answered = len(load.receipts)
                server.until(lambda goal=answered: len(load.receipts) > goal + 20, "is stuck")
    finally:
        load.finish()
    newest = max(receipt["position"] for receipt in load.receipts.values())
    assert server.get(f"/api/jobs?min_position={newest}").status == 200, "new events are folded"

    assert report["differences"] == 0
    assert report["events"] > HISTORY
    assert not load.unknown, "every callback was answered with a receipt"
    assert set(statuses) == {200}
    assert done(server, "rebuild", "--dry-run", "--json") == ""
    server.kill()
    assert_nothing_lost_nothing_doubled(server, load)


@on_each_database
def test_a_rebuild_that_is_killed_at_any_moment_is_gone_on_with(server: Server) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    sys.stdout.write(f"random seed {seed}\n")  # shown when the test fails
    lengthen(server)
    load = Load(server, jobs=5, threads=1, limit=100_000).start()
    left = set()

    def is_far(process: subprocess.Popen[str], goal: int) -> bool:
        return process.poll() is not None or (rebuild_position(server) or 0) >= goal

    try:
        for goal in (*(chance.randrange(HISTORY) for _ in range(KILLS)), 1):
            with milepost(server, "rebuild") as process:
                server.until(lambda process=process, goal=goal: is_far(process, goal), "is stuck")
                process.kill()
            left.add(rebuild_position(server))
            assert server.get("/api/jobs/old-7").body["version"] == HISTORY // OLD_JOBS
        report = json.loads(done(server, "rebuild", "--json").splitlines()[-1])
    finally:
        load.finish()

    assert not load.unknown
    assert left != {None}, "none of them was killed while it folded"
    assert report["began_at"] in left, "it goes on where the one before was killed"
    assert rebuild_position(server) is None
    server.until(lambda: server.get("/readyz").body["lag_events"] == 0, "is not projected")
    assert done(server, "rebuild", "--dry-run", "--json") == ""
    server.kill()
    assert_nothing_lost_nothing_doubled(server, load)


def test_ctrl_c_says_how_far_it_was_and_loses_nothing(server: Server) -> None:
    lengthen(server)
    process = milepost(server, "rebuild")
    server.until(lambda: (rebuild_position(server) or 0) > 0, "is not rebuilt")
    process.send_signal(signal.SIGINT)

    said, complaints = process.communicate(timeout=30)

    assert process.returncode == 1
    assert said == ""
    assert "Error: Interrupted at position " in complaints
    assert "Traceback" not in complaints
    assert rebuild_position(server)
    assert json.loads(done(server, "rebuild", "--json"))["began_at"] > 0


@pytest.fixture
def next_release(tmp_path: Path) -> Sequence[str]:
    """Return where Python finds a Milepost whose rows have another shape."""
    folder = tmp_path / "next-release"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NEXT_RELEASE)
    return [str(folder)]


def upgraded(server: Server, folders: Sequence[str]) -> None:
    """Let the server's next start be one of the next release."""
    present = [server.env["PYTHONPATH"]] if server.env["PYTHONPATH"] else []
    server.env["PYTHONPATH"] = ":".join([*folders, *present])


@on_each_database
def test_a_release_with_another_shape_serves_the_old_rows_until_the_new_are_there(
    server: Server, next_release: Sequence[str]
) -> None:
    lengthen(server)
    server.until(lambda: server.get("/readyz").body["lag_events"] == 0, "is not projected")
    assert server.stop() == 0
    upgraded(server, next_release)
    load = Load(server, jobs=5, threads=1, limit=100_000)

    with database_of(server) as services:
        # As if another host of the same release were rebuilding, until there was a good look.
        with services.shadow.lock():
            server.start()
            load.start()
            try:
                with asked_again_and_again(server) as statuses:
                    server.until(lambda: len(statuses) > 30, "answers nobody")
                    assert shape(server) == SHAPE
            finally:
                load.finish()
    with asked_again_and_again(server) as more:
        server.until(lambda: shape(server) == NEWER, "does not swap")
    statuses += more

    assert set(statuses) == {200}
    assert not load.unknown
    server.until(lambda: server.get("/readyz").body["lag_events"] == 0, "is not projected")
    assert done(server, "rebuild", "--dry-run", "--json") == ""
    assert "rebuilt the read model" in server.log.read_text()


def test_two_releases_side_by_side_do_not_fight(
    make_server: Make, postgres_dsn: str, next_release: Sequence[str]
) -> None:
    """As while one is rolled out: whoever is asked, answers right."""
    older = make_server(postgres_dsn).start()
    older.callback({"job_id": "job-1", "status": "provisioning"})
    newer = make_server(postgres_dsn)
    upgraded(newer, next_release)
    newer.start()
    newer.until(lambda: shape(newer) == NEWER, "does not rebuild")

    for number in range(20):
        server = (older, newer)[number % 2]
        receipt = server.callback({"job_id": "job-1", "type": "heartbeat"}).body
        for asked in (older, newer):
            assert asked.get("/api/jobs/job-1").body["version"] == receipt["version"]
            listed = asked.get(f"/api/jobs?min_position={receipt['position']}")
            assert [job["version"] for job in listed.body["jobs"]] == [receipt["version"]]

    assert shape(newer) == NEWER
    assert newer.log.read_text().count("rebuilt the read model") == 1
    assert "rebuilding" not in older.log.read_text()
    # Its projector says so once it looks at the rows again, in its own time.
    stands_by = "standing by, and leaving it alone"
    older.until(lambda: stands_by in older.log.read_text(), "does not stand by")
    assert older.log.read_text().count(stands_by) == 1
    assert done(newer, "rebuild", "--dry-run", "--json") == ""


def shape(server: Server) -> str:
    found: Any = json.loads(done(server, "status", "--json"))
    return str(found["shape"])
