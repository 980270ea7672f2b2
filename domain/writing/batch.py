"""A batch of commands that are decided one after the other and stored together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from eventsourcing.persistence import StoredEvent

from domain.job.commands.contract import Command, Decision
from domain.job.events import JobTimedOut, RollbackRequested
from domain.job.keys.changes import key_changes
from domain.job.keys.key import Key
from domain.job.provisioning_job import ProvisioningJob
from domain.log.mapper import JobEventMapper
from domain.log.recalling.recall import Folded, fold
from domain.log.recalling.snapshots import Snapshot, snapshot_of
from domain.log.store import (
    MAX_MISSED_BYTES,
    MAX_TAIL,
    Append,
    Found,
    NothingDecided,
    TooMuchMissed,
)

log = logging.getLogger("milepost")


class Receipt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Proof that a command is stored: the version of its job and the position of its last event.

    The receipt of a command that changed nothing has the job's present version and no position.
    """

    job_id: str
    version: int
    position: int | None
    duplicate: bool = False
    warning: str | None = None


class Batch:
    """Decide commands together, in order, and answer each once their events are stored."""

    def __init__(
        self,
        commands: Sequence[Command],
        cache: Mapping[str, Folded],
        mapper: JobEventMapper,
    ) -> None:
        self._commands = commands
        self._mapper = mapper
        self.jobs = {
            command.job_id: cache.get(command.job_id) or Folded(ProvisioningJob(command.job_id))
            for command in commands
        }
        self.names = {name for command in commands for name in command.names}
        self.now: datetime | None = None
        self._decisions: list[Decision | Exception] = []
        self._versions: list[int] = []
        self._events: list[StoredEvent] = []
        self._claims: dict[str, Key] = {}
        self._pointers: dict[str, Key] = {}
        self._releases: list[tuple[str, str]] = []

    @property
    def events(self) -> Sequence[StoredEvent]:
        """The events that were decided, in order."""
        return self._events

    @property
    def known(self) -> dict[str, int]:
        """The version up to which each job is folded."""
        return {job_id: folded.job.version for job_id, folded in self.jobs.items()}

    def decide(self, found: Found) -> Append:
        """Run every command and return what to store. A command that refuses stops no other.

        Raises `TooMuchMissed`, or `NothingDecided` if events that a job was folded from are no
        longer in the log.
        """
        if len(found.tail) > MAX_TAIL:
            # Another process wrote to these jobs for long. Folding its events here would make all
            # writers wait for the lock. Recalling the jobs takes no lock and uses snapshots.
            raise TooMuchMissed(f"more than {MAX_TAIL} events since the jobs were last seen")
        known = self.known
        lost = {job_id for job_id, version in known.items() if version}
        for stored in found.tail:
            job_id = str(stored.job_id)
            if stored.version == known[job_id]:
                lost.remove(job_id)
            elif not stored.state:
                raise TooMuchMissed(f"an event of more than {MAX_MISSED_BYTES:,} bytes was missed")
            else:
                self.jobs[job_id] = fold(self.jobs[job_id], (stored,), self._mapper)
        if lost:
            # This happens after a failover to a standby that lacks the newest events.
            raise NothingDecided(f"the log has lost events of {len(lost)} jobs")
        keys = dict(found.keys)
        self.now = found.now
        for command in self._commands:
            job = self.jobs[command.job_id].job
            try:
                decision = command.decide(job, keys, found.now)
                self._accept(command.job_id, decision, keys)
            except Exception as refusal:
                # A refusal or a bug: only the caller of this command gets it.
                self._decisions.append(refusal)
                self._versions.append(job.version)
        return Append(
            self._events,
            list(self._claims.values()),
            list(self._pointers.values()),
            self._releases,
            self._snapshots() if self._events else (),
            vouches=not self._events and any(isinstance(d, Decision) for d in self._decisions),
        )

    def _accept(self, job_id: str, decision: Decision, keys: dict[str, Key]) -> None:
        folded = self.jobs[job_id]
        job, events = decision.outcome.job, decision.outcome.events
        stored = [self._mapper.to_stored_event(event) for event in events]
        changes = key_changes(folded.job, events, job)
        # Nothing below can fail, so a command is accepted as a whole or not at all.
        self._events += stored
        self.jobs[job_id] = Folded(job, folded.snapshot_version, folded.whole)
        for key in changes.claims:
            keys[key.name] = self._claims[key.name] = key
        for key in changes.pointers:
            keys[key.name] = self._pointers[key.name] = key
        wanted = changes.in_progress
        if wanted and wanted.name not in keys:
            keys[wanted.name] = self._claims[wanted.name] = wanted
        if name := changes.released:
            self._releases.append((name, job_id))
            if name in keys and keys[name].job_id == job_id:
                del keys[name]
                self._claims.pop(name, None)
        self._decisions.append(decision)
        self._versions.append(job.version)

    def _snapshots(self) -> list[Snapshot]:
        """Take the snapshots that are due."""
        snapshots: list[Snapshot] = []
        for job_id, folded in self.jobs.items():
            if folded.snapshot_due:
                snapshots.append(snapshot_of(folded.job, self._mapper))
                self.jobs[job_id] = Folded(folded.job, folded.job.version)
        return snapshots

    def receipts(self, positions: Sequence[int]) -> list[Receipt | Exception]:
        """Return the answer to every command, in order, from the positions of the stored events."""
        placed = {
            (str(event.originator_id), event.originator_version): position
            for event, position in zip(self._events, positions, strict=True)
        }
        return [
            outcome
            if isinstance(outcome, Exception)
            else self._receipt(command.job_id, outcome, version, placed)
            for command, outcome, version in zip(
                self._commands, self._decisions, self._versions, strict=True
            )
        ]

    @staticmethod
    def _receipt(
        job_id: str, decision: Decision, version: int, placed: Mapping[tuple[str, int], int]
    ) -> Receipt:
        if key := decision.earlier:
            position = key.position or placed[key.job_id, key.version]
            return Receipt(
                job_id=key.job_id,
                version=key.version,
                position=position,
                duplicate=True,
                warning=decision.warning,
            )
        for event in decision.outcome.events:
            fact = event.fact
            if isinstance(fact, JobTimedOut):
                log.warning("job %r timed out: %s", job_id, fact.error, extra={"job_id": job_id})
            if isinstance(fact, RollbackRequested):
                log.warning(
                    "job %r failed; its machine %s is wanted rolled back",
                    job_id,
                    fact.server_id,
                    extra={"job_id": job_id},
                )
        return Receipt(
            job_id=job_id,
            version=version,
            position=placed[job_id, version] if decision.outcome.events else None,
            warning=decision.warning,
        )
