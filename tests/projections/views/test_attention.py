"""What needs somebody now: which reasons apply when, and in which words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from domain.job.callback import Callback
from domain.job.events import (
    CallbackRefused,
    Fact,
    HeartbeatReceived,
    JobEvent,
    MachineStopped,
    RollbackRequested,
)
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.orders import possible
from domain.workflows.files import load
from projections.views.attention import MOST_OF_A_KIND, attention, candidate, needing
from projections.views.instance import Instance, evolve
from projections.views.reasons import GROUPS
from tests.support.jobs.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    QUEUED,
    ROLLBACK,
    RUNNING,
    STOPPING,
)
from tests.support.jobs.orders import COMMANDS, order, told
from tests.support.jobs.strategies import callbacks, minute
from tests.support.stores.deployment import NOON

WORKFLOWS = load()


def instance_after(*history: Fact, job_id: str = "job") -> Instance:
    instance = Instance(job_id)
    for version, fact in enumerate(history, start=1):
        instance = evolve(instance, JobEvent(job_id, version, fact, version))
    return instance


def left_behind(minutes: int = 5, job_id: str = "job") -> Instance:
    job = ProvisioningJob(job_id)
    facts: list[Fact] = [QUEUED]
    job = job.queue(QUEUED).job
    for callback in (
        Callback(job_id=job_id, status="provisioning"),
        Callback(job_id=job_id, status="failed", server_id="srv-1"),
    ):
        outcome = job.report(callback, minute(minutes))
        facts, job = [*facts, *outcome.facts], outcome.job
    return instance_after(*facts, job_id=job_id)


def kinds(instance: Instance, now: datetime) -> list[str]:
    return [reason.kind for reason in attention(instance, WORKFLOWS, now)]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(60, []), (150, []), (151, ["late"]), (599, ["late"]), (600, ["unresponsive"])],
)
def test_a_silent_job_is_late_and_then_unresponsive(seconds: int, expected: list[str]) -> None:
    silent = instance_after(QUEUED, PROVISIONING)

    assert kinds(silent, NOON + timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(3, []), (4, ["unresponsive"])])
def test_a_job_with_a_short_deadline_needs_somebody_once_it_is_unresponsive(
    seconds: int, expected: list[str]
) -> None:
    """The demo's definition allows 6 s of silence, and a job is unresponsive after two thirds."""
    registered = structs.replace(QUEUED, workflow="milepost-demo@1")

    assert kinds(instance_after(registered, PROVISIONING), NOON + timedelta(seconds=seconds)) == (
        expected
    )


def test_a_heartbeat_ends_the_silence() -> None:
    heard = instance_after(QUEUED, PROVISIONING, HeartbeatReceived(recorded_at=minute(9)))

    assert kinds(heard, minute(10)) == []


@pytest.mark.parametrize(("minutes", "expected"), [(10, []), (11, ["pending"])])
def test_a_job_whose_workflow_does_not_come_is_pending_for_long(
    minutes: int, expected: list[str]
) -> None:
    assert kinds(instance_after(QUEUED), minute(minutes)) == expected


@pytest.mark.parametrize(
    ("used", "kind", "said"),
    [
        ({"srv-1": "job-2"}, "machine_shared", "the job job-2 uses it now: do not remove it."),
        ({"srv-1": None}, "machine_shared", "a job of another user uses it now: do not remove it."),
        ({"srv-2": "job-2"}, "machine_left", "confirmed that it is gone. Remove it, then: "),
        (None, "machine_left", "cannot tell now whether another job uses it: if none does, remove"),
    ],
)
def test_a_machine_that_another_job_uses_must_not_be_removed(
    used: dict[str, str | None] | None, kind: str, said: str
) -> None:
    left = structs.replace(left_behind(), used_elsewhere=used)

    [reason] = attention(left, WORKFLOWS, minute(65))

    assert reason.kind == kind
    assert said in reason.text
    assert reason.text.endswith("emove it, then: milepost stopped job --server srv-1")


def test_a_machine_that_was_left_behind_needs_somebody_until_it_is_gone() -> None:
    left = structs.replace(left_behind(), used_elsewhere={})

    [reason] = attention(left, WORKFLOWS, minute(65))

    assert reason.text == (
        "Attempt 1 left the machine srv-1 behind 1 h 0 min ago, and nobody has confirmed that it "
        "is gone. Remove it, then: milepost stopped job --server srv-1"
    )
    gone = evolve(left, JobEvent("job", 9, MachineStopped(recorded_at=minute(66), attempt=1), 9))
    assert kinds(gone, minute(70)) == []
    assert candidate(gone, WORKFLOWS) is None


@pytest.mark.parametrize(("minutes", "expected"), [(67, []), (68, ["stopping"])])
def test_a_stop_that_nobody_confirms_for_an_hour_needs_somebody(
    minutes: int, expected: list[str]
) -> None:
    """It was asked for 8 minutes after noon."""
    assert kinds(instance_after(QUEUED, RUNNING, STOPPING), minute(minutes)) == expected


def test_a_stop_needs_somebody_until_it_is_confirmed() -> None:
    stopping = instance_after(QUEUED, MACHINE, RUNNING, STOPPING, job_id="my job")

    [reason] = attention(stopping, WORKFLOWS, minute(128))

    assert reason.since == minute(8)
    assert reason.text == (
        "A stop of the machine srv-1 was requested 2 h 0 min ago, and nobody has confirmed that it "
        "is gone. Remove it if it is still there, then: milepost stopped 'my job' --server srv-1"
    )
    fact = MachineStopped(recorded_at=minute(130), attempt=1)
    gone = evolve(stopping, JobEvent("my job", 9, fact, 9))
    assert kinds(gone, minute(10_000)) == []
    assert candidate(gone, WORKFLOWS) is None


def test_a_stopping_machine_whose_rollback_was_requested_counts_as_left_behind_only() -> None:
    both = instance_after(QUEUED, MACHINE, RUNNING, STOPPING, ROLLBACK)

    assert kinds(both, minute(500)) == ["machine_left"]


@pytest.mark.parametrize(
    ("history", "advice"),
    [
        (
            (QUEUED, PROVISIONING),
            "Look at the workflow's run; if it is dead: milepost fail 'my job'",
        ),
        (
            (QUEUED,),
            "its workflow was dispatched; if nobody wants it: milepost cancel 'my job'",
        ),
        (
            (CallbackRefused(recorded_at=NOON, reason="x", detail="No.", body=""),),
            "lost: No. Mend the workflow and send it again, or: milepost fail 'my job'",
        ),
    ],
)
def test_every_reason_ends_with_what_to_do(history: tuple[Fact, ...], advice: str) -> None:
    """The command can be pasted, also if the job's id has a space."""
    instance = instance_after(*history, job_id="my job")

    [reason] = attention(instance, WORKFLOWS, minute(30))

    assert reason.text.endswith(f" {advice}")


def test_a_refusal_that_ends_with_a_question_gets_no_full_stop_after_it() -> None:
    refused = CallbackRefused(
        recorded_at=minute(1), reason="unknown_status", detail="Did you mean 'running'?", body="{}"
    )

    [reason] = attention(instance_after(QUEUED, PROVISIONING, refused), WORKFLOWS, minute(2))

    assert "Did you mean 'running'? Mend the workflow" in reason.text


def test_a_machine_without_an_id_is_not_named_in_the_command() -> None:
    asked = RollbackRequested(recorded_at=minute(5), attempt=1, server_ip="203.0.113.7")
    left = instance_after(PROVISIONING, FAILED, asked)

    [reason] = attention(left, WORKFLOWS, minute(65))

    assert reason.text.endswith("Remove it, then: milepost stopped job")


LEG: dict[str, Any] = {"job_id": "job", "workflow_run_id": "7", "run_attempt": 1}


def after_legs(*callbacks: Callback) -> tuple[ProvisioningJob, Instance]:
    """Return a job whose run is a matrix: one leg failed, and another one made a machine."""
    job, facts = ProvisioningJob("job"), list[Fact]()
    first = Callback(**LEG, status="failed"), Callback(**LEG, status="running", server_id="srv-1")
    for number, callback in enumerate((*first, *callbacks)):
        outcome = job.report(callback, minute(number))
        job, facts = outcome.job, [*facts, *outcome.facts]
    return job, instance_after(*facts)


def test_a_machine_that_runs_though_its_run_failed_needs_somebody() -> None:
    job, instance = after_legs()

    [reason] = attention(instance, WORKFLOWS, minute(5))
    assert (reason.kind, reason.since) == ("machine_left", NOON)
    assert reason.text == (
        "Attempt 1 failed 5 min 0 s ago, and its machine srv-1 may run all the same. If "
        "nobody uses it, remove it, then: milepost stopped job --server srv-1"
    )
    assert possible(job.runs, 0) == ("stopped",)
    gone = order(job, "stopped").facts
    assert [type(fact) for fact in gone] == [MachineStopped]


def after(*callbacks: Callback) -> Instance:
    """Return the instance of a job that hears these callbacks, one a minute."""
    job, facts = ProvisioningJob("job").queue(QUEUED).job, list[Fact]([QUEUED])
    for number, callback in enumerate(callbacks):
        outcome = job.report(callback, minute(number))
        job, facts = outcome.job, [*facts, *outcome.facts]
    return instance_after(*facts)


@pytest.mark.parametrize("status", ["running", "failed", "cancelled"])
def test_a_silent_run_whose_place_another_one_has_taken_needs_nobody(status: Any) -> None:
    instance = after(
        Callback(job_id="job", status="provisioning", workflow_run_id="1"),
        Callback(job_id="job", status="provisioning", workflow_run_id="2"),
        Callback(job_id="job", status=status, workflow_run_id="2"),
    )

    assert instance.watched.number == 1
    assert attention(instance, WORKFLOWS, minute(12)) == []
    assert candidate(instance, WORKFLOWS) is None


def test_a_machine_that_a_re_run_uses_needs_nobody() -> None:
    rerun = {**LEG, "run_attempt": 2, "server_id": "srv-1"}
    _, instance = after_legs(Callback(**rerun, status="provisioning", step="vm_created"))

    assert attention(instance, WORKFLOWS, minute(3)) == []


@pytest.mark.parametrize("history", [(QUEUED, PROVISIONING, RUNNING), (PROVISIONING, FAILED)])
def test_a_job_that_ended_without_a_machine_left_needs_nobody(history: tuple[Fact, ...]) -> None:
    ended = instance_after(*history)

    assert kinds(ended, minute(10_000)) == []
    assert candidate(ended, WORKFLOWS) is None


def test_the_worst_comes_first_and_of_the_same_kind_the_longest() -> None:
    late = instance_after(QUEUED, PROVISIONING, HeartbeatReceived(recorded_at=minute(67)))
    stopping = instance_after(QUEUED, RUNNING, STOPPING)
    silent = instance_after(QUEUED, PROVISIONING)
    pending, longer, shorter = instance_after(QUEUED), left_behind(20), left_behind(40)
    jobs = [instance_after(QUEUED, RUNNING), pending, late, silent, stopping, shorter, longer]

    found = needing(jobs, WORKFLOWS, minute(70))

    assert [instance for instance, _ in found] == [longer, shorter, stopping, silent, late, pending]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(callbacks(st.none()) | st.sampled_from((*COMMANDS, "stop")), max_size=10),
    st.booleans(),
    st.integers(0, 10_000),
)
def test_a_candidate_is_found_no_later_than_its_reasons_apply(
    history: list[Callback | str], is_registered: bool, seconds: int
) -> None:
    """The rows' columns may name a job too early; they never miss one."""
    job, now = ProvisioningJob("job"), NOON
    for asked in history:
        now += timedelta(minutes=1)
        job = told(job, asked, now, allowed=3)
    instance = Instance("job", queued_at=NOON if is_registered else None, runs=job.runs)

    later = now + timedelta(seconds=seconds)
    reasons = attention(instance, WORKFLOWS, later)

    found = candidate(instance, WORKFLOWS)
    if reasons:
        assert found
        assert found.at <= later
        groups = {"unresponsive": "silent", "late": "silent"}
        assert found.rank <= GROUPS.index(groups.get(reasons[0].kind, reasons[0].kind))
    if found:
        assert attention(instance, WORKFLOWS, found.at)


def test_a_job_that_left_many_machines_behind_names_the_first_and_counts_the_others() -> None:
    job, facts = ProvisioningJob("job"), list[Fact]()
    for number in range(25):
        step = Callback(
            job_id="job",
            status="failed",
            workflow_run_id=str(number),
            server_id=f"srv-{number:02}",
        )
        outcome = job.report(step, minute(number))
        facts, job = [*facts, *outcome.facts], outcome.job

    reasons = attention(instance_after(*facts), WORKFLOWS, minute(60))

    assert [f"srv-{number:02} " in each.text for number, each in enumerate(reasons[:-1])] == (
        [True] * MOST_OF_A_KIND
    )
    assert reasons[-1].text.startswith("5 more like these, the oldest for ")
    assert {each.kind for each in reasons} == {"machine_left"}
