"""The use cases: record a callback, queue a job, stop it, time it out, find it.

Every write goes through one committer; the transaction that appends also decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import cast
from weakref import finalize

from eventsourcing.application import Application
from eventsourcing.utils import Environment, EnvType

from domain.job.callback import Callback, RefusedCallback
from domain.job.commands.callbacks import KeepRefusal, RecordCallback, bytes_of
from domain.job.commands.contract import Command
from domain.job.commands.operators import OrderJob, StopJob
from domain.job.commands.registration import QueueJob
from domain.job.commands.time import TimeOutJob
from domain.job.deadlines import ASKED_NOW, Question
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.orders import Order
from domain.log.lost_end.watch import EndWatch
from domain.log.mapper import JobEventMapper
from domain.log.recalling.recall import recall
from domain.log.store import JobStore, translated
from domain.log.vouching.contract import NotDurableYet
from domain.workflows.definition import Workflows
from domain.workflows.files import load
from domain.writing.batch import Receipt
from domain.writing.batching import Batching
from domain.writing.committing import Committing

VOUCHING_SECONDS = 5.0
"""How long evidence waits for the synchronous standby."""
MAX_VOUCHED = 16
"""The most events that evidence is about and that are read at once: each may have 1 MiB."""


class Milepost(Application[str]):
    """The application over one event store.

    `env` are the eventsourcing library's settings (see `api.settings`). Without `workflows`, the
    shipped definitions say what the steps and deadlines of jobs are. A `clock` takes the place of
    the store's own. A receipt means that the events survive `kill -9` and a power cut. Every method
    that writes may raise `StoreUnavailable` or `QueueFull`.
    """

    mapper: JobEventMapper

    def __init__(
        self,
        env: EnvType,
        *,
        clock: Callable[[], datetime] | None = None,
        workflows: Workflows | None = None,
        passed: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__({**env, "MAPPER_TOPIC": "domain.log.mapper:JobEventMapper"})
        self.store = cast(JobStore, self.recorder)
        self.store.clock = clock
        self.workflows = load() if workflows is None else workflows
        self.end = EndWatch(self.store, passed)
        """Whether what this process has seen is still in the log."""
        # Also at the exit of a process that closes nothing, while its modules can still be used:
        # when the interpreter deletes this object then, their names are gone.
        self._keep_seen = finalize(self, self.end.keep)
        self.committing = Committing(self.store, self.mapper, self.end, passed)
        """The transactions of the committer: who hears of them, and whether they succeed."""
        self.vouching_seconds = VOUCHING_SECONDS
        # One thread, so that waits for a standby that is away hold one connection at most.
        self._voucher = Batching[int, bytes](self._vouched, name="voucher", max_batch=MAX_VOUCHED)
        self.committer = Batching[Command, Receipt](
            self.committing.commit, name="committer", weigh=bytes_of
        )
        """What commits commands. An event loop posts to it, and waits for no thread."""

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Use only the given settings: `api.settings` has read the process environment already."""
        return Environment("", env)

    def record(self, callback: Callback) -> Receipt:
        """Append the callback's facts.

        Raises `CallbackConflict` for a signed id with another body, and `NotItsJob` for a sender
        that may not report on the job.
        """
        return self.committer.submit(self.recording(callback))

    def recording(self, callback: Callback) -> RecordCallback:
        """Return the command that records a callback, for who posts to the committer."""
        return RecordCallback(callback, self.workflows)

    def keep_refusal(self, refused: RefusedCallback) -> Receipt:
        """Append that a callback was refused, unless its job keeps `MAX_REFUSALS` of them."""
        return self.committer.submit(KeepRefusal(refused))

    def queue(self, registration: QueueJob) -> Receipt:
        """Register a job.

        Raises `JobAlreadyRegistered`, `JobInProgress` (the user has another job in progress),
        `AgentTaken`, or `RegistrationConflict` (the idempotency key has another digest).
        """
        return self.committer.submit(registration)

    def stop(
        self,
        job_id: str,
        requested_by: str | None = None,
        reason: str | None = None,
        *,
        token_id: str | None = None,
        version: int | None = None,
    ) -> Receipt:
        """Ask the running instance to stop; raise `NothingToStop` or `JobNotFound`.

        With `version`, raise `JobChanged` unless the job still has this version.
        """
        return self.committer.submit(StopJob(job_id, requested_by, reason, token_id, version))

    def order(
        self,
        order: Order,
        job_id: str,
        *,
        requested_by: str | None = None,
        token_id: str | None = None,
        reason: str | None = None,
        server_id: str | None = None,
        version: int | None = None,
    ) -> Receipt:
        """Fail, cancel, retry or stop a job, or confirm that a machine of it is gone.

        The receipt of an order that asks for what is so already has no position. Raises
        `NotPossible`, `JobNotFound`, `JobInProgress` (a retry, and the user has another job in
        progress), or `JobChanged` (the job does not have the given version any more).
        """
        queued = self.find(job_id).queued if order == "retry" else None
        return self.committer.submit(
            OrderJob(
                order=order,
                job_id=job_id,
                workflows=self.workflows,
                requested_by=requested_by,
                token_id=token_id,
                reason=reason,
                user_id=queued.user_id if queued else None,
                server_id=server_id,
                version=version,
            )
        )

    def time_out(self, job_id: str, question: Question = ASKED_NOW) -> Receipt:
        """Fail the job if it missed a deadline of its workflow; otherwise change nothing."""
        return self.committer.submit(TimeOutJob(job_id, self.workflows, question))

    def find(self, job_id: str) -> ProvisioningJob:
        """Return the job, folded from all its events; version 0 if it has none."""
        with translated():
            return recall(self.store, [job_id], self.mapper)[job_id].job

    def vouch_for(self, position: int, leaf: bytes) -> bool:
        """Wait until the event at this position, and all before it, are as durable as a receipt.

        Returns False if the log has another event at this position, or none. Raises
        `NotDurableYet` if the synchronous standby does not confirm it in `vouching_seconds`.
        """
        return self._voucher.submit(position) == leaf

    def durable_end(self) -> int:
        """Return the position of the newest event, once no failover loses it or any before it.

        It is 0 for an empty log. Raises `NotDurableYet` as `vouch_for`.
        """
        with translated():
            position = self.store.newest_position()
        if position and not self._voucher.submit(position):
            raise NotDurableYet
        return position

    def _vouched(self, positions: Sequence[int]) -> Sequence[bytes]:
        with translated():
            found = self.store.vouched(set(positions), self.vouching_seconds)
        leaves = {event.position: event.leaf for event in found}
        return [leaves.get(position, b"") for position in positions]

    def close(self) -> None:
        """Do what waits, then close the connections."""
        self.committer.close()
        self._voucher.close()
        self._keep_seen()
        super().close()
