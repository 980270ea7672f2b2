"""The commands of people: end, retry or stop a job, and confirm that its machine is gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.errors import JobChanged, JobInProgress, JobNotFound, NotPossible
from domain.job.commands.contract import Decision
from domain.job.keys.key import Key, in_progress_key
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.job.runs.orders import Order, Requested, possible, refused
from domain.workflows.definition import MAX_RETRIES, Workflows


class StopJob(msgspec.Struct, frozen=True):
    """Ask the job's running instance to stop, as the seed's pages do: once, or it is refused.

    With `version`, it is refused unless the job still has this version.
    """

    job_id: str
    requested_by: str | None
    reason: str | None = None
    token_id: str | None = None
    version: int | None = None
    names: tuple[str, ...] = ()

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        _check(job, self.version)
        requested = Requested(now, self.requested_by, self.reason, self.token_id)
        return Decision(job.stop(requested))


class OrderJob(msgspec.Struct, frozen=True, kw_only=True):
    """End, cancel, retry or stop the job, or confirm that its machine is gone; see `orders`.

    `user_id` is the job's user, as far as the sender knows, and `server_id` the machine that is
    `stopped`. `workflows` say how many retries a job may have. A retry takes the user's one place
    in progress, so it is refused with `JobInProgress` while another job has that place. It is
    refused, too, if `workflows` lack the definition that the job recorded. With `version`, every
    order is refused unless the job still has this version.
    """

    order: Order
    job_id: str
    workflows: Workflows | None = None
    requested_by: str | None = None
    token_id: str | None = None
    reason: str | None = None
    user_id: str | None = None
    server_id: str | None = None
    version: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        if self.order != "retry" or self.user_id is None:
            return ()
        return (in_progress_key(self.user_id),)

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        _check(job, self.version)
        outcome = self._outcome(job, now)
        if self.order == "retry" and outcome.events:
            self._refuse_second(job, keys)
        return Decision(outcome)

    def _outcome(self, job: ProvisioningJob, now: datetime) -> Outcome:
        max_retries = self._max_retries(job)
        requested = Requested(now, self.requested_by, self.reason, self.token_id)
        match self.order:
            case "fail":
                return job.fail(requested, max_retries)
            case "cancel":
                return job.cancel(requested, max_retries)
            case "retry":
                self._refuse_unknown(job)
                return job.retry(requested, max_retries)
            case "stop":
                return _stop(job, requested, max_retries)
            case "stopped":
                return job.confirm_stopped(requested, max_retries, self.server_id)

    def _refuse_unknown(self, job: ProvisioningJob) -> None:
        # Another definition may allow more retries, and other deadlines would count.
        if self.workflows and job.queued and (why := self.workflows.missing(job.queued.workflow)):
            orders = possible(job.runs, self._max_retries(job))
            raise NotPossible(why, possible=[each for each in orders if each != "retry"])

    def _refuse_second(self, job: ProvisioningJob, keys: Mapping[str, Key]) -> None:
        if job.queued and job.queued.user_id != self.user_id:
            raise NotPossible(
                "The job was registered at this moment. Try again.", possible=("retry",)
            )
        for name in self.names:
            if name in keys and keys[name].job_id != job.id:
                raise JobInProgress.of(keys[name].job_id)

    def _max_retries(self, job: ProvisioningJob) -> int:
        if self.workflows is None:
            return MAX_RETRIES
        return self.workflows.recorded(job.queued.workflow if job.queued else None).max_retries


def _stop(job: ProvisioningJob, requested: Requested, max_retries: int) -> Outcome:
    attempt = job.attempt
    if attempt.status == "stopped" or (attempt.status == "running" and attempt.stop_requested_at):
        return Outcome(job)
    if attempt.status != "running":
        status = "pending" if attempt.status == "queued" else attempt.status
        why = f"Job {job.id!r} has no running instance to stop: it is {status}."
        raise refused(why, job.runs, max_retries)
    return job.stop(requested)


def _check(job: ProvisioningJob, version: int | None) -> None:
    if job.version == 0:
        raise JobNotFound
    if version is not None and job.version != version:
        raise JobChanged
