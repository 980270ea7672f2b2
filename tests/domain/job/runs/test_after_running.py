"""What a machine that runs has to fear from later words: nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.jobs.stories import Story

MACHINE: dict[str, Any] = {
    "server_id": "good",
    "server_ip": "203.0.113.7",
    "tailscale_ip": "100.64.0.7",
}


def test_a_failure_of_the_same_run_id_leaves_the_machine_that_runs() -> None:
    """A re-run of a success keeps the run id; its machine is another one."""
    told = Story()
    told.hear(status="running", workflow_run_id="7", **MACHINE)
    told.hear(status="provisioning", step="vm_created", server_id="bad", workflow_run_id="7")
    told.hear(status="failed", server_id="bad", workflow_run_id="7")

    assert told.shown == ("running", "good")


def test_a_failure_without_a_run_leaves_the_machine_that_runs() -> None:
    told = Story()
    told.hear(status="running", **MACHINE)
    told.hear(status="failed", server_id="bad")

    assert told.shown == ("running", "good")


def test_a_step_without_a_run_leaves_the_machine_that_runs() -> None:
    told = Story()
    told.hear(status="running", **MACHINE)
    told.hear(status="provisioning", step="vm_created", server_id="bad", server_ip="10.0.0.9")

    assert told.shown == ("running", "good")
    assert told.job.attempt.server_ip is not None
    assert told.job.attempt.server_ip.value == MACHINE["server_ip"]


def test_a_machine_that_runs_again_is_not_rolled_back_after_a_later_failure() -> None:
    """The second try goes on with the first one's machine; a third try has another one, and fails.

    The third try's words name no run, so they belong to the second one's attempt.
    """
    told = Story()
    told.hear(status="failed", server_id="good")
    told.hear(status="running", **MACHINE)
    told.rolled_back.clear()
    told.hear(status="failed", server_id="bad")

    assert told.shown == ("running", "good")
    assert told.rolled_back == []


def test_what_running_says_of_its_machine_replaces_what_a_failure_said() -> None:
    """The failure, with a later clock, came first; both name the same run."""
    told = Story()
    told.hear(status="failed", server_id="bad", workflow_run_id="7", at=0.5)
    told.hear(status="running", workflow_run_id="7", at=0.2, **MACHINE)

    assert told.shown == ("running", "good")


def test_running_again_shows_the_newer_machine() -> None:
    told = Story()
    told.hear(status="running", server_id="old", workflow_run_id="7")
    told.hear(status="running", workflow_run_id="7", **MACHINE)

    assert told.shown == ("running", "good")


def test_a_step_that_comes_late_adds_to_the_machine_that_runs() -> None:
    told = Story()
    told.hear(status="running", server_id="good", workflow_run_id="7")
    told.hear(
        status="provisioning",
        step="vm_created",
        server_id="good",
        server_ip="10.0.0.9",
        workflow_run_id="7",
    )

    assert told.job.attempt.server_ip is not None


def test_an_earlier_failure_that_comes_late_does_not_end_what_runs() -> None:
    """The first try's failure comes after the re-run's success, with one right clock."""
    told = Story()
    told.hear(status="provisioning", workflow_run_id="7", at=0)
    told.hear(status="running", workflow_run_id="7", at=3, **MACHINE)
    told.hear(status="failed", workflow_run_id="7", at=1)

    assert told.shown == ("running", "good")
    assert told.rolled_back == []


def test_a_fast_clock_does_not_let_a_later_failure_end_what_runs() -> None:
    """The machine's clock is 10 minutes fast; the failing re-run's clock is right."""
    told = Story()
    told.hear(status="running", workflow_run_id="7", at=11, **MACHINE)
    told.hear(status="failed", server_id="bad", workflow_run_id="7", at=2)

    assert told.shown == ("running", "good")
    assert told.rolled_back == ["bad"]


def test_a_rollback_that_was_asked_for_is_withdrawn_for_the_machine_that_it_named() -> None:
    """The attempt may have named another machine meanwhile."""
    told = Story()
    told.hear(status="provisioning", server_id="first")
    told.now += timedelta(minutes=16)
    told.job = told.job.time_out(told.now).job
    assert told.job.attempt.rolled_back == "first"

    told.hear(status="failed", server_id="second")
    told.hear(status="running", server_id="first")

    assert told.job.attempt.is_machine("first")
    assert not any(each.rollback_requested_at for each in told.job.runs.attempts)
