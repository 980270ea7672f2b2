"""The seed system's contract, row by row: who points `callback_url` here changes nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from domain.job.events import (
    CallbackRefused,
    Fact,
    HeartbeatReceived,
    JobQueued,
    MetadataReported,
    RollbackRequested,
    StatusReported,
    StepReported,
    StopRequested,
)
from tests.support.stores.deployment import NOON, Deployment
from tests.support.web.site import (
    CALLBACKS,
    MACHINE,
    WEBHOOK,
    Site,
    body_of,
    like_jq,
    moment,
    problem_of,
    sign,
)

PATHS = (WEBHOOK, CALLBACKS)
RUNNING = {"status": "running", **MACHINE}
UI_STEPS = {
    "queued": "Queued",
    "creating": "Creating Server",
    "installing": "Installing Dependencies",
    "configuring": "Configuring Agent",
    "running": "Running",
}


def newest(site: Site) -> Fact:
    return site.facts()[-1]


# Callbacks: the fields


def test_the_signature_is_over_exactly_the_pretty_printed_bytes(site: Site) -> None:
    pretty = b'{\n  "job_id": "job-1",\n  "status": "provisioning"\n}\n'

    taken = site.unsigned(pretty, {"X-Signature": sign(pretty)})
    refused = site.unsigned(pretty, {"X-Signature": sign(pretty.rstrip())})

    assert taken.status_code == 200
    problem_of(refused, 401)


def test_job_id_names_the_job(site: Site) -> None:
    uuid = "5b2c7e0e-2f0b-4f39-a6ce-9a3d9f3a5b11"

    site.report(uuid, status="provisioning")
    site.report("gitlab/pipeline #7", status="provisioning")

    assert [len(site.facts(job_id)) for job_id in (uuid, "gitlab/pipeline #7")] == [1, 1]


def test_type_is_heartbeat_or_absent(site: Site) -> None:
    site.report(type="heartbeat")
    site.report(type="", status="provisioning")
    site.report(type=None, status="provisioning")

    assert [type(fact) for fact in site.facts()] == [
        HeartbeatReceived,
        StatusReported,
        StatusReported,
    ]


@pytest.mark.parametrize("status", ["provisioning", "running", "failed"])
def test_status_is_one_of_three(site: Site, status: str) -> None:
    site.report(status=status)

    fact = newest(site)
    assert isinstance(fact, StatusReported)
    assert fact.status == status


@pytest.mark.parametrize(
    "step",
    ["vm_created", "network_configured", "ansible_started", "ansible_complete", "coffee_made"],
)
def test_step_is_a_known_step_or_one_we_do_not_know(site: Site, step: str) -> None:
    site.report(status="provisioning", step=step)

    fact = newest(site)
    assert isinstance(fact, StepReported)
    assert fact.step == step


@pytest.mark.parametrize("given", ["9876543210", 9876543210])
def test_workflow_run_id_is_a_string_or_a_number(site: Site, given: str | int) -> None:
    site.report(status="provisioning", workflow_run_id=given)

    assert site.job()["workflow_run_id"] == "9876543210"


def test_error_and_failed_step_come_with_failed(site: Site) -> None:
    site.report(status="failed", error="Ansible: unreachable", failed_step="configure_full")

    job = site.job()
    assert (job["error"], job["failed_step"]) == ("Ansible: unreachable", "configure_full")


def test_metadata_of_the_machine_is_kept(site: Site) -> None:
    site.report(**RUNNING)

    job = site.job()
    assert {name: job[name] for name in MACHINE} == MACHINE


def test_empty_metadata_means_absent(site: Site) -> None:
    site.report(status="running", server_id="", server_ip="", tailscale_ip="")

    job = site.job()
    assert [job[name] for name in MACHINE] == [None, None, None]


def test_anything_else_is_accepted_and_kept_in_the_event(site: Site) -> None:
    metadata = {"a.b": [1, None, {"c": 2.5}]}
    extra: dict[str, Any] = {"used_snapshot": True, "mode": "", "metadata": metadata}

    site.report(**extra, status="provisioning", step="vm_created")

    fact = newest(site)
    assert isinstance(fact, StepReported)
    assert fact.extra == extra


# Callbacks: routing, first match wins


def test_rule_1_a_heartbeat_goes_before_everything_else(site: Site) -> None:
    site.report(type="heartbeat", step="vm_created", **RUNNING)

    assert isinstance(newest(site), HeartbeatReceived)
    assert len(site.facts()) == 1


def test_rule_2_provisioning_with_a_step_is_a_step(site: Site) -> None:
    site.report(status="provisioning", step="vm_created", **MACHINE)

    assert isinstance(newest(site), StepReported)
    assert len(site.facts()) == 1


def test_rule_3_running_with_the_whole_machine_is_a_status_with_metadata(site: Site) -> None:
    site.report(**RUNNING)

    assert [type(fact) for fact in site.facts()] == [MetadataReported, StatusReported]


@pytest.mark.parametrize("missing", MACHINE)
def test_rule_4_running_with_part_of_the_machine_is_a_status_only(site: Site, missing: str) -> None:
    site.report(**{**RUNNING, missing: ""})

    [fact] = site.facts()
    assert isinstance(fact, StatusReported)
    assert site.job()["status"] == "running"


def test_rule_4_failed_keeps_its_step_its_failed_step_and_the_machine(site: Site) -> None:
    site.report(status="failed", step="provision", failed_step="provision", **MACHINE)

    [fact, rollback] = site.facts()
    assert isinstance(fact, StatusReported)
    assert (fact.step, fact.failed_step, fact.server_id) == ("provision", "provision", "srv-1")
    assert isinstance(rollback, RollbackRequested)


# Callbacks: the answers


@pytest.mark.parametrize("path", PATHS)
def test_a_recorded_callback_is_answered_with_a_receipt(site: Site, path: str) -> None:
    site.register()

    answer = site.callback({"job_id": "job-1", "status": "provisioning"}, path=path)

    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert body_of(answer) == {
        "received": True,
        "job_id": "job-1",
        "version": 2,
        "position": site.position,
        "duplicate": False,
    }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("late", [{"type": "heartbeat"}, {"status": "provisioning", "step": "x"}])
def test_a_late_step_or_heartbeat_is_received_with_a_warning_in_the_log(
    site: Site, path: str, late: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    site.register()
    site.report(status="provisioning")
    site.report(**RUNNING)

    unknown = site.callback({"job_id": "nobody's", **late}, path=path)
    finished = site.callback({"job_id": "job-1", **late}, path=path)

    assert [unknown.status_code, finished.status_code] == [200, 200]
    assert body_of(unknown)["received"]
    assert body_of(finished)["received"]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert "not registered" in warnings[0]
    assert "already running" in warnings[1]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "signature",
    [None, "", "not hex at all", "ab", "é" * 64, "\uff10" * 64, sign(b"another body"), "0" * 64],
    ids=["missing", "empty", "not hex", "short", "not ASCII", "wide", "wrong", "zeros"],
)
def test_a_bad_signature_is_401_invalid_signature(
    memory_site: Site, path: str, signature: str | None
) -> None:
    raw = like_jq({"job_id": "job-1", "status": "provisioning"})
    said = {} if signature is None else {"X-Signature": _as_sent(signature)}

    answer = memory_site.unsigned(raw, said, path)

    assert problem_of(answer, 401)["error"] == "Invalid signature"
    assert memory_site.position == 0


@pytest.mark.parametrize("path", PATHS)
def test_without_a_secret_every_signature_is_invalid(stores: Deployment, path: str) -> None:
    open_to_nobody = Site(stores, secrets=())

    for secret in ("", "any"):
        answer = open_to_nobody.callback({"job_id": "job-1", "status": "failed"}, secret=secret)
        assert problem_of(answer, 401)["error"] == "Invalid signature"
    assert problem_of(open_to_nobody.unsigned(b"{}", path=path), 401)
    assert open_to_nobody.position == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"text"', b"null", b"17", b"job_id=1"])
def test_a_body_that_is_no_object_is_400_invalid_json(
    memory_site: Site, path: str, raw: bytes
) -> None:
    answer = memory_site.callback(raw, path=path)

    assert problem_of(answer, 400)["error"] == "Invalid JSON"
    assert memory_site.position == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("job_id", [{}, {"job_id": ""}, {"job_id": None}])
def test_no_job_id_is_400_missing_job_id(
    memory_site: Site, path: str, job_id: dict[str, Any]
) -> None:
    answer = memory_site.callback({**job_id, "status": "running"}, path=path)

    assert problem_of(answer, 400)["error"] == "Missing job_id"
    assert memory_site.position == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("empty", [{}, {"status": "", "type": ""}, {"status": None, "type": None}])
def test_neither_status_nor_type_is_400(
    memory_site: Site, path: str, empty: dict[str, Any]
) -> None:
    answer = memory_site.callback({"job_id": "job-1", "step": "vm_created", **empty}, path=path)

    assert problem_of(answer, 400)["error"] == "Missing status or type"
    assert [type(fact) for fact in memory_site.facts()] == [CallbackRefused]


def test_the_real_senders_are_served_from_first_to_last(site: Site) -> None:
    site.register()

    site.report(status="provisioning", workflow_run_id="9876543210")
    for step in ("vm_created", "network_configured", "ansible_started", "ansible_complete"):
        site.report(status="provisioning", step=step)
        site.report(type="heartbeat")
    site.report(**RUNNING, mode="full", used_snapshot=True)
    site.report(type="heartbeat")
    site.report(type="heartbeat")

    shown = site.instance()
    assert shown["instance"]["status"] == "running"
    assert {step["status"] for step in shown["steps"]} == {"completed"}


@pytest.mark.parametrize("ci_step", ["provision", "configure_full", "unknown"])
def test_the_failure_callback_may_name_steps_of_ci_that_are_not_in_the_map(
    site: Site, ci_step: str
) -> None:
    site.register()
    site.report(status="provisioning", step="ansible_started")

    site.report(status="failed", step=ci_step, failed_step=ci_step, error="exit 1", server_id="")

    assert site.job()["failed_step"] == ci_step
    assert _statuses(site)["configuring"] == "error"


# Instance


def test_a_new_instance_has_the_seeds_members_its_times_and_its_health(site: Site) -> None:
    site.register(region="eu-west")

    assert site.instance() == {
        "instance": {
            "id": "job-1",
            "agentId": "agent-1",
            "status": "pending",
            "outcome": None,  # added: more exact than the seed's status
            "attempt": 1,  # added, as all that the seed did not name
            "serverId": None,
            "serverIp": None,
            "tailscaleIp": None,
            "region": "eu-west",
            "error": None,
            "currentStep": None,
            "waitingSince": "2026-03-02T12:00:00+00:00",
            "claimedAt": None,
            "startedAt": None,
            "completedAt": None,
            "stoppedAt": None,
            "createdAt": "2026-03-02T12:00:00+00:00",
            "updatedAt": "2026-03-02T12:00:00+00:00",
        },
        "steps": [
            {"id": "queued", "label": "Queued", "status": "active"},
            {"id": "creating", "label": "Creating Server", "status": "pending"},
            {"id": "installing", "label": "Installing Dependencies", "status": "pending"},
            {"id": "configuring", "label": "Configuring Agent", "status": "pending"},
            {"id": "running", "label": "Running", "status": "pending"},
        ],
        "uptime": None,
        "health": {
            "state": "ok",
            "sentence": "Queued since 12:00:00 UTC; its workflow has not reported yet. "
            "Will be given up at 13:00:00 UTC.",
            "deadline": "start",
            "dueAt": "2026-03-02T13:00:00+00:00",
            "changesAt": "2026-03-02T12:10:00+00:00",
        },
    }


def test_a_running_instance_has_its_machine_and_counts_whole_seconds(site: Site) -> None:
    site.register()
    site.report(status="provisioning")
    started = site.clock.advance(60)
    site.report(**RUNNING)
    site.clock.advance(3599.9)

    shown = site.instance()

    instance = shown["instance"]
    assert moment(instance["startedAt"]) == started
    assert moment(instance["createdAt"]) == NOON
    assert moment(instance["updatedAt"]) == started
    assert (instance["serverId"], instance["serverIp"], instance["tailscaleIp"]) == (
        "srv-1",
        "203.0.113.7",
        "100.64.0.7",
    )
    assert instance["region"] == "us-east"
    assert shown["uptime"] == 3599


@pytest.mark.parametrize("fields", [{"status": "provisioning"}, {"status": "failed"}])
def test_only_a_running_instance_has_an_uptime(site: Site, fields: dict[str, str]) -> None:
    site.register()
    site.report(**fields)
    site.clock.advance(30)

    assert site.instance()["uptime"] is None


def test_a_failed_instance_says_why(site: Site) -> None:
    site.register()
    site.report(status="failed", error="quota exceeded", failed_step="provision")

    instance = site.instance()["instance"]
    assert (instance["status"], instance["error"]) == ("failed", "quota exceeded")
    assert instance["startedAt"] is None


def test_an_agent_of_somebody_else_answers_like_one_that_is_not_there(site: Site) -> None:
    site.register(user_id="ada")
    token = site.token("read", "write", user_id="bob")

    theirs = problem_of(site.get("/api/agents/agent-1/instance", token), 404)
    nobodys = problem_of(site.get("/api/agents/nobody/instance", token), 404)

    assert {**theirs, "instance": ""} == {**nobodys, "instance": ""}
    problem_of(site.stop(token=token), 404)


def test_delete_asks_a_running_instance_to_stop(site: Site) -> None:
    site.register()
    site.report(**RUNNING)

    answer = site.stop()

    assert answer.status_code == 200
    stopped = body_of(answer)
    assert set(stopped) >= {"instance", "steps"}
    assert stopped["instance"]["status"] == "stopping"
    assert {step["status"] for step in stopped["steps"]} == {"completed"}
    assert site.instance() == stopped
    assert stopped["uptime"] is None


def test_delete_may_say_why(site: Site) -> None:
    site.register()
    site.report(**RUNNING)

    refused = problem_of(site.stop(reason="x" * 2001), 400)
    assert "reason" in str(refused["errors"])
    assert site.stop(reason="too dear", colour="red").status_code == 200

    fact = site.facts()[-1]
    assert isinstance(fact, StopRequested)
    assert fact.reason == "too dear"


@pytest.mark.parametrize(
    "reports",
    [[], [{"status": "provisioning"}], [{"status": "failed"}], [RUNNING, "stop"]],
    ids=["pending", "provisioning", "failed", "stopping"],
)
def test_delete_of_anything_else_is_400(site: Site, reports: list[Any]) -> None:
    site.register()
    for report in reports:
        if report == "stop":
            site.stop()
        else:
            site.report(**report)
    before = site.position

    answer = site.stop()

    problem = problem_of(answer, 400)
    assert problem["error"] == "No running instance found for this agent"
    assert site.position == before


# Steps


def _statuses(site: Site) -> dict[str, str]:
    steps = site.instance()["steps"]
    assert {step["id"]: step["label"] for step in steps} == UI_STEPS
    return {step["id"]: step["status"] for step in steps}


def _split(
    completed: int, frontier: str = "active", after: str = "pending", of: int = 5
) -> dict[str, str]:
    told = ["completed"] * completed + [frontier] + [after] * of
    return dict(zip(UI_STEPS, told, strict=False))


@pytest.mark.parametrize(
    ("step", "completed"),
    [
        (None, 1),
        ("coffee_made", 1),
        ("vm_created", 2),
        ("network_configured", 2),
        ("ansible_started", 3),
        ("ansible_complete", 4),
    ],
)
def test_while_provisioning_the_step_decides_what_is_active(
    site: Site, step: str | None, completed: int
) -> None:
    site.register()

    site.report(status="provisioning", step=step)

    assert site.instance()["instance"]["currentStep"] == step
    assert _statuses(site) == _split(completed)


def test_while_pending_only_queued_is_active(site: Site) -> None:
    site.register()

    assert _statuses(site) == _split(0)


@pytest.mark.parametrize("stops", [False, True], ids=["running", "stopping"])
def test_once_running_all_five_are_completed(site: Site, stops: bool) -> None:
    site.register()
    site.report(**RUNNING)
    if stops:
        site.stop()

    assert _statuses(site) == dict.fromkeys(UI_STEPS, "completed")


@pytest.mark.parametrize(
    ("step", "completed"),
    [("vm_created", 2), ("network_configured", 2), ("ansible_started", 3), ("ansible_complete", 4)],
)
def test_a_failure_is_shown_at_the_step_that_was_active(
    site: Site, step: str, completed: int
) -> None:
    site.register()
    site.report(status="provisioning", step=step)

    site.report(status="failed", error="exit 1")

    assert _statuses(site) == _split(completed, "error")


@pytest.mark.parametrize("step", [None, "coffee_made"])
def test_a_failure_before_any_known_step_is_shown_at_installing(
    site: Site, step: str | None
) -> None:
    site.register()
    site.report(status="provisioning", step=step)

    site.report(status="failed")

    assert _statuses(site) == _split(2, "error")


@pytest.mark.parametrize("end", [RUNNING, {"status": "failed"}], ids=["running", "failed"])
def test_the_current_step_is_cleared_at_the_end_and_stays_in_the_history(
    site: Site, end: dict[str, str]
) -> None:
    site.register()
    site.report(status="provisioning", step="ansible_started")

    site.report(**end)

    assert site.instance()["instance"]["currentStep"] is None
    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]
    assert [step["step"] for step in attempt["steps"]] == ["ansible_started"]


# Jobs


def test_a_job_is_queued_with_the_seeds_defaults(site: Site) -> None:
    site.register()

    [fact] = site.facts()
    assert isinstance(fact, JobQueued)
    assert (fact.agent_id, fact.user_id, fact.region) == ("agent-1", "user-1", "us-east")
    job = site.job()
    assert job["status"] == "pending"
    assert (job["retry_count"], job["max_retries"]) == (0, 3)


def test_the_same_idempotency_key_returns_the_same_job(site: Site) -> None:
    body, key = {"agent_id": "agent-1", "user_id": "user-1"}, {"Idempotency-Key": "evt_payment_1"}

    first, again = (site.post_job(body, headers=key) for _ in range(2))

    assert body_of(first)["id"] == body_of(again)["id"]
    assert (body_of(first)["duplicate"], body_of(again)["duplicate"]) == (False, True)
    assert site.position == 1


@pytest.mark.parametrize("reports", [[], [{"status": "provisioning"}]])
def test_a_second_job_in_progress_is_refused_in_the_seeds_words(
    site: Site, reports: list[dict[str, str]]
) -> None:
    site.register()
    for report in reports:
        site.report(**report)
    before = site.position

    answer = site.post_job({"agent_id": "agent-2", "user_id": "user-1"})

    assert problem_of(answer, 409)["error"] == (
        "A provisioning job is already in progress. Please wait for it to complete."
    )
    assert site.position == before


@pytest.mark.parametrize("end", [RUNNING, {"status": "failed"}], ids=["running", "failed"])
def test_after_the_end_the_next_job_may_come(site: Site, end: dict[str, str]) -> None:
    site.register()
    site.report(status="provisioning")
    site.report(**end)

    site.register("job-2", "agent-2")


def test_another_user_may_have_a_job_in_progress_meanwhile(site: Site) -> None:
    site.register()

    site.register("job-2", "agent-2", "user-2")


def test_provisioning_sets_claimed_at_and_the_run_id(site: Site) -> None:
    site.register()
    claimed = site.clock.advance(5)

    site.report(status="provisioning", workflow_run_id=42)

    job = site.job()
    assert (moment(job["claimed_at"]), job["workflow_run_id"]) == (claimed, "42")
    assert (job["completed_at"], job["started_at"]) == (None, None)


def test_running_sets_completed_at_started_at_the_machine_and_keeps_the_region(site: Site) -> None:
    site.register(region="ap-south")
    site.report(status="provisioning")
    ended = site.clock.advance(300)

    site.report(**RUNNING)

    job = site.job()
    assert (moment(job["completed_at"]), moment(job["started_at"])) == (ended, ended)
    assert {name: job[name] for name in MACHINE} == MACHINE
    assert (job["region"], site.instance()["instance"]["region"]) == ("ap-south", "ap-south")


def test_failed_sets_completed_at_and_error_and_asks_for_a_rollback(site: Site) -> None:
    site.register()
    site.report(status="provisioning")
    ended = site.clock.advance(300)

    site.report(status="failed", error="exit 1", failed_step="configure_full", **MACHINE)

    job = site.job()
    assert (moment(job["completed_at"]), job["started_at"]) == (ended, None)
    assert (job["error"], job["failed_step"]) == ("exit 1", "configure_full")
    assert moment(job["rollback_requested_at"]) == ended
    rollback = newest(site)
    assert isinstance(rollback, RollbackRequested)
    assert (rollback.server_id, rollback.server_ip) == ("srv-1", "203.0.113.7")


def test_a_failure_without_a_machine_has_nothing_to_roll_back(site: Site) -> None:
    site.register()

    site.report(status="failed", server_id="", server_ip="", tailscale_ip="")

    assert site.job()["rollback_requested_at"] is None


def test_a_heartbeat_sets_the_time_only_while_provisioning(site: Site) -> None:
    site.register()
    assert site.job()["last_heartbeat_at"] is None

    site.report(status="provisioning")
    heard = site.clock.advance(60)
    site.report(type="heartbeat")
    site.report(**RUNNING)
    site.clock.advance(60)
    site.report(type="heartbeat")

    assert moment(site.job()["last_heartbeat_at"]) == heard


def test_silence_of_900_seconds_since_the_claim_is_no_timeout_and_more_is(site: Site) -> None:
    site.register()
    site.clock.advance(5000)
    site.report(status="provisioning")

    site.clock.advance(900)
    site.watch()
    site.services.milepost.time_out("job-1")
    assert site.job()["status"] == "provisioning"

    site.clock.advance(1)
    site.watch()
    job = site.job()
    assert (job["status"], job["error"]) == ("failed", "Timeout: No heartbeat for 901s")
    assert job["timed_out"]


def test_the_last_heartbeat_is_what_silence_is_measured_from(site: Site) -> None:
    site.register()
    site.report(status="provisioning", step="ansible_started")
    site.clock.advance(800)
    site.report(type="heartbeat")

    site.clock.advance(900)
    site.watch()
    assert site.job()["status"] == "provisioning"

    site.clock.advance(100)
    site.watch()
    shown = site.instance()
    assert shown["instance"]["error"] == "Timeout: No heartbeat for 1000s"
    assert _statuses(site) == _split(3, "error")


def test_a_job_whose_workflow_never_comes_lets_its_user_try_again_after_an_hour(site: Site) -> None:
    site.watch()
    site.register()

    site.clock.advance(3601)
    site.watch()

    assert site.job()["error"] == "Timeout: No callback of the workflow for 3601s"
    site.register("job-2", "agent-2")


def test_a_heartbeat_of_a_pending_job_is_a_sign_of_life(site: Site) -> None:
    site.register()

    site.report(type="heartbeat")

    job = site.job()
    assert (job["status"], job["silent_since"]) == ("provisioning", job["last_heartbeat_at"])
    assert job["claimed_at"] == job["silent_since"]


def test_a_page_says_how_alive_its_job_is(site: Site) -> None:
    """Apart from the status, and in a sentence that a person can read."""
    site.watch()
    site.register()
    assert site.instance()["health"] == {
        "state": "ok",
        "sentence": "Queued since 12:00:00 UTC; its workflow has not reported yet. "
        "Will be given up at 13:00:00 UTC.",
        "deadline": "start",
        "dueAt": "2026-03-02T13:00:00+00:00",
        "changesAt": "2026-03-02T12:10:00+00:00",
    }

    site.report(type="heartbeat")
    site.clock.advance(250)
    sentence = (
        "No heartbeat for 4 min 10 s; one is expected every 60 s. Will be given up at 12:15:00 UTC."
    )
    assert site.instance()["health"]["state"] == "late"
    assert site.instance()["health"]["sentence"] == sentence
    assert site.job()["health"]["sentence"] == sentence

    site.clock.advance(400)
    assert site.job()["health"]["state"] == "unresponsive"
    site.report(**RUNNING)
    assert site.job()["health"] == {
        "state": "ok",
        "sentence": None,
        "deadline": None,
        "due_at": None,
        "changes_at": None,
    }


def test_the_past_of_a_job_has_no_health(site: Site) -> None:
    site.register()

    assert site.read("/api/jobs/job-1?version=1")["health"] is None


def test_a_job_that_runs_may_be_silent(site: Site) -> None:
    site.register()
    site.report(**RUNNING)

    site.clock.advance(100_000)
    site.watch()

    assert site.job()["status"] == "running"


def _as_sent(text: str) -> str:
    # WSGI carries the bytes of a header as latin-1.
    return text.encode().decode("latin-1")
