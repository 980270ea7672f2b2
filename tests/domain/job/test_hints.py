"""What a receipt says about a callback that changes nothing, or comes from a wrong clock."""

from __future__ import annotations

from typing import Any

import pytest

from domain.job.callback import Callback
from domain.job.hints import about_callback
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.orders import Requested
from tests.support.jobs.histories import (
    FAILED,
    PROVISIONING,
    QUEUED,
    RUNNING,
    callback,
    job_after,
)
from tests.support.jobs.orders import order
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON

RUN = {"workflow_run_id": "1"}
WHOLE = {"server_id": "srv-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


def after(end: str, **fields: str) -> ProvisioningJob:
    """Return a job whose run worked on srv-1 and ended so."""
    job = job_after(QUEUED)
    job = job.report(callback(status="provisioning", server_id="srv-1", **RUN), minute(1)).job
    if end == "cancelled":
        return order(job, "cancel", minute(2)).job
    if end == "stopped":
        job = job.report(callback(status="running", **RUN), minute(2)).job
    return job.report(callback(status=end, **RUN, **fields), minute(2)).job


def said_of(job: ProvisioningJob, **fields: str) -> str:
    late = callback(**fields)
    return "; ".join(about_callback(job, late, job.report(late, minute(3))))


@pytest.mark.parametrize("end", ["running", "cancelled", "failed"])
def test_a_confirmed_stop_has_no_warning_until_it_says_nothing_new(end: str) -> None:
    job = after(end)
    gone = callback(status="stopped", **RUN)

    assert said_of(job, status="stopped", **RUN) == ""
    again = said_of(job.report(gone, minute(3)).job, status="stopped", **RUN)
    assert again.endswith(", so this changes nothing")


def test_a_machine_that_runs_after_its_job_was_cancelled_withdraws_the_rollback() -> None:
    job = after("cancelled")
    assert job.attempt.rollback_is_open

    said = said_of(job, status="running", **RUN, **WHOLE)

    assert said.startswith("job 'job' is already failed and stays so; an operator ended it")


def test_a_machine_that_is_named_after_the_end_is_no_nothing() -> None:
    said = said_of(after("failed"), status="failed", **RUN, server_id="srv-2")

    assert said == "job 'job' is already failed and stays so"


@pytest.mark.parametrize("end", ["running", "failed"])
def test_a_clock_that_is_wrong_changes_nothing_else(end: str) -> None:
    job = after(end)
    late = callback(type="heartbeat", occurred_at=minute(-90), **RUN)

    first, *_ = about_callback(job, late, job.report(late, minute(3)))

    assert first == f"job 'job' is already {end}, so this changes nothing"


def warning(job: ProvisioningJob, word: Callback) -> str | None:
    return "; ".join(about_callback(job, word, job.report(word, minute(9)))) or None


def test_a_callback_for_a_job_that_nobody_registered_is_warned_of() -> None:
    assert warning(job_after(), callback(type="heartbeat")) == "job 'job' is not registered"


def test_a_callback_that_comes_too_late_to_change_anything_is_warned_of() -> None:
    heartbeat, step = callback(type="heartbeat"), callback(status="provisioning", step="vm_created")

    running, failed = job_after(QUEUED, RUNNING), job_after(QUEUED, PROVISIONING, FAILED)

    assert "is already running" in (warning(running, heartbeat) or "")
    assert "is already failed" in (warning(failed, step) or "")
    assert "is already failed" in (warning(failed, callback(status="running")) or "")


def test_a_callback_that_is_as_it_should_be_is_not_warned_of() -> None:
    """Nor is a retry, nor a real final status after our inference."""
    step, retry = (
        callback(status="provisioning", step="vm_created"),
        callback(status="provisioning"),
    )
    timed_out = job_after(QUEUED, PROVISIONING).time_out(minute(60)).facts

    assert warning(job_after(QUEUED, PROVISIONING), step) is None
    assert warning(job_after(QUEUED), callback(status="failed")) is None
    assert warning(job_after(QUEUED, PROVISIONING, FAILED), retry) is None
    silent = job_after(QUEUED, PROVISIONING, *timed_out)
    assert warning(silent, callback(status="running")) is None


def test_words_of_a_superseded_run_are_warned_of() -> None:
    first = callback(status="provisioning", workflow_run_id="1")
    second = callback(status="provisioning", workflow_run_id="2")
    job = job_after(QUEUED).report(first, minute(1)).job.report(second, minute(2)).job

    late = warning(job, callback(status="provisioning", step="vm_created", workflow_run_id="1"))

    assert late == "another run has taken the place of run '1', so this changes only its own"


def test_a_heartbeat_of_a_run_that_has_not_begun_is_warned_of() -> None:
    job = job_after(QUEUED).report(callback(status="provisioning", workflow_run_id="1"), NOON).job

    said = warning(job, callback(type="heartbeat", workflow_run_id="2"))

    assert said == "run '2' has not begun, so this changes nothing"


def test_a_stop_of_a_machine_that_the_job_never_named_is_warned_of() -> None:
    said = warning(after("running"), callback(status="stopped", server_id="srv-9"))

    assert said == "no callback of the job named machine 'srv-9', so nothing changes"


def test_a_stop_of_an_unknown_run_that_names_no_machine_is_told_to_name_it() -> None:
    said = warning(after("running"), callback(status="stopped", workflow_run_id="9"))

    assert said == (
        "run '9' has not begun and this names no machine, so nothing changes; name it in server_id"
    )


@pytest.mark.parametrize("named", [{}, {"server_id": "srv-1"}])
@pytest.mark.parametrize("begun", [{"status": "provisioning"}, {"type": "heartbeat"}])
def test_a_run_that_removes_the_machine_is_told_that_it_looks_like_one_that_makes_one(
    begun: dict[str, str], named: dict[str, str]
) -> None:
    job = after("running").stop(Requested(minute(2), "ops")).job
    job = job.report(callback(workflow_run_id="2", **begun), minute(2)).job

    assert said_of(job, status="stopped", workflow_run_id="2", **named) == (
        "run '2' has said that it works, so it counts as one that makes a machine; a run that "
        "removes a machine says nothing but stopped, with its server_id"
    )


def test_a_run_that_removes_the_machine_and_says_nothing_else_is_not_warned_of() -> None:
    job = after("running").stop(Requested(minute(2), "ops")).job

    assert said_of(job, status="stopped", workflow_run_id="2", server_id="srv-1") == ""


def test_a_stop_before_the_workflow_begins_is_warned_of() -> None:
    said = warning(job_after(QUEUED), callback(status="stopped"))

    assert said == (
        "the workflow has not begun and this names no machine, so nothing changes; name it in "
        "server_id"
    )


def test_words_of_a_forgotten_run_are_told_that_it_is_too_old() -> None:
    job = job_after(QUEUED)
    for number in range(1, 61):
        run = {"workflow_run_id": str(number)}
        job = job.report(callback(status="provisioning", **run), NOON).job

    said = warning(job, callback(status="running", workflow_run_id="1"))

    assert said == "run '1' is older than the newest 50 runs, so this changes nothing"


RERUN = "a re-run starts the next attempt under another workflow_run_id or run_attempt"
STEP = {"status": "provisioning", "step": "ansible_started"}


@pytest.mark.parametrize(
    ("end", "word", "hint"),
    [
        ("failed", {**STEP, **RUN, "run_attempt": 1}, RERUN),
        ("failed", {"status": "running", **RUN, **WHOLE, "run_attempt": 1}, RERUN),
        ("failed", {"status": "provisioning", **RUN, "run_attempt": 1}, RERUN),
        ("failed", {**STEP, **RUN}, "a provisioning status without a step starts the next attempt"),
        ("failed", {"status": "running", **RUN}, "running starts the next attempt if it names its"),
        ("running", {"status": "provisioning", **RUN}, RERUN),
        ("stopped", {**STEP, **RUN, "run_attempt": 1}, "running with another machine, or a re-run"),
        ("cancelled", {**STEP, **RUN}, "an operator ended it; another run, or the command retry"),
    ],
)
def test_a_word_after_the_end_is_told_what_would_begin_the_next_attempt(
    end: str, word: dict[str, Any], hint: str
) -> None:
    assert hint in (warning(after(end), callback(**word)) or "")


@pytest.mark.parametrize(
    ("end", "word"),
    [("running", STEP), ("failed", {"type": "heartbeat"}), ("failed", {"status": "failed"})],
)
def test_a_late_word_is_not_told_how_to_begin(end: str, word: dict[str, Any]) -> None:
    assert "attempt" not in (warning(after(end), callback(**word, **RUN)) or "")


@pytest.mark.parametrize("word", [{"type": "heartbeat"}, STEP])
def test_a_word_dated_before_the_timeout_is_told_why_it_is_no_sign_of_life(
    word: dict[str, Any],
) -> None:
    job = after("provisioning").time_out(minute(60)).job
    late = callback(**word, **RUN, occurred_at=minute(3))

    said = "; ".join(about_callback(job, late, job.report(late, minute(61))))

    assert "it is dated before the timeout, so it is no sign of life" in said


def test_a_clock_that_is_wrong_is_warned_of() -> None:
    ahead = callback(status="provisioning", occurred_at=minute(99))
    behind = callback(status="provisioning", occurred_at=minute(-81))

    assert warning(job_after(QUEUED), ahead) == "the sender's clock is 5400 s ahead of ours"
    assert "is 5400 s behind ours, or this" in (warning(job_after(QUEUED), behind) or "")
    assert warning(job_after(QUEUED), callback(type="heartbeat", occurred_at=minute(8))) is None
