"""Registering a job: what is refused, what a repetition is, and what came before."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.job.events import JobQueued
from tests.support.web.members import JOB
from tests.support.web.site import ADMIN, MACHINE, Site, bearer, body_of, moment, problem_of


def test_a_registered_job_is_found_where_the_answer_says(site: Site) -> None:
    answer = site.post_job({"job_id": "job-1", "agent_id": "agent-1", "user_id": "user-1"})

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/jobs/job-1"
    registered = body_of(answer)
    of_registration = {"duplicate", "callback_url", "callback_key"}
    assert registered.keys() == JOB | of_registration
    job = site.read(answer.headers["Location"])
    assert job == {name: registered[name] for name in JOB}
    assert registered["duplicate"] is False


def test_an_agent_is_enough_for_a_registration(site: Site) -> None:
    job = body_of(site.post_job({"agent_id": "agent-1"}))

    assert UUID(job["id"])
    assert (job["region"], job["workflow"], job["user_id"]) == ("us-east", "vm@1", None)
    assert (job["status"], job["attempt"], job["registered"]) == ("pending", 1, True)
    assert site.instance()["instance"]["id"] == job["id"]


def test_two_registrations_without_an_id_are_two_jobs(site: Site) -> None:
    first, second = (body_of(site.post_job({"agent_id": "agent-1"})) for _ in range(2))

    assert first["id"] != second["id"]
    assert site.instance()["instance"]["id"] == second["id"]


def test_a_registration_records_who_asked(site: Site) -> None:
    site.register(token=site.token("write", name="dispatcher"))

    [fact] = site.facts()
    assert isinstance(fact, JobQueued)
    assert fact.requested_by == "dispatcher"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "agent_id"),
        ({"agent_id": ""}, "agent_id"),
        ({"agent_id": None}, "agent_id"),
        ({"agent_id": 7}, "agent_id"),
        ({"agent_id": "a\nb"}, "agent_id"),
        ({"agent_id": "."}, "agent_id"),
        ({"agent_id": ".."}, "agent_id"),
        ({"agent_id": "agent-1", "job_id": "."}, "job_id"),
        ({"agent_id": "agent-1", "job_id": ".."}, "job_id"),
        ({"agent_id": "agent-1", "regoin": "eu"}, "regoin"),
        ({"agent_id": "agent-1", "job_id": ""}, "job_id"),
        ({"agent_id": "agent-1", "job_id": "a\x7fb"}, "job_id"),
        ({"agent_id": "agent-1", "region": ["eu"]}, "region"),
        ({"agent_id": "agent-1", "workflow": 1}, "workflow"),
        ({"agent_id": "agent-1", "user_id": {}}, "user_id"),
    ],
)
def test_a_registration_that_cannot_be_used_names_the_field(
    memory_site: Site, body: dict[str, object], name: str
) -> None:
    problem = problem_of(memory_site.post_job(body), 400, "invalid-fields")

    assert list(problem["errors"]) == [name]
    assert memory_site.position == 0


def test_an_id_that_clients_take_out_of_a_path_is_refused_with_the_reason(
    memory_site: Site,
) -> None:
    """The URL of its callbacks would be that of all jobs' callbacks for every client."""
    problem = problem_of(memory_site.post_job({"agent_id": "agent-1", "job_id": "."}), 400)

    assert problem["errors"] == {
        "job_id": [". cannot be an id: clients take it out of a URL's path."]
    }


@pytest.mark.parametrize("job_id", [".", ".."])
def test_a_callback_of_a_job_that_could_not_be_registered_is_stored(
    memory_site: Site, job_id: str
) -> None:
    receipt = body_of(memory_site.callback({"job_id": job_id, "status": "provisioning"}))

    assert (receipt["job_id"], receipt["version"]) == (job_id, 1)


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_registration_is_an_object(memory_site: Site, body: object) -> None:
    problem_of(memory_site.post_job(body), 400, "invalid-json")


@pytest.mark.parametrize("ref", ["vm-verified", "vm-verified@1"])
def test_a_workflow_is_given_by_name_or_by_name_and_version(site: Site, ref: str) -> None:
    job = site.register(workflow=ref)

    assert job["workflow"] == "vm-verified@1"
    assert [step["label"] for step in job["steps"]][2] == "Joining Network"
    assert len(site.instance()["steps"]) == 6


@pytest.mark.parametrize("ref", ["kubernetes", "vm@2", "vm@", "@1", "VM"])
def test_an_unknown_workflow_is_refused_with_the_known_ones(memory_site: Site, ref: str) -> None:
    answer = memory_site.post_job({"agent_id": "agent-1", "workflow": ref})

    detail = problem_of(answer, 400, "unknown-workflow")["detail"]
    assert "vm@1" in detail
    assert "vm-verified@1" in detail
    assert memory_site.position == 0


def test_a_job_keeps_its_workflow_and_old_step_names_work_as_aliases(site: Site) -> None:
    site.register(workflow="vm-verified")

    site.report(status="provisioning", step="vm_created")

    states = {step["id"]: step["status"] for step in site.instance()["steps"]}
    assert states["networking"] == "active"


def test_a_job_id_is_registered_once(site: Site) -> None:
    site.register()

    answer = site.post_job({"job_id": "job-1", "agent_id": "agent-2", "user_id": "user-2"})

    problem_of(answer, 409, "job-already-registered")
    assert site.job()["agent_id"] == "agent-1"
    assert site.position == 1


def test_a_registrations_content_type_does_not_matter(memory_site: Site) -> None:
    answer = memory_site.client.post(
        "/api/jobs", data=b'{"agent_id": "agent-1"}', headers=bearer(ADMIN)
    )

    assert answer.status_code == 201


# Idempotency


def test_a_repeated_registration_gets_the_job_as_it_stands_now(site: Site) -> None:
    body, key = {"agent_id": "agent-1", "user_id": "user-1"}, {"Idempotency-Key": "key-1"}
    first = body_of(site.post_job(body, headers=key))
    site.report(first["id"], status="running", **MACHINE)

    again = site.post_job(body, headers=key)

    assert again.status_code == 201
    assert again.headers["Location"] == f"/api/jobs/{first['id']}"
    assert (body_of(again)["duplicate"], body_of(again)["status"]) == (True, "running")


def test_another_registration_under_the_same_key_is_a_conflict(site: Site) -> None:
    key = {"Idempotency-Key": "key-1"}
    site.post_job({"agent_id": "agent-1"}, headers=key)

    for other in (
        {"agent_id": "agent-2"},
        {"agent_id": "agent-1", "region": "eu-west"},
        {"agent_id": "agent-1", "workflow": "vm-verified"},
        {"agent_id": "agent-1", "user_id": "user-1"},
    ):
        problem_of(site.post_job(other, headers=key), 409, "registration-conflict")
    assert site.position == 1


def test_defaults_that_are_spelt_out_are_the_same_registration(site: Site) -> None:
    key = {"Idempotency-Key": "key-1"}
    first = site.post_job({"agent_id": "agent-1"}, headers=key)

    again = site.post_job({"agent_id": "agent-1", "region": "us-east"}, headers=key)

    assert body_of(again)["id"] == body_of(first)["id"]


def test_an_idempotency_key_is_as_short_as_any_id(site: Site) -> None:
    body = {"agent_id": "agent-1"}

    problem_of(site.post_job(body, headers={"Idempotency-Key": "k" * 201}), 400, "invalid-fields")
    assert site.post_job(body, headers={"Idempotency-Key": "k" * 200}).status_code == 201


def test_a_refused_registration_does_not_use_up_its_key(site: Site) -> None:
    site.register()
    body, key = {"agent_id": "agent-2", "user_id": "user-1"}, {"Idempotency-Key": "key-1"}
    problem_of(site.post_job(body, headers=key), 409, "job-in-progress")
    site.report(status="failed")

    assert not body_of(site.post_job(body, headers=key))["duplicate"]


# Late registration, agents of others


def test_a_job_may_be_registered_after_its_first_callbacks(site: Site) -> None:
    site.report(status="provisioning", step="ansible_started")
    later = site.clock.advance(10)

    job = site.register()

    assert (job["registered"], job["status"], job["version"]) == (True, "provisioning", 2)
    shown = site.instance()["instance"]
    assert (shown["agentId"], shown["currentStep"]) == ("agent-1", "ansible_started")
    timeline = site.read("/api/jobs/job-1/timeline")
    assert moment(timeline["queued_at"]) == later


def test_a_job_that_is_over_when_it_is_registered_is_in_nobodys_way(site: Site) -> None:
    site.register("job-2", "agent-2")
    site.report("job-1", status="running", **MACHINE)

    assert site.register()["status"] == "running"


def test_an_agent_of_another_user_is_taken(site: Site) -> None:
    site.register(user_id="ada")

    for taker in ({"user_id": "bob"}, {}):
        problem_of(site.post_job({"agent_id": "agent-1", **taker}), 409, "agent-taken")
    assert site.position == 1


def test_an_agent_shows_its_newest_job(site: Site) -> None:
    site.register("old")
    site.report("old", status="failed", error="first try")
    site.register("new")
    site.report("old", status="provisioning", step="vm_created")

    shown = site.instance()["instance"]
    assert (shown["id"], shown["status"], shown["error"]) == ("new", "pending", None)
