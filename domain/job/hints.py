"""Hints: why a callback that is recorded may not have the effect that its sender wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.job.callback import Callback
from domain.job.provisioning_job import ProvisioningJob
from domain.job.spelling import closest


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
