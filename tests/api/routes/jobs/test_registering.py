"""Jobs: register, list, look at one, and its timeline."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domain.job.events import JobQueued
from tests.support.web.members import JOB
from tests.support.web.site import ADMIN, MACHINE, Site, bearer, body_of, moment, problem_of

NEXT = re.compile(r'^<([^>]+)>; rel="next"$')


def ids(listed: dict[str, Any]) -> list[str]:
    return [job["id"] for job in listed["jobs"]]


# Registration


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


def test_a_list_of_an_outcome_says_what_to_ask_for(memory_site: Site) -> None:
    problem = problem_of(memory_site.get("/api/jobs?status=cancelled"), 400)

    assert problem["errors"]["status"][0] == (
        "cancelled is an outcome: such a job has the status failed and outcome=cancelled."
    )


# One job


def test_a_job_has_exactly_its_members_whatever_happened(site: Site) -> None:
    site.report("unregistered", type="heartbeat")
    site.register()
    site.report(status="failed", error="exit 1", failed_step="provision", **MACHINE)

    assert site.job("unregistered").keys() == JOB
    assert site.job().keys() == JOB


def test_a_job_nobody_heard_of_is_not_found(site: Site) -> None:
    for path in ("/api/jobs/nobody", "/api/jobs/nobody/timeline"):
        assert problem_of(site.get(path), 404, "job-not-found")["error"] == "Job not found"


@pytest.mark.parametrize(
    "job_id",
    [
        "org/repo#12",
        "https://ci.example/runs/1?attempt=2",
        "a//b",
        "trailing/",
        "/leading",
        "x/timeline",
        "timeline",
        "a b",
        "100%",
        "a%2Fb",
        "a+b",
        "a;b=c&d",
        "Zürich",
        "東京😀",
        "a\\b",
        "\"quoted\" 'id'",
        "<b>",
    ],
)
def test_a_job_of_any_name_is_found_where_its_registration_says(
    memory_site: Site, job_id: str
) -> None:
    answer = memory_site.post_job({"job_id": job_id, "agent_id": job_id})
    assert answer.status_code == 201
    location = answer.headers["Location"]

    assert memory_site.read(location)["id"] == job_id
    assert memory_site.read(f"{location}/timeline")["job_id"] == job_id
    escaped = quote(job_id, safe="")
    assert memory_site.read(f"/api/jobs/{escaped}")["id"] == job_id
    agent = memory_site.read(f"/api/agents/{escaped}/instance")
    assert agent["instance"]["agentId"] == job_id


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(job_id=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1))
def test_every_name_that_is_taken_can_be_read(memory_site: Site, job_id: str) -> None:
    assume(not job_id.startswith("/") and not job_id.endswith("/timeline"))  # see above
    if memory_site.callback({"job_id": job_id, "status": "provisioning"}).status_code == 200:
        assert memory_site.read(f"/api/jobs/{quote(job_id)}")["id"] == job_id


# Lists


def populated(site: Site, count: int = 7) -> None:
    """Register jobs 1 to `count`, each of an agent and a user of its own, and project them."""
    for number in range(1, count + 1):
        site.register(f"job-{number}", f"agent-{number}", f"user-{number}")
    site.project()


def test_a_list_has_the_newest_first(site: Site) -> None:
    populated(site, 3)
    site.report("job-1", status="provisioning")
    site.project()

    assert ids(site.read("/api/jobs")) == ["job-3", "job-2", "job-1"]
    assert site.read("/api/jobs")["jobs"][2] == site.job("job-1")


def test_an_empty_list_is_a_list(site: Site) -> None:
    assert site.read("/api/jobs") == {"jobs": []}


def test_a_list_is_as_new_as_the_read_model(site: Site) -> None:
    populated(site, 1)
    site.register("job-2", "agent-2", "user-2")

    assert ids(site.read("/api/jobs")) == ["job-1"]


def test_filters_narrow_a_list(site: Site) -> None:
    site.register("job-1", "agent-1", "ada")
    site.report("job-1", status="failed")
    site.register("job-2", "agent-1", "ada")
    site.report("job-2", status="running", **MACHINE)
    site.register("job-3", "agent-3", "bob")
    site.project()

    for query, expected in (
        ("agent_id=agent-1", ["job-2", "job-1"]),
        ("user_id=ada", ["job-2", "job-1"]),
        ("status=running", ["job-2"]),
        ("status=pending", ["job-3"]),
        ("agent_id=agent-1&status=failed", ["job-1"]),
        ("agent_id=agent-1&user_id=bob", []),
        ("status=stopped", []),
    ):
        assert ids(site.read(f"/api/jobs?{query}")) == expected, query


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_the_link_header_leads_through_every_page(site: Site, limit: int) -> None:
    populated(site)
    path, pages = f"/api/jobs?limit={limit}", []

    while path:
        answer = site.get(path)
        pages.append(ids(body_of(answer)))
        following = NEXT.match(answer.headers.get("Link", ""))
        path = following[1] if following else ""

    assert [job_id for page in pages for job_id in page] == [f"job-{n}" for n in range(7, 0, -1)]
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


def test_jobs_that_come_while_someone_pages_move_nothing(site: Site) -> None:
    populated(site, 4)
    first = site.get("/api/jobs?limit=2")
    site.report("job-3", status="provisioning")
    site.register("job-5", "agent-5", "user-5")
    site.project()

    following = NEXT.match(first.headers["Link"])

    assert following
    assert ids(site.read(following[1])) == ["job-2", "job-1"]


def test_the_next_page_keeps_the_filters(site: Site) -> None:
    user = "Ä & b=c"
    for number in range(4):
        owner = user if number % 2 else "somebody else"
        site.register(f"job-{number}", f"agent-{number}", owner)
        site.report(f"job-{number}", status="failed")
    site.project()

    first = site.get(f"/api/jobs?limit=1&status=failed&user_id={quote(user)}")

    assert ids(body_of(first)) == ["job-3"]
    following = NEXT.match(first.headers["Link"])
    assert following
    second = site.get(following[1])
    assert ids(body_of(second)) == ["job-1"]
    assert "Link" not in second.headers


def test_a_list_waits_for_a_receipts_position(site: Site) -> None:
    populated(site, 1)
    receipt = site.report("job-1", status="provisioning")
    site.project()

    listed = site.read(f"/api/jobs?min_position={receipt['position']}")

    assert listed["jobs"][0]["status"] == "provisioning"


def test_waiting_for_a_position_ends(site: Site) -> None:
    receipt = site.report(status="provisioning")
    reader = site.services.reader

    assert not reader.wait_for(receipt["position"], 0)
    site.project()
    assert reader.wait_for(receipt["position"], 0)
    assert not reader.wait_for(receipt["position"] + 1, 0)


# What needs somebody now


def needing(site: Site, query: str = "", token: str = ADMIN) -> list[tuple[str, list[str]]]:
    listed = site.read(f"/api/jobs?attention=true{query}", token)
    return [
        (job["id"], [reason["reason"] for reason in job["attention"]]) for job in listed["jobs"]
    ]


def in_trouble(site: Site) -> None:
    site.register("pending", "agent-1", "user-1")
    site.register("unresponsive", "agent-2", "user-2")
    site.report("unresponsive", status="provisioning")
    site.register("left", "agent-3", "user-3")
    site.report("left", status="failed", error="boom", server_id="srv-1")
    site.register("refused", "agent-6", "user-6")
    assert site.callback({"job_id": "refused", "status": "exploded"}).status_code == 400
    site.register("runs", "agent-4", "user-4")
    site.report("runs", status="running", **MACHINE)
    site.clock.advance(1500)
    site.register("late", "agent-5", "user-5")
    site.report("late", status="provisioning")
    site.clock.advance(301)
    site.project()


def test_what_needs_somebody_is_listed_the_worst_first_and_says_why(site: Site) -> None:
    in_trouble(site)

    assert needing(site) == [
        ("left", ["machine_left"]),
        ("refused", ["refused", "pending"]),
        ("unresponsive", ["unresponsive"]),
        ("late", ["late"]),
        ("pending", ["pending"]),
    ]
    listed = site.read("/api/jobs?attention=true")["jobs"]
    assert listed[0].keys() == site.job("left").keys() | {"attention"}
    texts = [job["attention"][0]["text"] for job in listed]
    assert texts.pop(1).startswith("A callback was refused, so its news may be lost: ")
    assert texts == [
        "Attempt 1 left the machine srv-1 behind 30 min 1 s ago, and nobody has confirmed that it "
        "is gone. Remove it, then: milepost stopped left --server srv-1",
        "No heartbeat for 30 min 1 s; one is expected every 60 s. Its deadline was 12:15:00 UTC; "
        "it is not given up yet. Look at the workflow's run; if it is dead: "
        "milepost fail unresponsive",
        "No heartbeat for 5 min 1 s; one is expected every 60 s. Will be given up at 12:40:00 UTC. "
        "Look at the workflow's run; if it is dead: milepost fail late",
        "Queued for 30 min 1 s; its workflow has not reported yet. Will be given up at "
        "13:00:00 UTC. Look whether its workflow was dispatched; if nobody wants it: "
        "milepost cancel pending",
    ]
    assert listed[0]["attention"][0]["since"] == "2026-03-02T12:00:00+00:00"


def test_a_stop_that_nobody_confirms_is_listed_and_counted_until_somebody_does(site: Site) -> None:
    site.register("job-1", "agent-1", "user-1")
    site.report("job-1", status="running", **MACHINE)
    site.stop("agent-1")
    counted = 'milepost_jobs_needing_attention{reason="stopping"}'
    site.project()
    site.clock.advance(3599)
    assert needing(site) == []

    site.clock.advance(1)

    assert needing(site) == [("job-1", ["stopping"])]
    assert f"{counted} 1.0" in site.get("/metrics").text
    [reason] = site.read("/api/jobs?attention=true")["jobs"][0]["attention"]
    assert reason["since"] == "2026-03-02T12:00:00+00:00"
    advice = reason["text"].partition("then: milepost ")[2]
    assert advice == f"stopped job-1 --server {MACHINE['server_id']}"

    site.ordered("stopped", "job-1", server_id=MACHINE["server_id"])
    site.project()
    assert needing(site) == []
    assert f"{counted} 0.0" in site.get("/metrics").text


def test_nobody_is_needed_once_it_is_done(site: Site) -> None:
    in_trouble(site)
    site.ordered("stopped", "left")
    for job_id in ("unresponsive", "late", "pending", "refused"):
        site.ordered("fail", job_id)
    site.project()

    assert needing(site) == []


def test_the_list_of_what_needs_somebody_is_paged_and_filtered(site: Site) -> None:
    in_trouble(site)

    path, found = "/api/jobs?attention=true&limit=1", list[str]()
    while True:
        answer = site.get(path)
        found += ids(body_of(answer))
        following = NEXT.match(answer.headers.get("Link", ""))
        if not following:
            break
        path = following[1]

    assert found == ["left", "refused", "unresponsive", "late", "pending"]
    assert needing(site, "&status=failed") == [("left", ["machine_left"])]
    assert needing(site, "&agent_id=agent-5") == [("late", ["late"])]


def test_a_user_is_shown_what_of_theirs_needs_somebody(site: Site) -> None:
    in_trouble(site)
    token = site.token("read", user_id="user-3")

    assert needing(site, token=token) == [("left", ["machine_left"])]
    assert needing(site, "&user_id=user-2", token) == []


@pytest.mark.parametrize("query", ["attention=perhaps", "attention=true&cursor=p7", "cursor=r0p7"])
def test_a_cursor_of_another_list_is_refused(memory_site: Site, query: str) -> None:
    assert problem_of(memory_site.get(f"/api/jobs?{query}"), 400)["title"] == "Invalid fields"


# The timeline


def test_a_timeline_tells_steps_and_how_long_they_took(site: Site) -> None:
    site.register()
    site.clock.advance(10)
    site.report(status="provisioning", workflow_run_id=42)
    for step in ("vm_created", "coffee_made", "ansible_started"):
        site.clock.advance(60)
        site.report(status="provisioning", step=step)
    site.clock.advance(30.5)
    site.report(status="running", **MACHINE)

    timeline = site.read("/api/jobs/job-1/timeline")

    assert timeline.keys() == {"job_id", "version", "position", "queued_at", "attempts"}
    assert timeline["queued_at"] == "2026-03-02T12:00:00+00:00"
    [attempt] = timeline["attempts"]
    assert attempt == {
        "number": 1,
        "status": "running",
        "outcome": "running",
        "present": True,
        "superseded": False,
        "workflow_run_id": "42",
        "run_attempt": None,
        "waiting_since": "2026-03-02T12:00:00+00:00",
        "started_at": "2026-03-02T12:00:10+00:00",
        "finished_at": "2026-03-02T12:03:40.500000+00:00",
        "duration_seconds": 210.5,
        "error": None,
        "failed_step": None,
        "timed_out": False,
        "cancelled": False,
        "server_id": MACHINE["server_id"],
        "rollback_requested_at": None,
        "clock_skew_seconds": None,
        "last_contact_at": "2026-03-02T12:03:40.500000+00:00",
        "steps": attempt["steps"],
        "gaps": [],
    }
    assert [
        (step["step"], step["ui_label"], step["duration_seconds"], step["late"])
        for step in attempt["steps"]
    ] == [
        ("vm_created", "Installing Dependencies", 60.0, False),
        ("coffee_made", None, 60.0, False),
        ("ansible_started", "Configuring Agent", 30.5, False),
    ]
    assert [step["ui_step"] for step in attempt["steps"]] == ["installing", None, "configuring"]
    starts = [moment(step["started_at"]) for step in attempt["steps"]]
    ends = [moment(step["finished_at"]) for step in attempt["steps"]]
    assert ends == [*starts[1:], moment(attempt["finished_at"])]


def test_an_attempt_waits_since_somebody_asked_for_it(site: Site) -> None:
    site.register()
    site.report(status="failed", error="boom")
    site.clock.advance(60)
    site.client.post("/api/jobs/job-1/retry", json={}, headers=bearer(ADMIN))
    site.clock.advance(60)
    site.report(status="provisioning", workflow_run_id=2)
    site.report(job_id="stray", status="provisioning")

    waits = [each["waiting_since"] for each in site.read("/api/jobs/job-1/timeline")["attempts"]]
    [stray] = site.read("/api/jobs/stray/timeline")["attempts"]

    assert waits == ["2026-03-02T12:00:00+00:00", "2026-03-02T12:01:00+00:00"]
    assert stray["waiting_since"] is None


def test_a_step_under_way_has_no_end_yet(site: Site) -> None:
    site.register()
    site.report(status="provisioning", step="vm_created")

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (attempt["finished_at"], attempt["duration_seconds"]) == (None, None)
    [step] = attempt["steps"]
    assert (step["finished_at"], step["duration_seconds"]) == (None, None)


def test_a_timeline_before_the_first_callback_has_one_queued_attempt(site: Site) -> None:
    site.register()

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (attempt["number"], attempt["status"], attempt["steps"]) == (1, "queued", [])
    assert (attempt["started_at"], attempt["last_contact_at"]) == (None, None)


def test_a_retry_is_an_attempt_of_its_own_and_the_first_stays_readable(site: Site) -> None:
    site.register()
    site.report(status="provisioning", workflow_run_id=1)
    site.report(status="provisioning", step="vm_created")
    site.report(status="failed", error="exit 1", failed_step="configure_full")
    site.clock.advance(60)
    site.report(status="provisioning", workflow_run_id=2)
    site.report(status="provisioning", step="ansible_started")

    first, second = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (first["status"], first["error"], first["failed_step"]) == (
        "failed",
        "exit 1",
        "configure_full",
    )
    assert [step["step"] for step in first["steps"]] == ["vm_created"]
    assert (second["number"], second["status"], second["workflow_run_id"]) == (
        2,
        "provisioning",
        "2",
    )
    assert [step["step"] for step in second["steps"]] == ["ansible_started"]
    job = site.job()
    assert (job["attempt"], job["retry_count"], job["error"]) == (2, 1, None)


def test_a_silence_of_more_than_two_minutes_is_a_gap(site: Site) -> None:
    site.register()
    site.report(status="provisioning")
    site.clock.advance(120)
    since = site.clock()
    site.report(type="heartbeat")
    until = site.clock.advance(121)
    site.report(type="heartbeat")

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    [gap] = attempt["gaps"]
    assert (moment(gap["since"]), moment(gap["until"])) == (since, until)
    assert gap["duration_seconds"] == 121.0
    assert moment(attempt["last_contact_at"]) == until


def test_a_step_that_comes_after_the_end_is_late(site: Site) -> None:
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.report(status="running", **MACHINE)
    site.clock.advance(5)
    site.report(status="provisioning", step="ansible_complete")

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert [(step["step"], step["late"]) for step in attempt["steps"]] == [
        ("vm_created", False),
        ("ansible_complete", True),
    ]
    assert attempt["steps"][1]["duration_seconds"] is None


def test_a_timeout_is_told_as_such_with_the_silence_before(site: Site) -> None:
    site.register()
    site.report(status="provisioning")
    site.clock.advance(1000)
    site.watch()

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (attempt["status"], attempt["timed_out"]) == ("failed", True)
    assert attempt["error"] == "Timeout: No heartbeat for 1000s"
    assert [gap["duration_seconds"] for gap in attempt["gaps"]] == [1000.0]


def test_the_senders_clock_orders_steps_that_arrive_out_of_order(site: Site) -> None:
    site.register()
    site.clock.advance(1200)
    site.report(status="provisioning", occurred_at="2026-03-02T12:10:00Z")
    for minute, step in ((13, "ansible_started"), (11, "vm_created"), (12, "network_configured")):
        site.report(
            status="provisioning", step=step, occurred_at=f"2026-03-02T12:{minute}:00+00:00"
        )

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert [(step["step"], step["duration_seconds"]) for step in attempt["steps"]] == [
        ("vm_created", 60.0),
        ("network_configured", 60.0),
        ("ansible_started", None),
    ]
    assert site.job()["current_step"] == "ansible_started"


def test_a_registrations_content_type_does_not_matter(memory_site: Site) -> None:
    answer = memory_site.client.post(
        "/api/jobs", data=b'{"agent_id": "agent-1"}', headers=bearer(ADMIN)
    )

    assert answer.status_code == 201
