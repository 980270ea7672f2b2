"""Hints: why a callback that is recorded may not have the effect that its sender wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from domain.job.attempt.clocks import SKEW_SECONDS
from domain.job.attempt.final import Final
from domain.job.attempt.state import Attempt
from domain.job.callback import Callback
from domain.job.events import Received
from domain.job.health import HEARTBEAT_SECONDS
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.job.runs.placing.removal import NONE
from domain.job.runs.state import MAX_RUNS
from domain.job.spelling import closest

RETRIED_SECONDS = HEARTBEAT_SECONDS / 2
"""A heartbeat that is repeated so long after the last one is no retry: the next one was due."""


BARE = ("provisioning", None)
"""The status and the step of a word that a run begins."""


def about_callback(job: ProvisioningJob, callback: Callback, outcome: Outcome) -> Iterator[str]:
    """Say what is odd about a callback that led from `job` to this outcome."""
    if not job.queued:
        yield f"job {job.id!r} is not registered"
    [*_, fact] = (fact for fact in outcome.facts if isinstance(fact, Received))
    number = outcome.job.runs.number_of(fact)
    before, after = job.runs.find(number), outcome.job.runs.find(number)
    if number == NONE:
        yield _of_nothing(job, callback)
    elif after and outcome.job.runs.is_superseded(after):
        yield f"another run has taken the place of {_named(after)}, so this changes only its own"
    elif before and after and before.final and before.final == after.final:
        is_all = all(isinstance(each, Received) for each in outcome.facts)
        unchanged = is_all and _but_for_clock(before) == _but_for_clock(after)
        yield from _after_the_end(job, before, before.final, callback, unchanged)
    if callback.status == "stopped":
        yield from _about_remover(job, callback)
    if callback.occurred_at:
        yield from _about_clock(fact)


def _about_remover(job: ProvisioningJob, callback: Callback) -> Iterator[str]:
    """Say what a run does wrong that removes the machine which was asked to stop."""
    run_id, runs = callback.workflow_run_id, job.runs
    own = runs.newest_of(run_id, callback.run_attempt) if run_id else None
    if own is None or own.final or own.machine_id:
        return
    if any(each.stop_requested_at and not each.stopped_at for each in runs.attempts):
        yield (
            f"{_named(own)} has said that it works, so it counts as one that makes a machine; a "
            "run that removes a machine says nothing but stopped, with its server_id"
        )


def _of_nothing(job: ProvisioningJob, callback: Callback) -> str:
    if callback.status == "stopped" and callback.server_id:
        return f"no callback of the job named machine {callback.server_id!r}, so nothing changes"
    run_id = callback.workflow_run_id
    if run_id and job.runs.has_forgotten(run_id, callback.run_attempt):
        return f"run {run_id!r} is older than the newest {MAX_RUNS} runs, so this changes nothing"
    whose = f"run {run_id!r} has not begun" if run_id else "the workflow has not begun"
    if callback.status == "stopped":
        return f"{whose} and this names no machine, so nothing changes; name it in server_id"
    return f"{whose}, so this changes nothing"


def _after_the_end(
    job: ProvisioningJob, ended: Attempt, final: Final, callback: Callback, unchanged: bool
) -> Iterator[str]:
    whose = f"job {job.id!r}" if ended is job.attempt else _named(ended)
    if unchanged:
        yield f"{whose} is already {ended.status}, so this changes nothing"
    elif callback.status != "stopped":
        yield f"{whose} is already {ended.status} and stays so"
    if what := _what_begins(ended, final, callback):
        yield what


def _what_begins(ended: Attempt, final: Final, callback: Callback) -> str | None:
    """Say what a word that goes on after the end lacks to begin the next attempt."""
    if final.inferred and callback.occurred_at and callback.status in (None, "provisioning"):
        return "it is dated before the timeout, so it is no sign of life"
    begins = callback.status in ("provisioning", "running")
    if not begins or (ended.status == "running" and (callback.status, callback.step) != BARE):
        return None
    if final.ordered:
        return "an operator ended it; another run, or the command retry, starts the next attempt"
    if ended.status == "stopped" and callback.run_attempt:
        return "running with another machine, or a re-run, starts the next attempt"
    if ended.status == "running" or (callback.run_attempt and not final.unnamed):
        return "a re-run starts the next attempt under another workflow_run_id or run_attempt"
    if callback.status == "running":
        return "running starts the next attempt if it names its machine"
    if callback.step:
        return "a provisioning status without a step starts the next attempt"
    return None


def _but_for_clock(attempt: Attempt) -> Attempt:
    # A wrong clock has a sentence of its own.
    return msgspec.structs.replace(attempt, skew_seconds=None)


def _named(attempt: Attempt) -> str:
    return f"run {attempt.run_id.value!r}" if attempt.run_id else f"attempt {attempt.number}"


def _about_clock(fact: Received) -> Iterator[str]:
    if fact.occurred_at is None:
        return
    skew = int((fact.occurred_at - fact.recorded_at).total_seconds())
    if skew > SKEW_SECONDS:
        yield f"the sender's clock is {skew} s ahead of ours"
    elif skew < -SKEW_SECONDS:
        yield f"the sender's clock is {-skew} s behind ours, or this callback was late"


def about_step(callback: Callback, known: Mapping[str, int]) -> Iterable[str]:
    """Name the step of the job's definition that an unknown step is close to."""
    step = callback.step
    if callback.status != "provisioning" or not step or step in known:
        return ()
    meant = closest(step, known)
    return (f"step {step!r} is unknown; did you mean {meant!r}?",) if meant else ()


def about_redelivery(job: ProvisioningJob, callback: Callback, now: datetime) -> Iterable[str]:
    """Say that a repeated callback does not begin anything again, and is no sign of life."""
    if job.attempt.final is not None:
        return (
            f"this callback id was recorded before, and job {job.id!r} is {job.attempt.status} "
            "since; a callback of a re-run needs another id",
        )
    since = job.runs.watched.silent_since
    if not callback.is_heartbeat or not since or (now - since).total_seconds() < RETRIED_SECONDS:
        return ()
    return (
        "the id of this heartbeat was recorded before, so it is no sign of life; each heartbeat "
        "needs an id of its own, or none",
    )
