"""The use cases: record a callback, queue a job, stop it, time it out, find it.

Every write goes through one committer; the transaction that appends also decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import cast
from weakref import finalize

from eventsourcing.application import Application
from eventsourcing.persistence import PersistenceError
from eventsourcing.utils import Environment, EnvType

from domain.errors import StoreUnavailable
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
from domain.log.recalling.recall import Folded, recall
from domain.log.recalling.recent_jobs import RecentJobs
from domain.log.store import JobStore, NothingDecided, TooMuchMissed, translated
from domain.log.vouching.contract import NotDurableYet
from domain.workflows.definition import Workflows
from domain.workflows.files import load
from domain.writing.batch import Batch, Receipt
from domain.writing.batching import Batching
from domain.writing.commit_watch import CommitWatch, Trouble

log = logging.getLogger("milepost")

CACHED_BYTES = 48 * 2**20
"""About how many bytes the states of the cached jobs take at most, in each process that commits: of
jobs with one attempt of five steps, 17,000."""
OUTAGE_SECONDS = 60.0
"""How long no commit succeeds until jobs get time to be heard: as long as from one heartbeat to the
next."""


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
        self._passed = passed
        self._watch = CommitWatch(passed)
        self.end = EndWatch(self.store, passed)
        """Whether what this process has seen is still in the log."""
        # Also at the exit of a process that closes nothing, while its modules can still be used:
        # when the interpreter deletes this object then, their names are gone.
        self._keep_seen = finalize(self, self.end.keep)
        self._failing_since: float | None = None
        self._listeners: list[Callable[[], None]] = []
        self._when_back: list[Callable[[datetime], None]] = []
        self._jobs = RecentJobs[Folded](CACHED_BYTES, Folded.weight)
        self.vouching_seconds = VOUCHING_SECONDS
        # One thread, so that waits for a standby that is away hold one connection at most.
        self._voucher = Batching[int, bytes](self._vouched, name="voucher", max_batch=MAX_VOUCHED)
        self._committer = Batching[Command, Receipt](self._commit, name="committer", weigh=bytes_of)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Use only the given settings: `api.settings` has read the process environment already."""
        return Environment("", env)

    def when_committed(self, listener: Callable[[], None]) -> None:
        """Call the listener in the committing thread after every commit. It must return at once."""
        self._listeners.append(listener)

    def when_back(self, listener: Callable[[datetime], None]) -> None:
        """Call the listener after the first commit that follows `OUTAGE_SECONDS` without one.

        Callbacks were answered 503 meanwhile. It gets the time of the store's clock, runs in the
        committing thread, and may raise the library's `PersistenceError`: then it is called again.
        """
        self._when_back.append(listener)

    def record(self, callback: Callback) -> Receipt:
        """Append the callback's facts.

        Raises `CallbackConflict` for a signed id with another body, and `NotItsJob` for a sender
        that may not report on the job.
        """
        return self._committer.submit(self.recording(callback))

    def recording(self, callback: Callback) -> RecordCallback:
        """Return the command that records a callback, for who posts to the committer."""
        return RecordCallback(callback, self.workflows)

    def keep_refusal(self, refused: RefusedCallback) -> Receipt:
        """Append that a callback was refused, unless its job keeps `MAX_REFUSALS` of them."""
        return self._committer.submit(KeepRefusal(refused))

    @property
    def committer(self) -> Batching[Command, Receipt]:
        """What commits commands. An event loop posts to it, and waits for no thread."""
        return self._committer

    def trouble(self) -> Trouble | None:
        """Return why commits of this process do not succeed at present; None if they may."""
        try:
            self.store.check_place()
        except PersistenceError as error:
            self._watch.fail(error)
        return self._watch.trouble()

    def queue(self, registration: QueueJob) -> Receipt:
        """Register a job.

        Raises `JobAlreadyRegistered`, `JobInProgress` (the user has another job in progress),
        `AgentTaken`, or `RegistrationConflict` (the idempotency key has another digest).
        """
        return self._committer.submit(registration)

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
        return self._committer.submit(StopJob(job_id, requested_by, reason, token_id, version))

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
        return self._committer.submit(
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
        return self._committer.submit(TimeOutJob(job_id, self.workflows, question))

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
        self._committer.close()
        self._voucher.close()
        self._keep_seen()
        super().close()

    def _commit(self, commands: Sequence[Command]) -> Sequence[Receipt | Exception]:
        self._watch.begin()
        try:
            return self._committed(commands)
        except (StoreUnavailable, PersistenceError) as error:
            self._watch.fail(error)
            raise
        finally:
            self._watch.end()

    def _committed(self, commands: Sequence[Command]) -> Sequence[Receipt | Exception]:
        """Decide the commands in order on fresh state and store their events in one transaction."""
        began = self._passed()
        try:
            with translated():
                try:
                    batch, positions = self._attempt(commands)
                except TooMuchMissed:
                    # Only these jobs are stale; the cache of the other jobs stays right.
                    for command in commands:
                        self._jobs.forget(command.job_id)
                    batch, positions = self._attempt(commands)
                except NothingDecided:
                    # The connection was dead or the cache does not fit the database: after a
                    # failover, another database may answer, which lacks the newest events.
                    self._jobs.clear()
                    self.end.suspect()
                    batch, positions = self._attempt(commands)
        except StoreUnavailable:
            self._jobs.clear()
            self.end.suspect()
            if self._failing_since is None:
                self._failing_since = began
            raise
        self._watch.succeed()
        self._remember(batch.jobs)
        if positions:
            self.end.committed(batch.events, positions)
        self._tell_of_an_outage(began, batch.now)
        if positions:
            for listener in self._listeners:
                listener()
        return batch.receipts(positions)

    def _tell_of_an_outage(self, began: float, now: datetime | None) -> None:
        since = began if self._failing_since is None else self._failing_since
        if now and self._passed() - since > OUTAGE_SECONDS:
            try:
                for listener in self._when_back:
                    listener(now)
            except PersistenceError as error:
                self._failing_since = since
                log.warning("the end of an outage could not be noted: %s", error)
                return
        self._failing_since = None

    def _attempt(self, commands: Sequence[Command]) -> tuple[Batch, Sequence[int]]:
        batch = Batch(commands, self._jobs, self.mapper)
        cold = [job_id for job_id, version in batch.known.items() if version == 0]
        if cold:
            # Read histories before taking the write lock, so that no other process waits.
            batch.jobs.update(recall(self.store, cold, self.mapper))
        return batch, self.store.transact(batch.known, batch.names, batch.decide)

    def _remember(self, jobs: Mapping[str, Folded]) -> None:
        for job_id, folded in jobs.items():
            self._jobs.remember(job_id, folded)
        self._jobs.evict()
