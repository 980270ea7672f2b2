"""Refused callbacks leave a trace: a log line, a count, and an event of the job they name."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from api.http.counting.counters import REASONS, REFUSED
from domain.job.events import CallbackRefused
from domain.job.provisioning_job import MAX_REFUSALS
from tests.support.web.site import WEBHOOK, Site, problem_of, sign


def counted() -> dict[str, float]:
    """Return the counters, which are the process's: only their growth is a test's."""
    return {REASONS[kind]: counter._value.get() for kind, counter in REFUSED.items()}


def grown(before: dict[str, float]) -> dict[str, float]:
    return {
        reason: value - before[reason]
        for reason, value in counted().items()
        if value != before[reason]
    }


KEPT: dict[str, dict[str, Any]] = {
    "unknown_status": {"job_id": "job-1", "status": "runing"},
    "missing_status_or_type": {"job_id": "job-1", "state": "failed"},
}


def test_a_refusal_of_a_missing_field_names_the_misspelt_one(memory_site: Site) -> None:
    problem = problem_of(memory_site.callback({"jobid": "job-1", "status": "failed"}), 400)

    assert problem["error"] == "Missing job_id"
    assert problem["detail"] == (
        "The callback has no job_id. Field 'jobid' is unknown; did you mean 'job_id'? "
        "Name the callback's job in the field job_id."
    )


@pytest.mark.parametrize("reason", KEPT)
def test_a_refused_callback_is_an_event_of_its_job(site: Site, reason: str) -> None:
    site.register()
    raw = json.dumps(KEPT[reason]).encode()

    problem = problem_of(site.callback(raw), 400)

    fact = site.facts()[-1]
    assert isinstance(fact, CallbackRefused)
    assert (fact.reason, fact.body, fact.is_base64) == (reason, raw.decode(), False)
    assert fact.detail
    assert problem["detail"].startswith(fact.detail.removesuffix("."))
    assert (fact.signed_by or "").startswith("x-signature:")
    for _ in range(2):
        job = site.job()
        assert (job["status"], job["refused_callbacks"]) == ("pending", 1)
        assert job["last_refusal"] == {
            "at": "2026-03-02T12:00:00+00:00",
            "reason": reason,
            "detail": fact.detail,
        }
        site.project()
    [event] = site.read("/api/jobs/job-1/events?kind=CallbackRefused")["events"]
    assert event["payload"]["reason"] == reason


def test_a_failure_with_unquoted_quotes_leaves_a_trace_in_its_job(site: Site) -> None:
    site.register()
    raw = b'{"job_id": "job-1", "status": "failed", "error": "task "boot" failed"}'

    problem_of(site.callback(raw), 400)

    assert site.job()["last_refusal"]["reason"] == "invalid_json"


def test_two_values_for_one_field_are_kept_as_they_came(site: Site) -> None:
    raw = b'{"job_id": "job-1", "status": "failed", "status": "running", "error": "caf\xe9"}'

    problem_of(site.callback(raw), 400, "invalid-fields")

    [fact] = site.facts()
    assert isinstance(fact, CallbackRefused)
    assert (fact.reason, fact.is_base64) == ("invalid_fields", True)
    assert b64decode(fact.body or "") == raw


def test_a_callback_id_used_twice_is_kept_and_takes_no_id(site: Site) -> None:
    site.report(status="provisioning", callback_id="cb-1")
    site.register()

    for _ in range(2):
        answer = site.callback({"job_id": "job-1", "status": "failed", "callback_id": "cb-1"})
        problem_of(answer, 409, "callback-conflict")
    again = site.report(status="provisioning", callback_id="cb-1")

    assert again["duplicate"]
    assert [type(fact) for fact in site.facts()[2:]] == [CallbackRefused, CallbackRefused]


def test_a_job_that_nobody_registered_begins_with_a_refusal(site: Site) -> None:
    problem_of(site.callback({"job_id": "early", "status": "begun"}), 400)

    assert site.job("early")["refused_callbacks"] == 1
    site.project()
    bound = site.token("read", "write", user_id="user-1")
    site.register("early", token=bound)
    site.report("early", status="provisioning")
    assert site.job("early")["status"] == "provisioning"


def test_a_job_keeps_a_hundred_refusals(memory_site: Site) -> None:
    for number in range(MAX_REFUSALS + 3):
        problem_of(memory_site.callback({"job_id": "job-1", "status": f"no {number}"}), 400)

    assert len(memory_site.facts()) == MAX_REFUSALS == 100
    assert memory_site.report(status="provisioning")["version"] == 101


def test_what_names_no_job_or_is_not_authentic_is_counted_and_logged_only(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted()
    for raw in (b"[]", b'{"status": "failed"}', b'{"job_id": ["x"], "status": "failed"}'):
        problem_of(memory_site.callback(raw), 400)
    problem_of(memory_site.unsigned(b'{"job_id": "job-1", "status": "failed"}'), 401)
    problem_of(memory_site.callback(b"x" * 1_100_000), 413)

    assert memory_site.position == 0
    assert grown(before) == {
        "invalid_json": 1,
        "missing_job_id": 1,
        "invalid_fields": 1,
        "invalid_signature": 1,
        "too_large": 1,
    }
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 5
    assert "1 MiB" in caplog.text


def test_each_refusal_is_counted_once_and_logged_with_its_job(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted()

    problem_of(memory_site.callback({"job_id": "job-1", "status": "runing"}), 400)

    assert grown(before) == {"unknown_status": 1}
    [record] = [record for record in caplog.records if record.levelname == "WARNING"]
    said = record.getMessage()
    assert "(unknown_status) for job 'job-1'" in said
    assert "Did you mean 'running'?" in said


def test_a_bad_request_elsewhere_is_no_refused_callback(memory_site: Site) -> None:
    before = counted()

    problem_of(memory_site.post_job({"agent": "x"}), 400)

    assert grown(before) == {}


def test_every_reason_is_published_before_it_happens(memory_site: Site) -> None:
    text = memory_site.get("/metrics").text

    for reason in REASONS.values():
        assert f'milepost_callbacks_refused_total{{reason="{reason}"}}' in text


def test_an_attacker_without_the_secret_writes_nothing(memory_site: Site) -> None:
    raw = b'{"job_id": "job-1", "status": "begun"}'
    for headers in ({}, {"X-Signature": sign(raw, "guessed secret")}):
        problem_of(memory_site.unsigned(raw, headers, WEBHOOK), 401)

    assert memory_site.position == 0
