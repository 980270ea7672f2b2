"""The oracle sees a machine that a cancelled run left behind, and one that is gone or wanted."""

from __future__ import annotations

from typing import Any

from domain.job.events import AttemptCancelled, Fact, MachineStopped, RollbackRequested
from tests.drill.model.senders import time_at
from tests.drill.oracle.written import Written

CLAIM = "a machine of a cancelled run is left behind"
STEP: dict[str, Any] = {"status": "provisioning", "step": "vm_created"}


def cancelled(at: float, attempt: int) -> Fact:
    return AttemptCancelled(recorded_at=time_at(at), attempt=attempt, requested_by="ops")


def test_a_machine_that_nobody_asked_back_is_left_behind() -> None:
    life = Written("counted")
    life.hear(0, 0, workflow_run_id="101", run_attempt=1, server_id="srv-0", **STEP)
    life.decide(cancelled(10, 1))
    assert CLAIM in life.broken()

    life.decide(RollbackRequested(recorded_at=time_at(11), attempt=1, server_id="srv-0"))

    assert CLAIM not in life.broken()


def test_a_machine_of_two_runs_is_gone_when_it_is_confirmed_as_that_of_one() -> None:
    life = Written("counted")
    named: dict[str, Any] = {"run_attempt": 1, "server_id": "srv-0"}
    life.hear(0, 0, workflow_run_id="101", status="running", **named)
    life.hear(1, 5, workflow_run_id="102", **named, **STEP)
    life.decide(cancelled(10, 2))
    assert CLAIM not in life.broken(), "the first run runs on it"

    life.decide(MachineStopped(recorded_at=time_at(20), attempt=1, requested_by="ops"))

    assert CLAIM not in life.broken()


def test_a_machine_that_another_attempt_asks_back_is_not_left_behind() -> None:
    """A step without a run belongs to the attempt that an operator ended, by its clock."""
    life = Written("seed with clocks")
    life.hear(0, 0, occurred_at=time_at(0), status="provisioning")
    life.decide(cancelled(10, 1))
    failure: dict[str, Any] = {"workflow_run_id": "102", "status": "failed"}
    life.hear(0, 20, occurred_at=time_at(20), server_id="srv-0", **failure)
    life.hear(0, 900, occurred_at=time_at(5), server_id="srv-0", **STEP)

    assert CLAIM not in life.broken()


def test_a_machine_that_a_word_without_a_run_named_beside_another_ones_is_not_claimed() -> None:
    """The clock of that word is slow, so it is of the attempt that was open then."""
    life = Written("seed on two hosts")
    life.hear(0, 10, occurred_at=time_at(10), workflow_run_id="101", status="provisioning")
    life.hear(0, 20, occurred_at=time_at(-900), server_id="srv-0", **STEP)
    life.hear(1, 30, occurred_at=time_at(30), workflow_run_id="102", status="provisioning")
    life.hear(1, 40, occurred_at=time_at(-800), server_id="srv-1", **STEP)
    runs: dict[str, Any] = {"status": "running", "server_id": "srv-0"}
    life.hear(0, 50, occurred_at=time_at(50), workflow_run_id="101", **runs)
    life.decide(cancelled(60, 2))
    life.hear(1, 70, workflow_run_id="102", status="failed", server_id="srv-1")

    assert CLAIM not in life.broken()
