"""Posting callbacks: receipts, redelivery, warnings, and what is kept of a body."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from domain.job.events import (
    CallbackRefused,
    HeartbeatReceived,
    Received,
    StatusReported,
    StepReported,
)
from tests.support.stores.deployment import Deployment
from tests.support.web.site import (
    CALLBACKS,
    MACHINE,
    WEBHOOK,
    Site,
    body_of,
    delivery,
    like_jq,
    problem_of,
    sign,
)

STEP = {"job_id": "job-1", "status": "provisioning", "step": "vm_created"}


# Receipts


def test_a_receipt_says_where_the_callback_is_stored(site: Site) -> None:
    site.register()
    site.register("job-2", "agent-2", "user-2")

    first = site.report("job-1", status="provisioning")
    second = site.report("job-2", status="provisioning")
    third = site.report("job-1", status="running", **MACHINE)

    assert (first["job_id"], first["version"]) == ("job-1", 2)
    assert (second["job_id"], second["version"]) == ("job-2", 2)
    assert (third["job_id"], third["version"]) == ("job-1", 4)
    assert first["position"] < second["position"] < third["position"] == site.position


def test_a_receipt_is_read_at_once_without_the_projector(site: Site) -> None:
    site.register()

    receipt = site.report(**_less(STEP))

    job = site.job()
    assert (job["version"], job["position"]) == (receipt["version"], receipt["position"])
    assert job["current_step"] == "vm_created"
    assert site.deployment.read_model.position() == 0


def test_reading_is_the_same_before_and_after_projecting(site: Site) -> None:
    site.register()
    site.report(**_less(STEP))
    site.project()
    site.report(status="provisioning", step="ansible_started")
    before = site.instance(), site.job(), site.read("/api/jobs/job-1/timeline")

    site.project()

    assert (site.instance(), site.job(), site.read("/api/jobs/job-1/timeline")) == before
    assert before[1]["current_step"] == "ansible_started"


def test_both_routes_tell_the_same_job(site: Site) -> None:
    site.callback(STEP, path=WEBHOOK)
    site.callback({**STEP, "step": "ansible_started"}, path=CALLBACKS)

    assert [fact.step for fact in site.facts() if isinstance(fact, StepReported)] == [
        "vm_created",
        "ansible_started",
    ]


def test_the_content_type_of_a_callback_does_not_matter(memory_site: Site) -> None:
    """`curl -d` says that it sends a form."""
    raw = like_jq(STEP)
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain", ""):
        answer = memory_site.unsigned(raw, {"X-Signature": sign(raw), "Content-Type": kind})
        assert answer.status_code == 200, answer.text


# Redelivery


def test_a_repeated_callback_without_an_id_is_recorded_every_time(site: Site) -> None:
    """Every authentic callback is a fact; only an id makes it the same one."""
    receipts = [site.report(**_less(STEP)) for _ in range(2)]

    assert [receipt["duplicate"] for receipt in receipts] == [False, False]
    assert len(site.facts()) == 2


def test_a_delivery_with_the_same_webhook_id_is_recorded_once(site: Site) -> None:
    raw = like_jq(STEP)

    first = site.unsigned(raw, delivery(site, raw, "msg_1"))
    site.report(status="provisioning", step="ansible_started")
    again = site.unsigned(raw, delivery(site, raw, "msg_1", attempt=7))

    assert body_of(again) == _less(body_of(first), "warning") | {"duplicate": True}
    assert len(site.facts()) == 2
    [fact, _] = site.facts()
    assert isinstance(fact, Received)
    assert fact.callback_id == "msg_1"


def test_a_callback_with_the_same_idempotency_key_is_recorded_once(site: Site) -> None:
    first, again = (site.callback(STEP, headers={"Idempotency-Key": "key-1"}) for _ in range(2))

    assert body_of(again) == _less(body_of(first), "warning") | {"duplicate": True}
    assert len(site.facts()) == 1


def test_a_callback_with_the_same_callback_id_is_recorded_once(site: Site) -> None:
    first, again = (site.callback({**STEP, "callback_id": "cb-1"}) for _ in range(2))

    assert body_of(again) == _less(body_of(first), "warning") | {"duplicate": True}
    assert len(site.facts()) == 1


def test_a_redelivery_of_two_facts_gets_the_first_receipt(site: Site) -> None:
    running = {"job_id": "job-1", "status": "running", "callback_id": "cb-1", **MACHINE}

    first, again = body_of(site.callback(running)), body_of(site.callback(running))

    assert (first["version"], again["version"]) == (2, 2)
    assert again["position"] == first["position"] == site.position


def test_a_redelivery_is_known_on_both_routes_and_in_another_process(
    databases: Deployment,
) -> None:
    site = Site(databases)
    here = site.callback({**STEP, "callback_id": "cb-1"}, path=WEBHOOK)
    second = databases.again()
    try:
        there = Site(second).callback({**STEP, "callback_id": "cb-1"}, path=CALLBACKS)
    finally:
        second.close()

    assert body_of(there)["duplicate"]
    assert body_of(there)["position"] == body_of(here)["position"]
    assert len(site.facts()) == 1


def test_another_body_under_the_same_signed_id_is_a_conflict(site: Site) -> None:
    raw, other = like_jq(STEP), like_jq({**STEP, "step": "ansible_started"})
    site.unsigned(raw, delivery(site, raw, "msg_1"))
    site.callback({**STEP, "callback_id": "cb-1"})
    before = site.position

    for answer in (
        site.unsigned(other, delivery(site, other, "msg_1")),
        site.callback({**STEP, "callback_id": "cb-1", "step": "ansible_started"}),
    ):
        problem_of(answer, 409, "callback-conflict")
    assert {type(fact) for fact in site.facts()[before:]} == {CallbackRefused}


def test_the_same_content_written_differently_is_another_body(site: Site) -> None:
    fields = {**STEP, "callback_id": "cb-1"}
    site.callback(like_jq(fields))

    problem_of(site.callback(json.dumps(fields).encode()), 409)


def test_an_id_belongs_to_its_job(site: Site) -> None:
    first = site.callback({**STEP, "callback_id": "cb-1"})
    second = site.callback({**STEP, "job_id": "job-2", "callback_id": "cb-1"})

    assert [body_of(first)["duplicate"], body_of(second)["duplicate"]] == [False, False]


def test_the_signed_id_goes_before_the_others(site: Site) -> None:
    raw = like_jq({**STEP, "callback_id": "in-the-body"})
    headers = {**delivery(site, raw, "msg_1"), "Idempotency-Key": "in-a-header"}

    site.unsigned(raw, headers)
    site.callback(raw, headers={"Idempotency-Key": "in-a-header"})
    site.callback(raw)

    ids = [fact.callback_id for fact in site.facts() if isinstance(fact, Received)]
    assert ids == ["msg_1", "in-the-body"], "an unsigned header must not make a replay new"
    first = site.facts()[0]
    assert isinstance(first, Received)
    assert first.extra == {"callback_id": "in-the-body"}


@pytest.mark.parametrize("length", [201, 6000])
def test_a_longer_id_in_a_header_is_replaced_by_its_hash(site: Site, length: int) -> None:
    raw = like_jq(STEP)
    # Digits of a hash, because a database may compress what repeats.
    long = "".join(hashlib.sha256(bytes([place])).hexdigest() for place in range(100))[:length]
    other = long[:-1] + "z"

    first = body_of(site.unsigned(raw, delivery(site, raw, long)))
    again = body_of(site.unsigned(raw, delivery(site, raw, long)))
    by_key = body_of(site.callback(raw, headers={"Idempotency-Key": other}))

    assert "SHA-256" in first["warning"]
    assert "SHA-256" in by_key["warning"]
    assert [each["duplicate"] for each in (first, again, by_key)] == [False, True, False]
    fact = site.facts()[0]
    assert isinstance(fact, Received)
    assert fact.callback_id == hashlib.sha256(long.encode()).hexdigest()


def test_an_id_of_200_characters_in_a_header_is_fine(site: Site) -> None:
    raw = like_jq(STEP)

    assert site.unsigned(raw, delivery(site, raw, "m" * 200)).status_code == 200
    assert site.callback(raw, headers={"Idempotency-Key": "k" * 200}).status_code == 200


# Warnings


def test_a_callback_for_an_unknown_job_is_kept_with_a_warning(site: Site) -> None:
    receipt = site.report("nobody's", status="provisioning", step="vm_created")

    assert receipt["warning"] == 'job "nobody\'s" is not registered'
    job = site.job("nobody's")
    assert (job["registered"], job["current_step"], job["agent_id"]) == (False, "vm_created", None)


@pytest.mark.parametrize("end", ["running", "failed"])
@pytest.mark.parametrize("late", [{"type": "heartbeat"}, {"status": "provisioning", "step": "x"}])
def test_a_callback_for_a_finished_job_is_kept_and_changes_nothing(
    site: Site, end: str, late: dict[str, str]
) -> None:
    site.register()
    site.report(status="provisioning")
    site.report(status=end)
    before = site.job()

    receipt = site.report(**late)

    assert receipt["warning"].startswith(f"job 'job-1' is already {end}, so this changes nothing")
    retried = end == "failed" and "step" in late
    assert ("without a step starts the next attempt" in receipt["warning"]) == retried
    moved = {"version", "position", "updated_at"}
    after = site.job()
    assert {key: after[key] for key in after.keys() - moved} == {
        key: before[key] for key in before.keys() - moved
    }
    assert after["version"] == before["version"] + 1


def test_the_log_of_a_warning_names_the_job(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    memory_site.register("job-9")

    memory_site.report("job-9", status="provisioning", stpe="vm_created")

    [record] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.getMessage() == (
        "callback recorded all the same for job 'job-9': "
        "field 'stpe' is unknown; did you mean 'step'?"
    )


def test_a_callback_in_good_order_has_no_warning(site: Site) -> None:
    site.register()

    for fields in ({}, {"step": "vm_created"}, {"step": "coffee_made"}):
        assert "warning" not in site.report(status="provisioning", **fields)
    assert "warning" not in site.report(type="heartbeat")
    assert "warning" not in site.report(status="failed", step="provision")


@pytest.mark.parametrize("step", ["vm_create", "VM_CREATED", "ansible-started"])
def test_a_step_that_is_close_to_a_known_one_is_told_with_every_delivery(
    site: Site, step: str
) -> None:
    site.register()
    meant = "ansible_started" if "ansible" in step else "vm_created"

    receipts = [site.report(status="provisioning", step=step, callback_id="a") for _ in range(2)]

    assert [each["duplicate"] for each in receipts] == [False, True]
    for receipt in receipts:
        assert receipt["warning"] == f"step {step!r} is unknown; did you mean {meant!r}?"


def test_a_step_is_compared_with_the_jobs_own_definition(site: Site) -> None:
    site.register(workflow="vm-verified")

    assert "warning" not in site.report(status="provisioning", step="vm_created")
    assert "did you mean" in site.report(status="provisioning", step="ansible_complet")["warning"]


def test_a_redelivery_after_the_end_says_that_a_rerun_needs_another_id(site: Site) -> None:
    site.register()
    begin = {"status": "provisioning", "callback_id": "run-1"}
    site.report(**begin)
    assert "warning" not in site.report(**begin)
    site.report(status="failed", error="quota")

    again = site.report(**begin)

    assert again["duplicate"]
    assert "a re-run needs another id" in again["warning"]
    assert "is failed since" in again["warning"]


# What is kept


def test_known_fields_without_a_place_are_kept_beside_the_unknown(site: Site) -> None:
    site.report(type="heartbeat", status="provisioning", step="x", server_id="srv-1", load=0.5)

    [fact] = site.facts()
    assert isinstance(fact, HeartbeatReceived)
    assert fact.extra == {
        "load": 0.5,
        "status": "provisioning",
        "step": "x",
        "server_id": "srv-1",
    }


def test_unknown_fields_are_kept_as_they_came(site: Site) -> None:
    extra: dict[str, Any] = {
        "used_snapshot": False,
        "mode": "",
        "nothing": None,
        "a.b": {"c.d": [1, 2.5, -0.0, True, None, "ü€😀"]},
        "job": {"id": 7},
        "extra": {"extra": 1},
        "recorded_at": "never",
        "": "no name",
        "big": 2**64 - 1,
        "small": -(2**63),
    }

    site.report(**extra, status="provisioning")

    [fact] = site.facts()
    assert isinstance(fact, StatusReported)
    assert msgspec.json.encode(fact.extra, order="sorted") == msgspec.json.encode(
        extra, order="sorted"
    )


def test_a_body_as_the_workflow_writes_it_is_understood(site: Site) -> None:
    """Shell variables that were not set come as empty strings."""
    raw = b"""{
  "job_id": "job-1",
  "status": "failed",
  "type": "",
  "step": "",
  "workflow_run_id": "",
  "error": "",
  "failed_step": "unknown",
  "server_id": "",
  "server_ip": "",
  "tailscale_ip": "",
  "callback_id": "",
  "occurred_at": "",
  "mode": "full"
}
"""
    answer = site.callback(raw)

    assert answer.status_code == 200
    [fact] = site.facts()
    digest = hashlib.sha256(raw).hexdigest()
    assert isinstance(fact, StatusReported)
    assert fact == StatusReported(
        recorded_at=site.clock(),
        status="failed",
        failed_step="unknown",
        signed_by=fact.signed_by,
        digest=digest,
        extra={"mode": "full"},
    )


def test_a_long_error_is_kept_whole(site: Site) -> None:
    error = "fatal: [srv-1]: UNREACHABLE! => ünreachable\n" * 1000

    site.register()
    site.report(status="failed", error=error)

    assert site.instance()["instance"]["error"] == error


def test_a_callback_method_other_than_post_is_refused(memory_site: Site) -> None:
    for path in (WEBHOOK, CALLBACKS):
        problem_of(memory_site.get(path), 405)


def _less(fields: dict[str, Any], name: str = "job_id") -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def test_an_idempotency_key_that_is_not_ascii_is_left_out_at_both_doors(memory_site: Site) -> None:
    """The front cannot read such a value, so that it could not tell one from another."""
    headers = {"Idempotency-Key": "schl\u00fcssel"}

    answer = memory_site.callback({"job_id": "job-1", "status": "provisioning"}, headers=headers)

    assert "not ASCII" in body_of(answer)["warning"]
    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert fact.callback_id is None


def test_a_doubled_idempotency_key_is_one_id_and_its_sender_is_warned(memory_site: Site) -> None:
    """Both doors join the values of a header that comes twice; see the tests of HTTP/1.1."""
    headers = {"Idempotency-Key": "key-1,key-2"}

    answer = memory_site.callback({"job_id": "job-1", "status": "provisioning"}, headers=headers)

    warning = body_of(answer)["warning"]
    assert "Idempotency-Key has a comma, so 'key-1,key-2' is one id" in warning
    assert "send the header once" in warning
    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert fact.callback_id == "key-1,key-2"
