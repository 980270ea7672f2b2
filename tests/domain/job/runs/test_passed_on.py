"""A machine that another run has taken over, or that said that it runs, is asked back by nobody."""

from __future__ import annotations

from typing import Any

from tests.support.jobs.stories import Story

MACHINE: dict[str, Any] = {
    "server_id": "srv-1",
    "server_ip": "203.0.113.7",
    "tailscale_ip": "100.64.0.7",
}


def test_a_machine_that_ran_is_not_asked_back_when_a_newer_one_is_shown() -> None:
    """No callback names its run, so the second success belongs to the attempt of the first one."""
    told = Story()
    told.hear(status="failed", server_id="srv-1")
    told.hear(status="running", **MACHINE)
    told.hear(status="running", server_id="srv-2", server_ip="10.0.0.2", tailscale_ip="ts")

    assert told.wanted_gone == []


def test_a_machine_that_says_that_it_runs_is_not_asked_back_by_the_next_word() -> None:
    told = Story()
    told.hear(status="failed", workflow_run_id="7", run_attempt=1, server_id="srv-1")
    told.hear(status="running", workflow_run_id="7", run_attempt=1, **MACHINE)
    told.hear(type="heartbeat", workflow_run_id="7", run_attempt=1)

    assert told.wanted_gone == []


def test_a_machine_of_two_failed_runs_is_asked_back_once() -> None:
    told = Story()
    told.hear(status="failed", workflow_run_id="1", server_id="srv-1")
    told.hear(status="provisioning", step="vm_created", workflow_run_id="2", server_id="srv-1")
    told.hear(status="failed", workflow_run_id="2", server_id="srv-1")

    assert told.wanted_gone == [(2, "srv-1")]


def test_a_run_that_was_not_dead_and_then_fails_has_its_machine_asked_back() -> None:
    told = Story()
    told.hear(status="provisioning", step="vm_created", workflow_run_id="1", server_id="srv-1")
    told.wait()
    told.hear(type="heartbeat", workflow_run_id="1")
    assert told.wanted_gone == []
    told.hear(status="failed", workflow_run_id="1")

    assert told.wanted_gone == [(1, "srv-1")]
