"""Two workers over one PostgreSQL: one history, whoever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.http.counting.counters import RECORDED
from api.http.counting.shared_counts import PART_BYTES, Part
from tests.e2e.inspection import assert_nothing_lost_nothing_doubled, database_of, whole_log
from tests.e2e.load import Load, at_once
from tests.support.processes.server import Answer, Make, Server, running
from tests.support.stores.postgres_server import create_database


@pytest.fixture
def two_workers(make_server: Make, postgres_dsn: str) -> Server:
    """A server with two workers and no projector."""
    return make_server(postgres_dsn, "--workers", "2", "--no-projector").start()


@pytest.fixture(scope="module", params=["sqlite", "two workers on postgres"])
def any_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server on each database, with as many workers as it may have, for users of each test."""
    options: list[str] = []
    if request.param != "sqlite":
        options = [
            create_database(request.getfixturevalue("postgres_server_dsn")),
            "--workers",
            "2",
        ]
    with running(tmp_path_factory.mktemp("server"), *options) as server:
        yield server


def events_of(server: Server) -> int:
    """Return how many events the log has."""
    with database_of(server) as services:
        return len(whole_log(services))


def test_callbacks_of_one_job_on_both_workers_make_one_history(two_workers: Server) -> None:
    load = Load(two_workers, jobs=1, threads=16, limit=1500).start()
    two_workers.until(lambda: len(load.receipts) >= 1500, "is slow")
    load.finish()

    counted = callbacks_by_worker(two_workers)
    assert len(counted) == 2, "only one worker was asked"
    assert f'milepost_callbacks_total{{outcome="recorded"}} {sum(counted)}\n' in (
        two_workers.get("/metrics").body
    )
    assert not load.unknown
    assert_nothing_lost_nothing_doubled(two_workers, load)


def test_a_read_after_a_receipt_shows_it_with_the_projector_stopped(two_workers: Server) -> None:
    two_workers.post("/api/jobs", {"agent_id": "agent-1", "job_id": "job-1"})

    def callback_then_read(number: int) -> None:
        body = {"job_id": "job-1", "status": "provisioning", "step": f"unknown-{number}"}
        receipt = two_workers.callback(body).body
        for _ in range(3):  # each over a new connection, to either worker
            assert two_workers.get("/api/jobs/job-1").body["version"] >= receipt["version"]
            steps = two_workers.get("/api/jobs/job-1/timeline").body["attempts"][0]["steps"]
            assert f"unknown-{number}" in [step["step"] for step in steps]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(callback_then_read, range(60)))

    assert two_workers.get("/readyz").body["read_model_position"] == 0


def test_fifty_registrations_at_once_for_one_user_give_one_job(any_server: Server) -> None:
    def register(number: int) -> Answer:
        return any_server.post("/api/jobs", {"agent_id": f"agent-{number}", "user_id": "user-1"})

    before = events_of(any_server)
    answers = at_once(50, register)

    assert sorted(answer.status for answer in answers) == [201] + [409] * 49
    assert events_of(any_server) == before + 1
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.body["error"] == (
        "A provisioning job is already in progress. Please wait for it to complete."
    )


def test_fifty_registrations_at_once_with_one_key_give_one_job(any_server: Server) -> None:
    body = {"agent_id": "agent-of-a-payment", "user_id": "user-2"}
    before = events_of(any_server)

    answers = at_once(
        50, lambda _: any_server.post("/api/jobs", body, **{"Idempotency-Key": "payment-1"})
    )

    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert sum(not answer.body["duplicate"] for answer in answers) == 1
    assert events_of(any_server) == before + 1


def test_fifty_deliveries_at_once_of_one_callback_give_one_event(any_server: Server) -> None:
    registered = any_server.post("/api/jobs", {"agent_id": "agent-of-one", "job_id": "job-1"})
    assert registered.status == 201
    before = events_of(any_server)
    body = {"job_id": "job-1", "status": "provisioning", "callback_id": "delivery-1"}

    answers = at_once(50, lambda _: any_server.callback(body))

    assert {answer.status for answer in answers} == {200}
    assert sum(not answer.body.pop("duplicate") for answer in answers) == 1
    assert all(answer.body == answers[0].body for answer in answers)
    assert events_of(any_server) == before + 1


def callbacks_by_worker(server: Server) -> list[float]:
    """Return how many callbacks each worker counted that counted any, from the shared memory."""
    assert server.process is not None
    [memory] = (
        file
        for file in Path(f"/proc/{server.process.pid}/fd").iterdir()
        if "milepost-counts" in str(file.readlink())
    )
    content = memory.read_bytes()
    parts = [
        Part(memoryview(bytearray(content[begin : begin + PART_BYTES])))
        for begin in range(0, len(content), PART_BYTES)
    ]
    return [counted for part in parts if (counted := part.number(RECORDED._value.name))]
