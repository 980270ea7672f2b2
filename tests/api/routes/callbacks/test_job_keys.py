"""A key per job: it signs callbacks of its job, at the job's own URL, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from api.senders.job_keys import job_key
from api.senders.signing_key import key_id, standard_key
from domain.job.events import CallbackRefused, Received
from tests.support.web.site import (
    CALLBACKS,
    JOB_KEY_SECRET,
    MACHINE,
    SECRET,
    WEBHOOK,
    Site,
    bearer,
    body_of,
    like_jq,
    problem_of,
    sign,
)

SiteWith = Callable[..., AbstractContextManager[Site]]
ODD_IDS = ["job/1", "/", "a/", "//x", "job ä☁", "100%", "a%2Fb", "a?b=c#d", "+ +", "k" * 200]


def path_of(job: dict[str, Any]) -> str:
    """Return the path of the URL that a registration returned."""
    url: str = job["callback_url"]
    return urlsplit(url).path


def send(
    site: Site, job: dict[str, Any], body: dict[str, Any] | bytes, path: str | None = None
) -> TestResponse:
    """Send a callback that the job's key signs, to the job's URL or another path."""
    raw = body if isinstance(body, bytes) else like_jq(body)
    headers = {"X-Signature": sign(raw, job["callback_key"])}
    return site.unsigned(raw, headers, path or path_of(job))


def standard(site: Site, key: str, raw: bytes) -> dict[str, str]:
    timestamp = str(int(site.clock().timestamp()))
    message = f"msg-1.{timestamp}.".encode() + raw
    digest = hmac.new(standard_key(key), message, hashlib.sha256).digest()
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


# What a registration returns


def test_a_registration_returns_the_url_and_the_key_of_the_job(site: Site) -> None:
    answer = site.post_job({"job_id": "job-1", "agent_id": "agent-1"})

    job = body_of(answer)
    assert job["callback_url"] == "http://localhost/api/callbacks/job-1"
    assert job["callback_key"] == job_key(JOB_KEY_SECRET, "job-1")
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_public_url_goes_before_the_address_of_the_request(site_with: SiteWith) -> None:
    with site_with(public_url="https://milepost.example/below") as site:
        job = site.register("job/ä")

        assert job["callback_url"] == ("https://milepost.example/below/api/callbacks/job%2F%C3%A4")


def test_the_key_is_shown_by_the_registration_only(site: Site) -> None:
    key = site.register()["callback_key"]
    site.report(status="provisioning")

    for path in (
        "/api/jobs/job-1",
        "/api/jobs",
        "/api/jobs/job-1/timeline",
        "/api/jobs/job-1/events",
        "/api/agents/agent-1/instance",
    ):
        text = site.get(path).text
        assert key not in text
        assert "callback_key" not in text
    assert key not in str(site.facts())


def test_a_repeated_registration_shows_the_key_to_the_token_that_registered(site: Site) -> None:
    """The first answer may have been lost. The names of tokens and their users are recorded."""
    body = {"job_id": "job-1", "agent_id": "agent-1"}
    headers = {"Idempotency-Key": "payment-1"}
    mine = site.token("write", name="deploy")
    others = [site.token("write", name=name) for name in ("other", "deploy")]
    first = body_of(site.post_job(body, mine, headers))

    again = body_of(site.post_job(body, mine, headers))
    by_others = [body_of(site.post_job(body, other, headers)) for other in others]

    assert again["duplicate"]
    assert again["callback_key"] == first["callback_key"] is not None
    for by_other in by_others:
        assert by_other["duplicate"]
        assert by_other["callback_key"] is None


# Callbacks that it signs


def test_a_job_key_signs_under_each_scheme_and_the_event_names_it(site: Site) -> None:
    job = site.register()
    key = job["callback_key"]
    raw = like_jq({"job_id": "job-1", "type": "heartbeat"})

    for headers in (
        {"X-Signature": sign(raw, key)},
        {"X-Hub-Signature-256": f"sha256={sign(raw, key)}"},
        standard(site, key, raw),
    ):
        assert site.unsigned(raw, headers, path_of(job)).status_code == 200

    name = f"job-key:{key_id(JOB_KEY_SECRET)}"
    signers = [fact.signed_by for fact in site.facts() if isinstance(fact, Received)]
    assert signers == [
        f"x-signature:{name}",
        f"x-hub-signature-256:{name}",
        f"standard-webhooks:{name}",
    ]
    [*_, shown] = site.read("/api/jobs/job-1/events")["events"]
    assert shown["signed_by"] == {"scheme": "standard-webhooks", "key_id": name}


def test_the_body_may_leave_the_job_out_at_the_url_of_a_job(site: Site) -> None:
    job = site.register()

    for body in (
        {"status": "provisioning"},
        {"job_id": "", "type": "heartbeat"},
        {"job_id": None, "type": "heartbeat", "occurred_at": "never"},
    ):
        assert body_of(send(site, job, body))["job_id"] == "job-1"
    assert site.job()["version"] == 4


@pytest.mark.parametrize("job_id", ODD_IDS)
def test_the_url_names_a_job_with_an_odd_id(site: Site, job_id: str) -> None:
    job = site.register(job_id)

    answer = send(site, job, {"job_id": job_id, "status": "provisioning"})

    assert answer.status_code == 200, answer.text
    assert body_of(answer)["job_id"] == job_id


def test_the_shared_secret_signs_at_the_url_of_a_job_too(site: Site) -> None:
    """So that a workflow may take over the URL first, and the key afterwards."""
    raw = like_jq({"job_id": "job-1", "status": "provisioning"})

    assert site.callback(raw, path=f"{CALLBACKS}/job-1").status_code == 200


@pytest.mark.parametrize("fields", [{"status": "failed"}, {"job_id": "job-1", "status": "failed"}])
def test_no_callback_of_the_shared_secret_is_moved_to_another_job_by_its_url(
    site: Site, fields: dict[str, str]
) -> None:
    """The signature covers the body alone: an observer can send it to any URL."""
    site.register()
    site.register("job-2", "agent-2", "user-2")
    captured = like_jq(fields)

    answer = site.callback(captured, path=f"{CALLBACKS}/job-2")

    assert answer.status_code == 400, answer.text
    assert len(site.facts("job-2")) == 1, "neither a callback nor a refusal"


def test_a_refusal_at_the_url_of_a_job_is_kept_in_the_log_of_the_job_that_was_signed(
    site: Site,
) -> None:
    site.register("job-2", "agent-2", "user-2")
    captured = like_jq({"job_id": "job-1", "status": "done"})

    problem_of(site.callback(captured, path=f"{CALLBACKS}/job-2"), 400, "unknown-status")

    assert [type(fact) for fact in site.facts("job-1")] == [CallbackRefused]
    assert len(site.facts("job-2")) == 1


def test_several_secrets_verify_while_rotating(site_with: SiteWith) -> None:
    new_secret = "another secret of thirty-two letters"  # noqa: S105  of nothing
    with site_with() as site:
        old = site.register()
    with site_with(job_key_secrets=(new_secret, JOB_KEY_SECRET)) as site:
        new = site.register("job-2", "agent-2", "user-2")
        assert new["callback_key"] == job_key(new_secret, "job-2")
        for job in (old, new):
            assert send(site, job, {"status": "provisioning"}).status_code == 200
    with site_with(job_key_secrets=(new_secret,)) as site:
        problem_of(send(site, old, {"type": "heartbeat"}), 401, "invalid-signature")


# What it does not sign


@pytest.mark.parametrize(
    "body",
    [
        b'{"job_id": "job-2", "status": "failed"}',
        b'{"job_id": "job-1", "job_id": "job-2", "status": "failed"}',
        b'{"job_id": "job-2", "job_id": "job-1", "status": "failed"}',
        b'{"job_id": "job-2\\u0000", "status": "failed"}',
        b'{"job_id": ["job-2"], "status": "failed"}',
        b'{"job_id": "JOB-1", "status": "failed"}',
        b'{"job_id": " job-1", "status": "failed"}',
    ],
)
def test_the_key_of_one_job_says_nothing_about_another(memory_site: Site, body: bytes) -> None:
    mine = memory_site.register()
    memory_site.register("job-2", "agent-2", "user-2")

    problem = problem_of(send(memory_site, mine, body), 400, "invalid-fields")

    assert list(problem["errors"]) == ["job_id"]
    assert len(memory_site.facts("job-2")) == 1
    [_, refusal] = memory_site.facts()
    assert isinstance(refusal, CallbackRefused), "it is kept in the log of the key's own job"


def test_a_job_that_is_named_elsewhere_in_the_body_counts_for_nothing(site: Site) -> None:
    mine = site.register()
    site.register("job-2", "agent-2", "user-2")
    body = {"status": "provisioning", "Job_ID": "job-2", "metadata": {"job_id": "job-2"}}

    assert body_of(send(site, mine, body))["job_id"] == "job-1"
    assert len(site.facts("job-2")) == 1


@pytest.mark.parametrize(
    "path",
    [
        WEBHOOK,
        CALLBACKS,
        f"{CALLBACKS}/job-2",
        f"{CALLBACKS}/job-1/",
        f"{CALLBACKS}//job-1",
        f"{CALLBACKS}/JOB-1",
        f"{CALLBACKS}/job-1%00",
        f"{CALLBACKS}/job-2/../job-1",
    ],
)
def test_the_key_of_a_job_counts_at_its_own_url_only(memory_site: Site, path: str) -> None:
    mine = memory_site.register()
    memory_site.register("job-2", "agent-2", "user-2")
    before = memory_site.position

    answer = send(memory_site, mine, {"job_id": "job-1", "status": "provisioning"}, path)

    assert answer.status_code in (401, 404), answer.text
    assert memory_site.position == before


@pytest.mark.parametrize("status", ["provisioning", "done"])
def test_the_key_of_a_job_that_is_not_registered_writes_nothing(site: Site, status: str) -> None:
    """As after a restore from a backup that is older than the job: register it again."""
    job = {
        "callback_url": f"http://localhost{CALLBACKS}/job-1",
        "callback_key": job_key(JOB_KEY_SECRET, "job-1"),
    }
    refused = send(site, job, {"status": status})
    assert refused.status_code == (403 if status == "provisioning" else 400)
    site.report(type="heartbeat")

    problem = problem_of(send(site, job, {"type": "heartbeat"}), 403, "not-its-job")

    assert "callback_key" in problem["detail"]
    assert len(site.facts()) == 1
    site.register()
    assert send(site, job, {"type": "heartbeat"}).status_code == 200


def test_no_callback_secret_gives_a_job_key(site: Site) -> None:
    """Who has the shared secret cannot derive the keys, and who has a job's key no other one."""
    job = site.register()
    site.register("job-2", "agent-2", "user-2")
    raw = like_jq({"status": "failed"})

    for guess in (job_key(SECRET, "job-2"), job_key(job["callback_key"], "job-2")):
        headers = {"X-Signature": sign(raw, guess)}
        problem_of(site.unsigned(raw, headers, f"{CALLBACKS}/job-2"), 401, "invalid-signature")


def test_a_job_key_reads_nothing(site: Site) -> None:
    key = site.register()["callback_key"]

    answer = site.client.get("/api/jobs/job-1", headers=bearer(key))

    problem_of(answer, 401, "invalid-token")


def test_a_refused_callback_at_the_url_of_a_job_is_counted_and_kept(site: Site) -> None:
    job = site.register()

    problem_of(send(site, job, b"no JSON"), 400, "invalid-json")

    [_, refusal] = site.facts()
    assert isinstance(refusal, CallbackRefused)
    assert (refusal.reason, refusal.body) == ("invalid_json", "no JSON")
    assert site.job()["refused_callbacks"] == 1


# The shared secret switched off


def test_with_the_shared_secret_off_only_job_keys_sign(site_with: SiteWith) -> None:
    with site_with(takes_shared_secret=False) as site:
        job = site.register()
        raw = like_jq({"job_id": "job-1", "status": "provisioning", **MACHINE})

        for path in (WEBHOOK, CALLBACKS, path_of(job)):
            problem = problem_of(site.callback(raw, path=path), 401, "shared-secret-off")
            assert problem["error"] == "Invalid signature"
            assert "MILEPOST_SHARED_SECRET=off" in problem["detail"]
            assert "callback_url" in problem["detail"]
        assert len(site.facts()) == 1
        assert send(site, job, raw).status_code == 200


def test_with_the_shared_secret_off_unregistered_jobs_are_refused(site_with: SiteWith) -> None:
    with site_with(takes_shared_secret=False) as site:
        raw = like_jq({"job_id": "nobody", "status": "provisioning"})

        problem = problem_of(site.callback(raw), 401, "shared-secret-off")

        assert "Register the job" in problem["detail"]
        assert site.position == 0


def test_with_the_shared_secret_off_undated_signatures_are_still_called_that(
    site_with: SiteWith,
) -> None:
    with site_with(takes_shared_secret=False, dated_signatures=True) as site:
        job = site.register()
        raw = like_jq({"status": "provisioning"})

        problem_of(send(site, job, raw), 401, "undated-signature")
        headers = standard(site, job["callback_key"], raw)
        assert site.unsigned(raw, headers, path_of(job)).status_code == 200


def test_with_the_shared_secret_off_who_registers_an_id_first_hears_nothing_of_its_owner(
    site_with: SiteWith,
) -> None:
    """The owner gets no key of this id, so its workflow has nothing to sign with."""
    with site_with(takes_shared_secret=False) as site:
        eve = site.token("write", user_id="eve", name="eves")
        ada = site.token("write", user_id="ada", name="adas")
        assert site.post_job({"job_id": "job-1", "agent_id": "eves"}, eve).status_code == 201

        refused = site.post_job({"job_id": "job-1", "agent_id": "adas"}, ada)

        assert "callback_key" not in problem_of(refused, 409)
        raw = like_jq({"job_id": "job-1", "status": "running", **MACHINE})
        problem_of(site.callback(raw), 401, "shared-secret-off")
        assert len(site.facts()) == 1
