"""After a move everything behaves as it did before: told through the API, both ways round."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stores.moving import PAIRS, Move, moving
from tests.support.stores.sealing import CIPHER
from tests.support.web.site import ADMIN, MACHINE, Site, problem_of

BODY = b'{"job_id": "job-1", "status": "provisioning", "callback_id": "cb-1"}'


@pytest.fixture(params=PAIRS)
def move(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Move]:
    """A way from each kind of database to the other."""
    with moving(request, tmp_path) as made:
        yield made


@pytest.fixture(params=PAIRS)
def sealed_move(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Move]:
    """The same between encrypted databases."""
    with moving(request, tmp_path, **CIPHER) as made:
        yield made


@pytest.fixture
def moved(move: Move) -> tuple[Site, Site]:
    """A site and what it was moved to; things had happened."""
    site = move.old_site
    site.register(workflow="vm-verified", region="eu")
    site.callback(BODY)
    site.clock.advance(60)
    site.callback(
        {"job_id": "job-1", "status": "provisioning", "step": "server_created", "note": "☁"}
    )
    site.callback({"job_id": "stray", "type": "heartbeat", "occurred_at": "2026-03-02T11:00:00Z"})
    site.post_job(
        {"job_id": "job-2", "agent_id": "agent-2", "user_id": "user-2"},
        headers={"Idempotency-Key": "key-2"},
    )
    site.report("job-2", status="failed", error="boom", **MACHINE)
    site.project()
    return site, move.done()


def test_jobs_instances_and_timelines_are_the_same(moved: tuple[Site, Site]) -> None:
    """Before the projector has folded anything, and after it."""
    old, new = moved
    paths = [
        f"/api/jobs/{job}{rest}"
        for job in ("job-1", "job-2", "stray")
        for rest in ("", "/timeline")
    ]
    paths += ["/api/agents/agent-1/instance", "/api/agents/agent-2/instance"]

    for _ in range(2):
        assert [new.read(path) for path in paths] == [old.read(path) for path in paths]
        new.project()
    assert new.read("/api/jobs") == old.read("/api/jobs")
    for site in moved:
        assert site.read("/readyz")["set_aside"] == 0


def test_etags_stay_valid(moved: tuple[Site, Site]) -> None:
    """A page that polls is told that nothing has changed."""
    old, new = moved
    tag = old.get("/api/jobs/job-1").headers["ETag"]

    assert new.get("/api/jobs/job-1", headers={"If-None-Match": tag}).status_code == 304


def test_a_redelivered_callback_gets_its_first_receipt(moved: tuple[Site, Site]) -> None:
    old, new = moved
    receipt = old.callback(BODY).json

    answer = new.callback(BODY)

    assert answer.json == receipt
    assert receipt is not None
    assert receipt["duplicate"] is True
    assert new.position == old.position


def test_a_callback_id_with_another_body_is_a_conflict(moved: tuple[Site, Site]) -> None:
    changed = BODY.replace(b"provisioning", b"running")

    for site in moved:
        problem_of(site.callback(changed), 409, "callback-conflict")


def test_a_repeated_registration_gets_its_job(moved: tuple[Site, Site]) -> None:
    body = {"job_id": "job-2", "agent_id": "agent-2", "user_id": "user-2"}

    for site in moved:
        answer = site.post_job(body, headers={"Idempotency-Key": "key-2"})
        assert answer.status_code == 201
        assert answer.json is not None
        assert answer.json["duplicate"] is True
        other = site.post_job({**body, "region": "moon"}, headers={"Idempotency-Key": "key-2"})
        problem_of(other, 409, "registration-conflict")


def test_a_user_still_has_one_job_in_progress(moved: tuple[Site, Site]) -> None:
    for site in moved:
        refused = site.post_job({"job_id": "job-3", "agent_id": "agent-3", "user_id": "user-1"})
        problem_of(refused, 409, "job-in-progress")
        site.report("job-1", status="failed")
        site.register("job-3", "agent-3", "user-1")


def test_an_agent_still_has_its_newest_job_and_its_user(moved: tuple[Site, Site]) -> None:
    for site in moved:
        taken = site.post_job({"job_id": "job-3", "agent_id": "agent-2", "user_id": "user-3"})
        problem_of(taken, 409, "agent-taken")
        site.register("job-3", "agent-2", "user-2")
        assert site.instance("agent-2")["instance"]["id"] == "job-3"


def test_the_log_goes_on_where_it_was(moved: tuple[Site, Site]) -> None:
    old, new = moved
    position = old.position

    receipt = new.report("job-1", type="heartbeat")

    assert receipt["position"] > position
    assert receipt["version"] == old.job()["version"] + 1
    new.project()
    assert new.read(f"/api/jobs?min_position={receipt['position']}")["jobs"]


def test_silence_is_still_measured_from_the_last_heartbeat(moved: tuple[Site, Site]) -> None:
    for site in moved:
        site.clock.now = site.clock.now.replace(hour=13)
        site.watch()
        assert site.job()["timed_out"] is True


def test_tokens_do_not_move(move: Move) -> None:
    token = move.old_site.token("read")
    assert move.old_site.get("/api/jobs", token).status_code == 200

    new = move.done()

    problem_of(new.get("/api/jobs", token), 401, "invalid-token")
    assert token.encode() not in move.file.read_bytes()
    assert ADMIN.encode() not in move.file.read_bytes()


def test_there_and_back_the_export_is_byte_for_byte_the_same(move: Move, tmp_path: Path) -> None:
    """And so is the root; only the manifests say another time."""
    site = move.old_site
    site.register(user_id="ada\u2028=1")
    site.callback(BODY)
    move.done()
    again = tmp_path / "again.jsonl"

    move.at(move.new)("export", str(again))

    assert again.read_bytes() == move.file.read_bytes()
    first, second = (
        json.loads(path.read_bytes())
        for path in (move.manifest, again.with_name("again.jsonl.manifest.json"))
    )
    first.pop("made_at"), second.pop("made_at")
    assert first == second


def test_an_encrypted_store_moves_sealed(sealed_move: Move, tmp_path: Path) -> None:
    old = sealed_move.old_site
    old.register()
    old.callback(BODY)
    again = tmp_path / "again.jsonl"

    new = sealed_move.done("--sealed")

    sealed_move.at(sealed_move.new)("export", str(again), "--sealed")
    assert again.read_bytes() == sealed_move.file.read_bytes()
    assert b"provisioning" not in again.read_bytes()
    assert new.job() == old.job()
    assert new.callback(BODY).json == old.callback(BODY).json


def test_an_encrypted_store_moves_opened(sealed_move: Move, tmp_path: Path) -> None:
    """It is encrypted again where it comes to."""
    old = sealed_move.old_site
    old.register()
    old.callback(BODY)
    again = tmp_path / "again.jsonl"

    new = sealed_move.done()

    sealed_move.at(sealed_move.new)("export", str(again))
    assert again.read_bytes() == sealed_move.file.read_bytes()
    assert b"provisioning" in again.read_bytes()
    stored = sealed_move.new.milepost.store.history("job-1")
    assert b"provisioning" not in b"".join(row.state for row in stored)
    assert new.job() == old.job()
