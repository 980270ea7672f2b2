"""The main job on real input: the seed system's callbacks, sent as its workflow sends them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.lacking import lacking
from tests.support.processes.server import SECRET, Server, running
from tests.support.stores.postgres_server import create_database

SCRIPT = Path(__file__).with_name("seed_workflow.sh")
NEEDED = ("bash", "curl", "jq", "openssl")
STEPS = ["vm_created", "network_configured", "ansible_started", "ansible_complete"]
NUMBERS = itertools.count(1)
UI = ["queued", "creating", "installing", "configuring", "running"]

# (step last reported, CI step that fails) → (completed, at fault)
FAILURES = [
    (None, "provision", 2, "installing"),
    ("vm_created", "provision", 2, "installing"),
    ("network_configured", "configure_full", 2, "installing"),
    ("ansible_started", "configure_full", 3, "configuring"),
    ("ansible_complete", "unknown", 4, "running"),
]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server on each database; each test has an agent of its own."""
    home, database_url = tmp_path_factory.mktemp("server"), None
    if request.param == "postgres":
        database_url = create_database(request.getfixturevalue("postgres_server_dsn"))
    with running(home, database_url) as server:
        yield server


@pytest.fixture
def agent() -> str:
    """The agent of this test alone."""
    return f"agent-{next(NUMBERS)}"


@pytest.fixture(autouse=True)
def tools() -> None:
    """The workflow's own tools; only a person's machine may lack them."""
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        lacking(f"the seed workflow's callbacks need {', '.join(missing)}")


class Workflow:
    """One run of the seed workflow against a server."""

    def __init__(self, server: Server, job: str) -> None:
        self._server, self._job = server, job

    def __call__(self, what: str, *arguments: str) -> Any:
        """Send one callback and return its receipt; raise when the workflow would fail."""
        environment = {
            "PATH": os.environ["PATH"],
            "CALLBACK_URL": f"{self._server.url}/api/webhooks/github",
            "CALLBACK_SECRET": SECRET,
        }
        command = ["bash", str(SCRIPT), what, self._job, *arguments]
        done = subprocess.run(command, env=environment, check=True, capture_output=True)
        return json.loads(done.stdout) if done.stdout else None


def register(server: Server, agent: str) -> str:
    answer = server.post("/api/jobs", {"agent_id": agent, "user_id": f"user of {agent}"})
    assert answer.status == 201, answer
    return str(answer.body["id"])


def shown(document: Any) -> tuple[str, str | None, list[str]]:
    """Status, current step, and the UI steps' statuses by first letter."""
    instance = document["instance"]
    assert [step["id"] for step in document["steps"]] == UI
    statuses = [step["status"] for step in document["steps"]]
    return instance["status"], instance["currentStep"], statuses


def frontier(completed: int, at_frontier: str) -> list[str]:
    return ["completed"] * completed + [at_frontier] + ["pending"] * (4 - completed)


def test_a_successful_run_shows_the_right_instance_after_every_callback(
    server: Server, agent: str
) -> None:
    workflow = Workflow(server, register(server, agent))
    assert shown(server.instance(agent)) == ("pending", None, frontier(0, "active"))

    workflow("claim", "4711")
    assert shown(server.instance(agent)) == ("provisioning", None, frontier(1, "active"))
    for step, completed in zip(STEPS, (2, 2, 3, 4), strict=True):
        workflow("step", step)
        workflow("heartbeat")
        expected = ("provisioning", step, frontier(completed, "active"))
        assert shown(server.instance(agent)) == expected
    receipt = workflow("running", "4711", "srv-1", "203.0.113.7", "100.64.0.7")

    assert receipt["received"] is True
    document = server.instance(agent)
    assert shown(document) == ("running", None, ["completed"] * 5)
    assert document["instance"]["serverId"] == "srv-1"
    assert document["instance"]["serverIp"] == "203.0.113.7"
    assert document["instance"]["tailscaleIp"] == "100.64.0.7"
    assert document["instance"]["startedAt"] is not None
    assert document["uptime"] >= 0


def test_a_failure_before_the_first_callback_and_a_rerun_with_the_same_id_end_running(
    server: Server,
    agent: str,
) -> None:
    """Four CI steps can fail before the first callback, and that failure names no run."""
    workflow = Workflow(server, register(server, agent))
    workflow("failed_early", "provision")
    assert shown(server.instance(agent))[0] == "failed"

    workflow("claim", "4711")
    assert shown(server.instance(agent)) == ("provisioning", None, frontier(1, "active"))
    for step in STEPS:
        workflow("step", step)
    workflow("running", "4711", "srv-1", "203.0.113.7", "100.64.0.7")

    document = server.instance(agent)
    assert shown(document) == ("running", None, ["completed"] * 5)
    assert document["instance"]["serverId"] == "srv-1"


def test_a_rerun_of_the_failed_part_only_ends_running(server: Server, agent: str) -> None:
    """The CI job that sent the first callback had succeeded, so it is not run again."""
    workflow = Workflow(server, register(server, agent))
    workflow("claim", "4711")
    workflow("step", "vm_created")
    workflow("failed", "4711", "configure_full", "srv-1", "203.0.113.7")
    assert shown(server.instance(agent))[0] == "failed"

    for step in STEPS[1:]:
        workflow("step", step)
    workflow("running", "4711", "srv-1", "203.0.113.7", "100.64.0.7")

    assert shown(server.instance(agent)) == ("running", None, ["completed"] * 5)


def test_late_heartbeats_and_steps_are_taken_and_change_nothing(server: Server, agent: str) -> None:
    workflow = Workflow(server, register(server, agent))
    workflow("claim", "1")
    workflow("step", "ansible_complete")
    workflow("running", "1", "srv-1", "203.0.113.7", "100.64.0.7")
    before = shown(server.instance(agent))

    for late in (workflow("heartbeat"), workflow("heartbeat"), workflow("step", "vm_created")):
        assert late["received"] is True
        assert "already running" in late["warning"]

    assert shown(server.instance(agent)) == before
    assert "already running" in server.log.read_text()


def test_a_failure_at_each_stage_is_blamed_on_the_step_it_happened_at(server: Server) -> None:
    for number, (reached, ci_step, completed, at_fault) in enumerate(FAILURES):
        agent, machine = f"failing-{number}", f"srv-failing-{number}"
        workflow = Workflow(server, register(server, agent))
        workflow("claim", "1")
        for step in STEPS[: STEPS.index(reached) + 1] if reached else []:
            workflow("step", step)

        workflow("failed", "1", ci_step, machine if reached else "", "")

        document = server.instance(agent)
        assert shown(document) == ("failed", None, frontier(completed, "error"))
        assert UI[completed] == at_fault
        assert document["instance"]["error"] == f"Workflow failed at {ci_step}"
        rolled_back = server.get(f"/api/jobs/{document['instance']['id']}").body
        assert (rolled_back["rollback_requested_at"] is not None) == bool(reached)


def test_a_registration_after_the_first_callbacks_finds_what_they_said(
    server: Server, agent: str
) -> None:
    workflow = Workflow(server, "job-early")
    workflow("claim", "1")
    assert "not registered" in workflow("step", "ansible_started")["warning"]

    answer = server.post("/api/jobs", {"agent_id": agent, "job_id": "job-early"})

    assert answer.status == 201
    expected = ("provisioning", "ansible_started", frontier(3, "active"))
    assert shown(server.instance(agent)) == expected


def test_a_redelivery_gets_the_first_receipt_and_is_recorded_once(
    server: Server, agent: str
) -> None:
    workflow = Workflow(server, register(server, agent))
    workflow("claim", "1")
    key = ("-H", "Idempotency-Key: delivery-1")

    first = workflow("step", "vm_created", *key)
    again = workflow("step", "vm_created", *key)

    assert again == {**first, "duplicate": True}
    assert server.get(f"/api/jobs/{first['job_id']}").body["version"] == first["version"]


def test_a_retry_after_a_failure_starts_over_and_keeps_the_first_attempt(
    server: Server, agent: str
) -> None:
    job = register(server, agent)
    workflow = Workflow(server, job)
    workflow("claim", "1")
    workflow("step", "ansible_started")
    workflow("failed", "1", "configure_full", "srv-1", "203.0.113.7")

    workflow("claim", "2")
    workflow("step", "vm_created")

    expected = ("provisioning", "vm_created", frontier(2, "active"))
    assert shown(server.instance(agent)) == expected
    attempts = server.get(f"/api/jobs/{job}/timeline").body["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["failed", "provisioning"]
    assert [step["step"] for step in attempts[0]["steps"]] == ["ansible_started"]
