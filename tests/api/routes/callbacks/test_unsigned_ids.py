"""Ids that no signature covers: `Idempotency-Key` counts together with the body."""

from __future__ import annotations

import hashlib

import pytest

from domain.job.callback import Callback
from domain.job.events import HeartbeatReceived, Received, StatusReported
from tests.support.web.site import MACHINE, Site, body_of, delivery, like_jq, problem_of

HEARTBEAT = like_jq({"job_id": "job-1", "type": "heartbeat"})
RUNNING = like_jq({"job_id": "job-1", "status": "running", **MACHINE})
FAILED = like_jq({"job_id": "job-1", "status": "failed", "error": "no quota"})


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_a_replayed_heartbeat_under_the_key_of_the_final_status_hides_nothing(site: Site) -> None:
    """Who saw one heartbeat could make the final status a 409, which `curl -f` gives up on."""
    site.register()
    site.report(status="provisioning")
    site.callback(HEARTBEAT, headers=keyed("run-7-running"))  # a stranger's replay

    final = site.callback(RUNNING, headers=keyed("run-7-running"))

    assert final.status_code == 200, final.text
    assert not body_of(final)["duplicate"]
    assert site.job()["status"] == "running"


def test_the_same_body_under_the_same_unsigned_key_is_one_callback(site: Site) -> None:
    site.callback(HEARTBEAT, headers=keyed("key-1"))
    first = site.callback(RUNNING, headers=keyed("key-1"))
    again = site.callback(RUNNING, headers=keyed("key-1"))

    assert body_of(again)["duplicate"]
    assert body_of(again)["position"] == body_of(first)["position"] == site.position
    assert len(site.facts()) == 3


def test_a_signed_id_with_another_body_stays_a_conflict_where_an_unsigned_one_was(
    site: Site,
) -> None:
    """An unsigned key takes no signed id away, and opens none."""
    site.callback(HEARTBEAT, headers=keyed("id-1"))

    assert site.unsigned(RUNNING, delivery(site, RUNNING, "id-1")).status_code == 200
    problem_of(site.unsigned(FAILED, delivery(site, FAILED, "id-1")), 409, "callback-conflict")
    assert site.callback(FAILED, headers=keyed("id-1")).status_code == 200
    assert body_of(site.callback(RUNNING, headers=keyed("id-1")))["duplicate"]


def test_a_redelivery_is_known_over_the_upgrade(site: Site) -> None:
    """Older releases named a callback by its id alone, and did not say whether it was signed."""
    digest = hashlib.sha256(RUNNING).hexdigest()
    before = site.deployment.milepost.record(
        Callback(job_id="job-1", status="running", callback_id="key-1", digest=digest)
    )

    by_key = site.callback(RUNNING, headers=keyed("key-1"))
    signed = site.unsigned(RUNNING, delivery(site, RUNNING, "key-1"))
    other = site.callback(FAILED, headers=keyed("key-1"))

    for again in (by_key, signed):
        assert body_of(again)["duplicate"]
        assert body_of(again)["position"] == before.position
    assert body_of(other)["duplicate"] is False
    problem_of(site.unsigned(FAILED, delivery(site, FAILED, "key-1")), 409, "callback-conflict")


def test_an_event_says_whether_its_id_was_signed(site: Site) -> None:
    site.callback(HEARTBEAT, headers=keyed("key-1"))
    site.unsigned(HEARTBEAT, delivery(site, HEARTBEAT, "msg-1"))
    site.report(type="heartbeat", callback_id="in-the-body")
    site.report(type="heartbeat")
    site.callback(RUNNING, headers=keyed("key-2"))

    facts = [fact for fact in site.facts() if isinstance(fact, Received)]

    assert [fact.id_signed for fact in facts] == [False, True, True, None, False, False]
    assert {type(fact) for fact in facts} > {HeartbeatReceived, StatusReported}
    shown = site.read("/api/jobs/job-1/events")["events"]
    assert [event["id_signed"] for event in shown] == [fact.id_signed for fact in facts]
    assert all("id_signed" not in event["payload"] for event in shown)


@pytest.mark.parametrize("key", ["k" * 200, "a/b", "/", "%2F"])
def test_a_long_or_odd_unsigned_key_of_an_odd_job_can_be_stored(site: Site, key: str) -> None:
    """PostgreSQL cannot index a name of more than some 2,700 bytes."""
    # Random characters, because a database may compress what repeats.
    digest = hashlib.shake_256(b"job").digest(400)
    job_id = "".join(chr(0x10000 + int.from_bytes(digest[at : at + 2])) for at in range(0, 400, 2))
    raw = like_jq({"job_id": job_id, "type": "heartbeat"})

    first, again = (site.callback(raw, headers=keyed(key)) for _ in range(2))

    assert (first.status_code, again.status_code) == (200, 200), first.text
    assert [body_of(answer)["duplicate"] for answer in (first, again)] == [False, True]


@pytest.mark.parametrize("key", ["null", "undefined", '""'])
def test_a_key_that_a_tool_wrote_for_nothing_names_no_delivery(site: Site, key: str) -> None:
    first, again = (site.callback(HEARTBEAT, headers=keyed(key)) for _ in range(2))

    assert not body_of(again)["duplicate"]
    assert body_of(again)["position"] > body_of(first)["position"]
    assert f"Idempotency-Key {key!r} stands for no value" in body_of(again)["warning"]
