"""Operators' commands: fail, cancel, retry, stopped."""

from __future__ import annotations

from typing import Any

import pytest

from domain.job.events import AttemptCancelled, AttemptStarted, MachineStopped, StopRequested
from tests.support.web.members import JOB
from tests.support.web.site import ADMIN, MACHINE, Site, bearer, body_of, problem_of

COMMANDS = ("fail", "cancel", "retry", "stop", "stopped")


def state_of(job: dict[str, Any]) -> tuple[Any, ...]:
    return job["status"], job["outcome"], job["error"], job["attempt"], job["changed"]


def provisioning(site: Site, job_id: str = "job-1", **registered: str) -> None:
    site.register(job_id, **registered)
    site.report(job_id, status="provisioning", workflow_run_id="run-1")


def running(site: Site) -> None:
    provisioning(site)
    site.report(status="running", workflow_run_id="run-1", **MACHINE)


@pytest.mark.parametrize("command", ["fail", "cancel"])
def test_a_stuck_job_is_ended_and_its_user_may_provision_again(site: Site, command: str) -> None:
    provisioning(site)

    ended = site.ordered(command, reason="the runner was lost")

    assert ended.keys() >= JOB | {"changed"}
    outcome = {"fail": "failed", "cancel": "cancelled"}[command]
    assert state_of(ended) == ("failed", outcome, "the runner was lost", 1, True)
    assert site.post_job({"agent_id": "agent-2", "user_id": "user-1"}).status_code == 201


def test_a_command_is_an_event_with_actor_and_reason(site: Site) -> None:
    provisioning(site)
    token = site.token("write", name="ops")

    assert site.order("cancel", token=token, reason="not wanted").status_code == 200

    fact = site.facts()[-1]
    assert isinstance(fact, AttemptCancelled)
    assert (fact.requested_by, fact.reason) == ("ops", "not wanted")
    event = site.read("/api/jobs/job-1/events")["events"][-1]
    assert event["payload"] == {"attempt": 1, "requested_by": "ops", "reason": "not wanted"}
    assert (event["state"]["status"], event["state"]["outcome"]) == ("failed", "cancelled")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_command_again_answers_the_same(site: Site, command: str) -> None:
    provisioning(site)
    if command in ("stop", "stopped"):
        site.report(status="running", **MACHINE)
    if command == "retry":
        site.report(status="failed", error="boom")
    once, twice = ({}, {}) if command == "stop" else ({"reason": "once"}, {"reason": "twice"})
    first = site.ordered(command, **once)
    before = site.position

    again = site.ordered(command, **twice)

    assert again == {**first, "changed": False}
    assert site.position == before


def test_a_cancelled_instance_is_failed_for_the_seeds_pages_and_says_that_it_was_cancelled(
    site: Site,
) -> None:
    provisioning(site)
    assert site.instance()["instance"]["outcome"] is None

    site.ordered("cancel")

    instance = site.instance()["instance"]
    assert (instance["status"], instance["outcome"]) == ("failed", "cancelled")
    assert instance["error"] == "Cancelled by admin, without a reason."


@pytest.mark.parametrize("by_callback", [False, True])
@pytest.mark.parametrize(
    ("callbacks", "steps"),
    [
        ([], "error pending pending pending pending"),
        ([{"status": "provisioning"}], "completed error pending pending pending"),
        (
            [{"status": "provisioning", "step": "vm_created"}],
            "completed completed error pending pending",
        ),
        (
            [{"status": "provisioning", "step": "ansible_complete"}],
            "completed completed completed completed error",
        ),
    ],
)
def test_a_cancelled_job_stops_at_the_step_that_was_active(
    memory_site: Site, callbacks: list[dict[str, str]], steps: str, by_callback: bool
) -> None:
    site = memory_site
    site.register()
    for each in callbacks:
        site.report(**each)

    if by_callback:
        site.report(status="cancelled")
    else:
        site.ordered("cancel")

    assert [each["status"] for each in site.job()["steps"]] == steps.split()


def test_a_retry_is_pending_until_its_run_begins(site: Site) -> None:
    provisioning(site)
    site.report(status="failed", error="boom", workflow_run_id="run-1")

    retried = site.ordered("retry", reason="the quota was raised")

    assert state_of(retried) == ("pending", None, None, 2, True)
    assert (retried["retry_count"], retried["max_retries"]) == (1, 3)
    started = site.facts()[-1]
    assert isinstance(started, AttemptStarted)
    assert (started.because, started.reason) == ("retry", "the quota was raised")
    site.report(status="provisioning", workflow_run_id="run-2")
    assert (site.job()["status"], site.job()["attempt"]) == ("provisioning", 2)


def test_a_retry_takes_the_users_place_only_if_it_is_free(site: Site) -> None:
    provisioning(site)
    site.report(status="failed", error="boom")
    provisioning(site, "job-2", agent_id="agent-2")

    refused = problem_of(site.order("retry"), 409)

    assert refused["type"] == "urn:milepost:problem:job-in-progress"
    assert "'job-2'" in refused["detail"]
    site.ordered("fail", "job-2")
    site.ordered("retry")
    registered = site.post_job({"agent_id": "agent-3", "user_id": "user-1"})
    assert problem_of(registered, 409)["type"] == "urn:milepost:problem:job-in-progress"


def test_a_stopping_instance_is_stopped_once_somebody_confirms_it(site: Site) -> None:
    running(site)
    site.stop()
    site.clock.advance(90)

    stopped = site.ordered("stopped", reason="destroyed by terraform")

    assert (stopped["status"], stopped["outcome"]) == ("stopped", "stopped")
    instance = site.instance()["instance"]
    assert (instance["status"], instance["outcome"]) == ("stopped", "stopped")
    assert instance["stoppedAt"] == site.clock().isoformat()
    assert {step["status"] for step in site.instance()["steps"]} == {"completed"}
    assert site.instance()["uptime"] is None


def test_a_running_instance_is_asked_to_stop_and_by_whom_is_recorded(site: Site) -> None:
    running(site)

    asked = site.ordered("stop", reason="too dear")

    assert (asked["status"], asked["changed"]) == ("stopping", True)
    assert asked["stop_requested_at"] == site.clock().isoformat()
    fact = site.facts()[-1]
    assert isinstance(fact, StopRequested)
    assert (fact.requested_by, fact.reason) == ("admin", "too dear")
    assert problem_of(site.stop(), 400)["error"] == "No running instance found for this agent"
    assert site.ordered("stopped")["status"] == "stopped"
    assert site.ordered("stop")["changed"] is False


@pytest.mark.parametrize(
    ("end", "status", "possible"),
    [("", "provisioning", ["fail", "cancel"]), ("failed", "failed", ["retry"])],
)
def test_a_stop_of_what_does_not_run_names_the_job_and_says_what_is_possible(
    site: Site, end: str, status: str, possible: list[str]
) -> None:
    provisioning(site)
    if end:
        site.report(status=end)

    refused = problem_of(site.order("stop"), 409, "not-possible")

    assert refused["detail"] == (
        f"Job 'job-1' has no running instance to stop: it is {status}. "
        f"Possible now: {', '.join(possible)}."
    )
    assert refused["possible"] == possible


def test_of_two_machines_the_one_that_is_gone_is_named(site: Site) -> None:
    provisioning(site)
    site.report(status="failed", workflow_run_id="run-1", server_id="srv-1")
    site.report(status="provisioning", workflow_run_id="run-2")
    site.report(status="running", workflow_run_id="run-2", **{**MACHINE, "server_id": "srv-2"})

    refused = problem_of(site.order("stopped"), 409)
    assert "'srv-1' (attempt 1, failed), 'srv-2' (attempt 2, running)" in refused["detail"]

    assert site.ordered("stopped", server_id="srv-1")["status"] == "running"
    fact = site.facts()[-1]
    assert isinstance(fact, MachineStopped)
    assert fact.attempt == 1


def test_a_refused_command_says_what_is_possible(site: Site) -> None:
    running(site)

    refused = problem_of(site.order("cancel"), 409)

    assert refused["type"] == "urn:milepost:problem:not-possible"
    assert refused["detail"] == (
        "The job has ended already (running since 2026-03-02 12:00:00 UTC). "
        "Possible now: stop, stopped."
    )
    assert refused["possible"] == ["stop", "stopped"]


def test_a_reason_need_not_be_given(memory_site: Site) -> None:
    provisioning(memory_site)

    answer = memory_site.client.post("/api/jobs/job-1/cancel", headers=bearer(ADMIN))

    assert (answer.status_code, body_of(answer)["outcome"]) == (200, "cancelled")


@pytest.mark.parametrize(
    "body",
    [
        b'{"reason": 7}',
        b'{"reason": "\\u0007"}',
        b'{"reason": "\\ud800"}',
        b'{"reasons": "misspelt"}',
        b'{"reason": "' + b"x" * 2001 + b'"}',
        b"[]",
        b"no",
    ],
)
def test_a_malformed_reason_is_refused_and_nothing_happens(memory_site: Site, body: bytes) -> None:
    provisioning(memory_site)
    before = memory_site.position

    answer = memory_site.client.post("/api/jobs/job-1/cancel", data=body, headers=bearer(ADMIN))

    assert answer.status_code == 400
    assert memory_site.position == before


def test_a_reason_may_have_lines(memory_site: Site) -> None:
    provisioning(memory_site)

    assert memory_site.ordered("fail", reason="one\ntwo")["error"] == "one\ntwo"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_job_of_another_user_is_not_there(site: Site, command: str) -> None:
    provisioning(site, user_id="user-2")
    token = site.token("write", user_id="user-1")

    assert problem_of(site.order(command, token=token), 404)["title"] == "Job not found"
    assert problem_of(site.order(command, "unknown"), 404)["title"] == "Job not found"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_needs_a_token_that_may_write(memory_site: Site, command: str) -> None:
    provisioning(memory_site)
    path = f"/api/jobs/job-1/{command}"

    assert problem_of(memory_site.client.post(path, json={}), 401)["title"] == "Missing token"
    reader = memory_site.order(command, token=memory_site.token("read"))
    assert problem_of(reader, 403)["title"] == "Missing scope"


def test_a_user_may_end_their_own_job(memory_site: Site) -> None:
    provisioning(memory_site)
    token = memory_site.token("write", user_id="user-1", name="ada")

    assert memory_site.order("cancel", token=token).status_code == 200


def test_jobs_that_need_somebody_are_counted_by_reason(site: Site) -> None:
    provisioning(site)
    site.report(status="failed", server_id="srv-1")
    site.register("job-2", "agent-2", "user-2")
    site.report("job-2", status="provisioning")
    site.clock.advance(200)
    site.project()

    lines = site.get("/metrics").text.splitlines()

    name = "milepost_jobs_needing_attention"
    assert [line for line in lines if line.startswith(name)] == [
        f'{name}{{reason="machine_left"}} 1.0',
        f'{name}{{reason="stopping"}} 0.0',
        f'{name}{{reason="refused"}} 0.0',
        f'{name}{{reason="silent"}} 1.0',
        f'{name}{{reason="pending"}} 0.0',
    ]


def test_commands_are_counted_by_kind_and_outcome(memory_site: Site) -> None:
    def counts(command: str, outcome: str) -> float:
        name = f'milepost_commands_total{{command="{command}",outcome="{outcome}"}} '
        lines = memory_site.get("/metrics").text.splitlines()
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    kinds = [
        ("fail", "recorded"),
        ("fail", "unchanged"),
        ("retry", "recorded"),
        ("stop", "refused"),
    ]
    before = [counts(*kind) for kind in kinds]
    provisioning(memory_site)

    memory_site.ordered("fail")
    memory_site.ordered("fail")
    memory_site.ordered("retry")
    memory_site.stop()

    assert [counts(*kind) for kind in kinds] == [count + 1 for count in before]
