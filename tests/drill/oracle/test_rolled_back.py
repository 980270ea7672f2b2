"""The oracle sees the rollback of a machine that somebody wants, as far as the words tell."""

from __future__ import annotations

from typing import Any

from domain.job.events import MachineStopped, RollbackRequested
from tests.drill.model.senders import time_at
from tests.drill.oracle.written import Written

LEFT = "a machine is left behind"
CLAIM = "a wanted machine is rolled back"
STEP: dict[str, Any] = {"status": "provisioning", "server_id": "srv-0", "step": "vm_created"}
NEXT: dict[str, Any] = {"status": "provisioning", "step": "ansible_started"}
FAILED: dict[str, Any] = {"status": "failed", "server_id": "srv-0"}


def rolled_back(life: Written) -> list[int]:
    return [e.fact.attempt for e in life.history if isinstance(e.fact, RollbackRequested)]


def test_a_rollback_of_the_machine_that_the_newest_run_works_on() -> None:
    life = Written("counted")
    life.hear(0, 0, workflow_run_id="101", run_attempt=1, **STEP)
    life.hear(1, 5, workflow_run_id="102", run_attempt=1, **STEP)
    life.hear(0, 10, workflow_run_id="101", run_attempt=1, **FAILED)
    assert CLAIM not in life.broken()

    life.decide(RollbackRequested(recorded_at=time_at(11), attempt=1, server_id="srv-0"))

    assert CLAIM in life.broken()


def test_two_runs_without_a_name_have_one_machine_and_the_older_one_failed() -> None:
    """By the clocks, all that was said of the machine came before the failure, which came late."""
    life = Written("clock alone")
    life.hear(1, 20, occurred_at=time_at(20), **STEP)
    life.hear(1, 40, occurred_at=time_at(40), **NEXT)
    life.hear(0, 50, sent=30, occurred_at=time_at(30), **FAILED)

    assert rolled_back(life) == [2]
    assert CLAIM not in life.broken()


def test_the_same_words_in_time_come_to_the_same() -> None:
    life = Written("clock alone")
    life.hear(1, 20, occurred_at=time_at(20), **STEP)
    life.hear(0, 30, occurred_at=time_at(30), **FAILED)
    life.hear(1, 40, occurred_at=time_at(40), **NEXT)

    assert rolled_back(life) == [1]
    assert CLAIM not in life.broken()


def test_a_rollback_of_a_machine_that_was_named_after_the_failure() -> None:
    life = Written("clock alone")
    life.hear(1, 40, occurred_at=time_at(40), **STEP)
    life.hear(0, 50, sent=30, occurred_at=time_at(30), **FAILED)
    assert rolled_back(life) == []

    life.decide(RollbackRequested(recorded_at=time_at(51), attempt=2, server_id="srv-0"))

    assert CLAIM in life.broken()


def test_a_machine_of_a_run_that_failed_is_left_behind() -> None:
    life = Written("counted")
    life.hear(0, 0, workflow_run_id="101", run_attempt=1, **STEP)
    life.hear(0, 10, workflow_run_id="101", run_attempt=1, status="failed")
    assert LEFT not in life.broken()

    life.forget(RollbackRequested)

    assert LEFT in life.broken()


def test_a_rollback_of_a_machine_that_was_gone_before_the_next_run_made_it_anew() -> None:
    life = Written("counted")
    life.hear(0, 0, workflow_run_id="101", run_attempt=1, status="running", server_id="srv-0")
    life.decide(RollbackRequested(recorded_at=time_at(5), attempt=1, server_id="srv-0"))
    assert CLAIM in life.broken()

    life.forget(RollbackRequested)
    life.decide(MachineStopped(recorded_at=time_at(10), attempt=1))
    life.hear(1, 20, workflow_run_id="102", run_attempt=1, **STEP)
    life.hear(1, 30, workflow_run_id="102", run_attempt=1, **FAILED)

    assert rolled_back(life) == [2]
    assert not life.broken() & {CLAIM, LEFT}


def test_a_repeated_word_by_a_slow_clock_is_recorded_in_an_attempt_with_another_machine() -> None:
    """The run that it speaks for has been given up: nobody works on its machine."""
    life = Written("seed on two hosts")
    ran: dict[str, Any] = {"server_id": "srv-9", "server_ip": "ip-9", "tailscale_ip": "ts-9"}
    slow: dict[str, Any] = {"occurred_at": time_at(580)}
    life.hear(0, 1000, workflow_run_id="101", occurred_at=time_at(400), status="running", **ran)
    life.hear(1, 1120, workflow_run_id="102", occurred_at=time_at(1120), status="provisioning")
    life.hear(1, 1180, **STEP, **slow)
    life.hear(1, 1220, sent=1180, **STEP, **slow)
    assert [getattr(event.fact, "attempt", None) for event in life.history[-2:]] == [2, 1]

    life.time_out(2200)

    assert rolled_back(life) == [2]
    assert CLAIM not in life.broken()
