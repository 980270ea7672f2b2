"""Hints: why a callback that is recorded may not have the effect that its sender wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from domain.job.attempt.clocks import SKEW_SECONDS
from domain.job.attempt.state import Attempt
from domain.job.callback import Callback
from domain.job.events import Received
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.job.runs.belonging import NONE
from domain.job.spelling import closest


def about_callback(job: ProvisioningJob, callback: Callback, outcome: Outcome) -> Iterator[str]:
    """Say what is odd about a callback that led from `job` to this outcome."""
    if not job.queued:
        yield f"job {job.id!r} is not registered"
    [*_, fact] = (fact for fact in outcome.facts if isinstance(fact, Received))
    number = outcome.job.runs.number_of(fact)
    before, after = job.runs.find(number), outcome.job.runs.find(number)
    if number == NONE and callback.status == "stopped":
        yield f"no callback of the job named machine {callback.server_id!r}, so nothing changes"
    elif number == NONE:
        yield f"run {callback.workflow_run_id!r} has not begun, so this changes nothing"
    elif after and outcome.job.runs.is_superseded(after):
        yield f"another run has taken the place of {_named(after)}, so this changes only its own"
    elif before and after and before.final and before.final == after.final:
        is_all = all(isinstance(each, Received) for each in outcome.facts)
        unchanged = is_all and _but_for_clock(before) == _but_for_clock(after)
        yield from _after_the_end(job, before, callback, unchanged)
    if callback.occurred_at:
        yield from _about_clock(fact)


def _after_the_end(
    job: ProvisioningJob, ended: Attempt, callback: Callback, unchanged: bool
) -> Iterator[str]:
    whose = f"job {job.id!r}" if ended is job.attempt else _named(ended)
    if unchanged:
        yield f"{whose} is already {ended.status}, so this changes nothing"
    elif callback.status != "stopped":
        yield f"{whose} is already {ended.status} and stays so"
    if ended.status == "failed" and callback.status == "provisioning" and callback.step:
        yield "a provisioning status without a step starts the next attempt"


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


def about_redelivery(job: ProvisioningJob) -> Iterable[str]:
    """Say that a repeated callback does not begin anything again."""
    if job.attempt.final is None:
        return ()
    return (
        f"this callback id was recorded before, and job {job.id!r} is {job.attempt.status} since; "
        "a callback of a re-run needs another id",
    )
