"""The generated Python client calls every route of a live server, and understands each answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.python import Client, generate
from tests.support.processes.server import SECRET, TOKEN, Make, Server

MACHINE = {"server_id": "srv-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


@pytest.fixture
def server(make_server: Make) -> Server:
    """A server that has just started."""
    return make_server().start()


@pytest.fixture
def client(
    document: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """A client of the server."""
    package = generate(document, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    made = Client(package, server.url, TOKEN, SECRET)
    yield made
    made.close()


STREAMS = {"stream_job", "stream_instance", "stream_jobs"}
"""The generated client waits for the end of an answer, and that of a stream does not come."""


def test_the_generated_client_calls_every_route_and_reads_every_answer(
    server: Server, client: Client
) -> None:
    models = client.models
    assert client.call("get_liveness").status == "alive"
    assert client.call("get_readiness").database.startswith("sqlite")

    registration = models.Registration(agent_id="agent-1", job_id="job-1", user_id="user-1")
    assert client.call("register_job", body=registration).status.value == "pending"
    step = {"status": "provisioning", "step": "vm_created"}
    begun = models.Callback.from_dict({"job_id": "job-1", **step})
    assert client.call("post_callback", body=begun).version == 2
    runs = models.Callback.from_dict({"job_id": "job-1", "status": "running", **MACHINE})
    assert client.call("post_github_webhook", body=runs).duplicate is False

    alive = models.JobCallback(job_id="job-1", type_="heartbeat")
    assert client.call("post_job_callback", "job-1", body=alive).version == 5

    assert client.call("get_job", "job-1").server_id == "srv-1"
    assert client.call("get_job", "job-1", version=1).server_id is None
    changes = client.call("get_job_changes", "job-1", from_="1", to="2").changed
    assert {each.field for each in changes} >= {"status", "current_step"}
    [attempt] = client.call("get_job_timeline", "job-1").attempts
    assert [each.step for each in attempt.steps] == ["vm_created"]
    events = client.call("list_job_events", "job-1", limit=2)
    assert [each.kind for each in events.events] == ["JobQueued", "StepReported"]
    assert client.call("list_events", after=events.next_after).events[0].version == 3
    shown = client.call("get_instance", "agent-1")
    assert shown.instance.server_ip == "203.0.113.7"
    assert client.call("get_instance_changes", "agent-1", from_="1").to.version == 5

    for operation, thing in (
        ("get_job_badge", "job-1"),
        ("get_agent_badge", "agent-1"),
        ("get_workflow_badge", "vm"),
    ):
        assert f">{thing}<" in client.call(operation, thing)
        assert client.call(f"{operation}_endpoint", thing, label="").schema_version == 1
    assert client.call("link_job", "job-1", body=models.JobLink()).path.startswith("/embed/jobs/")
    assert client.call("link_agent", "agent-1", body=models.AgentLink()).expires_at
    assert client.call("link_workflow", "vm", body=models.WorkflowLink()).expires_at

    assert client.call("stop_instance", "agent-1").instance.status.value == "stopping"
    assert client.call("stop_job", "job-1", body=models.Order()).changed is False
    gone = models.Stopped(reason="removed by hand")
    assert client.call("confirm_job_stopped", "job-1", body=gone).status.value == "stopped"
    asked = models.Order(reason="asked for by a test")
    assert client.call("retry_job", "job-1", body=asked).retry_count == 1
    assert client.call("cancel_job", "job-1", body=asked).outcome.value == "cancelled"
    assert client.call("retry_job", "job-1", body=asked).attempt == 3
    assert client.call("fail_job", "job-1", body=asked).status.value == "failed"
    [listed] = client.call("list_jobs", min_position=client.call("get_job", "job-1").position).jobs
    assert listed.outcome.value == "failed"

    assert "milepost_jobs" in client.call("get_metrics")
    assert client.call("get_checkpoint").count("\n") > 4
    server.until(
        lambda: client.ask("prove_event", "job-1", 1).status_code == 200, "has no proof of it"
    )
    assert client.call("prove_event", "job-1", 1).leaf_index == 0
    assert client.call("prove_extension", first_size=1).first_size == 1
    assert client.called == client.operations() - STREAMS


def test_the_generated_client_reads_refusals_and_what_it_has_already(client: Client) -> None:
    absent = client.ask("get_job", "nobody")
    assert (absent.status_code, absent.parsed.type_) == (404, "urn:milepost:problem:job-not-found")
    client.call("register_job", body=client.models.Registration(agent_id="a", job_id="job-1"))
    tag = client.ask("get_job", "job-1").headers["ETag"]

    assert client.ask("get_job", "job-1", if_none_match=tag).status_code == 304
