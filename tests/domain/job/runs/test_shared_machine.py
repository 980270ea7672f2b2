"""One machine, reported by several runs of a job: one of them answers for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.job.events import MachineStopped
from domain.job.runs.orders import machines_left
from tests.support.jobs.orders import order
from tests.support.jobs.stories import Story
from tests.support.stores.deployment import NOON

FIRST: dict[str, Any] = {"workflow_run_id": "100", "server_id": "srv-1"}
SECOND: dict[str, Any] = {"workflow_run_id": "101", "server_id": "srv-1"}


def test_a_machine_of_two_failed_runs_is_asked_back_once() -> None:
    story = Story()
    story.hear(status="provisioning", step="vm_created", **FIRST)
    story.hear(status="provisioning", step="ansible_started", **SECOND)

    story.hear(status="failed", **SECOND)
    story.hear(status="failed", **FIRST)

    assert story.wanted_gone == [(2, "srv-1")]


def test_the_newest_failed_run_takes_the_rollback_over() -> None:
    story = Story()
    story.hear(status="failed", **FIRST)

    story.hear(status="failed", **SECOND)

    assert story.wanted_gone == [(2, "srv-1")]


@pytest.mark.parametrize("said", [{}, {"workflow_run_id": "101"}, {"workflow_run_id": "7"}])
def test_who_says_that_it_is_gone_says_so_for_both(said: dict[str, Any]) -> None:
    story = Story()
    story.hear(status="provisioning", step="vm_created", **FIRST)
    story.hear(status="failed", **SECOND)
    story.hear(status="failed", **FIRST)

    story.hear(status="stopped", server_id="srv-1", **said)

    assert not any(each.machines_left for each in story.job.runs.attempts)


def test_several_machines_of_two_runs_are_each_asked_back_once() -> None:
    story = Story()
    for run in ("100", "101"):
        for machine in ("srv-1", "srv-2"):
            story.hear(
                status="provisioning", step="vm_created", workflow_run_id=run, server_id=machine
            )

    story.hear(status="failed", workflow_run_id="100")
    story.hear(status="failed", workflow_run_id="101")

    assert sorted(story.wanted_gone, key=str) == [(2, "srv-1"), (2, "srv-2")]


def test_a_machine_on_which_two_runs_ended_well_stops_for_both() -> None:
    story = Story()
    story.hear(status="running", **FIRST)
    story.hear(status="running", **SECOND)

    story.hear(status="stopped", **SECOND)

    assert story.shown == ("stopped", "srv-1")
    assert [each.status for each in story.job.runs.attempts] == ["stopped", "stopped"]


def test_a_machine_that_a_newer_run_made_again_stays() -> None:
    story = Story()
    story.hear(status="running", **FIRST)
    story.hear(status="running", **SECOND)

    story.hear(status="stopped", **FIRST)

    assert story.shown == ("running", "srv-1")


def test_a_person_who_confirms_it_confirms_it_for_both() -> None:
    story = Story()
    story.hear(status="running", **FIRST)
    story.hear(status="running", **SECOND)

    outcome = order(story.job, "stopped")

    assert [type(fact) for fact in outcome.facts] == [MachineStopped, MachineStopped]


def test_a_machine_that_is_gone_may_be_started_again_by_a_later_clock() -> None:
    story = Story()
    story.hear(status="running", server_id="srv-1", at=1)
    story.hear(status="stopped", server_id="srv-1")
    story.hear(status="running", server_id="srv-2", at=3)
    story.now = NOON + timedelta(hours=1)

    story.hear(status="running", server_id="srv-1", at=60)

    assert story.shown == ("running", "srv-1")


def test_a_failed_machine_that_runs_without_its_name_is_left() -> None:
    story = Story()
    story.hear(status="provisioning", workflow_run_id="8", run_attempt=1, server_id="srv-1")
    story.hear(status="failed", workflow_run_id="8", run_attempt=1, server_id="srv-1")
    assert story.wanted_gone == [(1, "srv-1")]

    story.hear(status="running", workflow_run_id="8", run_attempt=1)

    assert not story.wanted_gone
    assert machines_left(story.job.runs) == [(story.job.attempt, "srv-1")]
