"""What is possible, and the sentence that says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.errors import NotPossible
from domain.job.callback import Callback
from domain.job.events import Fact, MachineStopped
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.job.runs.orders import Ordered, Requested, machines_left, possible
from tests.support.jobs.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    QUEUED,
    RUNNING,
    STOPPING,
    TIMED_OUT,
    job_after,
)
from tests.support.jobs.orders import COMMANDS, LATER, order, told
from tests.support.jobs.strategies import callbacks, moments
from tests.support.stores.deployment import NOON


@pytest.mark.parametrize(
    ("command", "history", "sentence"),
    [
        (
            "fail",
            (QUEUED, PROVISIONING, RUNNING),
            "The job has ended already (running since 2026-03-02 12:05:00 UTC). "
            "Possible now: stop, stopped.",
        ),
        (
            "cancel",
            (QUEUED, PROVISIONING, RUNNING, STOPPING),
            "The job has ended already (stopping since 2026-03-02 12:08:00 UTC). "
            "Possible now: stopped.",
        ),
        (
            "cancel",
            (QUEUED, PROVISIONING, MACHINE, FAILED),
            "The job has ended already (failed at 2026-03-02 12:05:00 UTC). "
            "Possible now: retry, stopped.",
        ),
        (
            "retry",
            (QUEUED, PROVISIONING),
            "The job is in progress (provisioning since 2026-03-02 12:00:00 UTC). "
            "Possible now: fail, cancel.",
        ),
        (
            "retry",
            (QUEUED,),
            "The job is in progress (pending). Possible now: fail, cancel.",
        ),
        (
            "retry",
            (QUEUED, RUNNING),
            "The job has ended already (running since 2026-03-02 12:05:00 UTC). "
            "Possible now: stop, stopped.",
        ),
        (
            "stopped",
            (QUEUED, PROVISIONING, TIMED_OUT),
            "The job has ended already (timed out at 2026-03-02 12:16:00 UTC), and no machine of "
            "it is left. Possible now: fail, cancel, retry.",
        ),
    ],
)
def test_a_refusal_says_what_is_possible(
    command: Ordered, history: tuple[Fact, ...], sentence: str
) -> None:
    with pytest.raises(NotPossible) as refused:
        order(job_after(*history), command)

    assert str(refused.value) == sentence
    assert all(word in sentence for word in refused.value.possible)


HANDED_OVER = [
    Callback(job_id="job", status="failed", server_id="b"),
    Callback(
        job_id="job",
        status="provisioning",
        step="vm_created",
        workflow_run_id="run-1",
        server_id="b",
    ),
    Callback(job_id="job", status="running", server_id="a"),
]
"""A machine of a failed attempt that the next attempt takes over, and does not run on."""


def test_who_confirms_one_machine_does_not_confirm_the_one_it_stood_for() -> None:
    job = ProvisioningJob("job")
    for number, callback in enumerate(HANDED_OVER):
        job = told(job, callback, NOON + number * timedelta(minutes=20), 0)

    with pytest.raises(
        NotPossible, match=r"'a' \(attempt 2, running\), 'b' \(attempt 2, running\)"
    ):
        order(job, "stopped")

    named = job.confirm_stopped(Requested(LATER), 0, "a").job
    last = order(named, "stopped")
    (event,) = last.events
    assert isinstance(event.fact, MachineStopped)
    assert (event.fact.attempt, event.fact.server_id) == (2, "b")
    assert machines_left(last.job.runs) == []
    assert not order(last.job, "stopped").events


@settings(deadline=None, max_examples=300)
@example(HANDED_OVER, "stopped", 0)
@given(
    st.lists(callbacks(st.none() | moments) | st.sampled_from([*COMMANDS, "time"]), max_size=12),
    st.sampled_from(COMMANDS),
    st.integers(0, 4),
)
def test_an_order_changes_the_job_exactly_if_it_is_possible(
    history: list[Callback | str], command: Ordered, allowed: int
) -> None:
    job = ProvisioningJob("job")
    for number, asked in enumerate(history):
        job = told(job, asked, NOON + number * timedelta(minutes=20), allowed)
    able = possible(job.runs, allowed)
    refusals = list[NotPossible]()
    try:
        outcome = order(job, command, max_retries=allowed)
    except NotPossible as refused:
        refusals, outcome = [refused], Outcome(job)

    if refusals:
        assert refusals[0].possible == able
        assert command not in able or "More than one machine" in str(refusals[0])
    else:
        assert bool(outcome.events) == (command in able)
        assert not order(outcome.job, command, max_retries=allowed).events


def test_an_order_that_is_repeated_is_no_error_whatever_a_clock_has_moved() -> None:
    job = order(ProvisioningJob("job"), "cancel").job
    failed = Callback(job_id="job", status="failed", occurred_at=NOON + timedelta(minutes=1))
    alive = Callback(job_id="job", type="heartbeat", workflow_run_id="8", occurred_at=NOON)
    job = told(told(job, failed, LATER, 0), alive, LATER + timedelta(minutes=20), 0)

    job = order(job, "fail", LATER + timedelta(minutes=40)).job

    assert order(job, "fail", LATER + timedelta(minutes=41)).events == ()
