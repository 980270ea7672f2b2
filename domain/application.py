"""The use cases: record a callback, queue a job, stop it, time it out, find it.

Every write goes through one group commit; the transaction that appends also decides.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import msgspec
from eventsourcing.application import Application
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from eventsourcing.utils import Environment, EnvType

from domain.callback import Callback
from domain.commands import Command, Decision, QueueJob, RecordCallback, StopJob, TimeOutJob
from domain.errors import MilepostError
from domain.events import JobEvent, JobTimedOut, RollbackRequested
from domain.group_commit import GroupCommit
from domain.keys import Key, agent_key, in_progress_key
from domain.mapper import JobEventMapper
from domain.provisioning_job import ProvisioningJob, evolve
from domain.store import Append, Found, JobStore, translated

log = logging.getLogger("milepost")

CACHED_JOBS = 20_000


def utc_now() -> datetime:
    """Return the present, in UTC."""
    return datetime.now(UTC)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that something is stored: the job's version and the log's position after it.

    A command that changed nothing has the job's present version and no position.
    """

    job_id: str
    version: int
    position: int | None
    duplicate: bool = False
    warning: str | None = None


class Milepost(Application[str]):
    """The application over one event store.

    `env` are the eventsourcing library's settings (see `api.config`). A receipt means that the
    events survive `kill -9` and a power cut. Every method that writes may raise
    `StoreUnavailable` or `QueueFull`.
    """

    mapper: JobEventMapper

    def __init__(
        self,
        env: EnvType,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__({**env, "MAPPER_TOPIC": "domain.mapper:JobEventMapper"})
        self.store = cast(JobStore, self.recorder)
        self._clock = clock
        self._listeners: list[Callable[[], None]] = []
        self._jobs: OrderedDict[str, ProvisioningJob] = OrderedDict()
        self._group = GroupCommit[Command, Receipt](self._commit)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Use the given settings only: the process environment is read once, elsewhere."""
        return Environment("", env)

    def when_committed(self, listener: Callable[[], None]) -> None:
        """Call the listener, briefly and in the committing thread, after every commit."""
        self._listeners.append(listener)

    def record(self, callback: Callback) -> Receipt:
        """Append the callback's facts; raise `CallbackConflict` for an id with another body."""
        receipt = self._group.submit(RecordCallback(callback))
        if receipt.warning:
            log.warning("callback recorded all the same: %s", receipt.warning)
        return receipt

    def queue(self, registration: QueueJob) -> Receipt:
        """Register a job.

        Raises `JobAlreadyRegistered`, `JobInProgress` (the user has another one), or
        `RegistrationConflict` (the idempotency key was used with another digest).
        """
        return self._group.submit(registration)

    def stop(self, job_id: str, requested_by: str | None = None) -> Receipt:
        """Ask the running instance to stop; raise `NothingToStop` or `JobNotFound`."""
        return self._group.submit(StopJob(job_id, requested_by))

    def time_out(self, job_id: str) -> Receipt:
        """Fail the job if it has been silent for too long; otherwise change nothing."""
        return self._group.submit(TimeOutJob(job_id))

    def find(self, job_id: str) -> ProvisioningJob:
        """Return the job as its events stand now; version 0 if there are none."""
        with translated():
            stored = self.store.select_events(job_id)
        return _folded(ProvisioningJob(job_id), stored, self.mapper)

    def newest_job_of(self, agent_id: str) -> str | None:
        """Return the id of the agent's newest registered job."""
        with translated():
            key = self.store.key(agent_key(agent_id))
        return key.job_id if key else None

    def _commit(self, commands: Sequence[Command]) -> Sequence[Receipt | Exception]:
        """Decide the commands in order on fresh state and store what they decided, all at once."""
        batch = _Batch(commands, self._jobs, self.mapper, self._clock)
        with translated():
            positions = self.store.transact(batch.known, batch.names, batch.decide)
        self._remember(batch.jobs)
        if positions:
            for listener in self._listeners:
                listener()
        return batch.receipts(positions)

    def _remember(self, jobs: Mapping[str, ProvisioningJob]) -> None:
        for job_id, job in jobs.items():
            self._jobs[job_id] = job
            self._jobs.move_to_end(job_id)
        while len(self._jobs) > CACHED_JOBS:
            self._jobs.popitem(last=False)


def _folded(
    job: ProvisioningJob, stored: Iterable[StoredEvent], mapper: JobEventMapper
) -> ProvisioningJob:
    for row in stored:
        try:
            job = evolve(job, mapper.to_domain_event(row))
        except MapperDeserialisationError as error:
            # An event that cannot be read must not stop the ones after it.
            log.error("job %r, version %d: %s", job.id, row.originator_version, error)
            job = msgspec.structs.replace(job, version=row.originator_version)
    return job


class _Batch:
    """Commands that are decided together, and what becomes of them."""

    def __init__(
        self,
        commands: Sequence[Command],
        cache: Mapping[str, ProvisioningJob],
        mapper: JobEventMapper,
        clock: Callable[[], datetime],
    ) -> None:
        self._commands = commands
        self._mapper = mapper
        self._clock = clock
        self.jobs = {
            command.job_id: cache.get(command.job_id) or ProvisioningJob(command.job_id)
            for command in commands
        }
        self.known = {job_id: job.version for job_id, job in self.jobs.items()}
        self.names = {name for command in commands for name in command.names}
        self._outcomes: list[Decision | Exception] = []
        self._versions: list[int] = []
        self._events: list[StoredEvent] = []
        self._claims: dict[str, Key] = {}
        self._pointers: dict[str, Key] = {}
        self._releases: list[tuple[str, str]] = []

    def decide(self, found: Found) -> Append:
        """Run every command; one that refuses harms no other."""
        for stored in found.tail:
            job_id = str(stored.originator_id)
            self.jobs[job_id] = _folded(self.jobs[job_id], (stored,), self._mapper)
        keys = dict(found.keys)
        now = self._clock()
        for command in self._commands:
            job = self.jobs[command.job_id]
            try:
                decision = command.decide(job, keys, now)
            except MilepostError as refusal:
                self._outcomes.append(refusal)
                self._versions.append(job.version)
                continue
            self._accept(command.job_id, decision, keys)
        return Append(
            self._events,
            list(self._claims.values()),
            list(self._pointers.values()),
            self._releases,
        )

    def _accept(self, job_id: str, decision: Decision, keys: dict[str, Key]) -> None:
        before = job = self.jobs[job_id]
        for fact in decision.facts:
            event = JobEvent(job_id, job.version + 1, fact)
            self._events.append(self._mapper.to_stored_event(event))
            job = evolve(job, event)
        self.jobs[job_id] = job
        for name, digest in decision.claims.items():
            keys[name] = self._claims[name] = Key(name, job_id, job.version, digest)
        for name, digest in decision.pointers.items():
            keys[name] = self._pointers[name] = Key(name, job_id, job.version, digest)
        self._keep_in_progress(before, job, keys)
        self._outcomes.append(decision)
        self._versions.append(job.version)

    def _keep_in_progress(
        self, before: ProvisioningJob, job: ProvisioningJob, keys: dict[str, Key]
    ) -> None:
        """Let the user's key follow whether this job is in progress."""
        if job.queued is None or job.queued.user_id is None:
            return
        name = in_progress_key(job.queued.user_id)
        was = before.queued is not None and before.in_progress
        if job.in_progress and not was:
            # A retry claims the key only if no other job of this user took it meanwhile.
            if name not in keys:
                keys[name] = self._claims[name] = Key(name, job.id, job.version)
        elif was and not job.in_progress:
            holder = keys.get(name)
            if holder is None or holder.job_id == job.id:
                keys.pop(name, None)
                self._claims.pop(name, None)
                self._releases.append((name, job.id))

    def receipts(self, positions: Sequence[int]) -> list[Receipt | Exception]:
        """Answer every command, in order, once the events have their positions."""
        placed = {
            (str(event.originator_id), event.originator_version): position
            for event, position in zip(self._events, positions, strict=True)
        }
        return [
            outcome
            if isinstance(outcome, Exception)
            else self._receipt(command.job_id, outcome, version, placed)
            for command, outcome, version in zip(
                self._commands, self._outcomes, self._versions, strict=True
            )
        ]

    @staticmethod
    def _receipt(
        job_id: str, decision: Decision, version: int, placed: Mapping[tuple[str, int], int]
    ) -> Receipt:
        if key := decision.earlier:
            position = key.position or placed[key.job_id, key.version]
            return Receipt(
                job_id=key.job_id, version=key.version, position=position, duplicate=True
            )
        for fact in decision.facts:
            if isinstance(fact, JobTimedOut):
                log.warning("job %r timed out: %s", job_id, fact.error)
            if isinstance(fact, RollbackRequested):
                log.warning(
                    "job %r failed; its machine %s is wanted rolled back", job_id, fact.server_id
                )
        return Receipt(
            job_id=job_id,
            version=version,
            position=placed.get((job_id, version)),
            warning=decision.warning,
        )
