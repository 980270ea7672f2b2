"""A batch of commands that are decided one after the other and stored together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from eventsourcing.persistence import StoredEvent

from domain.job.commands import Command, Decision
from domain.job.events import JobEvent, JobTimedOut, RollbackRequested
from domain.job.keys import Key, in_progress_key
from domain.job.provisioning_job import ProvisioningJob, evolve
from domain.log.mapper import JobEventMapper
from domain.log.recall import Folded, fold
from domain.log.snapshots import Snapshot, take
from domain.log.store import MAX_TAIL, Append, Found, NothingDecided, TooMuchMissed

log = logging.getLogger("milepost")


class Receipt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Proof that something is stored: the job's version and the log's position after it.

    A command that changed nothing has the job's present version and no position.
    """

    job_id: str
    version: int
    position: int | None
    duplicate: bool = False
    warning: str | None = None


class Batch:
    """Commands that are decided together, and what becomes of them."""

    def __init__(
        self,
        commands: Sequence[Command],
        cache: Mapping[str, Folded],
        mapper: JobEventMapper,
        clock: Callable[[], datetime],
    ) -> None:
        self._commands = commands
        self._mapper = mapper
        self._clock = clock
        self.jobs = {
            command.job_id: cache.get(command.job_id) or Folded(ProvisioningJob(command.job_id))
            for command in commands
        }
        self.names = {name for command in commands for name in command.names}
        self._outcomes: list[Decision | Exception] = []
        self._versions: list[int] = []
        self._events: list[StoredEvent] = []
        self._claims: dict[str, Key] = {}
        self._pointers: dict[str, Key] = {}
        self._releases: list[tuple[str, str]] = []

    @property
    def known(self) -> dict[str, int]:
        """The version of every job as far as it is folded."""
        return {job_id: folded.job.version for job_id, folded in self.jobs.items()}

    def decide(self, found: Found) -> Append:
        """Run every command; one that refuses harms no other.

        Raises `TooMuchMissed`, or `NothingDecided` if what the jobs were folded from is not there
        any more.
        """
        if len(found.tail) > MAX_TAIL:
            # Another process had them for long. Folding all that here would keep everybody waiting
            # for the lock; recalling the jobs does it without the lock, and from their snapshots.
            raise TooMuchMissed(f"more than {MAX_TAIL} events since the jobs were last seen")
        known = self.known
        lost = {job_id for job_id, version in known.items() if version}
        for stored in found.tail:
            job_id = str(stored.job_id)
            if stored.version == known[job_id]:
                lost.remove(job_id)
            else:
                self.jobs[job_id] = fold(self.jobs[job_id], (stored,), self._mapper)
        if lost:
            # As after a failover to a database that is a moment older.
            raise NothingDecided(f"the log has lost events of {len(lost)} jobs")
        keys = dict(found.keys)
        now = self._clock()
        for command in self._commands:
            job = self.jobs[command.job_id].job
            try:
                decision = command.decide(job, keys, now)
                self._accept(command.job_id, decision, keys)
            except Exception as refusal:
                # A refusal or a bug: its own caller hears it, and nobody else in the batch.
                self._outcomes.append(refusal)
                self._versions.append(job.version)
        return Append(
            self._events,
            list(self._claims.values()),
            list(self._pointers.values()),
            self._releases,
            self._snapshots() if self._events else (),
        )

    def _accept(self, job_id: str, decision: Decision, keys: dict[str, Key]) -> None:
        folded = self.jobs[job_id]
        before = job = folded.job
        events: list[StoredEvent] = []
        for fact in decision.facts:
            event = JobEvent(job_id, job.version + 1, fact)
            events.append(self._mapper.to_stored_event(event))
            job = evolve(job, event)
        # From here on nothing can fail: all of a command is accepted, or nothing.
        self._events += events
        self.jobs[job_id] = Folded(job, folded.snapshot_version, folded.whole)
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
        if job.asks_for_its_turn(before):
            if name not in keys:
                keys[name] = self._claims[name] = Key(name, job.id, job.version)
        elif job.ends_its_turn(before):
            self._releases.append((name, job.id))
            if name in keys and keys[name].job_id == job.id:
                del keys[name]
                self._claims.pop(name, None)

    def _snapshots(self) -> list[Snapshot]:
        """Take the snapshots that are due."""
        taken: list[Snapshot] = []
        for job_id, folded in self.jobs.items():
            if folded.snapshot_due:
                taken.append(take(folded.job, self._mapper))
                self.jobs[job_id] = Folded(folded.job, folded.job.version)
        return taken

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
            position=placed[job_id, version] if decision.facts else None,
            warning=decision.warning,
        )
